import ConnectAPI

/// One way to run a connector's tasks, whichever herder wants them to run.
///
///     start ─▶ SourceWorker / SinkWorker ─▶ states
///     end   ─▶ all together, within the graceful timeout ─▶ those that do not end are fenced and left (Invariant 7)
struct TaskRunner: Sendable {
    /// A task that was started, until it was ended.
    struct Running: Sendable {
        let worker: any TaskWorker
        let handle: Task<Void, Never>
        /// Tells a state reported by this run from one of an earlier run.
        let run: Int
    }

    /// What to start: references unresolved, as `/connectors` and `/tasks` show them.
    struct Order {
        let connector: String
        let task: Int
        let plugin: PluginRegistry.Plugin
        let config: [String: String]
        let taskConfig: [ConfigEntry]
        let startsPaused: Bool
        /// See `Producer.epoch`.
        var epoch: Int64 = 0
        let siblings: SinkSiblings
        let run: Int
    }

    let services: TaskServices
    let providers: ConfigProviders
    let metrics: MetricsRegistry
    let log: Logger

    /// nil: what the plugin makes is no task.
    func start(
        _ order: Order, onState: @escaping @Sendable (StoredStatus) async -> Void, onTopic: @escaping @Sendable (String) async throws -> Void
    ) throws -> Running? {
        let name = order.connector
        let assignment = TaskAssignment(
            connector: name, task: order.task, config: try providers.resolve(order.config),
            taskConfig: try providers.resolve(Dictionary(order.taskConfig.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })),
            startsPaused: order.startsPaused, epoch: order.epoch, metrics: TaskMetrics(metrics, connector: name, task: order.task), onState: onState,
            onTopic: { [services, log] topic in
                guard services.worker.settings.topicTracking else { return }
                do {
                    try await onTopic(topic)
                } catch {
                    log.warn("Could not remember that \(name) uses topic \(topic): \(Trace.message(of: error))")
                }
            })
        let worker: any TaskWorker
        switch order.plugin.implementation {
        case .source(let type): worker = SourceWorker(type, assignment, services)
        case .sink(let type): worker = SinkWorker(type, assignment, services, siblings: order.siblings)
        case .transformation, .named: return nil
        }
        metrics.register(worker.counters, connector: name, task: order.task, isSink: order.plugin.kind == .sink)
        return Running(worker: worker, handle: Task { await worker.run() }, run: order.run)
    }

    /// Ends these tasks of a connector, all together.
    func end(_ ending: some Collection<Running>, of connector: String) async {
        guard !ending.isEmpty else { return }
        for running in ending { running.worker.requestStop() }
        let timeout = Duration.milliseconds(services.worker.settings.gracefulTimeout)
        guard await Self.ended(ending.map(\.handle), within: timeout) == false else { return }
        for running in ending {
            running.worker.fence()
            running.handle.cancel()
        }
        if await Self.ended(ending.map(\.handle), within: .seconds(1)) == false {
            log.error("Graceful stop of tasks of \(connector) failed; they are fenced: nothing of them reaches the log any more")
        }
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
}
