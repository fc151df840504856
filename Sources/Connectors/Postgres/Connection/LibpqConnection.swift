import CLibpq
import ConnectAPI
import Glibc

/// A libpq connection that blocks the thread it is used from, with a deadline and an interrupt on every wait (Invariant 7).
///
/// Used by one thread at a time: by `Connection`'s thread or by the replication reader's.
final class LibpqConnection {
    private let handle: OpaquePointer
    let interrupt: Interrupt
    let parameters: ConnectionParameters

    var socket: Int32 { PQsocket(handle) }
    var serverVersion: Int { Int(PQserverVersion(handle)) }

    /// Connects; throws `ServerError`, or `CancellationError` once the interrupt fires.
    init(_ parameters: ConnectionParameters, for purpose: ConnectionParameters.Purpose, interrupt: Interrupt) throws {
        self.parameters = parameters
        self.interrupt = interrupt
        let keywords = parameters.libpqKeywords(for: purpose)
        let names = keywords.map { strdup($0.0) }, values = keywords.map { strdup($0.1) }
        defer { (names + values).forEach { free($0) } }
        guard let handle = PQconnectStartParams(names.map { UnsafePointer($0) } + [nil], values.map { UnsafePointer($0) } + [nil], 0) else {
            throw ServerError(sqlState: "53200", severity: "FATAL", message: "Out of memory")
        }
        self.handle = handle
        sluice_pq_silence(handle)
        PQsetErrorVerbosity(handle, PQERRORS_VERBOSE)
        guard PQstatus(handle) != CONNECTION_BAD else { throw failure }
        let deadline = ContinuousClock.now + parameters.connectTimeout
        var state = PGRES_POLLING_WRITING
        while state != PGRES_POLLING_OK {
            switch SocketWait.poll(socket, state == PGRES_POLLING_WRITING ? POLLOUT : POLLIN, interrupt, until: deadline) {
            case .interrupted: throw CancellationError()
            case .timedOut:
                throw ServerError(sqlState: "", severity: "", message: "No connection within \(parameters.connectTimeout)")
            case .ready: break
            }
            state = PQconnectPoll(handle)
            if state == PGRES_POLLING_FAILED { throw failure }
        }
        PQsetErrorVerbosity(handle, PQERRORS_DEFAULT)
        PQsetnonblocking(handle, 1)
    }

    deinit { PQfinish(handle) }

    private var failure: ServerError { ServerError(libpqText: String(cString: PQerrorMessage(handle))) }

    // MARK: Queries

    /// Runs one statement, or several without parameters; returns the rows of the last.
    func run(_ sql: String, _ arguments: [String?] = [], until deadline: ContinuousClock.Instant?) throws -> Rows {
        try send(sql, arguments)
        var rows = Rows()
        while let result = try nextResult(until: deadline) {
            defer { PQclear(result) }
            rows = try take(result)
        }
        return rows
    }

    private func send(_ sql: String, _ arguments: [String?]) throws {
        let sent: Int32
        if arguments.isEmpty {
            sent = PQsendQuery(handle, sql)
        } else {
            let values = arguments.map { $0.map { strdup($0)! } }
            defer { values.forEach { free($0) } }
            sent = PQsendQueryParams(handle, sql, Int32(arguments.count), nil, values.map { UnsafePointer($0) }, nil, nil, 0)
        }
        guard sent == 1 else { throw failure }
    }

    private func nextResult(until deadline: ContinuousClock.Instant?) throws -> OpaquePointer? {
        try flush(until: deadline)
        while PQisBusy(handle) == 1 {
            try wait(POLLIN, until: deadline)
            guard PQconsumeInput(handle) == 1 else { throw failure }
        }
        return PQgetResult(handle)
    }

    private func take(_ result: OpaquePointer) throws -> Rows {
        switch PQresultStatus(result) {
        case PGRES_TUPLES_OK, PGRES_SINGLE_TUPLE: return Rows(result)
        case PGRES_COMMAND_OK: return Rows(affected: Int(String(cString: PQcmdTuples(result))) ?? 0)
        case PGRES_EMPTY_QUERY, PGRES_COPY_OUT, PGRES_COPY_BOTH: return Rows()
        default: throw Self.error(of: result)
        }
    }

    private static func error(of result: OpaquePointer) -> ServerError {
        guard let state = sluice_pq_sqlstate(result) else {
            return ServerError(libpqText: String(cString: PQresultErrorMessage(result)))
        }
        return ServerError(
            sqlState: String(cString: state), severity: sluice_pq_severity(result).map { String(cString: $0) } ?? "ERROR",
            message: sluice_pq_primary(result).map { String(cString: $0) } ?? "no message")
    }

    private func wait(_ events: Int32, until deadline: ContinuousClock.Instant?) throws {
        switch SocketWait.poll(socket, events, interrupt, until: deadline) {
        case .ready: return
        case .interrupted: throw CancellationError()
        case .timedOut: throw ServerError(sqlState: "", severity: "", message: "No answer in time")
        }
    }

    private func flush(until deadline: ContinuousClock.Instant?) throws {
        while true {
            switch PQflush(handle) {
            case 0: return
            case 1:
                try wait(POLLIN | POLLOUT, until: deadline)
                guard PQconsumeInput(handle) == 1 else { throw failure }
            default: throw failure
            }
        }
    }

    // MARK: COPY

    /// Starts `COPY … TO STDOUT` or `START_REPLICATION`.
    func startCopy(_ sql: String, until deadline: ContinuousClock.Instant?) throws {
        try send(sql, [])
        guard let result = try nextResult(until: deadline) else { throw failure }
        defer { PQclear(result) }
        switch PQresultStatus(result) {
        case PGRES_COPY_OUT, PGRES_COPY_BOTH: return
        default:
            let error = Self.error(of: result)
            while let more = try nextResult(until: deadline) { PQclear(more) }
            throw error
        }
    }

    enum CopyEvent { case message, wouldBlock, end }

    /// Hands the next CopyData message to `body` if one has arrived; `end` after the last, when the statement's outcome has been checked.
    func nextCopyMessage(_ body: (UnsafeRawBufferPointer) throws -> Void) throws -> CopyEvent {
        var buffer: UnsafeMutablePointer<CChar>?
        let count = PQgetCopyData(handle, &buffer, 1)
        switch count {
        case 1...:
            defer { PQfreemem(buffer) }
            try body(UnsafeRawBufferPointer(start: buffer, count: Int(count)))
            return .message
        case 0: return .wouldBlock
        case -1:
            while let result = PQgetResult(handle) {
                defer { PQclear(result) }
                _ = try take(result)
                // A walsender that ends its stream leaves COPY BOTH half open; there is nothing more to read.
                if PQresultStatus(result) == PGRES_COPY_BOTH || PQresultStatus(result) == PGRES_COPY_IN { break }
            }
            return .end
        default: throw failure
        }
    }

    /// Reads from the socket what has arrived, about 16 KB a call; returns how many bytes were waiting.
    func consumeInput() throws -> Int {
        var waiting: Int32 = 0
        guard ioctl(socket, UInt(FIONREAD), &waiting) == 0 else { throw failure }
        // Nothing waiting and yet readable is the end of the connection, which PQconsumeInput then reports.
        guard PQconsumeInput(handle) == 1 else { throw failure }
        return Int(waiting)
    }

    func waitReadable(until deadline: ContinuousClock.Instant?) throws -> SocketWait {
        SocketWait.poll(socket, POLLIN, interrupt, until: deadline)
    }

    /// Sends one CopyData message.
    func putCopyMessage(_ bytes: [UInt8], until deadline: ContinuousClock.Instant) throws {
        let queued = bytes.withUnsafeBytes { unsafe PQputCopyData(handle, $0.baseAddress?.assumingMemoryBound(to: CChar.self), Int32($0.count)) }
        guard queued == 1 else { throw failure }
        try flush(until: deadline)
    }

    /// Ends a replication stream in order: says so and waits a moment for the server to let the slot go.
    func endReplication() {
        guard PQputCopyEnd(handle, nil) == 1 else { return }
        let deadline = ContinuousClock.now + .milliseconds(500)
        try? flush(until: deadline)
        while ContinuousClock.now < deadline {
            var buffer: UnsafeMutablePointer<CChar>?
            let count = PQgetCopyData(handle, &buffer, 1)
            if count > 0 { PQfreemem(buffer); continue }
            if count < 0 { return }
            var descriptor = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
            guard Glibc.poll(&descriptor, 1, 100) > 0, PQconsumeInput(handle) == 1 else { return }
        }
    }
}

/// The rows of a query as text; NULL is nil.
struct Rows: Sendable {
    private let values: [String?]
    private let width: Int
    let count: Int
    /// Rows a statement without a result changed; for others those it gave.
    let affected: Int

    init(affected: Int = 0) {
        values = []
        width = 0
        count = 0
        self.affected = affected
    }

    fileprivate init(_ result: OpaquePointer) {
        count = Int(PQntuples(result))
        affected = count
        width = Int(PQnfields(result))
        var values: [String?] = []
        values.reserveCapacity(count * width)
        for row in 0..<Int32(count) {
            for column in 0..<Int32(width) {
                values.append(
                    PQgetisnull(result, row, column) == 1
                        ? nil
                        : String(
                            decoding: UnsafeRawBufferPointer(start: PQgetvalue(result, row, column), count: Int(PQgetlength(result, row, column))),
                            as: UTF8.self))
            }
        }
        self.values = values
    }

    subscript(row: Int, column: Int) -> String? { values[row * width + column] }
    /// The value, which a query never leaves null; empty if it does.
    func text(_ row: Int, _ column: Int) -> String { self[row, column] ?? "" }
    func integer(_ row: Int, _ column: Int) -> Int64? { self[row, column].flatMap { Int64($0) } }
    func isTrue(_ row: Int, _ column: Int) -> Bool { self[row, column] == "t" }
    var texts: [[String?]] { (0..<count).map { row in (0..<width).map { self[row, $0] } } }
}
