import ConnectAPI

/// Requests that change something, with Kafka Connect's codes and texts.
extension StandaloneHerder {
    package func create(_ name: String, _ config: [ConfigEntry], initialState: TargetState) async throws -> ConnectorView {
        let config = try await acceptance.accepted(name, config, reachingOut: true)
        guard connectorsByName[name] == nil else { throw HerderError(409, "Connector \(name) already exists") }
        return try await add(name, StoredConnector(config: config, targetState: initialState))
    }

    package func put(_ name: String, _ config: [ConfigEntry]) async throws -> (created: Bool, ConnectorView) {
        try await put(name, config, file: nil, initialState: .started, reachingOut: true)
    }

    package func put(_ name: String, _ config: [ConfigEntry], file: String, initialState: TargetState) async throws -> (
        created: Bool, ConnectorView
    ) {
        try await put(name, config, file: .some(file), initialState: initialState, reachingOut: false)
    }

    private func put(_ name: String, _ config: [ConfigEntry], file: String?, initialState: TargetState, reachingOut: Bool) async throws -> (
        created: Bool, ConnectorView
    ) {
        let config = try await acceptance.accepted(name, config, reachingOut: reachingOut)
        guard let connector = connectorsByName[name] else {
            return (true, try await add(name, StoredConnector(config: config, targetState: initialState, file: file)))
        }
        try await replace(connector, config, file: file)
        return (false, view(of: connector))
    }

    package func patch(_ name: String, _ changes: [(key: String, value: String?)]) async throws -> ConnectorView {
        let config = try await acceptance.accepted(name, try existing(name).stored.config.patched(changes), reachingOut: true)
        let connector = try existing(name)
        try await replace(connector, config, file: connector.stored.file)
        return view(of: connector)
    }

    package func delete(_ name: String) async throws {
        let connector = try existing(name)
        try await store.remove(name)
        // Gone for every request from here on; a new connector of the name waits for the end of this one.
        guard connectorsByName[name] === connector else { return }
        connectorsByName[name] = nil
        metrics.registry.remove(connector: name)
        await enqueue(.end(destroying: true), connector).value
        report.info("Connector \(name) was deleted")
    }

    package func pause(_ name: String) async throws { try await setTarget(name, .paused, then: .pause) }
    package func resume(_ name: String) async throws { try await setTarget(name, .started, then: .resume) }
    package func stop(_ name: String) async throws { await (try await setTarget(name, .stopped, then: .stop)).value }

    @discardableResult
    private func setTarget(_ name: String, _ target: TargetState, then operation: ConnectorOperation) async throws -> Task<Void, Never> {
        let connector = try existing(name) { "Unknown connector \($0)" }
        let before = connector.stored.targetState
        // Memory first: of two requests at once the store's last word is then the same as memory's.
        connector.stored.targetState = target
        do {
            try await store.put(connector.stored, name: name)
        } catch {
            if connector.stored.targetState == target { connector.stored.targetState = before }
            throw error
        }
        return enqueue(operation, connector)
    }

    package func restart(_ name: String, includeTasks: Bool, onlyFailed: Bool) async throws -> ConnectorStatusView? {
        guard includeTasks || onlyFailed else {
            enqueue(.restart(instance: true, tasks: []), try existing(name) { "Unknown connector: \($0)" })
            return nil
        }
        let connector = try await settled(name)
        let instance = !onlyFailed || connector.status.state == .failed
        let tasks = includeTasks ? connector.taskStatuses.filter { !onlyFailed || $0.value.state == .failed }.map(\.key).sorted() : []
        // The trace stays beside RESTARTING, as Kafka Connect leaves it.
        if instance { connector.status.state = .restarting }
        for task in tasks { connector.taskStatuses[task]?.state = .restarting }
        let view = statusView(of: connector)
        if instance || !tasks.isEmpty { enqueue(.restart(instance: instance, tasks: tasks), connector) }
        return view
    }

    package func restartTask(_ name: String, _ task: Int) async throws {
        let connector = try await settled(name)
        guard connector.taskConfigs.indices.contains(task) else { throw HerderError(404, "Unknown task: \(name)-\(task)") }
        enqueue(.restart(instance: false, tasks: [task]), connector)
    }

    // MARK: Parts of requests

    /// The connector once what was asked before is done: after a resume it has the tasks that this brought back.
    private func settled(_ name: String) async throws -> ManagedConnector {
        func known() throws -> ManagedConnector { try existing(name) { "Unknown connector: \($0)" } }
        _ = try known()
        await tails[name]?.value
        return try known()
    }

    private func add(_ name: String, _ stored: StoredConnector) async throws -> ConnectorView {
        let connector = ManagedConnector(name, stored, plugin(of: stored.values))
        connector.status = StoredStatus(stored.targetState == .stopped ? .stopped : stored.targetState == .paused ? .paused : .unassigned)
        // Taken before the store is asked, so that two requests cannot create the same connector.
        connectorsByName[name] = connector
        do {
            try await store.put(stored, name: name)
        } catch {
            if connectorsByName[name] === connector { connectorsByName[name] = nil }
            throw error
        }
        let created = view(of: connector)
        enqueue(.start, connector)
        return created
    }

    /// Restarts only when something changed.
    private func replace(_ connector: ManagedConnector, _ config: [ConfigEntry], file: String?) async throws {
        let before = connector.stored
        connector.stored.config = config
        connector.stored.file = file ?? before.file
        do {
            try await store.put(connector.stored, name: connector.name)
        } catch {
            if connector.stored.config == config { (connector.stored.config, connector.stored.file) = (before.config, before.file) }
            throw error
        }
        guard connector.stored.values != before.values else { return }
        connector.plugin = plugin(of: connector.stored.values)
        enqueue(.start, connector)
    }
}
