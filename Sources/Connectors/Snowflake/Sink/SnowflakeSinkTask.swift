public import ConnectAPI
import Transport

/// Hands what the runtime brings to the way of ingestion that was configured.
public struct SnowflakeSinkTask: SinkTask {
    private var ingestion: any Ingestion
    private let session: any Statements
    private let pool: BlockingPool
    private var openPartitions: Set<TopicPartition> = []

    init(
        _ configuration: SnowflakeSinkConfiguration, _ context: TaskContext, clock: @escaping @Sendable () -> Int64 = { WallClock.milliseconds }
    ) throws {
        let pool = BlockingPool(threads: 8), transport = HTTPTransport(proxy: configuration.proxy)
        let metrics = SnowflakeMetrics(context.metrics, connector: context.connector, task: context.task)
        let client = ServiceClient(
            url: try configuration.accountURL, settings: .init(retries: configuration.requestRetries), transport: transport, pool: pool,
            onRetry: { metrics.retried($0) })
        let credential = try configuration.credential(client)
        let session = try configuration.statements(connector: context.connector, credential, client, log: context.log)
        let setup = TableSetup(
            session, .init(createsTables: configuration.createTables, evolves: configuration.evolution, role: configuration.role), log: context.log)
        let layout = configuration.rowLayout, connector = context.connector
        let database = session.settings.database, schema = session.settings.schema
        self.pool = pool
        self.session = session

        let log = context.log
        let stages = try Stages(
            configuration, connector: connector, session: session, setup: setup, transport: transport, pool: pool, log: log, onRetry: { metrics.retried($0) })
        let copy = CopyLoader(session: session, setup: setup, stage: { stages.reference($0) }, layout: layout.layout, log: log)
        let tables = try TableMap(configuration.topicMap), budget = max(context.memoryBudget, 1 << 20)
        if configuration.ingestionMethod == .streaming {
            let streaming = StreamingClient(client, credential, user: configuration.user)
            ingestion = StreamingIngestion(
                .init(
                    connector: connector, layout: layout, tables: tables, database: database, schema: schema, setup: setup, client: streaming,
                    lag: configuration.streamingLag, budget: budget, metrics: metrics, log: log, reject: context.reject, clock: clock))
            return
        }
        let isSnowpipe = configuration.ingestionMethod == .snowpipe
        let pipes = PipeClient(client: client, credential: credential)
        let loader: any FileLoader = isSnowpipe ? PipeLoader(pipes: pipes, session: session, files: copy, connector: connector) : copy
        ingestion = StagedIngestion(
            .init(
                connector: connector, layout: layout, rotation: configuration.rotation, tables: tables, database: database, schema: schema, setup: setup,
                loader: loader, stage: { try await stages.stage($0) }, isSnowpipe: isSnowpipe,
                loadInterval: isSnowpipe ? .zero : .seconds(configuration.copyInterval),
                flushesOnStop: configuration.flushOnStop, removesFiles: configuration.removeFiles, budget: budget, metrics: metrics, log: log,
                reject: context.reject, clock: clock))
    }

    public mutating func open(_ partitions: [TopicPartition]) async throws -> [TopicPartition: Int64] {
        openPartitions.formUnion(partitions)
        try await ingestion.open(partitions)
        return [:]
    }

    public mutating func write(_ batch: ConsumedBatch) async throws { try await ingestion.write(batch) }

    public mutating func flush(_ reason: FlushReason) async throws -> [TopicPartition: Int64] { try await ingestion.flush(reason) }

    public mutating func committed(_ offsets: [TopicPartition: Int64]) async { await ingestion.committed(offsets) }

    public mutating func close(_ partitions: [TopicPartition]) async {
        openPartitions.subtract(partitions)
        if openPartitions.isEmpty { await session.abandon() }
        await ingestion.close(partitions)
        guard openPartitions.isEmpty else { return }
        await session.close()
        pool.stop()
    }
}
