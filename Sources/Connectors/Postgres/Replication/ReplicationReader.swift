import ConnectAPI
import Glibc

/// Reads the replication stream on a thread of its own and answers the server, whatever the rest of the connector does.
///
///     socket ──drain until dry──▶ chunk ──▶ ChunkQueue ──▶ decoding task
///        ▲        └ nap 300 µs while data flows, wait in poll when idle
///        └── status: flushed = what the log has made durable (Invariant 1), every status.update.interval.ms and whenever asked
///
/// The walsender sends every change by itself; a reader that woke for each would make it pay a wake-up a change. libpq reads 16 KB a call, so
/// "until dry" matters. When the queue is full the socket waits, with few long pauses, while status goes on (Invariant 5).
struct ReplicationReader: Sendable {
    let parameters: ConnectionParameters
    let slot: String
    let publication: String
    let start: UInt64
    let options: [(String, String)]
    let statusInterval: Duration
    let retries: Int
    let retryDelay: Duration
    let queue: ChunkQueue
    let interrupt: Interrupt
    let log: Logger
    /// The LSN that may be acknowledged now.
    let flushed: @Sendable () -> UInt64

    private static let chunkBytes = 512 << 10
    private static let nap: UInt32 = 300
    /// What libpq takes from the socket in one call.
    private static let fullRead = 16 << 10
    private static let tick = Duration.milliseconds(250)

    /// Runs until interrupted or the stream breaks; the queue learns how it ended. Blocks: call it on a thread that may.
    func run() {
        do {
            let connection = try connect()
            var session = Session(connection: connection, received: start)
            do {
                try read(&session)
                try? sendStatus(&session)
                connection.endReplication()
            } catch let error as ServerError {
                throw judged(error, "Streaming from slot \(slot)")
            }
            queue.finish(.failure(CancellationError()))
        } catch {
            queue.finish(.failure(error))
        }
    }

    private struct Session {
        let connection: LibpqConnection
        var received: UInt64
        var lastStatus = ContinuousClock.now
        var chunk = ChunkQueue.Chunk()
        var replyRequested = false
    }

    private func judged(_ error: ServerError, _ action: String) -> ConnectorError {
        error.connectorError(action, parameters, slot: slot, publication: publication)
    }

    /// Connects and starts the stream; a slot that is still in use, as it is for a moment after its last reader went, is tried again.
    private func connect() throws -> LibpqConnection {
        for attempt in 0... {
            do {
                let connection = try LibpqConnection(parameters, for: .replication, interrupt: interrupt)
                let list = options.map { "\(quoted($0.0)) \(literal($0.1))" }.joined(separator: ", ")
                try connection.startCopy(
                    "START_REPLICATION SLOT \(quoted(slot)) LOGICAL \(LSN.text(start)) (\(list))", until: ContinuousClock.now + .seconds(120))
                return connection
            } catch let error as ServerError {
                guard error.sqlState == "55006", attempt < quickRetries + retries else { throw judged(error, "Starting to stream from slot \(slot)") }
                if attempt == quickRetries { log.warn("\(error.message); trying again every \(retryDelay), \(retries) times") }
                let delay = attempt < quickRetries ? Duration.milliseconds(200) : retryDelay
                var nothing = pollfd(fd: interrupt.descriptor, events: Int16(POLLIN), revents: 0)
                if poll(&nothing, 1, Int32(delay / .milliseconds(1))) > 0 { throw CancellationError() }
            }
        }
        fatalError("unreachable")
    }

    /// A server notices within moments that a reader went; those tries do not count.
    private var quickRetries: Int { 10 }

    private func read(_ session: inout Session) throws {
        while true {
            if queue.isFull { try waitForRoom(&session) }
            if try drain(&session) {
                // Let the walsender fill the socket: one wake-up for many changes.
                usleep(Self.nap)
                try statusIfDue(&session)
                continue
            }
            try statusIfDue(&session)
            switch try session.connection.waitReadable(until: ContinuousClock.now + min(Self.tick, statusInterval)) {
            case .ready: break
            case .interrupted: return
            case .timedOut: if queue.isEmpty { queue.push(ChunkQueue.Chunk()) }
            }
        }
    }

    /// Takes everything that has arrived; false: there was nothing. Ends where little was waiting: a loop that goes on for each change that
    /// arrives meanwhile acknowledges each by itself, and TCP then sends each by itself.
    private func drain(_ session: inout Session) throws -> Bool {
        var any = false, waiting: Int
        repeat {
            waiting = try session.connection.consumeInput()
            messages: while true {
                switch try session.connection.nextCopyMessage({ try accept($0, &session) }) {
                case .message: any = true
                case .wouldBlock: break messages
                case .end: throw ServerError(sqlState: "", severity: "", message: "The server ended the stream")
                }
            }
            if session.replyRequested { try sendStatus(&session) }
            if session.chunk.bytes.count >= Self.chunkBytes { handOver(&session) }
        } while waiting >= Self.fullRead && !queue.isFull
        handOver(&session)
        return any
    }

    private func accept(_ frame: UnsafeRawBufferPointer, _ session: inout Session) throws {
        session.chunk.append(frame)
        switch try ReplicationFrame.parse(frame) {
        case .data(let data): session.received = max(session.received, data.walEnd)
        case .keepalive(let keepalive):
            session.received = max(session.received, keepalive.walEnd)
            if keepalive.replyRequested { session.replyRequested = true }
        }
    }

    private func handOver(_ session: inout Session) {
        guard !session.chunk.bytes.isEmpty else { return }
        queue.push(session.chunk)
        session.chunk = ChunkQueue.Chunk()
        session.chunk.bytes.reserveCapacity(64 << 10)
    }

    private func waitForRoom(_ session: inout Session) throws {
        while !queue.hasRoomAgain {
            var stop = pollfd(fd: interrupt.descriptor, events: Int16(POLLIN), revents: 0)
            if poll(&stop, 1, 5) > 0 { return }
            try statusIfDue(&session)
        }
    }

    private func statusIfDue(_ session: inout Session) throws {
        if session.replyRequested || session.lastStatus.duration(to: .now) >= statusInterval { try sendStatus(&session) }
    }

    private func sendStatus(_ session: inout Session) throws {
        let flushed = flushed()
        try session.connection.putCopyMessage(
            ReplicationFrame.statusUpdate(
                written: max(session.received, flushed), flushed: flushed, applied: flushed, nowMicros: WallClock.nanoseconds / 1000),
            until: ContinuousClock.now + .seconds(30))
        session.lastStatus = .now
        session.replyRequested = false
    }
}
