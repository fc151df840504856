import ConnectAPI
import Kafka
import Synchronization

/// A leader's way into the config topic.
///
/// With exactly-once on its way every write is a transaction under the leader's transactional id, so that a former leader's last write is refused
/// by the broker. Without it, a leader asks the coordinator before it writes (`WorkerGroup.confirm`), as far as that goes.
final class ConfigWriter: Sendable {
    private let store: KafkaConnectorStore
    /// nil: the store's own.
    private let transactional: KafkaProducer?
    /// The write after which the next one begins: a client has one transaction at a time.
    private let last = Mutex<Task<Void, any Error>?>(nil)

    init(_ store: KafkaConnectorStore, _ clients: WorkerClients, group: String, _ support: ExactlyOnceSupport) async throws {
        self.store = store
        guard support.fencesLeader else {
            transactional = nil
            return
        }
        let producer = try clients.producer(transactionalID: ExactlyOnceSupport.leaderTransactionalID(group: group))
        do {
            try await producer.initTransactions()
        } catch {
            await producer.close()
            throw error
        }
        transactional = producer
    }

    /// Returns when this worker has read what it wrote.
    func write(_ records: [ConfigRecord]) async throws {
        guard let transactional else { return try await store.write(records) }
        let write = last.withLock { last in
            let previous = last
            let write = Task { [store] in
                _ = await previous?.result
                let ends = try await Self.commit(records.map(store.record), transactional)
                try await store.config.readOn(to: ends)
            }
            last = write
            return write
        }
        try await write.value
    }

    private static func commit(_ records: [KafkaRecord], _ producer: KafkaProducer) async throws -> [TopicPartition: Int64] {
        try await producer.beginTransaction()
        do {
            let ends = try await producer.send(records)
            try await producer.commitTransaction()
            return ends
        } catch {
            try? await producer.abortTransaction()
            throw error
        }
    }

    func close() async { await transactional?.close() }
}
