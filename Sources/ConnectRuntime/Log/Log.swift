package import ConnectAPI

/// The durable heart between sources and sinks: topics of columns, source positions, consumer offsets. Two implementations pass one suite:
/// `EmbeddedLog` (SQLite) and, with `bootstrap.servers`, `KafkaLog`.
///
/// Offsets number records, from 0 and without gaps. Order within a topic partition is the order of `append` (Invariant 3).
package protocol Log: ReadableLog {
    /// An ordered way in for one run of a producer. After a failed append the appender takes nothing more: the next run opens another one
    /// and begins again from the last durable position.
    func appender(for producer: Producer) -> any Appender

    /// Stores batches of a snapshot unit where no reader sees them. Returns when they are durable; calls for one unit are made one after the other.
    func stage(_ batches: [RecordBatch], unit: String, by producer: Producer, rejected: RejectedRecords?) async throws
    /// Drops what was staged: one unit, or with nil everything of the connector.
    func discard(unit: String?, connector: String) async throws

    /// Positions of a connector, in the order its partitions were first seen.
    func sourcePositions(of connector: String) async throws -> [SourcePosition]
    /// Replaces positions by hand (`PATCH`/`DELETE /connectors/{name}/offsets`); a position with an empty offset map removes that partition, nil removes all.
    func alterSourcePositions(of connector: String, _ positions: [SourcePosition]?) async throws

    /// A sink task's membership among the readers of its topics; the caller closes it.
    func consumer(for member: SinkMember) throws -> any LogConsumer

    /// The next offset each partition of a group reads.
    func consumerOffsets(of group: String) async throws -> [TopicPartition: Int64]
    func commit(_ offsets: [TopicPartition: Int64], group: String) async throws
    /// Sets (`nil` value: removes) offsets by hand; nil removes all.
    func alterConsumerOffsets(of group: String, _ offsets: [TopicPartition: Int64?]?) async throws
}

/// What a reader needs of a log, worker or not (`sluice tap`).
package protocol ReadableLog: Sendable {
    /// Batches from `offset` on: as many as fit `maxBytes`, at least one if there is any, the first cut to begin at `offset`. Empty at the
    /// end of the partition. Throws `log.corrupt` where a checksum fails: that partition stops, the worker does not.
    func read(_ partition: TopicPartition, from offset: Int64, maxBytes: Int) async throws -> [StoredBatch]
    /// Suspends until one of the partitions has a record at or past its offset, a topic matching none of them was created, or the time is up.
    func waitForRecords(past offsets: [TopicPartition: Int64], timeout: Duration) async

    /// Every topic with its partitions' ranges, by name.
    func topics() async throws -> [String: [PartitionRange]]

    /// Ends the log's threads after what is queued is durable.
    func close() async
}

extension Log {
    /// Makes one frame durable and waits for it: for callers that have a single frame in flight. See `Appender`.
    package func append(_ frame: Frame, by producer: Producer) async throws {
        try await appender(for: producer).append(frame).durable()
    }

    /// Stores batches of a unit, none of which may be refused.
    package func stage(_ batches: [RecordBatch], unit: String, by producer: Producer) async throws {
        try await stage(batches, unit: unit, by: producer, rejected: nil)
    }

    /// Makes a unit visible and waits for it. See `Appender`.
    package func publish(unit: String, at position: SourcePosition, by producer: Producer) async throws {
        try await appender(for: producer).publish(unit: unit, at: position).durable()
    }
}

/// All batches, of however many topics, up to one source position.
package struct Frame: Sendable {
    package var batches: [RecordBatch]
    package var position: SourcePosition?
    /// Told of records that the log's converters cannot render; nil: the frame fails with the first.
    package var rejected: RejectedRecords?
    package init(_ batches: [RecordBatch], at position: SourcePosition?, rejected: RejectedRecords? = nil) {
        self.batches = batches
        self.position = position
        self.rejected = rejected
    }
}

/// Is told each record that does not get into the log; throws where that is not tolerated.
package typealias RejectedRecords = @Sendable (FailedRecord) throws -> Void

/// Who appends, and how its records look to others.
package struct Producer: Sendable, Hashable {
    package let connector: String
    package let task: Int
    /// How the records are rendered where somebody reads them as bytes (`sluice tap`, Kafka, dead letters).
    package let rendering: Rendering
    /// The connector's configuration: settings of its Kafka clients, how its topics are made, whether it writes exactly once.
    package let config: [String: String]
    /// Grows with every run of a task of the connector anywhere; what an older one still writes is known by it. 0: there are no others.
    package let epoch: Int64
    package init(connector: String, task: Int, rendering: Rendering, config: [String: String] = [:], epoch: Int64 = 0) {
        self.connector = connector
        self.task = task
        self.rendering = rendering
        self.config = config
        self.epoch = epoch
    }
}

/// The converters of a connector: class names and their own settings, as configured.
package struct Rendering: Sendable, Hashable {
    package struct Converter: Sendable, Hashable {
        package let className: String
        /// Without the `key.converter.` prefix.
        package let settings: [String: String]
        package init(_ className: String, _ settings: [String: String] = [:]) {
            self.className = className
            self.settings = settings
        }
    }
    package let key: Converter
    package let value: Converter
    package let header: Converter
    package init(key: Converter, value: Converter, header: Converter) {
        self.key = key
        self.value = value
        self.header = header
    }
}

/// A batch as the log holds it.
package struct StoredBatch: Sendable {
    package let partition: TopicPartition
    package let firstOffset: Int64
    package let batch: RecordBatch
    package let rendering: Rendering
    package init(partition: TopicPartition, firstOffset: Int64, batch: RecordBatch, rendering: Rendering) {
        self.partition = partition
        self.firstOffset = firstOffset
        self.batch = batch
        self.rendering = rendering
    }
}

/// The offsets a partition holds: `start` is the first kept, `end` the next to be written.
package struct PartitionRange: Sendable, Hashable {
    package let partition: Int32
    package let start: Int64
    package let end: Int64
    package init(partition: Int32, start: Int64, end: Int64) {
        self.partition = partition
        self.start = start
        self.end = end
    }
}
