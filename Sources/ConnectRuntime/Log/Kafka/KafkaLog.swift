package import ConnectAPI
import Kafka
import Synchronization

/// The log in Apache Kafka: topics as Kafka Connect and Debezium write them, for everybody to read.
///
///     appender ─▶ KafkaWriter (a thread a producer): converters, murmur2, librdkafka ─▶ brokers ─ acknowledged ─▶ SourceOffsetStore
///     sink task ◀─ KafkaLogConsumer: member of group connect-<name>            tap, REST ◀─ KafkaReader: any partition from any offset
///
/// A record is bytes here: what is read is a batch of byte columns, which the reader's converters parse. A position is written after the
/// records before it were acknowledged by all replicas in sync (Invariant 2); what a crash leaves between the two is sent again. A snapshot unit's
/// rows go out as they come, so those of an unfinished unit may come twice; exactly-once producers commit a unit as a whole.
package final class KafkaLog: Log {
    let writers: KafkaWriters
    let clients: KafkaClients
    private let reader: KafkaReader
    private let topicCreator: any TopicCreator
    private let offsets: any SourceOffsetStore
    /// The group whose sources write in transactions; nil: none do.
    private let exactlyOnce: String?
    /// The run of each producer that writes in transactions, for what it stages.
    private let transactional = Mutex<[TaskID: WeakAppender]>([:])

    private struct WeakAppender: Sendable {
        weak let appender: TransactionalAppender?
    }
    /// Answers for groups without being a member of them.
    private let admin: Mutex<KafkaAdmin?> = Mutex(nil)

    package init(clients: KafkaClients, topics: any TopicCreator, offsets: any SourceOffsetStore, exactlyOnce: String? = nil) {
        self.clients = clients
        self.offsets = offsets
        self.exactlyOnce = exactlyOnce
        topicCreator = topics
        reader = KafkaReader(clients)
        writers = KafkaWriters { producer in
            try KafkaWriter(
                producer, client: try clients.producer("connector-producer-\(producer.connector)-\(producer.task)", config: producer.config),
                topics: topics, offsets: offsets)
        }
    }

    package func close() async {
        await writers.close()
        await reader.close()
    }

    // MARK: Writing

    package func appender(for producer: Producer) -> any Appender {
        // Dead letters and single workers have no epoch, and no transactions.
        guard let exactlyOnce, producer.epoch > 0 else { return KafkaAppender(self, producer) }
        let id = ExactlyOnceSupport.transactionalID(group: exactlyOnce, connector: producer.connector, task: producer.task)
        let appender = TransactionalAppender(producer, topics: topicCreator, offsets: offsets) { [clients] in
            try clients.producer(
                "connector-producer-\(producer.connector)-\(producer.task)", config: producer.config,
                // Kafka Connect's other defaults hold; a transaction survives a broker's restart. A snapshot unit is one transaction.
                defaults: [
                    "transactional.id": id, "enable.idempotence": "true", "max.in.flight.requests.per.connection": "5", "linger.ms": "1",
                    "transaction.timeout.ms": "300000",
                ])
        }
        transactional.withLock { $0[TaskID(producer.connector, producer.task)] = WeakAppender(appender: appender) }
        return appender
    }

    package func stage(_ batches: [RecordBatch], unit: String, by producer: Producer, rejected: RejectedRecords?) async throws {
        let frame = Frame(batches, at: nil, rejected: rejected)
        // A run has one transactional id, and so one way in.
        if let running = transactional.withLock({ $0[TaskID(producer.connector, producer.task)]?.appender }) {
            return try await running.stage(frame, unit: unit).durable()
        }
        try await appender(for: producer).append(frame).durable()
    }

    /// What was sent stays: it is in the topics already, or in a transaction that the run's end aborts.
    package func discard(unit: String?, connector: String) async throws {}

    // MARK: Positions

    package func sourcePositions(of connector: String) async throws -> [SourcePosition] { try await offsets.positions(of: connector) }

    package func alterSourcePositions(of connector: String, _ positions: [SourcePosition]?) async throws {
        try await offsets.alter(positions, of: connector)
    }

    // MARK: Groups

    private func administration() throws -> KafkaAdmin {
        try admin.withLock { admin in
            if let admin { return admin }
            let made = try clients.admin()
            admin = made
            return made
        }
    }

    /// The cluster's id. Throws `kafka.unreachable` when no broker answers: then nothing else would either.
    package func clusterID() async throws -> String {
        guard let id = try await administration().clusterID() else {
            throw ConnectorError(
                "kafka.unreachable", .stop, "No Kafka broker answered within 30 seconds", hint: "Check bootstrap.servers, security.protocol and the brokers")
        }
        return id
    }

    package func consumerOffsets(of group: String) async throws -> [TopicPartition: Int64] { try await administration().groupOffsets(group) }

    package func commit(_ offsets: [TopicPartition: Int64], group: String) async throws { try await administration().alterGroupOffsets(group, offsets) }

    package func alterConsumerOffsets(of group: String, _ offsets: [TopicPartition: Int64?]?) async throws {
        let admin = try administration()
        guard let offsets else { return try await admin.deleteGroup(group) }
        try await admin.alterGroupOffsets(group, offsets.compactMapValues { $0 })
        try await admin.deleteGroupOffsets(group, offsets.filter { $0.value == nil }.map(\.key))
    }

    // MARK: Reading

    package func consumer(for member: SinkMember) throws -> any LogConsumer { try KafkaLogConsumer(clients, member) }

    package func read(_ partition: TopicPartition, from offset: Int64, maxBytes: Int) async throws -> [StoredBatch] {
        try await reader.read(partition, from: offset, maxBytes: maxBytes)
    }

    package func topics() async throws -> [String: [PartitionRange]] { try await reader.topics() }

    package func waitForRecords(past offsets: [TopicPartition: Int64], timeout: Duration) async {
        let deadline = ContinuousClock.now + timeout, known = Set(offsets.keys.map(\.topic))
        var pause: Duration = .milliseconds(20)
        var before: Set<String>?
        while ContinuousClock.now < deadline, !Task.isCancelled {
            // An answer that does not come is no record either.
            if let ends = try? await reader.ends(Array(offsets.keys)), offsets.contains(where: { ends[$0.key] ?? 0 > $0.value }) { return }
            if let names = try? await reader.topicNames() {
                if let before, !names.subtracting(before).subtracting(known).isEmpty { return }
                before = before ?? names
            }
            try? await Task.sleep(for: min(pause, ContinuousClock.now.duration(to: deadline)))
            pause = min(pause * 2, .milliseconds(500))
        }
    }
}
