import Synchronization

/// The bounded hand-off from the reader's thread to the decoding task: chunks of replication frames, in order.
///
/// The producer never blocks here: it asks `hasRoom` and naps when there is none, so that it can go on answering the server (Invariant 5).
final class ChunkQueue: Sendable {
    /// Frames back to back, each with its length before it (4 bytes, native order).
    struct Chunk: Sendable {
        var bytes: [UInt8] = []

        mutating func append(_ frame: UnsafeRawBufferPointer) {
            withUnsafeBytes(of: UInt32(frame.count)) { bytes.append(contentsOf: $0) }
            bytes.append(contentsOf: frame)
        }
    }

    private struct State {
        var chunks: [Chunk] = []
        var head = 0
        var bytes = 0
        var outcome: Result<Void, any Error>?
        var waiter: CheckedContinuation<Chunk?, any Error>?
    }
    private let state = Mutex(State())
    /// Bytes it holds before the producer has to wait.
    let capacity: Int

    init(capacity: Int) { self.capacity = capacity }

    /// Bytes waiting; the producer stops at the capacity and goes on below half of it: few long pauses rather than many short ones.
    var isFull: Bool { state.withLock { $0.bytes >= capacity } }
    var hasRoomAgain: Bool { state.withLock { $0.bytes < capacity / 2 } }
    var byteCount: Int { state.withLock { $0.bytes } }
    var isEmpty: Bool { state.withLock { $0.head == $0.chunks.count } }

    func push(_ chunk: Chunk) {
        let waiter = state.withLock { state -> CheckedContinuation<Chunk?, any Error>? in
            if let waiter = state.waiter {
                state.waiter = nil
                return waiter
            }
            state.chunks.append(chunk)
            state.bytes += chunk.bytes.count
            return nil
        }
        waiter?.resume(returning: chunk)
    }

    /// No more chunks come; waiting and later calls of `next` end so once the chunks before are taken.
    func finish(_ outcome: Result<Void, any Error>) {
        let waiter = state.withLock { state -> CheckedContinuation<Chunk?, any Error>? in
            if state.outcome == nil { state.outcome = outcome }
            defer { state.waiter = nil }
            return state.waiter
        }
        switch outcome {
        case .success: waiter?.resume(returning: nil)
        case .failure(let error): waiter?.resume(throwing: error)
        }
    }

    /// A chunk if one is waiting.
    func poll() -> Chunk? { state.withLock { Self.take(&$0) } }

    /// The next chunk; nil at the end. One consumer only. Ends when the producer finishes, which it does once its task is cancelled.
    func next() async throws -> Chunk? {
        try await withCheckedThrowingContinuation { continuation in
            let now = state.withLock { state -> Result<Chunk?, any Error>? in
                if let chunk = Self.take(&state) { return .success(chunk) }
                switch state.outcome {
                case .success: return .success(nil)
                case .failure(let error): return .failure(error)
                case nil:
                    state.waiter = continuation
                    return nil
                }
            }
            if let now { continuation.resume(with: now) }
        }
    }

    private static func take(_ state: inout State) -> Chunk? {
        guard state.head < state.chunks.count else { return nil }
        let chunk = state.chunks[state.head]
        state.chunks[state.head] = Chunk()
        state.head += 1
        state.bytes -= chunk.bytes.count
        if state.head == state.chunks.count {
            state.chunks.removeAll(keepingCapacity: true)
            state.head = 0
        }
        return chunk
    }
}
