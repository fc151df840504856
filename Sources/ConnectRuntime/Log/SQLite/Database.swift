import CSQLite
import ConnectAPI
import Glibc

/// One SQLite connection with its prepared statements. Belongs to one thread.
final class Database {
    /// A value bound to a parameter or read from a row.
    enum Value: Sendable {
        case null
        case integer(Int64)
        case text(String)
        case blob([UInt8])

        static func optional(_ text: String?) -> Value { text.map { .text($0) } ?? .null }
    }

    enum Access { case readWrite, readOnly }

    let path: String
    private let handle: OpaquePointer
    private var statements: [String: Statement] = [:]
    /// Milliseconds to wait for another program, such as `sqlite3`, that holds the database.
    private let busyTimeout: Int32 = 5000

    /// Throws `log.open_failed`.
    init(path: String, _ access: Access) throws {
        var handle: OpaquePointer?
        // One thread uses a connection, so SQLite need not lock it.
        let flags = SQLITE_OPEN_NOMUTEX | (access == .readWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY)
        let code = sqlite3_open_v2(path, &handle, flags, nil)
        guard code == SQLITE_OK, let handle else {
            let reason = String(cString: sqlite3_errstr(code))
            sqlite3_close_v2(handle)
            throw ConnectorError(
                "log.open_failed", .stop, "The database \(path) cannot be opened: \(reason)",
                hint: "Check that the data directory exists and belongs to the user of the worker")
        }
        self.path = path
        self.handle = handle
        sqlite3_extended_result_codes(handle, 1)
        sqlite3_busy_timeout(handle, busyTimeout)
    }

    deinit {
        statements.removeAll()
        sqlite3_close_v2(handle)
    }

    /// Ends the last connection in order: the WAL is moved into the database and removed.
    func close() {
        _ = try? checkpoint(SQLITE_CHECKPOINT_TRUNCATE, waiting: false)
        statements.removeAll()
    }

    /// Runs statements that take and give no values.
    func execute(_ sql: String) throws {
        try check(sqlite3_exec(handle, sql, nil, nil, nil))
    }

    func run(_ sql: String, _ values: Value...) throws { try run(sql, values) }

    func run(_ sql: String, _ values: [Value]) throws {
        try statement(sql).run(values) { _ in }
    }

    func rows(_ sql: String, _ values: Value..., each: (Row) throws -> Void) throws {
        try statement(sql).run(values, each)
    }

    /// The first column of the first row.
    func integer(_ sql: String, _ values: Value...) throws -> Int64? {
        var result: Int64?
        try statement(sql).run(values) { row in if result == nil, !row.isNull(0) { result = row.integer(0) } }
        return result
    }

    /// Inserts a blob as the only parameter without copying it, and returns its row's number.
    func insert(_ sql: String, blob: [UInt8]) throws -> Int64 {
        try statement(sql).run(borrowing: blob)
        return sqlite3_last_insert_rowid(handle)
    }

    /// Rows changed by the last statement.
    var changes: Int { Int(sqlite3_changes64(handle)) }

    var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

    /// Moves pages from the WAL to the database; `waiting`: for readers in the way, as long as the busy timeout. Returns how many frames
    /// the WAL holds and how many of them were moved.
    func checkpoint(_ mode: Int32, waiting: Bool = true) throws -> (frames: Int, moved: Int) {
        if !waiting { sqlite3_busy_timeout(handle, 0) }
        defer { if !waiting { sqlite3_busy_timeout(handle, busyTimeout) } }
        var frames: Int32 = 0, moved: Int32 = 0
        let code = sqlite3_wal_checkpoint_v2(handle, nil, mode, &frames, &moved)
        // A reader in the way is no error: the next round does the rest.
        if code & 0xFF != SQLITE_BUSY { try check(code) }
        return (Int(frames), Int(moved))
    }

    /// Tells `observer` after each commit how many frames the WAL holds.
    func onCommit(_ observer: WALObserver) {
        sqlite3_wal_hook(
            handle,
            { userdata, _, _, frames in
                Unmanaged<WALObserver>.fromOpaque(userdata!).takeUnretainedValue().frames = Int(frames)
                return SQLITE_OK
            }, Unmanaged.passUnretained(observer).toOpaque())
        self.observer = observer
    }
    /// Kept as long as the connection that calls it.
    private var observer: WALObserver?

    private func statement(_ sql: String) throws -> Statement {
        if let known = statements[sql] { return known }
        var pointer: OpaquePointer?
        try check(sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &pointer, nil))
        let statement = Statement(pointer!, self)
        statements[sql] = statement
        return statement
    }

    fileprivate func check(_ code: Int32) throws {
        guard code != SQLITE_OK, code != SQLITE_ROW, code != SQLITE_DONE else { return }
        throw ConnectorError.sqlite(code, String(cString: sqlite3_errmsg(handle)), systemError: sqlite3_system_errno(handle), path: path)
    }
}

/// What the WAL hook last said. Touched only on its connection's thread.
final class WALObserver {
    var frames = 0
}

/// A prepared statement, kept for the life of its connection.
private final class Statement {
    private let pointer: OpaquePointer
    private unowned let database: Database

    init(_ pointer: OpaquePointer, _ database: Database) {
        self.pointer = pointer
        self.database = database
    }

    deinit { sqlite3_finalize(pointer) }

    func run(_ values: [Database.Value], _ each: (Row) throws -> Void) throws {
        defer { reset() }
        for (i, value) in values.enumerated() { try bind(value, Int32(i + 1)) }
        try step(each)
    }

    func run(borrowing blob: [UInt8]) throws {
        try blob.withUnsafeBytes { bytes in
            defer { reset() }
            try database.check(sluice_sqlite3_bind_borrowed_blob(pointer, 1, bytes.baseAddress, UInt64(bytes.count)))
            try step { _ in }
        }
    }

    private func step(_ each: (Row) throws -> Void) throws {
        while true {
            let code = sqlite3_step(pointer)
            guard code == SQLITE_ROW else { return try database.check(code) }
            try each(Row(pointer: pointer))
        }
    }

    private func reset() {
        sqlite3_reset(pointer)
        sqlite3_clear_bindings(pointer)
    }

    private func bind(_ value: Database.Value, _ i: Int32) throws {
        switch value {
        case .null: try database.check(sqlite3_bind_null(pointer, i))
        case .integer(let n): try database.check(sqlite3_bind_int64(pointer, i, n))
        case .text(var text):
            let code = text.withUTF8 { utf8 in
                utf8.withMemoryRebound(to: CChar.self) { sluice_sqlite3_bind_text(pointer, i, $0.baseAddress, Int32($0.count)) }
            }
            try database.check(code)
        case .blob(let bytes):
            let code =
                bytes.isEmpty
                ? sqlite3_bind_zeroblob(pointer, i, 0)
                : bytes.withUnsafeBytes { sluice_sqlite3_bind_blob(pointer, i, $0.baseAddress, UInt64($0.count)) }
            try database.check(code)
        }
    }
}

/// The row a query stands at; valid inside the closure it is handed to.
struct Row {
    fileprivate let pointer: OpaquePointer

    func isNull(_ i: Int32) -> Bool { sqlite3_column_type(pointer, i) == SQLITE_NULL }
    func integer(_ i: Int32) -> Int64 { sqlite3_column_int64(pointer, i) }
    func text(_ i: Int32) -> String {
        guard let text = sqlite3_column_text(pointer, i) else { return "" }
        return String(decoding: UnsafeBufferPointer(start: text, count: Int(sqlite3_column_bytes(pointer, i))), as: UTF8.self)
    }
    func optionalText(_ i: Int32) -> String? { isNull(i) ? nil : text(i) }
    func blob(_ i: Int32) -> [UInt8] {
        guard let bytes = sqlite3_column_blob(pointer, i) else { return [] }
        return Array(UnsafeRawBufferPointer(start: bytes, count: Int(sqlite3_column_bytes(pointer, i))))
    }
}

extension ConnectorError {
    /// What SQLite's codes mean for a worker: a full disk and a failing device are worth another try, a damaged file is not.
    fileprivate static func sqlite(_ code: Int32, _ message: String, systemError: Int32, path: String) -> ConnectorError {
        let reason = systemError == 0 ? message : "\(message): \(String(cString: strerror(systemError)))"
        let isFull = code & 0xFF == SQLITE_FULL || (code & 0xFF == SQLITE_IOERR && (systemError == ENOSPC || systemError == EDQUOT))
        switch code & 0xFF {
        case _ where isFull:
            return ConnectorError(
                "log.disk_full", .retry, "The log cannot grow: no space is left for \(path)",
                hint: "Free space on the disk of the data directory or lower log.retention.bytes; nothing is lost, the task tries again")
        case SQLITE_CORRUPT, SQLITE_NOTADB:
            return ConnectorError(
                "log.corrupt", .stop, "The database \(path) is damaged: \(reason)",
                hint: "Restore the data directory from a copy, or move it away and start again with a snapshot")
        case SQLITE_BUSY, SQLITE_LOCKED:
            return ConnectorError("log.busy", .retry, "The database \(path) is in use by another program: \(reason)")
        case SQLITE_READONLY, SQLITE_PERM, SQLITE_AUTH, SQLITE_CANTOPEN:
            return ConnectorError(
                "log.read_only", .stop, "The database \(path) cannot be written: \(reason)",
                hint: "Check owner and permissions of the data directory, and that its disk is not mounted read-only")
        default:
            return ConnectorError(
                "log.io_error", .retry, "The database \(path) reports an error: \(reason) (SQLite \(code))",
                hint: "See the kernel's log for errors of the disk")
        }
    }
}
