import ConnectAPI

/// What any worker answers from what it has read.
extension DistributedHerder {
    package func connectors() -> [String] { store.config.read(\.names) }

    func existing(_ name: String, or message: (String) -> String = { "Connector \($0) not found" }) throws -> ClusterConfig.Connector {
        guard let connector = store.config.read({ $0[name] }) else { throw HerderError(404, message(name)) }
        return connector
    }

    package func info(_ name: String) throws -> ConnectorView {
        let connector = try existing(name)
        return ConnectorView(
            name: name, config: connector.config, tasks: Array(connector.tasks.configs.indices),
            type: acceptance.plugin(of: connector.values)?.connectorType ?? .unknown)
    }

    package func status(_ name: String) throws -> ConnectorStatusView {
        let missing = HerderError(404, "No status found for connector \(name)")
        guard let connector = store.config.read({ $0[name] }) else { throw missing }
        let known = store.status.read { $0.statuses[name] ?? [:] }
        guard let own = known[nil] else { throw missing }
        return ConnectorStatusView(
            name: name, type: acceptance.plugin(of: connector.values)?.connectorType ?? .unknown, connector: TaskStatusView(0, own),
            tasks: known.compactMap { task, status in task.map { TaskStatusView($0, status) } }.sorted { $0.id < $1.id })
    }

    package func taskStatus(_ name: String, _ task: Int) throws -> TaskStatusView {
        guard let status = store.status.read({ $0.statuses[name]?[task] }) else { throw HerderError(404, "No status found for task \(name)-\(task)") }
        return TaskStatusView(task, status)
    }

    package func tasks(_ name: String) throws -> [TaskView] {
        try existing(name).tasks.configs.enumerated().map { TaskView(task: $0, config: $1) }
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

    package func validate(_ config: [ConfigEntry], plugin: String?) async throws -> ConfigInfos {
        try await acceptance.validated(config, plugin: plugin, reachingOut: true)
    }

    package func findings(_ config: [ConfigEntry]) async throws -> ConfigInfos {
        try await acceptance.validated(config, plugin: nil, reachingOut: false)
    }

    /// A file that goes from one worker says nothing about the others: connectors of a cluster are deleted by request.
    package func connectorsOfFiles() -> [(name: String, file: String)] { [] }

    /// Kafka keeps its topics by its own rules.
    package func subscriptions() async throws -> [String: Set<String>] { [:] }

    package func metricsText() async -> String {
        let states = tasks
        let here = Set(states.keys.map(\.connector)).union(leadership == nil ? [] : store.config.read(\.names))
        let figures = here.sorted().compactMap { name -> WorkerMetrics.ConnectorFigures? in
            guard let connector = store.config.read({ $0[name] }) else { return nil }
            let own = states.filter { $0.key.connector == name }
            return WorkerMetrics.ConnectorFigures(
                name, StoredConnector(config: connector.config, targetState: connector.targetState), acceptance.plugin(of: connector.values),
                store.status.read { $0.statuses[name]?[nil]?.status.state } ?? .unassigned,
                Dictionary(uniqueKeysWithValues: own.map { ($0.key.task, $0.value.status.state) }))
        }
        let leader = leadership == nil ? (try? await group.owner(of: 0))?.workerID : workerInfo().workerID
        let membership = GroupFigures(
            leader: leader ?? "", epoch: leadership ?? owned.values.max() ?? 0, completedRebalances: await group.completedRebalances,
            isRebalancing: await group.isRebalancing, millisecondsSinceRebalance: Int64(await group.lastRebalance.duration(to: .now).milliseconds))
        return metrics.text(figures, startups, membership)
    }
}

extension TaskStatusView {
    init(_ id: Int, _ status: StatusRecord.WorkerStatus) {
        self.init(id: id, status: status.status, workerID: status.workerID, version: status.version)
    }
}
