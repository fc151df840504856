import CMicrohttpd
import Synchronization

/// The producer's end of a streamed response body: bytes go in here, the daemon's thread takes them out.
///
///     producer ── write ──▶ pending (at most `capacity` and one write more) ── daemon's callback ──▶ socket
///        ▲ suspended while it is full                                    │ nothing there: the connection is suspended
///        └──────────────── woken when the daemon has taken enough ◀──────┘
package final class HTTPBodyWriter: Sendable {
    fileprivate struct State {
        var pending: [UInt8] = []
        var taken = 0
        var isFinished = false
        var hasFailed = false
        var isClosed = false
        var producer: CheckedContinuation<Void, Never>?
        /// The connection, while it is suspended for want of bytes.
        var waiting: Connection?
    }
    /// Pointer to a connection of the daemon. // @unchecked: only handed to MHD_resume_connection, which any thread may call.
    fileprivate struct Connection: @unchecked Sendable { let pointer: OpaquePointer }
    private static let capacity = 256 * 1024
    fileprivate let state = Mutex(State())

    /// Queues bytes; suspends while the client is slower than the producer. Throws `CancellationError` when the client has left.
    package func write(_ bytes: some Sequence<UInt8>) async throws {
        try Task.checkCancellation()
        let isFull = try state.withLock { state in
            if state.isClosed { throw CancellationError() }
            state.pending.append(contentsOf: bytes)
            Self.wakeDaemon(&state)
            return state.pending.count - state.taken > Self.capacity
        }
        guard isFull else { return }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if state.isClosed || state.pending.count - state.taken <= Self.capacity || Task.isCancelled { return true }
                    state.producer = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.producer.take() }?.resume()
        }
        try Task.checkCancellation()
    }

    package var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Ends the body; a failed one is cut off, so that the client can tell.
    func finish(failed: Bool = false) {
        state.withLock { state in
            state.isFinished = true
            state.hasFailed = failed
            Self.wakeDaemon(&state)
        }
    }

    /// The daemon is done with the response, sent or not.
    func close() {
        state.withLock { state in
            state.isClosed = true
            state.waiting = nil
            return state.producer.take()
        }?.resume()
    }

    /// Called on the daemon's thread: bytes copied, -1 at the end, -2 after a failure; 0 with the connection suspended when there is nothing yet.
    func read(into buffer: UnsafeMutableRawBufferPointer, of connection: OpaquePointer) -> Int {
        let connection = Connection(pointer: connection)
        let (count, producer): (Int, CheckedContinuation<Void, Never>?) = state.withLock { state in
            let available = state.pending.count - state.taken
            guard available > 0 else {
                if state.isFinished { return (state.hasFailed ? -2 : -1, nil) }
                state.waiting = connection
                MHD_suspend_connection(connection.pointer)
                return (0, nil)
            }
            let n = min(available, buffer.count)
            state.pending.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[state.taken..<state.taken + n])) }
            state.taken += n
            if state.taken == state.pending.count {
                state.pending.removeAll(keepingCapacity: true)
                state.taken = 0
            }
            return (n, state.pending.count - state.taken <= Self.capacity ? state.producer.take() : nil)
        }
        producer?.resume()
        return count
    }

    fileprivate static func wakeDaemon(_ state: inout State) {
        guard let connection = state.waiting.take() else { return }
        MHD_resume_connection(connection.pointer)
    }
}

extension HTTPBodyWriter {
    /// The client has gone while the connection was suspended: lets the daemon find out, and ends the producer at its next write.
    func abandon() {
        state.withLock { state in
            state.isClosed = true
            state.isFinished = true
            Self.wakeDaemon(&state)
            return state.producer.take()
        }?.resume()
    }
}
