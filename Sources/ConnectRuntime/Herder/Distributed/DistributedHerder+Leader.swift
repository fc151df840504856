import ConnectAPI
import Kafka

/// What the owner of slot 0 does for all: it divides each connector into tasks, gives them slots, and fences generations.
extension DistributedHerder {
    /// Reads the config topic to its end first: what another leader wrote last is known then.
    func becomeLeader(_ epoch: Int64) {
        leaderTask = Task {
            while !Task.isCancelled, self.owned[0] == epoch {
                do {
                    let writer = try await ConfigWriter(store, clients, group: group.name, exactlyOnce)
                    try await store.config.readToEnd()
                    guard self.owned[0] == epoch, !self.shuttingDown else { return await writer.close() }
                    self.configWriter = writer
                    self.leadership = epoch
                    report.info("Leads group \(group.name) (epoch \(epoch))")
                    self.takeStock()
                    return
                } catch {
                    report.warn("Could not take the lead, trying again: \(Trace.message(of: error))")
                    try? await Task.sleep(for: .seconds(1))
                }
            }
        }
    }

    func resign() {
        leaderTask?.cancel()
        guard leadership != nil else { return }
        leadership = nil
        let writer = configWriter
        configWriter = nil
        leaderTask = Task { await writer?.close() }
        report.info("Does not lead group \(group.name) any more")
    }

    private func takeStock() {
        let names = store.config.read(\.names)
        for name in names { lead(name) }
        // Of connectors deleted while nobody led.
        for name in store.status.read({ $0.statuses.keys }) where !names.contains(name) { store.forgetStatuses(of: name) }
    }

    /// Queues the division of a connector, if this worker leads.
    @discardableResult
    func lead(_ name: String) -> Task<Void, Never>? { leadership == nil ? nil : duty(name) { await $0.divide(name) } }

    @discardableResult
    func duty(_ name: String, _ body: @escaping @Sendable (isolated DistributedHerder) async -> Void) -> Task<Void, Never> {
        let previous = duties[name]
        let task = Task {
            await previous?.value
            await body(self)
        }
        duties[name] = task
        return task
    }

    // MARK: Dividing

    private func divide(_ name: String) async {
        while leadership != nil, !shuttingDown {
            do {
                return try await divideOnce(name)
            } catch let error as ConnectorError where error.disposition == .retry {
                report.warn("Connector \(name) could not be divided into tasks now, trying again: \(error)")
                try? await Task.sleep(for: .seconds(1))
            } catch {
                return fail(name, error)
            }
        }
    }

    private func fail(_ name: String, _ error: any Error) {
        startups.connectorFailures += 1
        report.error("Connector \(name) failed: \(Trace.message(of: error))")
        setLeaderStatus(StoredStatus(.failed, trace: Trace.text(error)), name)
    }

    private func divideOnce(_ name: String) async throws {
        guard let connector = store.config.read({ $0[name] }) else { return }
        switch connector.targetState {
        case .stopped:
            if !connector.tasks.configs.isEmpty || !connector.tasks.isConsistent { try await write([.commit(name, tasks: 0, slots: [])]) }
            return setLeaderStatus(.init(.stopped), name)
        case .paused where connector.tasks.configs.isEmpty && connector.tasks.isConsistent:
            // Paused before it ran for the first time: it has no tasks until it is resumed.
            return setLeaderStatus(.init(.paused), name)
        case .paused, .started: break
        }
        startups.connectorAttempts += 1
        let plugin = acceptance.plugin(of: connector.values)
        let instance = ConnectorInstance(name: name, stored: .init(config: connector.config, targetState: connector.targetState), plugin: plugin)
        let configs: [[ConfigEntry]]
        do {
            if plugin?.connectorType == .source { try checkExactlyOnce(connector.values) }
            configs = try await instance.taskConfigurations(providers, acceptance.validator)
        } catch {
            return fail(name, error)
        }
        // What changed meanwhile has queued a division of its own.
        guard let now = store.config.read({ $0[name] }), now.config == connector.config, now.targetState == connector.targetState else { return }
        try await giveSlots(name, configs, now.tasks)
        if exactlyOnce == .enabled, plugin?.connectorType == .source { try await fenceOlder(name) }
        setLeaderStatus(.init(connector.targetState == .paused ? .paused : .running), name)
    }

    private func giveSlots(_ name: String, _ configs: [[ConfigEntry]], _ before: ClusterConfig.TaskSet) async throws {
        let capacity = try await group.capacity()
        var plan = SlotPlan(capacity: capacity, taken: taken(butBy: name), owners: [:])
        let kept = before.slots ?? []
        let isSame = before.isConsistent && zip(configs, before.configs).allSatisfy { $0.sameEntries(as: $1) } && configs.count == before.configs.count
        if isSame, kept.count == configs.count, kept.allSatisfy({ $0 < capacity && !plan.taken.contains($0) }) { return }
        plan.owners = try await group.owners().mapValues(\.workerID)
        plan.taken = taken(butBy: name)
        let slots = plan.slots(for: configs.count, keeping: kept)
        reserved.formUnion(slots)
        defer { reserved.subtract(slots) }
        if plan.capacity > capacity { try await group.grow(to: plan.capacity) }
        try await write(configs.enumerated().map { .task(name, $0, $1) } + [.commit(name, tasks: configs.count, slots: slots)])
    }

    /// Slots of other connectors. Of two that claim the same, the first by name has it.
    private func taken(butBy name: String) -> Set<Int> {
        store.config.read { config in
            var taken = reserved
            for other in config.names where other != name { taken.formUnion(config[other]?.tasks.slots ?? []) }
            return taken
        }
    }

    /// Tasks of the generation before write nothing more once this has returned, wherever they run; then the new ones start (KIP-618).
    private func fenceOlder(_ name: String) async throws {
        guard let connector = store.config.read({ $0[name] }), !connector.tasks.isFenced else { return }
        let older = connector.fencedTasks ?? 0, count = connector.tasks.configs.count
        // A single task is fenced by the one that replaces it.
        if older > 1 || (older == 1 && count != 1) { try await fence(name, tasks: older) }
        try await write([.fencing(name, tasks: count)])
        bring(name)
    }

    /// Takes the transactional ids of tasks over, which ends their transactions and refuses their next.
    func fence(_ name: String, tasks: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { all in
            for task in 0..<tasks {
                all.addTask { [clients, group] in
                    let producer = try clients.producer(
                        transactionalID: ExactlyOnceSupport.transactionalID(group: group.name, connector: name, task: task))
                    do {
                        try await producer.initTransactions()
                    } catch {
                        await producer.close()
                        throw error
                    }
                    await producer.close()
                }
            }
            try await all.waitForAll()
        }
    }

    /// Whether tasks of the connector may start here: with exactly-once, not before those of the generation before are fenced.
    func mayStart(_ connector: ClusterConfig.Connector) -> Bool {
        guard exactlyOnce == .enabled, acceptance.plugin(of: connector.values)?.connectorType == .source else { return true }
        return connector.tasks.isFenced
    }

    private func checkExactlyOnce(_ values: [String: String]) throws {
        if exactlyOnce == .enabled, values["transaction.boundary"]?.trimmingSpaces().lowercased() == "connector" {
            throw ConnectorError(
                "connector.exactly_once", .stop, "The connector does not define transaction boundaries of its own",
                hint: "Set transaction.boundary to poll or interval")
        }
        guard exactlyOnce != .enabled, values["exactly.once.support"]?.trimmingSpaces().lowercased() == "required" else { return }
        throw ConnectorError(
            "connector.exactly_once", .stop, "The connector has exactly.once.support=required, and exactly-once is not enabled on this worker",
            hint: "Set exactly.once.source.support=enabled on every worker (preparing first), or exactly.once.support=requested")
    }

    // MARK: Writing

    func write(_ records: [ConfigRecord]) async throws {
        guard let configWriter else { throw ConnectorError(KafkaError.staleMember, .retry, "This worker does not lead the group any more") }
        try await group.confirm(0)
        try await configWriter.write(records)
    }

    func setLeaderStatus(_ status: StoredStatus, _ name: String) {
        if let leadership { setStatus(status, connector: name, task: nil, generation: leadership) }
    }

    /// After the configuration is gone: waits for the tasks to end wherever they run, removes what is left, and what the connector made outside.
    func cleanUp(_ name: String, _ instance: ConnectorInstance) async {
        let deadline = ContinuousClock.now + .milliseconds(services.worker.settings.gracefulTimeout) + .seconds(5)
        while hasTaskStatuses(name), ContinuousClock.now < deadline { try? await Task.sleep(for: .milliseconds(50)) }
        guard store.config.read({ $0[name] }) == nil else { return }
        store.forgetStatuses(of: name)
        try? await store.resetTopics(of: name)
        await instance.destroy(providers, scratchDirectory: services.scratchDirectory, report)
        report.info("Connector \(name) was deleted")
    }

    func hasTaskStatuses(_ name: String) -> Bool { store.status.read { $0.statuses[name]?.keys.contains { $0 != nil } ?? false } }
}

extension [ConfigEntry] {
    /// In any order: Kafka Connect's is that of a hash map.
    fileprivate func sameEntries(as other: [ConfigEntry]) -> Bool { count == other.count && Set(self) == Set(other) }
}
