public import ConnectAPI

/// Records of topics as files in an S3 bucket or a local directory.
///
///     ConsumedBatch ─▶ Partitioner ─▶ PartitionRotation ─▶ FileEncoder ─▶ FileUpload ─▶ ObjectStore
///      one partition    which directory  when files are cut   Parquet, JSON   in order       S3, directory
///                       per row          (row ranges)         lines, bytes    per directory  create-if-absent
///                                                                                 │
///                    offsets to commit ◀─ CommitCut ◀─ stored {start, end} ◀──────┘
///
/// Names and bytes are those of Confluent's S3 sink. Every record is in the store exactly once, whatever rotates and whenever the task dies:
/// see `CommitCut` and `StoredFiles` (Invariant 4).
public struct S3SinkConnector: SinkConnector {
    public static let info = ConnectorInfo(
        className: "io.confluent.connect.s3.S3SinkConnector", aliases: ["S3SinkConnector", "S3Sink"], version: "0.1.0",
        documentation: "Writes records to S3, S3-compatible stores or a local directory as Parquet or JSON")

    let configuration: S3SinkConfiguration

    public init(_ configuration: S3SinkConfiguration) throws { self.configuration = configuration }

    public func check() async -> [Diagnostic] {
        let pool = BlockingPool(threads: 1)
        defer { pool.stop() }
        do {
            try await store(pool, owner: "check", Logger("sluice.sink.s3"), onRetry: { _ in }).prepare()
            return []
        } catch let error as ConnectorError {
            let key =
                switch error.code {
                case "s3.bucket_missing": "s3.bucket.name"
                case "s3.credentials_missing", "s3.credentials_refused", "s3.access_denied": "aws.access.key.id"
                case "s3.region": "s3.region"
                default: "store.url"
                }
            return [Diagnostic(key, error.description)]
        } catch {
            return [Diagnostic("store.url", "\(error)")]
        }
    }

    func store(_ pool: BlockingPool, owner: String, _ log: Logger, onRetry: @escaping @Sendable (String) -> Void) throws -> any ObjectStore {
        switch try configuration.location {
        case .directory(let path): LocalStore(root: path, owner: owner, pool: pool)
        case .bucket(let endpoint):
            S3Store(
                S3Client(configuration.clientSettings(endpoint), pool: pool, log: log, onRetry: onRetry), configuration.storeOptions, log: log)
        }
    }

    public func makeTask(_ context: TaskContext) async throws -> sending ObjectStoreSinkTask {
        let pool = BlockingPool(threads: 8)
        let metrics = SinkMetrics(context.metrics, connector: context.connector, task: context.task)
        let store = try store(pool, owner: "\(context.connector)-\(context.task)", context.log) { metrics.retried(code: $0) }
        return ObjectStoreSinkTask(try configuration.plan, store: store, pool: pool, metrics: metrics, context)
    }
}
