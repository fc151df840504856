import ConnectAPI
import Kafka

/// A producer's way into Kafka in transactions, for one run of its task (KIP-618).
///
///     append ─▶ frames ─▶ begin ─▶ records, then positions ─▶ commit ─▶ answers
///                            ▲                                   └─ the broker says abort ─▶ abort, the same frames again
///                            └── prepare: the transactional id is taken over, which fences older runs anywhere
///     stage … stage ─▶ begin ─▶ a unit's records … publish ─▶ its position ─▶ commit
///
/// Records and position are visible together or not at all (Invariant 2), and only of the last run that took the id over. A frame is never cut:
/// a transaction holds one (`transaction.boundary=poll`) and those that wait behind it, or those of an interval. A snapshot unit is a transaction
/// of its own, so that a crash leaves nothing of one that was not finished.
final class TransactionalAppender: Appender {
    private let producer: Producer
    private let topics: any TopicCreator
    private let offsets: any SourceOffsetStore
    private let makeClient: @Sendable () throws -> KafkaProducer
    private let queue = TransactionQueue()

    init(_ producer: Producer, topics: any TopicCreator, offsets: any SourceOffsetStore, _ makeClient: @escaping @Sendable () throws -> KafkaProducer) {
        self.producer = producer
        self.topics = topics
        self.offsets = offsets
        self.makeClient = makeClient
    }

    deinit { queue.finish() }

    func prepare() async throws {
        let client = try makeClient()
        let writer = try TransactionWriter(producer, client, topics, offsets)
        do {
            try await client.initTransactions()
        } catch {
            await client.close()
            throw error
        }
        queue.attach(client)
        // It ends with this object, or with the first transaction that cannot be done again.
        Task { [queue, writer] in
            var writer = writer
            let thread = ThreadExecutor("kafka-transactions")
            await withTaskExecutorPreference(thread) { await writer.run(queue) }
            thread.stop()
        }
    }

    var canBeReplaced: Bool { false }

    func append(_ frame: Frame) -> PendingAppend { queue.append(.frame(frame)) }

    /// Sends rows of a unit; brokers have them when it is answered, and readers of what is committed do not see them before `publish`.
    func stage(_ frame: Frame, unit: String) -> PendingAppend { queue.append(.staged(frame, unit: unit)) }

    func publish(unit: String, at position: SourcePosition) -> PendingAppend { queue.append(.published(unit: unit, position)) }

    func fence() { queue.fail(ConnectorError("runtime.fenced", .stop, "The task was stopped and may write no more")) }
}
