public import ConnectAPI
import ConnectorsCSV
import ConnectorsDatagen
import ConnectorsFileStream
import ConnectorsHTTP
import ConnectorsObjectStore
import ConnectorsPostgres
import ConnectorsSnowflake

/// The connectors in the binary. A new one is added here and nowhere else.
public enum BuiltInConnectors {
    public static let sources: [any SourceConnector.Type] = [
        PostgresSource.self, SQLJob.self, FileStreamSource.self, CSVSource.self, HTTPSource.self, DatagenSource.self,
    ]
    public static let sinks: [any SinkConnector.Type] = [
        FileStreamSink.self, S3SinkConnector.self, AivenS3SinkConnector.self, GCSSinkConnector.self, SnowflakeSinkConnector.self,
    ]
    /// Where transforms look things up.
    public static let databaseQuery: DatabaseQuery = PostgresQuery.run
}
