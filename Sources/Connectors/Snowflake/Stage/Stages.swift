import ConnectAPI
import ConnectorsObjectStore
import Transport

/// The stages of a connector: one it makes for each table, or the one that is named in its configuration.
struct Stages: Sendable {
    let connector: String
    let session: any Statements
    let setup: TableSetup
    let transport: HTTPTransport
    let pool: BlockingPool
    let log: Logger
    let onRetry: @Sendable (String) -> Void
    /// The user's own; nil: one a table.
    let own: ObjectName?
    private let proxy: HTTPProxy?
    /// To S3, for all stages.
    private let s3 = S3Uploads.transport()
    private let external: (bucket: SnowflakeSinkConfiguration.StageBucket, prefix: String)?

    init(
        _ configuration: SnowflakeSinkConfiguration, connector: String, session: any Statements, setup: TableSetup, transport: HTTPTransport,
        pool: BlockingPool,
        log: Logger, onRetry: @escaping @Sendable (String) -> Void
    ) throws {
        self.connector = connector
        self.session = session
        self.setup = setup
        self.transport = transport
        self.pool = pool
        self.log = log
        self.onRetry = onRetry
        own = configuration.stageName.flatMap { ObjectName(configured: $0) }
        proxy = configuration.proxy
        external = try configuration.stageBucket
    }

    func name(_ table: ObjectName) -> ObjectName {
        (own ?? VendorNames.stage(connector, table: table)).qualified(database: session.settings.database, schema: session.settings.schema)
    }

    /// As it stands in SQL.
    func reference(_ table: ObjectName) -> String { name(table).stageReference }

    /// The stage of a table, which is created when it is the connector's.
    func stage(_ table: ObjectName) async throws -> any Stage {
        let reference = reference(table)
        switch external?.bucket {
        case .s3(let place):
            let uploads = try S3Uploads(place, transport: s3, pool: pool, log: log, onRetry: onRetry)
            return ExternalStage(reference: reference, prefix: external?.prefix ?? "") { try await uploads.put($0, $1, metadata: [:]) }
        case .gcs(let place):
            let uploads = try GCSUploads(place, pool: pool, log: log, onRetry: onRetry)
            return ExternalStage(reference: reference, prefix: external?.prefix ?? "") { try await uploads.put($0, $1) }
        case nil: break
        }
        if own == nil { try await setup.createStage(name(table)) }
        return InternalStage(reference, session: session, proxy: proxy, transport: transport, s3: s3, pool: pool, log: log, onRetry: onRetry)
    }
}
