import ConnectAPI
import ConnectRuntime

/// What a worker is made of, by its configuration:
///
///     no bootstrap.servers               StandaloneHerder, everything in the data directory
///     bootstrap.servers                  StandaloneHerder, topics in Kafka, configurations and positions in the data directory
///     bootstrap.servers and group.id     DistributedHerder, everything in Kafka: one of a cluster of workers
struct WorkerParts {
    let herder: any WorkerHerder
    /// nil: nothing is kept here.
    let embedded: EmbeddedLog?
    /// See `RestOptions.forward`.
    let forward: @Sendable (HTTPRequest, any Error) async throws -> HTTPResponse
    /// After the herder has shut down.
    let close: @Sendable () async -> Void

    init(_ config: WorkerConfig, commit: String) async throws {
        let data = config.settings.dataDirectory, log = Logger("sluice")
        try WorkerFile.makeDirectory(data)
        let plugins = PluginRegistry.builtIn()
        func services(_ topics: any Log) -> TaskServices {
            TaskServices(
                log: topics, worker: config, sourceBudget: ByteBudget(capacity: Int(config.settings.sourceBuffer)), scratchDirectory: data + "/scratch",
                transforms: { values in
                    let chain = try TransformChain(values, plugins: plugins)
                    return { try chain.apply($0) }
                },
                converter: { try Converters.make(.init($0, $1), isKey: $2) })
        }
        func info(_ clusterID: String) -> WorkerInfo {
            WorkerInfo(
                version: config.settings.reportedVersion, commit: commit, clusterID: clusterID,
                workerID: config.workerID(host: "127.0.0.1", port: config.listen.port))
        }
        func isSet(_ value: String?) -> Bool { !(value ?? "").isEmpty }
        let servers = config.settings.bootstrapServers

        if isSet(servers), isSet(config.settings.groupID) {
            log.info("Topics, configurations and positions are in Kafka at \(servers!), group \(config.settings.groupID!)")
            let cluster = try await DistributedHerder.Cluster.connect(config)
            let clients = KafkaClients(worker: config.values)
            let topics = KafkaLog(
                clients: clients, topics: KafkaTopicCreator(clients, isEnabled: config.settings.topicCreation), offsets: cluster.offsets,
                exactlyOnce: try ExactlyOnceSupport(config) == .enabled ? cluster.topics.group : nil)
            let herder = try DistributedHerder(
                plugins: plugins, services: services(topics), cluster: cluster, metrics: MetricsRegistry(), info: info(cluster.id))
            self.herder = herder
            embedded = nil
            forward = { try await herder.forward($0, to: $1) }
            close = {
                await topics.close()
                await cluster.offsets.close()
            }
            return
        }
        let embedded = try await EmbeddedLog.open(directory: data)
        var topics: KafkaLog?
        if isSet(servers) {
            log.info("Topics are in Kafka at \(servers!)")
            let clients = KafkaClients(worker: config.values)
            topics = KafkaLog(
                clients: clients, topics: KafkaTopicCreator(clients, isEnabled: config.settings.topicCreation), offsets: LocalOffsetStore(embedded))
        }
        herder = try StandaloneHerder(
            plugins: plugins, services: services(topics ?? embedded), store: embedded.store, metrics: MetricsRegistry(),
            info: info(try await topics?.clusterID() ?? embedded.clusterID))
        self.embedded = embedded
        forward = { throw $1 }
        close = { [topics] in
            await topics?.close()
            await embedded.close()
        }
    }
}
