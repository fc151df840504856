import ConnectAPI
import Kafka
import Synchronization

/// The control plane of one worker of a cluster. There is no consensus of our own: Kafka's group coordinator decides who runs what, and the
/// config topic is the truth.
///
///     REST on any worker ─▶ leader (owner of slot 0) ─▶ validate ─▶ config topic ─▶ every worker ─▶ tasks of the slots it owns
///                                └─ divides each connector into tasks, gives them slots ─▶ config topic
///     group coordinator ─▶ slots gained or revoked ─▶ tasks start or end            states ─▶ status topic ─▶ every worker
///
/// Why it is correct: what runs is a function of the config topic and of the slots owned (`TaskPlan`), brought about connector by connector, one
/// change after the other. A slot's owner ends its tasks before it lets the slot go; an owner that is cut off is told within the session time-out
/// and fences its tasks (Invariant 7), and what a zombie still writes bears an older epoch. A worker that starts has nothing to remember
/// (Invariant 9).
package actor DistributedHerder: WorkerHerder {
    /// A task this worker runs, FAILED ones included.
    struct LocalTask {
        let running: TaskRunner.Running?
        let slot: Int
        /// The slot's, when the task was started: what its statuses bear.
        let epoch: Int64
        let generation: Int
        let run: Int
        var isPaused: Bool
        var status: StoredStatus
    }

    package nonisolated let plugins: PluginRegistry
    package nonisolated let log: any Log
    package nonisolated let metrics: WorkerMetrics
    nonisolated let services: TaskServices
    nonisolated let providers: ConfigProviders
    nonisolated let acceptance: ConnectorAcceptance
    nonisolated let runner: TaskRunner
    nonisolated let store: KafkaConnectorStore
    nonisolated let offsetStore: KafkaSourceOffsetStore
    nonisolated let group: WorkerGroup
    nonisolated let clients: WorkerClients
    nonisolated let exactlyOnce: ExactlyOnceSupport
    nonisolated let report = Logger("sluice.herder")
    private nonisolated let worker: WorkerIdentity
    private nonisolated let forwarder: RequestForwarder

    /// Slots of this worker, with their epochs.
    var owned: [Int: Int64] = [:]
    var tasks: [TaskID: LocalTask] = [:]
    /// Shared by the tasks of one generation of a sink.
    var siblings: [String: (generation: Int, siblings: SinkSiblings)] = [:]
    /// The end of each connector's chain of changes on this worker, and of each connector's chain of the leader's.
    var tails: [String: Task<Void, Never>] = [:]
    var duties: [String: Task<Void, Never>] = [:]
    /// The epoch of the leader's slot, while it is ours and the config topic was read since.
    var leadership: Int64?
    var configWriter: ConfigWriter?
    var leaderTask: Task<Void, Never>?
    /// Names of connectors being created.
    var creating: Set<String> = []
    /// Slots given out in commits that are under way.
    var reserved: Set<Int> = []
    var nextRun = 0
    var startups = WorkerMetrics.StartupCounts()
    var shuttingDown = false
    private var followers: [Task<Void, Never>] = []
    private var isOpen = false

    package init(
        plugins: PluginRegistry, services: TaskServices, cluster: Cluster, metrics: MetricsRegistry, info: WorkerInfo
    ) throws {
        self.plugins = plugins
        self.services = services
        self.metrics = WorkerMetrics(metrics, services)
        log = services.log
        store = cluster.store
        offsetStore = cluster.offsets
        clients = cluster.clients
        exactlyOnce = try ExactlyOnceSupport(services.worker)
        forwarder = try RequestForwarder(services.worker)
        providers = try ConfigProviders(services.worker.values)
        acceptance = ConnectorAcceptance(
            validator: ConfigValidator(plugins: plugins, workerValues: services.worker.values), providers: providers, log: report)
        runner = TaskRunner(services: services, providers: providers, metrics: metrics, log: report)
        let identity = WorkerIdentity(info)
        worker = identity
        group = WorkerGroup(
            cluster.topics, consumer: try cluster.clients.member(cluster.topics.group, services.worker), admin: cluster.admin,
            workerID: { identity.info.workerID })
    }

    // MARK: The worker

    package nonisolated func workerInfo() -> WorkerInfo { worker.info }

    package nonisolated func advertise(_ workerID: String) { worker.advertise(workerID) }

    package func isReady() async -> Bool { isOpen ? await group.isMember : false }

    /// Reads the internal topics to their ends and joins the group; what is to run here follows.
    package func start() async throws {
        try await store.open()
        isOpen = true
        followers = [
            Task { [weak self, store] in for await change in store.config.changes { await self?.take(change) } },
            Task { [weak self, group] in for await event in group.events { await self?.take(event) } },
        ]
        try await group.join()
        while !(await group.isMember) { try await Task.sleep(for: .milliseconds(50)) }
        report.info("Joined group \(group.name) as \(workerInfo().workerID)")
    }

    /// Ends every task, then leaves the group, so that others start them at once.
    package func shutDown() async {
        shuttingDown = true
        let led = leadership
        leadership = nil
        leaderTask?.cancel()
        let ended = Set(tasks.keys.map(\.connector)).map { name in enqueue(name) { await $0.endAll(of: name) } }
        for task in ended { await task.value }
        if let led { for name in store.config.read(\.names) { setStatus(.init(.unassigned), connector: name, task: nil, generation: led) } }
        await store.close()
        await group.leave()
        for follower in followers { follower.cancel() }
        await configWriter?.close()
    }

    // MARK: Events

    private func take(_ change: ClusterConfig.Change) async {
        switch change {
        case .connector(let name): lead(name)
        case .removed(let name): bring(name)
        case .tasks(let name): bring(name)
        case .targetState(let name):
            lead(name)
            bring(name)
        case .restart(let name, let includeTasks, let onlyFailed):
            enqueue(name) { await $0.restartTasks(of: name, includeTasks: includeTasks, onlyFailed: onlyFailed) }
        case .loggerLevel(let name, let level):
            if let level = Logger.Level(name: level) { Logger.setLevel(level, of: name, at: WallClock.milliseconds) }
        case .sessionKey: break
        }
    }

    private func take(_ event: WorkerGroup.Event) async {
        switch event {
        case .gained(let slots):
            owned.merge(slots) { $1 }
            if let epoch = slots[0] { becomeLeader(epoch) }
            let owners = store.config.read(\.slotOwners)
            for name in Set(slots.keys.compactMap { owners[$0]?.connector }) { bring(name) }
        case .revoked(let slots, let lost):
            for slot in slots { owned[slot] = nil }
            if slots.contains(0) { resign() }
            let moving = tasks.filter { slots.contains($0.value.slot) }
            // Others may run them already: not another byte.
            if lost { for task in moving.values { task.running?.worker.fence() } }
            let ended = Set(moving.keys.map(\.connector)).map { bring($0) }
            Task {
                for task in ended { await task.value }
                await group.release(slots)
            }
        }
    }

    // MARK: Forwarding

    /// Sends a request on, and waits until this worker has seen what it changed: the next request may come here again.
    package nonisolated func forward(_ request: HTTPRequest, to target: any Error) async throws -> HTTPResponse {
        guard let target = target as? RequestForward else { throw target }
        let answer = try await forwarder.forward(request, to: target)
        if answer.status < 300, request.method != "GET" { try await store.config.readToEnd() }
        return answer
    }

    /// Runs the body if this worker leads, and sends the request to the one that does otherwise.
    func leading<R: Sendable>(_ body: (isolated DistributedHerder) async throws -> R) async throws -> R {
        // Between two leaders there is none for a moment; waiting is better than a 409.
        for _ in 0..<100 {
            if leadership != nil {
                do {
                    try await group.confirm(0)
                    return try await body(self)
                } catch let error as ConnectorError where error.code == KafkaError.staleMember {
                    // Nothing was written: a write asks first, too.
                    report.info("Another worker leads now: \(error.message)")
                }
            } else if owned[0] == nil, let leader = try? await group.owner(of: 0), !leader.workerID.isEmpty, leader.workerID != workerInfo().workerID {
                throw RequestForward(workerID: leader.workerID)
            }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw HerderError(
            409, "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway.")
    }
}
