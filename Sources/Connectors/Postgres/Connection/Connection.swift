import ConnectAPI
import Synchronization

/// A connection to PostgreSQL on a thread of its own: the cooperative pool never blocks on libpq.
///
///     let connection = try await Connection.open(parameters)
///     let rows = try await connection.query("SELECT …  WHERE oid = ANY($1::oid[])", ["{1,2}"], "reading the catalog")
///
/// Cancelling the task that waits closes the connection, so that the server ends the statement, and throws `CancellationError`. After any error
/// of the transport, too, the connection is of no further use.
actor Connection {
    private let thread: ThreadExecutor
    private let interrupt = Interrupt()
    private let parameters: ConnectionParameters
    private var libpq: LibpqConnection?
    private var isCopying = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    private init(_ parameters: ConnectionParameters) {
        self.parameters = parameters
        thread = ThreadExecutor("pg")
    }

    deinit { thread.stop() }

    /// Connects and runs the initial statements.
    static func open(_ parameters: ConnectionParameters, for purpose: ConnectionParameters.Purpose = .queries) async throws -> Connection {
        let connection = Connection(parameters)
        try await connection.interruptible { try await connection.connect(purpose) }
        return connection
    }

    private func connect(_ purpose: ConnectionParameters.Purpose) throws {
        try judged("Connecting") {
            let libpq = try LibpqConnection(parameters, for: purpose, interrupt: interrupt)
            self.libpq = libpq
            guard purpose == .queries else { return }
            if libpq.serverVersion >= 140_000 {
                // A statement whose client went ends within seconds, whether it sends rows or not; some servers' systems cannot tell.
                _ = try? libpq.run("SET client_connection_check_interval = '5s'", until: deadline)
            }
            for statement in parameters.initialStatements {
                _ = try libpq.run(statement, until: deadline)
            }
        }
    }

    /// 150020 for 15.20.
    var serverVersion: Int { libpq?.serverVersion ?? 0 }

    private var deadline: ContinuousClock.Instant? { parameters.queryTimeout.map { ContinuousClock.now + $0 } }

    /// Runs one statement; `action` names it in errors.
    @discardableResult
    func query(_ sql: String, _ arguments: [String?] = [], _ action: String) async throws -> Rows {
        try await interruptible { [self] in
            try await run(sql, arguments, action)
        }
    }

    /// As `query`, with the server's own error.
    @discardableResult
    func raw(_ sql: String, _ arguments: [String?] = []) async throws -> Rows {
        try await interruptible { [self] in try await runRaw(sql, arguments) }
    }

    private func run(_ sql: String, _ arguments: [String?], _ action: String) throws -> Rows {
        try judged(action) { try runRaw(sql, arguments) }
    }

    private func runRaw(_ sql: String, _ arguments: [String?]) throws -> Rows {
        guard let libpq else { throw ServerError(sqlState: "08003", severity: "ERROR", message: "The connection is closed") }
        do {
            return try libpq.run(sql, arguments, until: deadline)
        } catch {
            discardIfBroken(error)
            throw error
        }
    }

    // MARK: COPY

    /// Starts `COPY … TO STDOUT`; then `nextCopyChunk` until it returns nil.
    func startCopy(_ sql: String, _ action: String) async throws {
        try await interruptible { [self] in try await beginCopy(sql, action) }
    }

    private func beginCopy(_ sql: String, _ action: String) throws {
        try judged(action) {
            guard let libpq else { throw ServerError(sqlState: "08003", severity: "ERROR", message: "The connection is closed") }
            try libpq.startCopy(sql, until: deadline)
            isCopying = true
        }
    }

    /// The bytes of whole CopyData messages, about `size` of them; nil at the end.
    func nextCopyChunk(_ size: Int, _ action: String) async throws -> [UInt8]? {
        try await interruptible { [self] in try await gather(size, action) }
    }

    private func gather(_ size: Int, _ action: String) throws -> [UInt8]? {
        try judged(action) {
            guard let libpq else { throw ServerError(sqlState: "08003", severity: "ERROR", message: "The connection is closed") }
            guard isCopying else { return nil }
            var chunk: [UInt8] = []
            chunk.reserveCapacity(size + size / 8)
            do {
                while chunk.count < size {
                    switch try libpq.nextCopyMessage({ chunk.append(contentsOf: $0) }) {
                    case .message: break
                    case .end:
                        isCopying = false
                        return chunk.isEmpty ? nil : chunk
                    case .wouldBlock:
                        switch try libpq.waitReadable(until: deadline) {
                        case .ready: _ = try libpq.consumeInput()
                        case .timedOut: throw ServerError(sqlState: "", severity: "", message: "No rows in time")
                        case .interrupted: throw CancellationError()
                        }
                    }
                }
            } catch {
                discardIfBroken(error)
                throw error
            }
            return chunk
        }
    }

    // MARK: Ending

    /// Closes the connection; what the session held (transaction, temporary slot, exported snapshot) is gone then.
    func close() { libpq = nil }

    private func discardIfBroken(_ error: any Error) {
        // Closing ends the statement too: PQcancel would block on a server that is away.
        if error is CancellationError || (error as? ServerError)?.isTransport == true { libpq = nil }
    }

    private func judged<T>(_ action: String, _ body: () throws -> T) throws -> T {
        do {
            return try body()
        } catch let error as ServerError {
            throw error.connectorError(action, parameters)
        }
    }

    private nonisolated func interruptible<T: Sendable>(_ body: @Sendable () async throws -> T) async throws -> T {
        try await withTaskCancellationHandler {
            try Task.checkCancellation()
            return try await body()
        } onCancel: {
            interrupt.fire()
        }
    }
}

/// Quotes an identifier.
func quoted(_ identifier: String) -> String { "\"" + identifier.replacing("\"", with: "\"\"") + "\"" }

/// Quotes a string for statements that take no parameters, such as replication commands.
func literal(_ text: String) -> String { "'" + text.replacing("'", with: "''") + "'" }
