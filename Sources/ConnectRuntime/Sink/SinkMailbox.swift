import ConnectAPI
import Synchronization

/// What a sink's reader and its clock tell its main loop, in order. One consumer.
final class SinkMailbox: Sendable {
    /// Rows read from the log, transformed: `batches` is empty when transforms dropped them all.
    struct Delivery: Sendable {
        let stored: StoredBatch
        let batches: [ConsumedBatch]
        let next: Int64
        let bytes: Int
    }

    enum Event: Sendable {
        /// Partitions that are this task's from now on.
        case assigned([TopicPartition])
        /// Partitions to be given up; `lost`: others have them already.
        case revoked([TopicPartition], lost: Bool)
        case delivery(Delivery)
        case tick
        case failed(any Error)
        case stop
    }

    private struct State {
        var events: [Event] = []
        var head = 0
        var ticking = false
        var stopping = false
        var consumer: CheckedContinuation<Void, Never>?
    }
    private let state = Mutex(State())

    /// Whether the main loop was asked to end; what is queued is then left unread.
    var isStopping: Bool { state.withLock { $0.stopping } }

    func push(_ event: Event) {
        state.withLock { state in
            if case .tick = event {
                if state.ticking { return nil as CheckedContinuation<Void, Never>? }
                state.ticking = true
            }
            if case .stop = event { state.stopping = true }
            state.events.append(event)
            defer { state.consumer = nil }
            return state.consumer
        }?.resume()
    }

    /// Forgets what was read and what is to be opened; whether to stop it does not forget.
    func clear() {
        state.withLock { state in
            state.events = []
            state.head = 0
            state.ticking = false
        }
    }

    /// The next event; `.stop` passes all others.
    func next() async -> Event {
        while true {
            let event = state.withLock { state -> Event? in
                if state.stopping { return .stop }
                guard state.head < state.events.count else { return nil }
                let event = state.events[state.head]
                state.head += 1
                if state.head == state.events.count {
                    state.events.removeAll(keepingCapacity: true)
                    state.head = 0
                }
                if case .tick = event { state.ticking = false }
                return event
            }
            if let event { return event }
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                let resumeNow = state.withLock { state in
                    if state.stopping || state.head < state.events.count { return true }
                    state.consumer = continuation
                    return false
                }
                if resumeNow { continuation.resume() }
            }
        }
    }
}
