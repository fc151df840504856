package import ConnectAPI

/// One running task, as the herder sees it. `run` is called once; everything else may be called from anywhere at any time.
package protocol TaskWorker: Sendable {
    /// Runs until stopped, failed or, for a stopped one, cancelled. Reports every state it reaches.
    func run() async
    /// Asks for an orderly end: what was taken is finished, offsets are committed.
    func requestStop()
    /// The graceful time is over: nothing of this task may reach the log or commit an offset any more (Invariant 7).
    func fence()
    func setPaused(_ paused: Bool)
    var counters: TaskCounters { get }
}

/// What tasks need of the worker they run in.
package struct TaskServices: Sendable {
    package let log: any Log
    package let worker: WorkerConfig
    /// Shared by all sources: the log alone drains it, so no slow sink can hold it.
    package let sourceBudget: ByteBudget
    /// Where tasks may spill to.
    package let scratchDirectory: String
    /// The transforms of a connector's configuration, in order.
    package let transforms: @Sendable (_ config: [String: String]) throws -> @Sendable (TransformedBatch) throws -> [TransformedBatch]
    /// A converter by class name and its own settings.
    package let converter: @Sendable (_ name: String, _ settings: [String: String], _ isKey: Bool) throws -> any Converter

    package init(
        log: any Log, worker: WorkerConfig, sourceBudget: ByteBudget, scratchDirectory: String,
        transforms: @escaping @Sendable ([String: String]) throws -> @Sendable (TransformedBatch) throws -> [TransformedBatch],
        converter: @escaping @Sendable (String, [String: String], Bool) throws -> any Converter
    ) {
        self.log = log
        self.worker = worker
        self.sourceBudget = sourceBudget
        self.scratchDirectory = scratchDirectory
        self.transforms = transforms
        self.converter = converter
    }
}

/// One task to run: whose it is, its configuration with references resolved, and where its states go.
package struct TaskAssignment: Sendable {
    package let connector: String
    package let task: Int
    /// The connector's configuration, resolved.
    package let config: [String: String]
    /// This task's configuration, resolved.
    package let taskConfig: [String: String]
    package let startsPaused: Bool
    /// See `Producer.epoch`.
    package let epoch: Int64
    package let metrics: any MetricSink
    package let onState: @Sendable (StoredStatus) async -> Void
    package let onTopic: @Sendable (String) async -> Void

    package init(
        connector: String, task: Int, config: [String: String], taskConfig: [String: String], startsPaused: Bool, epoch: Int64 = 0,
        metrics: any MetricSink,
        onState: @escaping @Sendable (StoredStatus) async -> Void, onTopic: @escaping @Sendable (String) async -> Void
    ) {
        self.connector = connector
        self.task = task
        self.config = config
        self.taskConfig = taskConfig
        self.startsPaused = startsPaused
        self.epoch = epoch
        self.metrics = metrics
        self.onState = onState
        self.onTopic = onTopic
    }

    var name: String { "\(connector)-\(task)" }
    func logger(_ name: String) -> Logger { Logger(name, context: "\(connector)|task-\(task)") }
}
