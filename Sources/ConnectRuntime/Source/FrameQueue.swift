import ConnectAPI
import Synchronization

/// Frames on their way into the log: a source task queues, one drain takes. What piled up during a commit goes into the next as one
/// frame, so that a busy source pays one commit for many frames and an idle one has each record durable in a single commit's time.
///
///     emit ─▶ [frame 7][frame 8][frame 9] ─▶ drain: append {7, 8, 9} at 9's position ─▶ durable = 9
///
/// One append at a time is under way, so a failed append is repeated as it is and nothing behind it can overtake (Invariant 3).
final class FrameQueue: Sendable {
    struct Entry {
        let number: FrameNumber
        let batches: [RecordBatch]
        let position: SourcePosition?
        let bytes: Int
        let rows: Int
    }

    private struct State {
        var entries: [Entry] = []
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
    /// Rows emitted and not yet durable.
    var activeRows: Int { state.withLock { $0.entries.reduce(0) { $0 + $1.rows } } }

    /// Throws what stopped the drain; otherwise queues the frame behind the others.
    func push(_ batches: [RecordBatch], at position: SourcePosition?, bytes: Int, rows: Int) throws -> FrameNumber {
        let (number, drain) = try state.withLock { state in
            if let failure = state.failure { throw failure }
            state.emitted += 1
            state.entries.append(Entry(number: state.emitted, batches: batches, position: position, bytes: bytes, rows: rows))
            defer { state.drain = nil }
            return (state.emitted, state.drain)
        }
        drain?.resume()
        return number
    }

    /// The frames of the next append, left in the queue until `complete`: at least one; nil once the queue is finished and empty.
    func next() async -> ArraySlice<Entry>? {
        while true {
            let (taken, ended) = state.withLock { state -> (ArraySlice<Entry>?, Bool) in
                if state.failure != nil { return (nil, true) }
                guard let first = state.entries.first else { return (nil, state.finished) }
                var count = 1, bytes = first.bytes, partition = first.position?.partition
                while count < state.entries.count {
                    let entry = state.entries[count]
                    // A frame of the log carries one position, so frames of two source partitions stay apart.
                    if let own = entry.position?.partition, let partition, own != partition { break }
                    if bytes + entry.bytes > joinedBytes { break }
                    partition = partition ?? entry.position?.partition
                    bytes += entry.bytes
                    count += 1
                }
                return (state.entries[..<count], false)
            }
            if let taken { return taken }
            if ended { return nil }
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                let resumeNow = state.withLock { state in
                    if !state.entries.isEmpty || state.finished || state.failure != nil { return true }
                    state.drain = continuation
                    return false
                }
                if resumeNow { continuation.resume() }
            }
        }
    }

    /// The log has these frames. False when `fail` came first: then it accounted for their bytes.
    func complete(_ entries: ArraySlice<Entry>) -> Bool {
        let resumed = state.withLock { state -> [(upTo: FrameNumber, continuation: CheckedContinuation<Void, any Error>)]? in
            guard state.failure == nil else { return nil }
            state.entries.removeFirst(entries.count)
            state.durable = entries.last!.number
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

    /// No more frames come: `next` returns nil once the rest is durable.
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
