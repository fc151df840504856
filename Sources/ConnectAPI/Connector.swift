/// What a connector author implements. A connector declares its configuration and makes tasks; tasks move batches.
///
///     source task ─▶ SourceOutput.emit(batches, at: position) ─▶ … the log … ─▶ SinkTask.write(batch) ─▶ destination
///
/// The runtime calls one task from one place at a time; tasks need no locks. Every wait inside a task must honour cancellation
/// (Invariant 7): a stopped connector cancels the task and waits for it to return.
public protocol Connector: Sendable {
    associatedtype Configuration: ConnectConfiguration
    static var info: ConnectorInfo { get }
    /// Checks what needs no I/O; throws `ConnectorError`.
    init(_ configuration: Configuration) throws
    /// Looks at the outside world: credentials, grants, buckets. Each finding is about one key.
    func check() async -> [Diagnostic]
    /// Tries what the connector will do, for `sluice doctor`.
    func examine(_ doctor: any Doctor) async
}

extension Connector {
    public func check() async -> [Diagnostic] { [] }
}

/// The names a connector goes by.
public struct ConnectorInfo: Sendable {
    /// The class name people already use, such as `io.debezium.connector.postgresql.PostgresConnector`; it is what REST reports.
    public let className: String
    /// Other full class names accepted for it.
    public let aliases: [String]
    public let version: String
    public let documentation: String
    public init(className: String, aliases: [String] = [], version: String, documentation: String) {
        self.className = className
        self.aliases = aliases
        self.version = version
        self.documentation = documentation
    }
}

/// A finding about one configuration key.
public struct Diagnostic: Sendable, Hashable {
    public let key: String
    public let message: String
    public init(_ key: String, _ message: String) {
        self.key = key
        self.message = message
    }
}

/// What a task is told about itself.
public struct TaskContext: Sendable {
    public let connector: String
    public let task: Int
    public let log: Logger
    public let metrics: any MetricSink
    /// Bytes this task may hold in buffers of its own.
    public let memoryBudget: Int
    /// A directory the task may spill to; removed with the connector.
    public let scratchDirectory: String
    /// Sinks: hands a bad record to `errors.tolerance` and the dead letter queue; throws when it is not tolerated.
    public let reject: @Sendable (_ record: RejectedRecord) async throws -> Void

    public init(
        connector: String, task: Int, log: Logger, metrics: any MetricSink, memoryBudget: Int, scratchDirectory: String,
        reject: @escaping @Sendable (RejectedRecord) async throws -> Void
    ) {
        self.connector = connector
        self.task = task
        self.log = log
        self.metrics = metrics
        self.memoryBudget = memoryBudget
        self.scratchDirectory = scratchDirectory
        self.reject = reject
    }
}

/// A record a sink cannot take, and why.
public struct RejectedRecord: Sendable {
    public let partition: TopicPartition
    public let offset: Int64
    public let error: ConnectorError
    public init(partition: TopicPartition, offset: Int64, error: ConnectorError) {
        self.partition = partition
        self.offset = offset
        self.error = error
    }
}

/// Where a task reports figures; names and labels become Prometheus series. Setting is cheap enough for once a batch, not for once a record.
public protocol MetricSink: Sendable {
    func set(_ name: String, _ labels: [String: String], _ value: Double)
    func add(_ name: String, _ labels: [String: String], _ value: Double)
    /// Counts a duration in seconds into a histogram.
    func observe(_ name: String, _ labels: [String: String], _ seconds: Double)
}

// MARK: - Sources

public protocol SourceConnector: Connector {
    associatedtype Task: SourceTask
    /// How the work divides into at most `maxTasks` tasks: the configuration of each, as `/connectors/{name}/tasks` shows it.
    func taskConfigurations(maxTasks: Int) async throws -> [[String: String]]
    /// `resumingAt` holds every position the log has for this connector.
    func makeTask(_ configuration: [String: String], resumingAt: [SourcePosition], _ context: TaskContext) async throws -> sending Task
    /// Whether these positions could be resumed from; the answer of `PATCH /connectors/{name}/offsets`. Throws what is wrong.
    func validateOffsets(_ positions: [SourcePosition]) throws
    /// True: `validateOffsets` vouches for the positions and REST says so; false: REST adds that the connector may manage offsets elsewhere.
    static var managesOffsetChanges: Bool { get }
    /// Keys of an offset that `GET /connectors/{name}/offsets` leaves out: what the connector notes for itself beside the keys of the one it follows.
    static var unlistedOffsetKeys: Set<String> { get }
    /// Removes what the connector made outside (nothing by default); called when it is deleted.
    func destroy() async throws
}

extension SourceConnector {
    public func validateOffsets(_ positions: [SourcePosition]) throws {}
    public static var managesOffsetChanges: Bool { false }
    public static var unlistedOffsetKeys: Set<String> { [] }
    public func destroy() async throws {}
}

public protocol SourceTask {
    /// Runs until cancelled or at the end of its data. Throw `ConnectorError`: `.retry` makes the runtime call it again on a fresh task after
    /// a back-off, anything else fails the task.
    mutating func run(_ output: any SourceOutput) async throws
}

/// Numbers the frames of one task's run from 1, in the order they were emitted.
public typealias FrameNumber = UInt64

/// Where a source puts its records.
public protocol SourceOutput: Sendable {
    /// Takes all batches up to one position as an atomic frame: the log makes the records and the position durable together
    /// (Invariant 2), in the order of the calls (Invariant 3). Returns once the frame is queued; suspends while the byte budget is used up,
    /// which is the backpressure. A frame with no batch moves the position.
    @discardableResult
    func emit(_ batches: [RecordBatch], at position: SourcePosition?) async throws -> FrameNumber

    /// Everything up to this frame is durable. Acknowledge upstream no further (Invariant 1). Cheap enough to ask every millisecond.
    var durable: FrameNumber { get }

    /// Suspends until every emitted frame is durable.
    func flush() async throws

    /// Stores batches of a snapshot unit out of sight of readers. Safe to call from several child tasks for different units.
    func stage(_ batches: [RecordBatch], in unit: String) async throws
    /// Makes a unit's rows visible, in staging order, and moves the position, in one commit. Durable when it returns.
    func publish(_ unit: String, at position: SourcePosition) async throws
    /// Drops what a unit staged; dropping an unknown unit is no error. A restart starts with nothing staged.
    func discard(_ unit: String) async throws
}

// MARK: - Sinks

public protocol SinkConnector: Connector {
    associatedtype Task: SinkTask
    func makeTask(_ context: TaskContext) async throws -> sending Task
    /// True: offsets changed by hand need no change elsewhere, and REST says so; false: REST adds that the connector may manage offsets elsewhere.
    static var managesOffsetChanges: Bool { get }
}

extension SinkConnector {
    public static var managesOffsetChanges: Bool { false }
}

public protocol SinkTask {
    /// Takes partitions over. Returns, for those where the destination itself knows better than the log, the offset to read from.
    mutating func open(_ partitions: [TopicPartition]) async throws -> [TopicPartition: Int64]
    /// Takes a batch. Batches of a partition come in offset order without overlap. A `.retry` error makes the runtime call `write` again
    /// with the same batch: the task must not have kept any of it.
    mutating func write(_ batch: ConsumedBatch) async throws
    /// Called after every write and at least once a second: does what time demands (age and schedule rotation) and returns the
    /// offsets the log may commit, for the partitions where they moved: every record before them is in the destination
    /// (Invariant 4).
    mutating func flush(_ reason: FlushReason) async throws -> [TopicPartition: Int64]
    /// The log has committed these offsets: what was kept in case they were read again may go. They are those that `flush` returned and, after `open`,
    /// those of an earlier run. Nothing by default.
    mutating func committed(_ offsets: [TopicPartition: Int64]) async
    /// Gives partitions up: after the last `flush(.closing)`. Drops what is buffered for them.
    mutating func close(_ partitions: [TopicPartition]) async
}

extension SinkTask {
    public mutating func committed(_ offsets: [TopicPartition: Int64]) async {}
}

public enum FlushReason: Sendable {
    /// The ordinary call.
    case tick
    /// The partitions are about to be closed in order: the last chance to make buffered records durable.
    case closing
}
