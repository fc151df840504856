import Synchronization

/// Bytes that may be held at once: acquiring more suspends until others give theirs back, which is the backpressure of the data path
/// (Invariant 5). First come, first served, so that a large request is not starved by small ones.
///
/// One request larger than the whole budget is let through when nothing else is held: a row of 100 MB must pass a budget of 32 MB.
package final class ByteBudget: Sendable {
    private struct Waiter {
        let id: UInt64
        let bytes: Int
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var used = 0
        var peak = 0
        var nextID: UInt64 = 0
        var waiters: [Waiter] = []
        /// Cancelled before they were queued.
        var cancelled: Set<UInt64> = []

        func admits(_ bytes: Int, capacity: Int) -> Bool { used == 0 || used + bytes <= capacity }

        mutating func take(_ bytes: Int) {
            used += bytes
            peak = max(peak, used)
        }
    }

    package let capacity: Int
    private let state = Mutex(State())

    package init(capacity: Int) { self.capacity = capacity }

    package var used: Int { state.withLock { $0.used } }
    /// The most ever held.
    package var peak: Int { state.withLock { $0.peak } }

    /// Requests that wait.
    package var waiting: Int { state.withLock { $0.waiters.count } }

    /// Suspends until the bytes are free. Throws `CancellationError` when the task is cancelled before that; then nothing is held.
    package func acquire(_ bytes: Int) async throws {
        let (ready, id) = state.withLock { state in
            if state.waiters.isEmpty, state.admits(bytes, capacity: capacity) {
                state.take(bytes)
                return (true, 0 as UInt64)
            }
            state.nextID += 1
            return (false, state.nextID)
        }
        if ready { return }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let resumeNow: Result<Void, any Error>? = state.withLock { state in
                    if state.cancelled.remove(id) != nil { return .failure(CancellationError()) }
                    if state.waiters.isEmpty, state.admits(bytes, capacity: capacity) {
                        state.take(bytes)
                        return .success(())
                    }
                    state.waiters.append(Waiter(id: id, bytes: bytes, continuation: continuation))
                    return nil
                }
                if let resumeNow { continuation.resume(with: resumeNow) }
            }
        } onCancel: {
            cancel(id)
        }
        // A cancellation that came after the bytes were granted left its mark behind.
        state.withLock { _ = $0.cancelled.remove(id) }
    }

    package func release(_ bytes: Int) {
        let resumed = state.withLock { state in
            state.used -= bytes
            precondition(state.used >= 0, "more bytes were given back than taken")
            return admitWaiters(&state)
        }
        for continuation in resumed { continuation.resume() }
    }

    private func admitWaiters(_ state: inout State) -> [CheckedContinuation<Void, any Error>] {
        var admitted: [CheckedContinuation<Void, any Error>] = []
        while let first = state.waiters.first, state.admits(first.bytes, capacity: capacity) {
            state.take(first.bytes)
            admitted.append(first.continuation)
            state.waiters.removeFirst()
        }
        return admitted
    }

    private func cancel(_ id: UInt64) {
        let (cancelled, admitted) = state.withLock { state -> (CheckedContinuation<Void, any Error>?, [CheckedContinuation<Void, any Error>]) in
            guard let i = state.waiters.firstIndex(where: { $0.id == id }) else {
                state.cancelled.insert(id)
                return (nil, [])
            }
            let waiter = state.waiters.remove(at: i)
            // The one that left may have been all that stood before smaller requests.
            return (waiter.continuation, admitWaiters(&state))
        }
        cancelled?.resume(throwing: CancellationError())
        for continuation in admitted { continuation.resume() }
    }
}
