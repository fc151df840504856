package import ConnectAPI

/// A sink task's place among the readers of its topics: it is given partitions, reads them, and gives them up again.
///
///     next ─▶ .assigned ─▶ the task opens them ─▶ start(offsets) ─▶ .records … ─▶ .revoked ─▶ the task closes them ─▶ release
///
/// In the embedded log a partition stays with the task that claimed it. In Kafka the task is a member of the group `connect-<name>`, and the group
/// decides. `next` and `keepAlive` are called by one reader; everything else by the task's main loop.
package protocol LogConsumer: Sendable {
    /// What happened, waiting up to `timeout` for something to happen. Records come only of partitions that were started.
    func next(timeout: Duration) async throws -> [LogConsumerEvent]
    /// Reading of assigned partitions begins.
    func start(_ offsets: [TopicPartition: Int64]) async throws
    /// Revoked partitions are closed; others may have them.
    func release(_ partitions: [TopicPartition]) async throws

    func committed(_ partitions: [TopicPartition]) async throws -> [TopicPartition: Int64]
    func commit(_ offsets: [TopicPartition: Int64]) async throws
    /// What the log holds of these partitions.
    func ranges(_ partitions: [TopicPartition]) async throws -> [TopicPartition: PartitionRange]
    /// The next offset to be written of every started partition, as last seen.
    func ends() async -> [TopicPartition: Int64]

    /// Called now and then, also while nobody takes records: the membership outlives a destination that is away.
    func keepAlive() async
    /// Leaves. Nothing is called afterwards.
    func close() async
}

package enum LogConsumerEvent: Sendable {
    case assigned([TopicPartition])
    /// `lost`: another task may have them already, so that nothing of them may be committed.
    case revoked([TopicPartition], lost: Bool)
    case records(StoredBatch)
    case damaged(DamagedPartition)
}

/// A partition past whose damage nothing is read until the task starts again.
package struct DamagedPartition: Sendable {
    package let partition: TopicPartition
    package let offset: Int64
    package let error: ConnectorError
    /// No other partition of the task is left.
    package let isLast: Bool
}

/// Who reads: one task of a sink.
package struct SinkMember: Sendable {
    package let connector: String
    package let task: Int
    /// The connector's configuration, resolved.
    package let config: [String: String]
    package let subscription: SinkSubscription
    /// What the tasks of this worker's connector share.
    package let siblings: SinkSiblings

    var group: String { "connect-\(connector)" }
}
