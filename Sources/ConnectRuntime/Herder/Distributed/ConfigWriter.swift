import ConnectAPI
import Kafka

/// A leader's way into the config topic.
///
/// With exactly-once on its way every write is a transaction under the leader's transactional id, so that a former leader's last write is refused
/// by the broker. Without it, a leader asks the coordinator before it writes (`WorkerGroup.confirm`), as far as that goes.
struct ConfigWriter: Sendable {
    private let store: KafkaConnectorStore
    /// nil: the store's own.
    private let transactional: KafkaProducer?

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
        try await transactional.beginTransaction()
        do {
            try await transactional.send(records.map(store.record))
            try await transactional.commitTransaction()
        } catch {
            try? await transactional.abortTransaction()
            throw error
        }
        try await store.config.readToEnd()
    }

    func close() async { await transactional?.close() }
}
