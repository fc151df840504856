import ConnectAPI

/// The worker's memory of its connectors in the log's database: written by the log's writer, read by its readers.
package final class SQLiteConnectorStore: ConnectorStore {
    private let writer: LogWriter
    private let readers: LogReaders
    /// The task number under which the connector's own status is kept.
    private static let connectorItself: Int64 = -1

    init(writer: LogWriter, readers: LogReaders) {
        self.writer = writer
        self.readers = readers
    }

    package func connectors() async throws -> [String: StoredConnector] {
        try await readers.run { db in
            var found: [String: StoredConnector] = [:]
            try db.rows("SELECT name, config, target_state, file FROM connectors") { row in
                let name = row.text(0)
                guard let state = TargetState(rawValue: row.text(2)) else {
                    throw ConnectorError.corrupt("connector \(name) has the target state \(row.text(2))")
                }
                found[name] = StoredConnector(config: try [ConfigEntry](encoded: row.blob(1)), targetState: state, file: row.optionalText(3))
            }
            return found
        }
    }

    package func put(_ connector: StoredConnector, name: String) async throws {
        try await write(
            """
            INSERT INTO connectors (name, config, target_state, file) VALUES (?, ?, ?, ?)
            ON CONFLICT (name) DO UPDATE SET config = excluded.config, target_state = excluded.target_state, file = excluded.file
            """, .text(name), .blob(connector.config.encoded), .text(connector.targetState.rawValue), .optional(connector.file))
    }

    package func remove(_ name: String) async throws {
        try await writer.write { transaction in
            for sql in [
                "DELETE FROM connectors WHERE name = ?", "DELETE FROM statuses WHERE connector = ?",
                "DELETE FROM connector_topics WHERE connector = ?",
            ] { try transaction.db.run(sql, .text(name)) }
        }
    }

    package func putStatus(_ status: StoredStatus, connector: String, task: Int?) async throws {
        try await write(
            """
            INSERT INTO statuses (connector, task, state, trace) VALUES (?, ?, ?, ?)
            ON CONFLICT (connector, task) DO UPDATE SET state = excluded.state, trace = excluded.trace
            """, .text(connector), .integer(task.map { Int64($0) } ?? Self.connectorItself), .text(status.state.rawValue),
            .optional(status.trace))
    }

    package func statuses(of connector: String) async throws -> [Int?: StoredStatus] {
        try await readers.run { db in
            var found: [Int?: StoredStatus] = [:]
            try db.rows("SELECT task, state, trace FROM statuses WHERE connector = ?", .text(connector)) { row in
                guard let state = StoredStatus.State(rawValue: row.text(1)) else {
                    throw ConnectorError.corrupt("connector \(connector) has the state \(row.text(1))")
                }
                let task = row.integer(0)
                found[task == Self.connectorItself ? nil : Int(task)] = StoredStatus(state, trace: row.optionalText(2))
            }
            return found
        }
    }

    package func removeTaskStatuses(of connector: String, from task: Int) async throws {
        try await write("DELETE FROM statuses WHERE connector = ? AND task >= ?", .text(connector), .integer(Int64(max(task, 0))))
    }

    package func addTopic(_ topic: String, connector: String) async throws {
        try await write("INSERT OR IGNORE INTO connector_topics (connector, topic) VALUES (?, ?)", .text(connector), .text(topic))
    }

    package func topics(of connector: String) async throws -> [String] {
        try await readers.run { db in
            var found: [String] = []
            try db.rows("SELECT topic FROM connector_topics WHERE connector = ? ORDER BY id", .text(connector)) { found.append($0.text(0)) }
            return found
        }
    }

    package func resetTopics(of connector: String) async throws {
        try await write("DELETE FROM connector_topics WHERE connector = ?", .text(connector))
    }

    private func write(_ sql: String, _ values: Database.Value...) async throws {
        try await writer.write { try $0.db.run(sql, values) }
    }
}

extension [ConfigEntry] {
    fileprivate var encoded: [UInt8] {
        var out = ByteWriter()
        out.count(count)
        for entry in self {
            out.string(entry.key)
            out.string(entry.value)
        }
        return out.bytes
    }

    fileprivate init(encoded bytes: [UInt8]) throws {
        self = try ByteReader.reading(bytes) { reader in
            var entries: [ConfigEntry] = []
            for _ in 0..<(try reader.count()) { entries.append(ConfigEntry(try reader.string(), try reader.string())) }
            return entries
        }
    }
}
