import ConnectAPI

/// What brings connectors and tasks to where the requests want them.
extension StandaloneHerder {
    /// Queues an operation behind the others of the connector.
    @discardableResult
    func enqueue(_ operation: ConnectorOperation, _ connector: ManagedConnector) -> Task<Void, Never> {
        let previous = tails[connector.name]
        let task = Task {
            await previous?.value
            await self.perform(operation, connector)
        }
        tails[connector.name] = task
        return task
    }

    private func perform(_ operation: ConnectorOperation, _ connector: ManagedConnector) async {
        if shuttingDown, case .end = operation {} else if shuttingDown { return }
        switch operation {
        case .start:
            await endTasks(connector)
            await begin(connector)
        case .pause:
            guard connector.status.state != .failed else { break }
            setState(.init(.paused), of: connector)
            for (task, running) in connector.running {
                running.worker.setPaused(true)
                if connector.taskStatuses[task]?.state == .running { setState(.init(.paused), of: connector, task: task) }
            }
        case .resume:
            guard !connector.taskConfigs.isEmpty else {
                await begin(connector)
                break
            }
            if connector.status.state != .failed { setState(.init(.running), of: connector) }
            for (task, running) in connector.running {
                running.worker.setPaused(false)
                if connector.taskStatuses[task]?.state == .paused { setState(.init(.running), of: connector, task: task) }
            }
        case .stop:
            await endTasks(connector)
            forgetTasks(connector)
            setState(.init(.stopped), of: connector)
            report.info("Connector \(connector.name) is stopped")
        case .restart(let instance, let tasks):
            if instance {
                await restartInstance(connector, tasks: tasks)
            } else {
                await restartTasks(connector, tasks)
            }
        case .end(let destroying):
            await endTasks(connector)
            if destroying { await connector.instance.destroy(providers, scratchDirectory: services.scratchDirectory, report) }
        }
    }

    // MARK: Connectors

    /// From no tasks to the target state.
    private func begin(_ connector: ManagedConnector) async {
        switch connector.stored.targetState {
        case .stopped:
            forgetTasks(connector)
            return setState(.init(.stopped), of: connector)
        case .paused where connector.taskConfigs.isEmpty && !connector.hadTasks:
            return setState(.init(.paused), of: connector)
        case .paused, .started: break
        }
        guard let configs = await taskConfigurations(connector) else { return }
        setTaskConfigs(configs, of: connector)
        setState(.init(connector.stored.targetState == .paused ? .paused : .running), of: connector)
        for task in configs.indices { startTask(connector, task) }
    }

    /// nil: the connector has FAILED, and says why.
    private func taskConfigurations(_ connector: ManagedConnector) async -> [[ConfigEntry]]? {
        startups.connectorAttempts += 1
        do {
            return try await connector.instance.taskConfigurations(providers, acceptance.validator)
        } catch {
            startups.connectorFailures += 1
            report.error("Connector \(connector.name) failed: \(Trace.message(of: error))")
            setState(StoredStatus(.failed, trace: Trace.text(error)), of: connector)
            return nil
        }
    }

    private func setTaskConfigs(_ configs: [[ConfigEntry]], of connector: ManagedConnector) {
        let name = connector.name, count = configs.count
        connector.taskConfigs = configs
        connector.hadTasks = !configs.isEmpty
        connector.siblings = SinkSiblings(tasks: max(1, count), config: connector.stored.values)
        connector.taskStatuses = connector.taskStatuses.filter { $0.key < count }
        afterStoreWrites { [store] in try await store.removeTaskStatuses(of: name, from: count) }
    }

    private func forgetTasks(_ connector: ManagedConnector) {
        setTaskConfigs([], of: connector)
        metrics.registry.remove(connector: connector.name)
    }

    /// Generates task configurations anew; tasks restart where these changed, or where asked for.
    private func restartInstance(_ connector: ManagedConnector, tasks: [Int]) async {
        if connector.stored.targetState == .stopped { return setState(.init(.stopped), of: connector) }
        guard let configs = await taskConfigurations(connector) else { return }
        setState(.init(connector.stored.targetState == .paused ? .paused : .running), of: connector)
        if connector.stored.targetState == .paused, connector.taskConfigs.isEmpty { return }
        if configs != connector.taskConfigs {
            await endTasks(connector)
            setTaskConfigs(configs, of: connector)
            for task in configs.indices { startTask(connector, task) }
        } else {
            await restartTasks(connector, tasks)
        }
    }

    // MARK: Tasks

    private func startTask(_ connector: ManagedConnector, _ task: Int) {
        guard let plugin = connector.plugin, connector.taskConfigs.indices.contains(task) else { return }
        nextRun += 1
        let run = nextRun, name = connector.name
        startups.taskAttempts += 1
        let paused = connector.stored.targetState == .paused
        setState(.init(paused ? .paused : .unassigned), of: connector, task: task)
        do {
            let order = TaskRunner.Order(
                connector: name, task: task, plugin: plugin, config: connector.stored.values, taskConfig: connector.taskConfigs[task],
                startsPaused: paused, siblings: connector.siblings!, run: run)
            connector.running[task] = try runner.start(
                order, onState: { [weak self] status in await self?.taskReached(status, name, task, run) },
                onTopic: { [store] topic in try await store.addTopic(topic, connector: name) })
        } catch {
            taskReached(StoredStatus(.failed, trace: Trace.text(error)), name, task, run, starting: connector)
        }
    }

    private func taskReached(_ status: StoredStatus, _ name: String, _ task: Int, _ run: Int, starting: ManagedConnector? = nil) {
        guard let connector = connectorsByName[name], starting != nil || connector.running[task]?.run == run else { return }
        if status.state == .failed {
            startups.taskFailures += 1
            setState(status, of: connector, task: task)
        } else {
            setState(connector.stored.targetState == .paused ? .init(.paused) : status, of: connector, task: task)
        }
    }

    private func restartTasks(_ connector: ManagedConnector, _ tasks: [Int]) async {
        await endTasks(connector, only: tasks)
        for task in tasks { startTask(connector, task) }
    }

    private func endTasks(_ connector: ManagedConnector, only tasks: [Int]? = nil) async {
        let ending = connector.running.filter { tasks?.contains($0.key) ?? true }
        await runner.end(ending.values, of: connector.name)
        for task in ending.keys { connector.running[task] = nil }
    }

    // MARK: States

    func setState(_ status: StoredStatus, of connector: ManagedConnector) {
        connector.status = status
        if connectorsByName[connector.name] === connector { persist(status, connector.name, task: nil) }
    }

    func setState(_ status: StoredStatus, of connector: ManagedConnector, task: Int) {
        connector.taskStatuses[task] = status
        if connectorsByName[connector.name] === connector { persist(status, connector.name, task: task) }
    }
}
