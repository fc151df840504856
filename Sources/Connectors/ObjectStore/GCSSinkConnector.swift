public import ConnectAPI

/// Records of topics as files in a Google Cloud Storage bucket, under the configuration of Aiven's GCS sink.
///
/// The engine is that of `S3SinkConnector`: file.name.template divides the records where there a partitioner does, and every record is in the
/// bucket exactly once as long as names depend on records and not on the clock (Invariant 4).
public struct GCSSinkConnector: SinkConnector {
    public static let info = ConnectorInfo(
        className: "io.aiven.kafka.connect.gcs.GcsSinkConnector", aliases: ["GcsSinkConnector", "GcsSink", "GCSSink"], version: "0.1.0",
        documentation: "Writes records to Google Cloud Storage as CSV, JSON, Parquet or Avro")

    let configuration: GCSSinkConfiguration

    public init(_ configuration: GCSSinkConfiguration) throws { self.configuration = configuration }

    public func check() async -> [Diagnostic] {
        let pool = BlockingPool(threads: 2)
        defer { pool.stop() }
        do {
            try await store(pool, Logger("sluice.sink.gcs"), onRetry: { _ in }, patience: .validation).prepare()
            return []
        } catch let error as ConnectorError {
            let key =
                switch error.code {
                case "gcs.bucket_missing", "gcs.access_denied", "gcs.billing": "gcs.bucket.name"
                case "gcs.credentials_missing", "gcs.credentials_invalid", "gcs.credentials_refused", "gcs.clock", "gcs.token": credentialsKey
                default: "gcs.endpoint"
                }
            return [Diagnostic(key, error.description)]
        } catch {
            return [Diagnostic("gcs.endpoint", "\(error)")]
        }
    }

    private var credentialsKey: String {
        configuration.credentialsJSON != nil
            ? "gcs.credentials.json" : configuration.credentialsDefault == true ? "gcs.credentials.default" : "gcs.credentials.path"
    }

    enum Patience { case task, validation }

    func store(_ pool: BlockingPool, _ log: Logger, onRetry: @escaping @Sendable (String) -> Void, patience: Patience) throws -> GCSStore {
        var settings = try configuration.clientSettings
        // Whoever asks for a validation waits for the answer.
        if patience == .validation { settings.retry = GCSRetry(initialDelay: 200, totalTimeout: 3000, maxAttempts: 2) }
        return GCSStore(GCSClient(settings, pool: pool, log: log, onRetry: onRetry), try configuration.storeOptions)
    }

    public func makeTask(_ context: TaskContext) async throws -> sending ObjectStoreSinkTask {
        let pool = BlockingPool(threads: 8)
        let metrics = SinkMetrics(context.metrics, connector: context.connector, task: context.task)
        let store = try store(pool, context.log, onRetry: { metrics.retried(code: $0) }, patience: .task)
        return ObjectStoreSinkTask(try configuration.plan, store: store, pool: pool, metrics: metrics, context)
    }
}
