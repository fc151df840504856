import ConnectAPI

/// The control plane of one worker.
///
///     REST, connectors.d ─▶ validate ─▶ ConnectorStore (durable) ─▶ answer
///                                            └─▶ operations of this connector, one at a time ─▶ SourceWorker / SinkWorker
///                                                    states, traces ◀──────────────────────────────┘
///
/// A request is answered once its effect is stored, as by a distributed worker; the connector follows. What a request changed is seen by the
/// next one at once, since answers come from memory and the store is written first. When the process starts, every connector is brought to
/// its target state (Invariant 9).
package actor StandaloneHerder: WorkerHerder {
    package nonisolated let plugins: PluginRegistry
    package nonisolated let log: any Log
    package nonisolated let metrics: WorkerMetrics
    nonisolated let store: any ConnectorStore
    nonisolated let services: TaskServices
    nonisolated let providers: ConfigProviders
    nonisolated let acceptance: ConnectorAcceptance
    nonisolated let runner: TaskRunner
    nonisolated let report = Logger("sluice.herder")
    private nonisolated let worker: WorkerIdentity

    var connectorsByName: [String: ManagedConnector] = [:]
    /// The end of each connector's chain of operations.
    var tails: [String: Task<Void, Never>] = [:]
    private var storeTail: Task<Void, Never>?
    private var ready = false
    var shuttingDown = false
    var nextRun = 0
    var startups = WorkerMetrics.StartupCounts()

    package init(
        plugins: PluginRegistry, services: TaskServices, store: any ConnectorStore, metrics: MetricsRegistry, info: WorkerInfo
    ) throws {
        self.plugins = plugins
        self.services = services
        self.store = store
        self.metrics = WorkerMetrics(metrics, services)
        log = services.log
        providers = try ConfigProviders(services.worker.values)
        acceptance = ConnectorAcceptance(
            validator: ConfigValidator(plugins: plugins, workerValues: services.worker.values), providers: providers, log: report)
        runner = TaskRunner(services: services, providers: providers, metrics: metrics, log: report)
        worker = WorkerIdentity(info)
    }

    // MARK: The worker

    package nonisolated func workerInfo() -> WorkerInfo { worker.info }

    package nonisolated func advertise(_ workerID: String) { worker.advertise(workerID) }

    package func isReady() -> Bool { ready }

    /// Brings every stored connector to its target state; returns when all were started, whatever became of them.
    package func start() async throws {
        for (name, stored) in try await store.connectors() where connectorsByName[name] == nil {
            let connector = ManagedConnector(name, stored, plugin(of: stored.values))
            let statuses = try await store.statuses(of: name)
            connector.hadTasks = statuses.keys.contains { $0 != nil }
            connectorsByName[name] = connector
        }
        ready = true
        let started = connectorsByName.values.map { enqueue(.start, $0) }
        for operation in started { await operation.value }
    }

    /// Ends every task within the graceful timeout, all together; targets stay as they are.
    package func shutDown() async {
        shuttingDown = true
        let ended = connectorsByName.values.map { enqueue(.end(destroying: false), $0) }
        for operation in ended { await operation.value }
        await storeTail?.value
    }

    func plugin(of values: [String: String]) -> PluginRegistry.Plugin? { acceptance.plugin(of: values) }

    // MARK: Answers

    package func connectors() -> [String] { connectorsByName.keys.sorted() }

    func existing(_ name: String, or message: (String) -> String = { "Connector \($0) not found" }) throws -> ManagedConnector {
        guard let connector = connectorsByName[name] else { throw HerderError(404, message(name)) }
        return connector
    }

    package func info(_ name: String) throws -> ConnectorView { view(of: try existing(name)) }

    func view(of connector: ManagedConnector) -> ConnectorView {
        ConnectorView(
            name: connector.name, config: connector.stored.config, tasks: Array(connector.taskConfigs.indices), type: connector.type)
    }

    package func status(_ name: String) throws -> ConnectorStatusView {
        statusView(of: try existing(name) { "No status found for connector \($0)" })
    }

    func statusView(of connector: ManagedConnector) -> ConnectorStatusView {
        let workerID = workerInfo().workerID, version = connector.plugin?.version
        return ConnectorStatusView(
            name: connector.name, type: connector.type,
            connector: TaskStatusView(id: 0, status: connector.status, workerID: workerID, version: version),
            tasks: connector.taskStatuses.sorted { $0.key < $1.key }.map {
                TaskStatusView(id: $0.key, status: $0.value, workerID: workerID, version: version)
            })
    }

    package func taskStatus(_ name: String, _ task: Int) throws -> TaskStatusView {
        guard let connector = connectorsByName[name], let status = connector.taskStatuses[task] else {
            throw HerderError(404, "No status found for task \(name)-\(task)")
        }
        return TaskStatusView(id: task, status: status, workerID: workerInfo().workerID, version: connector.plugin?.version)
    }

    package func tasks(_ name: String) throws -> [TaskView] {
        try existing(name).taskConfigs.enumerated().map { TaskView(task: $0, config: $1) }
    }

    package func metricsText() -> String {
        let connectors = connectorsByName.values.sorted { $0.name < $1.name }.map {
            WorkerMetrics.ConnectorFigures($0.name, $0.stored, $0.plugin, $0.status.state, $0.taskStatuses.mapValues(\.state))
        }
        return metrics.text(connectors, startups, nil)
    }

    package func topics(_ name: String) async throws -> [String] {
        guard services.worker.settings.topicTracking else { throw HerderError(403, "Topic tracking is disabled.") }
        return try await store.topics(of: name)
    }

    package func resetTopics(_ name: String) async throws {
        guard services.worker.settings.topicTracking else { throw HerderError(403, "Topic tracking is disabled.") }
        guard services.worker.settings.topicTrackingReset else { throw HerderError(403, "Topic tracking reset is disabled.") }
        try await store.resetTopics(of: name)
    }

    package func connectorsOfFiles() -> [(name: String, file: String)] {
        connectorsByName.values.compactMap { connector in connector.stored.file.map { (connector.name, $0) } }
    }

    package func subscriptions() async throws -> [String: Set<String>] {
        let topics = try await log.topics().keys
        var out: [String: Set<String>] = [:]
        for connector in connectorsByName.values where connector.type == .sink {
            guard let subscription = try? SinkSubscription(connector.stored.values) else { continue }
            out["connect-\(connector.name)"] = Set(try topics.filter { try subscription.includes($0) })
        }
        return out
    }

    // MARK: Validation

    package func validate(_ config: [ConfigEntry], plugin: String?) async throws -> ConfigInfos {
        try await acceptance.validated(config, plugin: plugin, reachingOut: true)
    }

    package func findings(_ config: [ConfigEntry]) async throws -> ConfigInfos {
        try await acceptance.validated(config, plugin: nil, reachingOut: false)
    }

    // MARK: What is stored

    /// Store writes of states happen in the order of the states, behind the requests' backs; a lost one is corrected by the next.
    func persist(_ status: StoredStatus, _ connector: String, task: Int?) {
        afterStoreWrites { [store] in try await store.putStatus(status, connector: connector, task: task) }
    }

    func afterStoreWrites(_ body: @escaping @Sendable () async throws -> Void) {
        storeTail = Task { [storeTail, report] in
            await storeTail?.value
            do {
                try await body()
            } catch {
                report.warn("Could not store a status: \(Trace.message(of: error))")
            }
        }
    }
}
