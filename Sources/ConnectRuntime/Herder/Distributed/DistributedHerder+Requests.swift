package import ConnectAPI
import JSON

/// Requests that change something: the leader's, with Kafka Connect's codes and texts.
extension DistributedHerder {
    package func create(_ name: String, _ config: [ConfigEntry], initialState: TargetState) async throws -> ConnectorView {
        try await leading { try await $0.add(name, config, initialState: initialState, reachingOut: true) }
    }

    package func put(_ name: String, _ config: [ConfigEntry]) async throws -> (created: Bool, ConnectorView) {
        try await leading { try await $0.put(name, config, initialState: .started, reachingOut: true) }
    }

    /// A file of `connectors.d`. Workers that have the same file put the same; where this one does not lead, the leader is asked.
    package func put(_ name: String, _ config: [ConfigEntry], file: String, initialState: TargetState) async throws -> (
        created: Bool, ConnectorView
    ) {
        do {
            return try await leading { try await $0.put(name, config, initialState: initialState, reachingOut: false) }
        } catch let target as RequestForward {
            let isNew = store.config.read { $0[name] } == nil
            let settings = JSONValue.object(config.map { ($0.key, .string($0.value)) })
            let request =
                isNew
                ? HTTPRequest(
                    method: "POST", target: "/connectors", headers: [("content-type", "application/json")],
                    body: JSONValue.object([("name", .string(name)), ("config", settings), ("initial_state", .string(initialState.restName))]).compactBytes)
                : HTTPRequest(
                    method: "PUT", target: "/connectors/\(PercentEncoding.encode(name))/config", headers: [("content-type", "application/json")],
                    body: settings.compactBytes)
            let answer = try await forward(request, to: target)
            guard answer.status < 300 else {
                throw HerderError(answer.status, answer.message ?? "The leader answered \(answer.status)")
            }
            return (answer.status == 201, try info(name))
        }
    }

    package func patch(_ name: String, _ changes: [(key: String, value: String?)]) async throws -> ConnectorView {
        try await leading { herder in
            let config = try await herder.acceptance.accepted(name, try herder.existing(name).config.patched(changes), reachingOut: true)
            try await herder.replace(name, config)
            return try herder.info(name)
        }
    }

    package func delete(_ name: String) async throws {
        try await leading { herder in
            let connector = try herder.existing(name)
            let instance = ConnectorInstance(
                name: name, stored: .init(config: connector.config, targetState: connector.targetState),
                plugin: herder.acceptance.plugin(of: connector.values))
            try await herder.write([.connector(name, nil), .targetState(name, nil)])
            herder.duty(name) { await $0.cleanUp(name, instance) }
        }
    }

    package func pause(_ name: String) async throws { try await setTarget(name, .paused) }
    package func resume(_ name: String) async throws { try await setTarget(name, .started) }
    package func stop(_ name: String) async throws { try await setTarget(name, .stopped) }

    private func setTarget(_ name: String, _ target: TargetState) async throws {
        try await leading { herder in
            let connector = try herder.existing(name) { "Unknown connector \($0)" }
            guard connector.targetState != target else { return }
            var records: [ConfigRecord] = [.targetState(name, target)]
            // The tasks go first, so that no worker sees a stopped connector with tasks.
            if target == .stopped { records.insert(.commit(name, tasks: 0, slots: []), at: 0) }
            try await herder.write(records)
        }
    }

    package func restart(_ name: String, includeTasks: Bool, onlyFailed: Bool) async throws -> ConnectorStatusView? {
        try await leading { herder in
            _ = try herder.existing(name) { "Unknown connector: \($0)" }
            guard includeTasks || onlyFailed else {
                herder.lead(name)
                return nil
            }
            guard let known = herder.store.status.read({ $0.statuses[name] }) else { throw HerderError(404, "Status for connector \(name) not found") }
            let marked = known.filter { task, status in
                (task == nil || includeTasks) && (!onlyFailed || status.status.state == .failed)
            }
            if !marked.isEmpty { try await herder.write([.restart(name, includeTasks: includeTasks, onlyFailed: onlyFailed)]) }
            if marked[nil] != nil { herder.lead(name) }
            return try herder.status(name).restarting(Set(marked.keys))
        }
    }

    package func restartTask(_ name: String, _ task: Int) async throws {
        let connector = try existing(name) { "Unknown connector: \($0)" }
        guard connector.tasks.configs.indices.contains(task) else { throw HerderError(404, "Unknown task: \(name)-\(task)") }
        let slot = connector.tasks.slots?[task]
        if let slot, owned[slot] != nil {
            enqueue(name) { await $0.restart([task], of: name) }
            return
        }
        guard let slot, let owner = try await group.owner(of: slot), owner.workerID != workerInfo().workerID, !owner.workerID.isEmpty else {
            throw HerderError(
                409, "Cannot complete request momentarily due to stale configuration (typically caused by a concurrent config change)")
        }
        throw RequestForward(workerID: owner.workerID)
    }

    // MARK: Parts of requests

    private func put(_ name: String, _ config: [ConfigEntry], initialState: TargetState, reachingOut: Bool) async throws -> (
        created: Bool, ConnectorView
    ) {
        guard store.config.read({ $0[name] }) != nil else {
            return (true, try await add(name, config, initialState: initialState, reachingOut: reachingOut))
        }
        try await replace(name, try await acceptance.accepted(name, config, reachingOut: reachingOut))
        return (false, try info(name))
    }

    private func add(_ name: String, _ config: [ConfigEntry], initialState: TargetState, reachingOut: Bool) async throws -> ConnectorView {
        let config = try await acceptance.accepted(name, config, reachingOut: reachingOut)
        try checkGroup(name, config)
        // Requests wait here for each other only where they are about the same name.
        guard store.config.read({ $0[name] }) == nil, creating.insert(name).inserted else { throw HerderError(409, "Connector \(name) already exists") }
        defer { creating.remove(name) }
        let version = acceptance.plugin(of: Dictionary(config.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 }))?.version
        let state: StoredStatus.State = initialState == .stopped ? .stopped : initialState == .paused ? .paused : .unassigned
        store.put(.init(.init(state), workerID: workerInfo().workerID, generation: leadership ?? 0, version: version), connector: name, task: nil)
        // The state goes first, so that nobody starts what is to be paused.
        try await write((initialState == .started ? [] : [.targetState(name, initialState)]) + [.connector(name, config)])
        return try info(name)
    }

    /// Tasks restart only when something changed.
    private func replace(_ name: String, _ config: [ConfigEntry]) async throws {
        guard Set(try existing(name).config) != Set(config) else { return }
        try await write([.connector(name, config)])
    }

    private func checkGroup(_ name: String, _ config: [ConfigEntry]) throws {
        let values = Dictionary(config.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
        guard acceptance.plugin(of: values)?.connectorType == .sink, values["consumer.override.group.id"] ?? "connect-\(name)" == group.name else { return }
        throw HerderError(400, "Consumer group for sink connector named \(name) conflicts with Connect worker group \(group.name)")
    }

    // MARK: Offsets

    package func offsets(_ name: String) async throws -> [SourcePosition] { try await offsets(of: name, try existing(name)).read() }

    package func alterOffsets(_ name: String, _ positions: [SourcePosition]) async throws -> String {
        try await leading { herder in
            let connector = try await herder.stopped(name)
            return try await herder.offsets(of: name, connector).alter(positions, herder.providers)
        }
    }

    package func resetOffsets(_ name: String) async throws -> String {
        try await leading { herder in
            let connector = try await herder.stopped(name)
            return try await herder.offsets(of: name, connector).reset()
        }
    }

    private func offsets(of name: String, _ connector: ClusterConfig.Connector) -> ConnectorOffsets {
        ConnectorOffsets(name: name, values: connector.values, plugin: acceptance.plugin(of: connector.values), log: log)
    }

    /// Stopped, and its tasks have ended wherever they ran: what they wrote last does not come after what is written now.
    private func stopped(_ name: String) async throws -> ClusterConfig.Connector {
        let connector = try existing(name)
        guard connector.targetState == .stopped, connector.tasks.configs.isEmpty else { throw ConnectorOffsets.mustBeStopped(name) }
        let deadline = ContinuousClock.now + .milliseconds(services.worker.settings.gracefulTimeout) + .seconds(5)
        while hasTaskStatuses(name) {
            guard ContinuousClock.now < deadline else {
                throw HerderError(500, "Failed to modify offsets for connector \(name): its tasks have not ended yet; try again")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
        if exactlyOnce == .enabled, acceptance.plugin(of: connector.values)?.connectorType == .source {
            try await fence(name, tasks: connector.fencedTasks ?? 0)
        }
        return connector
    }
}

extension HTTPResponse {
    /// The message of an error's answer.
    fileprivate var message: String? {
        guard case .bytes(let bytes) = body else { return nil }
        return (try? JSONValue.parse(bytes))?["message"]?.stringValue
    }
}

extension TargetState {
    /// As `initial_state` spells it.
    fileprivate var restName: String { self == .started ? "RUNNING" : rawValue }
}

extension ConnectorStatusView {
    fileprivate func restarting(_ marked: Set<Int?>) -> ConnectorStatusView {
        // The trace stays beside RESTARTING, as Kafka Connect leaves it.
        func mark(_ view: TaskStatusView) -> TaskStatusView {
            TaskStatusView(id: view.id, status: StoredStatus(.restarting, trace: view.status.trace), workerID: view.workerID, version: view.version)
        }
        return ConnectorStatusView(
            name: name, type: type, connector: marked.contains(nil) ? mark(connector) : connector,
            tasks: tasks.map { marked.contains($0.id) ? mark($0) : $0 })
    }
}
