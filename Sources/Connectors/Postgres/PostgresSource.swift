package import ConnectAPI

/// Change data capture from PostgreSQL: Debezium's connector, by its names, keys, records and offsets.
///
///     catalog, publication, slot ─▶ StartDecision ─┬─▶ Snapshot: COPY by block ranges, parallel, resumable ─▶ output.stage/publish
///                                                  └─▶ Streaming: pgoutput ─▶ columns ─────────────────────▶ output.emit
///
/// One connector is one task is one slot. The slot is made before the snapshot is read and exports it, so no change is in neither and none is in
/// both; its WAL is released when the log has the records (Invariant 1). Restarts resume at (commit LSN, ordinal): see `StreamPosition`.
package struct PostgresSource: SourceConnector {
    package typealias Configuration = PostgresConfiguration

    package static let info = ConnectorInfo(
        className: "io.debezium.connector.postgresql.PostgresConnector", aliases: ["PostgresSource"], version: SourceIdentity.debeziumVersion,
        documentation: "Reads the changes of a PostgreSQL database through logical replication, after a snapshot of its tables")

    /// Whose log a position is of: offsets read and written by hand are Debezium's, and belong to the server the connector is given then.
    package static let unlistedOffsetKeys = StreamPosition.identityKeys

    private let configuration: PostgresConfiguration

    package init(_ configuration: PostgresConfiguration) throws {
        _ = try CaptureFilter(configuration)
        _ = try ReplicaIdentityRules(configuration.replicaIdentityAutosetValues)
        self.configuration = configuration
    }

    /// Connects once, as Debezium does when a configuration is validated.
    package func check() async -> [Diagnostic] {
        var parameters = ConnectionParameters(configuration)
        parameters.connectTimeout = min(parameters.connectTimeout, .milliseconds(configuration.connectionValidationTimeoutMilliseconds))
        do {
            let connection = try await Connection.open(parameters)
            await connection.close()
            return []
        } catch let error as ConnectorError {
            let server = error.underlying as? ServerError
            let reason: String
            if let server, server.message.contains("Connection refused") {
                reason =
                    "Connection to \(parameters.host):\(parameters.port) refused. Check that the hostname and port are correct and that the postmaster is accepting TCP/IP connections."
            } else if let server, !server.severity.isEmpty {
                reason = "\(server.severity): \(server.message)"
            } else {
                reason = server?.message ?? error.message
            }
            return [Diagnostic("database.hostname", "Error while validating connector config: \(reason)")]
        } catch {
            return []
        }
    }

    package func taskConfigurations(maxTasks: Int) async throws -> [[String: String]] {
        [["task.class": "io.debezium.connector.postgresql.PostgresConnectorTask"]]
    }

    package func makeTask(
        _ configuration: [String: String], resumingAt positions: [SourcePosition], _ context: TaskContext
    ) async throws -> sending PostgresSourceTask {
        for note in self.configuration.ineffective(configuration) { context.log.warn(note) }
        return try PostgresSourceTask(self.configuration, resumingAt: positions, context)
    }

    /// An offset must be one `StreamPosition` can read.
    package func validateOffsets(_ positions: [SourcePosition]) throws {
        for position in positions where !position.offset.entries.isEmpty { _ = try StreamPosition(position.offset) }
    }
}
