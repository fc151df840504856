import ConnectAPI
import Synchronization

/// Frames on their way into the log: a source task queues, one drain takes. What piled up during a commit goes into the next as one
/// frame, so that a busy source pays one commit for many frames and an idle one has each record durable in a single commit's time.
///
///     emit ─▶ [frame 7][frame 8][frame 9] ─▶ drain: append {7, 8, 9} at 9's position ─▶ durable = 9
///
/// Entries stay in the queue until the log has them, so that a failed append is repeated as it was.
final class FrameQueue: Sendable {
    struct Entry {
        var number: FrameNumber = 0
        var batches: [RecordBatch] = []
        var position: SourcePosition?
        /// The snapshot unit to make visible at the position, instead of batches.
        var unit: String?
        var bytes = 0
        var rows = 0
    }

    enum Next {
        case entries(ArraySlice<Entry>)
        /// Nothing is queued that was not taken yet.
        case nothing
        case ended
    }

    private struct State {
        var entries: [Entry] = []
        /// How many of them the drain has taken.
        var taken = 0
        var emitted: FrameNumber = 0
        var durable: FrameNumber = 0
        var finished = false
        var failure: (any Error)?
        var drain: CheckedContinuation<Void, Never>?
        var flushes: [(upTo: FrameNumber, continuation: CheckedContinuation<Void, any Error>)] = []
    }

    private let state = Mutex(State())
    private let durableFrames = Atomic<FrameNumber>(0)
    /// Frames are joined up to this many bytes.
    private let joinedBytes: Int

    init(joinedBytes: Int) { self.joinedBytes = joinedBytes }

    var durable: FrameNumber { durableFrames.load(ordering: .acquiring) }

    /// Throws what stopped the drain; otherwise queues the frame behind the others.
    func push(_ entry: Entry) throws -> FrameNumber {
        let (number, drain) = try state.withLock { state in
            if let failure = state.failure { throw failure }
            state.emitted += 1
            var entry = entry
            entry.number = state.emitted
            state.entries.append(entry)
            defer { state.drain = nil }
            return (state.emitted, state.drain)
        }
        drain?.resume()
        return number
    }

    /// What makes up the next append: at least one entry. With `wait` it suspends until there is one or the queue ended.
    func next(wait: Bool) async -> Next {
        while true {
            let next = state.withLock { state -> Next in
                if state.failure != nil { return .ended }
                guard state.taken < state.entries.count else { return state.finished ? .ended : .nothing }
                let first = state.entries[state.taken]
                var end = state.taken + 1, bytes = first.bytes, partition = first.position?.partition
                while first.unit == nil, end < state.entries.count {
                    let entry = state.entries[end]
                    // A frame of the log carries one position, so frames of two source partitions stay apart.
                    if entry.unit != nil || bytes + entry.bytes > joinedBytes { break }
                    if let own = entry.position?.partition, let partition, own != partition { break }
                    partition = partition ?? entry.position?.partition
                    bytes += entry.bytes
                    end += 1
                }
                defer { state.taken = end }
                return .entries(state.entries[state.taken..<end])
            }
            guard wait, case .nothing = next else { return next }
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                let resumeNow = state.withLock { state in
                    if state.taken < state.entries.count || state.finished || state.failure != nil { return true }
                    state.drain = continuation
                    return false
                }
                if resumeNow { continuation.resume() }
            }
        }
    }

    /// The log has the first `count` entries. False when `fail` came first: then it accounted for their bytes.
    func complete(_ count: Int) -> Bool {
        let resumed = state.withLock { state -> [(upTo: FrameNumber, continuation: CheckedContinuation<Void, any Error>)]? in
            guard state.failure == nil else { return nil }
            state.durable = state.entries[count - 1].number
            state.entries.removeFirst(count)
            state.taken -= count
            durableFrames.store(state.durable, ordering: .releasing)
            let ready = state.flushes.filter { $0.upTo <= state.durable }
            state.flushes.removeAll { $0.upTo <= state.durable }
            return ready
        }
        for flush in resumed ?? [] { flush.continuation.resume() }
        return resumed != nil
    }

    /// Suspends until everything emitted is durable. Not cut short by cancellation: the drain ends it, with `fail` at the latest.
    func flush() async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            let result: Result<Void, any Error>? = state.withLock { state in
                if let failure = state.failure { return .failure(failure) }
                if state.durable == state.emitted { return .success(()) }
                state.flushes.append((state.emitted, continuation))
                return nil
            }
            if let result { continuation.resume(with: result) }
        }
    }

    /// No more frames come: `next` says so once all are taken.
    func finish() {
        state.withLock { state in
            state.finished = true
            defer { state.drain = nil }
            return state.drain
        }?.resume()
    }

    /// Nothing more gets into the log; every waiting call throws. Frames that were not durable are gone, and their positions with them,
    /// so that the next run emits them again. Returns the bytes they held of the budget.
    func fail(_ error: any Error) -> Int {
        let (drain, flushes, bytes) = state.withLock { state in
            if state.failure == nil { state.failure = error }
            let bytes = state.entries.reduce(0) { $0 + $1.bytes }
            state.entries = []
            state.taken = 0
            defer {
                state.drain = nil
                state.flushes = []
            }
            return (state.drain, state.flushes, bytes)
        }
        drain?.resume()
        for flush in flushes { flush.continuation.resume(throwing: error) }
        return bytes
    }
}
