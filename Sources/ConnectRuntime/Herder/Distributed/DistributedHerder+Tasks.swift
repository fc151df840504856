import ConnectAPI

/// What brings the tasks of this worker to where the config topic and its slots want them.
extension DistributedHerder {
    /// Queues a change behind the others of the connector on this worker.
    @discardableResult
    func enqueue(_ name: String, _ body: @escaping @Sendable (isolated DistributedHerder) async -> Void) -> Task<Void, Never> {
        let previous = tails[name]
        let task = Task {
            await previous?.value
            await body(self)
        }
        tails[name] = task
        return task
    }

    @discardableResult
    func bring(_ name: String) -> Task<Void, Never> { enqueue(name) { await $0.carryOut(name) } }

    private func local(of name: String) -> [Int: LocalTask] {
        Dictionary(uniqueKeysWithValues: tasks.filter { $0.key.connector == name }.map { ($0.key.task, $0.value) })
    }

    private func carryOut(_ name: String) async {
        guard !shuttingDown else { return }
        let connector = store.config.read { $0[name] }
        let running = local(of: name).mapValues { TaskPlan.Running(slot: $0.slot, generation: $0.generation, isPaused: $0.isPaused) }
        let plan = TaskPlan(connector, owned: Set(owned.keys), running: running, mayStart: connector.map { mayStart($0) } ?? false)
        await end(plan.ends, of: name, removing: Set(plan.removals))
        for task in plan.pauses { setPaused(true, TaskID(name, task)) }
        for task in plan.resumes { setPaused(false, TaskID(name, task)) }
        if connector == nil, local(of: name).isEmpty {
            siblings[name] = nil
            metrics.registry.remove(connector: name)
        }
        if let connector, !plan.starts.isEmpty { await start(plan.starts, of: name, connector) }
    }

    private func setPaused(_ isPaused: Bool, _ id: TaskID) {
        guard let task = tasks[id] else { return }
        task.running?.worker.setPaused(isPaused)
        tasks[id]?.isPaused = isPaused
        if task.status.state != .failed { setStatus(.init(isPaused ? .paused : .running), id) }
    }

    // MARK: Ends

    private func end(_ ending: [Int], of name: String, removing removals: Set<Int> = []) async {
        guard !ending.isEmpty else { return }
        await runner.end(ending.compactMap { tasks[TaskID(name, $0)]?.running }, of: name)
        for number in ending {
            let id = TaskID(name, number)
            guard let task = tasks.removeValue(forKey: id) else { continue }
            metrics.registry.remove(connector: name, task: number)
            if removals.contains(number) {
                store.put(nil, connector: name, task: number)
            } else if task.status.state != .failed, isStillOurs(id, task) {
                setStatus(.init(.unassigned), connector: name, task: number, generation: task.epoch)
            }
        }
    }

    func endAll(of name: String) async { await end(local(of: name).keys.sorted(), of: name) }

    /// Whether nobody has said anything of the task since: a late UNASSIGNED must not hide the next owner's RUNNING.
    private func isStillOurs(_ id: TaskID, _ task: LocalTask) -> Bool {
        store.status.read { $0.statuses[id.connector]?[id.task] }.map { $0.workerID == workerInfo().workerID } ?? true
    }

    func restartTasks(of name: String, includeTasks: Bool, onlyFailed: Bool) async {
        guard includeTasks, !shuttingDown else { return }
        await restart(local(of: name).filter { !onlyFailed || $0.value.status.state == .failed }.keys.sorted(), of: name)
    }

    func restart(_ numbers: [Int], of name: String) async {
        for number in numbers { setStatus(.init(.restarting, trace: tasks[TaskID(name, number)]?.status.trace), TaskID(name, number)) }
        await end(numbers, of: name)
        await carryOut(name)
    }

    // MARK: Starts

    private func start(_ starts: [TaskPlan.Start], of name: String, _ connector: ClusterConfig.Connector) async {
        let values = Dictionary(connector.config.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
        guard let plugin = acceptance.plugin(of: values) else { return }
        var epoch: Int64 = 0
        if plugin.connectorType == .source {
            guard let next = await nextEpoch(of: name) else { return }
            epoch = next
        }
        if siblings[name]?.generation != connector.tasks.generation {
            siblings[name] = (connector.tasks.generation, SinkSiblings(tasks: max(1, connector.tasks.configs.count), config: values))
        }
        for start in starts {
            // A slot may have gone while the epoch was read.
            guard let slotEpoch = owned[start.slot], !shuttingDown else { continue }
            launch(start, name, connector, plugin, values, epoch: plugin.connectorType == .source ? max(epoch, slotEpoch) : slotEpoch)
        }
    }

    /// Past every epoch that wrote a position of the connector. Waits for the broker; nil: the worker stops.
    private func nextEpoch(of name: String) async -> Int64? {
        while !shuttingDown {
            do {
                return try await offsetStore.nextEpoch(of: name)
            } catch {
                report.warn("Connector \(name): its positions cannot be read now, trying again: \(Trace.message(of: error))")
                try? await Task.sleep(for: .seconds(1))
            }
        }
        return nil
    }

    private func launch(
        _ start: TaskPlan.Start, _ name: String, _ connector: ClusterConfig.Connector, _ plugin: PluginRegistry.Plugin, _ values: [String: String],
        epoch: Int64
    ) {
        nextRun += 1
        startups.taskAttempts += 1
        let run = nextRun, id = TaskID(name, start.task), isPaused = connector.targetState == .paused
        func note(_ running: TaskRunner.Running?) {
            tasks[id] = LocalTask(
                running: running, slot: start.slot, epoch: owned[start.slot] ?? 0, generation: connector.tasks.generation, run: run, isPaused: isPaused,
                status: .init(.unassigned))
        }
        do {
            var order = TaskRunner.Order(
                connector: name, task: start.task, plugin: plugin, config: values, taskConfig: connector.tasks.configs[start.task],
                startsPaused: isPaused, siblings: siblings[name]!.siblings, run: run)
            order.epoch = epoch
            let running = try runner.start(
                order, onState: { [weak self] status in await self?.taskReached(status, id, run) },
                onTopic: { [store] topic in try await store.addTopic(topic, connector: name) })
            note(running)
            setStatus(.init(isPaused ? .paused : .unassigned), id)
        } catch {
            note(nil)
            taskReached(StoredStatus(.failed, trace: Trace.text(error)), id, run)
        }
    }

    private func taskReached(_ status: StoredStatus, _ id: TaskID, _ run: Int) {
        guard let task = tasks[id], task.run == run else { return }
        if status.state == .failed { startups.taskFailures += 1 }
        setStatus(status.state != .failed && task.isPaused ? .init(.paused) : status, id)
    }

    // MARK: States

    private func setStatus(_ status: StoredStatus, _ id: TaskID) {
        guard let task = tasks[id] else { return }
        tasks[id]?.status = status
        setStatus(status, connector: id.connector, task: id.task, generation: task.epoch)
    }

    func setStatus(_ status: StoredStatus, connector: String, task: Int?, generation: Int64) {
        let version = store.config.read { $0[connector] }.flatMap { acceptance.plugin(of: $0.values)?.version }
        store.put(.init(status, workerID: workerInfo().workerID, generation: generation, version: version), connector: connector, task: task)
    }
}

extension ClusterConfig.Connector {
    var values: [String: String] { Dictionary(config.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 }) }
}
