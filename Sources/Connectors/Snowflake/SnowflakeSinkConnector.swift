public import ConnectAPI
import ConnectorsObjectStore
import Transport

/// Records of topics as rows of Snowflake tables.
///
///     ConsumedBatch ─▶ RowLayout ─▶ files ─▶ stage ─▶ COPY INTO | pipe ─┐
///                          └──────▶ JSON lines ─▶ channel ──────────────┴▶ table ─▶ offsets to commit
///
/// Configured as Snowflake's own connector is. Every record is in its table once, whatever is killed and whenever: see `StagedIngestion`.
public struct SnowflakeSinkConnector: SinkConnector {
    public static let info = ConnectorInfo(
        className: "com.snowflake.kafka.connector.SnowflakeSinkConnector",
        aliases: [
            "com.snowflake.kafka.connector.SnowflakeStreamingSinkConnector", "SnowflakeStreamingSinkConnector", "SnowflakeSinkConnector", "SnowflakeSink",
        ],
        version: "0.1.0", documentation: "Writes records to Snowflake tables through stages and COPY, Snowpipe, or Snowpipe Streaming")

    private let configuration: SnowflakeSinkConfiguration

    public init(_ configuration: SnowflakeSinkConfiguration) throws { self.configuration = configuration }

    public func check() async -> [Diagnostic] {
        let pool = BlockingPool(threads: 1)
        defer { pool.stop() }
        return await AccountCheck(configuration, pool: pool).findings()
    }

    public func examine(_ doctor: any Doctor) async {
        let pool = BlockingPool(threads: 2)
        defer { pool.stop() }
        await AccountExamination(configuration, pool: pool).run(doctor)
    }

    public func makeTask(_ context: TaskContext) async throws -> sending SnowflakeSinkTask {
        if !configuration.ignoredKeys.isEmpty {
            context.log.info("These keys are accepted and change nothing: \(configuration.ignoredKeys.joined(separator: ", "))")
        }
        return try SnowflakeSinkTask(configuration, context)
    }
}
