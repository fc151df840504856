public import ConnectAPI

/// Records of topics as files in an S3 bucket, under the configuration of Aiven's S3 sink: the store of `S3SinkConnector`, and the names and contents
/// of `GCSSinkConnector`.
public struct AivenS3SinkConnector: SinkConnector {
    public static let info = ConnectorInfo(
        className: "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector", aliases: ["AivenKafkaConnectS3SinkConnector"], version: "0.1.0",
        documentation: "Writes records to S3 as CSV, JSON, Parquet or Avro, under Aiven's configuration")

    let configuration: AivenS3SinkConfiguration

    public init(_ configuration: AivenS3SinkConfiguration) throws { self.configuration = configuration }

    public func check() async -> [Diagnostic] {
        let pool = BlockingPool(threads: 2)
        defer { pool.stop() }
        do {
            try await store(pool, Logger("sluice.sink.s3"), onRetry: { _ in }).prepare()
            return []
        } catch let error as ConnectorError {
            let key =
                switch error.code {
                case "s3.bucket_missing": "aws.s3.bucket.name"
                case "s3.credentials_missing", "s3.credentials_refused", "s3.access_denied": "aws.access.key.id"
                case "s3.region": "aws.s3.region"
                default: "aws.s3.endpoint"
                }
            return [Diagnostic(key, error.description)]
        } catch {
            return [Diagnostic("aws.s3.endpoint", "\(error)")]
        }
    }

    func store(_ pool: BlockingPool, _ log: Logger, onRetry: @escaping @Sendable (String) -> Void) throws -> S3Store {
        S3Store(S3Client(try configuration.clientSettings, pool: pool, log: log, onRetry: onRetry), configuration.storeOptions, log: log)
    }

    public func makeTask(_ context: TaskContext) async throws -> sending ObjectStoreSinkTask {
        let pool = BlockingPool(threads: 8)
        let metrics = SinkMetrics(context.metrics, connector: context.connector, task: context.task)
        let store = try store(pool, context.log) { metrics.retried(code: $0) }
        return ObjectStoreSinkTask(try configuration.plan, store: store, pool: pool, metrics: metrics, context)
    }
}
