import ConnectAPI

/// Marks in the log between which a chunk was read: rows of the signal table, or places of the log where nothing may be written (`read.only`).
///
///     insert_insert   rows UUID-open and UUID-close are inserted
///     insert_delete   UUID-open is inserted and deleted again
///     read-only       the end of the log once the chunk has been read
struct Watermarks: Sendable {
    /// Where a window ends.
    enum Close: Sendable, Hashable {
        case signal(String)
        case lsn(UInt64)
    }

    let signalTable: (schema: String, name: String)?
    let deletes: Bool

    /// Columns are taken by position, so names do not matter.
    private var relation: String { signalTable.map { "\(quoted($0.schema)).\(quoted($0.name))" } ?? "" }

    func open(_ id: String, on connection: Connection, nanos: Int64) async throws {
        guard signalTable != nil else { return }
        try await insert("\(id)-open", "snapshot-window-open", "{\"openWindowTimestamp\": \"\(Self.time(nanos))\"}", connection)
    }

    func close(_ id: String, on connection: Connection, opened: Int64, nanos: Int64) async throws -> Close {
        guard signalTable != nil else { return .lsn(try await end(connection)) }
        if deletes {
            let column = try await connection.query(
                "SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = '\(relation.replacing("'", with: "''"))'::regclass AND attnum = 1", [],
                Self.action)
            try await connection.query("DELETE FROM \(relation) WHERE \(quoted(column.text(0, 0))) = \(literal("\(id)-open"))", [], Self.action)
        } else {
            let data = "{\"openWindowTimestamp\": \"\(Self.time(opened))\", \"closeWindowTimestamp\": \"\(Self.time(nanos))\"}"
            try await insert("\(id)-close", "snapshot-window-close", data, connection)
        }
        return .signal(id)
    }

    private func insert(_ id: String, _ type: String, _ data: String, _ connection: Connection) async throws {
        try await connection.query("INSERT INTO \(relation) VALUES (\(literal(id)), \(literal(type)), \(literal(data)))", [], Self.action)
    }

    /// Everything a statement before this one could see was written before.
    private func end(_ connection: Connection) async throws -> UInt64 {
        let rows = try await connection.query(
            "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END", [], Self.action)
        let end = LSN.parse(rows.text(0, 0)) ?? 0, page: UInt64 = 8192, longestHeader: UInt64 = 40
        // Right behind the header of a page nothing has been written: the log ends where the page begins.
        return end % page <= longestHeader ? end - end % page : end
    }

    private static let action = "Marking a chunk of an incremental snapshot"

    /// As Java prints an instant with nanoseconds.
    private static func time(_ nanos: Int64) -> String {
        let rest = String(nanos.flooredDivision(by: 1000).remainder)
        let micros = ISO8601.timestamp(micros: nanos.flooredDivision(by: 1000).quotient, fractionDigits: 6)
        return micros.dropLast() + String(repeating: "0", count: 3 - rest.count) + rest + "Z"
    }
}
