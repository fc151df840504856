import Synchronization

/// Where a paused task waits, holding what it holds.
final class PauseGate: Sendable {
    private struct State {
        var open: Bool
        var nextID = 0
        var waiters: [Int: CheckedContinuation<Void, any Error>] = [:]
        var cancelled: Set<Int> = []
    }
    private let state: Mutex<State>

    init(open: Bool) { state = Mutex(State(open: open)) }

    var isOpen: Bool { state.withLock { $0.open } }

    func set(open: Bool) {
        let released = state.withLock { state in
            state.open = open
            guard open else { return [CheckedContinuation<Void, any Error>]() }
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in released { waiter.resume() }
    }

    /// Suspends while closed; throws when cancelled.
    func pass() async throws {
        let id: Int? = state.withLock { state in
            if state.open { return nil }
            state.nextID += 1
            return state.nextID
        }
        guard let id else { return }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let result: Result<Void, any Error>? = state.withLock { state in
                    if state.cancelled.remove(id) != nil { return .failure(CancellationError()) }
                    if state.open { return .success(()) }
                    state.waiters[id] = continuation
                    return nil
                }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                let waiter = state.waiters.removeValue(forKey: id)
                if waiter == nil { state.cancelled.insert(id) }
                return waiter
            }
            waiter?.resume(throwing: CancellationError())
        }
        state.withLock { _ = $0.cancelled.remove(id) }
    }
}
