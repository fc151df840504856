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
            if destroying { await destroy(connector) }
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
            guard let plugin = connector.plugin else {
                // Its class was there when it was created; say what there is now.
                _ = try validator.resolve(connectorClass: connector.stored.values["connector.class"] ?? "")
                throw ConnectorError("connector.class", .stop, "The class of connector \(connector.name) is no connector")
            }
            let written = connector.stored.values, resolved = try providers.resolve(written)
            let own: [[String: String]]
            switch plugin.implementation {
            case .source(let type):
                // What the connector says of a task stands over its own configuration.
                own = try await type.taskConfigurations(resolved, maxTasks: connector.maxTasks).map { resolved.merging($0) { $1 } }
            case .sink(let type):
                try type.checkConfiguration(resolved)
                own = Array(repeating: resolved, count: connector.maxTasks)
            case .transformation, .named: own = []
            }
            guard own.count <= connector.maxTasks else {
                throw ConnectorError(
                    "connector.too_many_tasks", .stop,
                    "The connector \(connector.name) has generated \(own.count) tasks, which is greater than \(connector.maxTasks), the maximum number of tasks it is configured to create"
                )
            }
            return own.map { shownConfig($0, of: connector, resolved: resolved, plugin) }
        } catch {
            startups.connectorFailures += 1
            report.error("Connector \(connector.name) failed: \(Trace.message(of: error))")
            setState(StoredStatus(.failed, trace: Trace.text(error)), of: connector)
            return nil
        }
    }

    /// A task's configuration with references as they were written, and in the order of the connector's.
    private func shownConfig(
        _ task: [String: String], of connector: ManagedConnector, resolved: [String: String], _ plugin: PluginRegistry.Plugin
    ) -> [ConfigEntry] {
        let written = connector.stored.values
        var task = task
        if task["task.class"] == nil { task["task.class"] = plugin.taskClass }
        for key in ["topics", "topics.regex"] where task[key] == nil && plugin.kind == .sink { task[key] = resolved[key] }
        let order = connector.stored.config.map(\.key).filter { task[$0] != nil }
        let rest = task.keys.filter { written[$0] == nil }.sorted()
        return (order + rest).map { key in
            let value = task[key]!
            return ConfigEntry(key, value == resolved[key] ? written[key] ?? value : value)
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
        metrics.remove(connector: connector.name)
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

    private func destroy(_ connector: ManagedConnector) async {
        WorkerFile.removeTree("\(services.scratchDirectory)/\(connector.name.filePathComponent)")
        guard case .source(let type)? = connector.plugin?.implementation else { return }
        do {
            try await type.destroy(try providers.resolve(connector.stored.values))
        } catch {
            report.warn("Connector \(connector.name) is deleted, but what it made outside could not be removed: \(Trace.message(of: error))")
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
            let assignment = TaskAssignment(
                connector: name, task: task, config: try providers.resolve(connector.stored.values),
                taskConfig: try providers.resolve(Dictionary(connector.taskConfigs[task].map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })),
                startsPaused: paused, metrics: TaskMetrics(metrics, connector: name, task: task),
                onState: { [weak self] status in await self?.taskReached(status, name, task, run) },
                onTopic: { [store, services, report] topic in
                    guard services.worker.settings.topicTracking else { return }
                    do {
                        try await store.addTopic(topic, connector: name)
                    } catch {
                        report.warn("Could not remember that \(name) uses topic \(topic): \(Trace.message(of: error))")
                    }
                })
            let worker: any TaskWorker
            switch plugin.implementation {
            case .source(let type): worker = SourceWorker(type, assignment, services)
            case .sink(let type): worker = SinkWorker(type, assignment, services, siblings: connector.siblings!)
            case .transformation, .named: return
            }
            metrics.register(worker.counters, connector: name, task: task, isSink: plugin.kind == .sink)
            connector.running[task] = .init(worker: worker, handle: Task { await worker.run() }, run: run)
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

    /// Ends tasks within the graceful timeout, all together; those that do not end are fenced and left (Invariant 7).
    private func endTasks(_ connector: ManagedConnector, only tasks: [Int]? = nil) async {
        let ending = connector.running.filter { tasks?.contains($0.key) ?? true }
        guard !ending.isEmpty else { return }
        for running in ending.values { running.worker.requestStop() }
        let timeout = Duration.milliseconds(services.worker.settings.gracefulTimeout)
        if await Self.ended(ending.values.map(\.handle), within: timeout) == false {
            for running in ending.values {
                running.worker.fence()
                running.handle.cancel()
            }
            if await Self.ended(ending.values.map(\.handle), within: .seconds(1)) == false {
                report.error("Graceful stop of tasks of \(connector.name) failed; they are fenced: nothing of them reaches the log any more")
            }
        }
        for task in ending.keys { connector.running[task] = nil }
    }

    private static func ended(_ handles: [Task<Void, Never>], within timeout: Duration) async -> Bool {
        let (answers, continuation) = AsyncStream<Bool>.makeStream()
        let waiting = Task {
            for handle in handles { await handle.value }
            continuation.yield(true)
        }
        let alarm = Task {
            try? await Task.sleep(for: timeout)
            continuation.yield(false)
        }
        defer {
            alarm.cancel()
            waiting.cancel()
        }
        for await answer in answers { return answer }
        return false
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
}
