import ConnectAPI

/// The part of a connector that makes no records: it divides the work into tasks, and removes what it made outside when it is deleted.
struct ConnectorInstance {
    let name: String
    let stored: StoredConnector
    /// The plugin of its class; nil when the class is not known any more.
    let plugin: PluginRegistry.Plugin?

    private var maxTasks: Int { max(1, stored.values["tasks.max"].flatMap { Int($0.trimmingSpaces()) } ?? 1) }

    /// The configuration of each task as `/tasks` shows it: references unresolved, in the order of the connector's.
    func taskConfigurations(_ providers: ConfigProviders, _ validator: ConfigValidator) async throws -> [[ConfigEntry]] {
        guard let plugin else {
            // Its class was there when it was created; say what there is now.
            _ = try validator.resolve(connectorClass: stored.values["connector.class"] ?? "")
            throw ConnectorError("connector.class", .stop, "The class of connector \(name) is no connector")
        }
        let resolved = try providers.resolve(stored.values)
        let own: [[String: String]]
        switch plugin.implementation {
        case .source(let type):
            // What the connector says of a task stands over its own configuration.
            own = try await type.taskConfigurations(resolved, maxTasks: maxTasks).map { resolved.merging($0) { $1 } }
        case .sink(let type):
            try type.checkConfiguration(resolved)
            own = Array(repeating: resolved, count: maxTasks)
        case .transformation, .named: own = []
        }
        guard own.count <= maxTasks else {
            throw ConnectorError(
                "connector.too_many_tasks", .stop,
                "The connector \(name) has generated \(own.count) tasks, which is greater than \(maxTasks), the maximum number of tasks it is configured to create"
            )
        }
        return own.map { shown($0, resolved: resolved, plugin) }
    }

    private func shown(_ task: [String: String], resolved: [String: String], _ plugin: PluginRegistry.Plugin) -> [ConfigEntry] {
        let written = stored.values
        var task = task
        if task["task.class"] == nil { task["task.class"] = plugin.taskClass }
        for key in ["topics", "topics.regex"] where task[key] == nil && plugin.kind == .sink { task[key] = resolved[key] }
        let order = stored.config.map(\.key).filter { task[$0] != nil }
        let rest = task.keys.filter { written[$0] == nil }.sorted()
        return (order + rest).map { key in
            let value = task[key]!
            return ConfigEntry(key, value == resolved[key] ? written[key] ?? value : value)
        }
    }

    /// Removes what the connector made outside and where its tasks spilled to.
    func destroy(_ providers: ConfigProviders, scratchDirectory: String, _ log: Logger) async {
        WorkerFile.removeTree("\(scratchDirectory)/\(name.filePathComponent)")
        guard case .source(let type)? = plugin?.implementation else { return }
        do {
            try await type.destroy(try providers.resolve(stored.values))
        } catch {
            log.warn("Connector \(name) is deleted, but what it made outside could not be removed: \(Trace.message(of: error))")
        }
    }
}

extension SourceConnector {
    fileprivate static func taskConfigurations(_ values: [String: String], maxTasks: Int) async throws -> [[String: String]] {
        try await Self(Configuration(values)).taskConfigurations(maxTasks: maxTasks)
    }
    fileprivate static func destroy(_ values: [String: String]) async throws { try await Self(Configuration(values)).destroy() }
}

extension SinkConnector {
    fileprivate static func checkConfiguration(_ values: [String: String]) throws { _ = try Self(Configuration(values)) }
}

extension PluginRegistry.Plugin {
    /// The class name of its tasks, as Kafka Connect's and Debezium's connectors name theirs.
    fileprivate var taskClass: String {
        for suffix in ["SourceConnector", "SinkConnector"] where className.hasSuffix(suffix) { return className.dropLast(9) + "Task" }
        return className + "Task"
    }

    var connectorType: ConnectorType {
        switch kind {
        case .source: .source
        case .sink: .sink
        default: .unknown
        }
    }
}
