package import ConnectAPI
package import Kafka
import Synchronization

/// Positions of sources in Kafka Connect's own offset topics: the worker's, and for a connector with `offsets.storage.topic` its own.
package final class KafkaSourceOffsetStore: SourceOffsetStore {
    private typealias Table = KafkaTable<SourceOffsets, Never>

    /// The header that bears the epoch of the task that wrote a position; Kafka Connect does not look at headers here.
    private static let epochHeader = "sluice.epoch"

    private let worker: Table
    private let clients: WorkerClients
    private let producer: KafkaProducer
    private let admin: KafkaAdmin
    private let topics: InternalTopics
    /// The connector's configuration, for its own topic.
    private let configuration: @Sendable (_ connector: String) -> [String: String]?
    private let own = Mutex<[String: Task<Table, any Error>]>([:])

    package init(
        _ topics: InternalTopics, _ clients: WorkerClients, _ admin: KafkaAdmin, _ producer: KafkaProducer,
        configuration: @escaping @Sendable (_ connector: String) -> [String: String]?
    ) throws {
        self.topics = topics
        self.clients = clients
        self.admin = admin
        self.producer = producer
        self.configuration = configuration
        worker = try Self.table(topics.offsets, clients, producer)
    }

    package func open() async throws { try await worker.open() }

    package func close() async {
        for table in own.withLock({ $0.values }) { try? await table.value.close() }
        await worker.close()
    }

    private static func table(_ topic: String, _ clients: WorkerClients, _ producer: KafkaProducer) throws -> Table {
        KafkaTable(topic: topic, initial: SourceOffsets(), consumer: try clients.reader(), producer: producer) { state, record in
            guard let key = record.key else { return nil }
            let epoch = record.headers.first { $0.name == epochHeader }?.value.flatMap { Int64(String(decoding: $0, as: UTF8.self)) }
            try state.apply(InternalRecord(key: key, value: record.value), epoch: epoch)
            return nil
        }
    }

    private static func topic(_ config: [String: String]?) -> String? {
        config?["offsets.storage.topic"]?.trimmingSpaces()
    }

    /// The tables of a connector, its own first; opened when first needed.
    private func tables(of connector: String) async throws -> [Table] {
        guard let topic = Self.topic(configuration(connector)), topic != topics.offsets else { return [worker] }
        let opening = own.withLock { own in
            if let known = own[topic] { return known }
            let opening = Task { [clients, producer, admin, topics] in
                try await topics.makeOffsetTopic(topic, admin)
                let table = try Self.table(topic, clients, producer)
                try await table.open()
                return table
            }
            own[topic] = opening
            return opening
        }
        do {
            return [try await opening.value, worker]
        } catch {
            own.withLock { $0[topic] = nil }
            throw error
        }
    }

    package func positions(of connector: String) async throws -> [SourcePosition] {
        var out: [SourcePosition] = []
        for table in try await tables(of: connector) {
            try await table.readToEnd()
            // What the connector's own topic says stands over what the worker's does.
            for position in table.read({ $0.positions(of: connector) }) where !out.contains(where: { $0.partition == position.partition }) {
                out.append(position)
            }
        }
        return out
    }

    /// The epoch a new run of a task of the connector must have: past every one that wrote.
    package func nextEpoch(of connector: String) async throws -> Int64 {
        var epoch: Int64 = 0
        for table in try await tables(of: connector) {
            try await table.readToEnd()
            epoch = max(epoch, table.read { $0.epoch(of: connector) })
        }
        return epoch + 1
    }

    package func record(_ position: SourcePosition, by producer: Producer) -> KafkaRecord? {
        let topic = Self.topic(producer.config) ?? topics.offsets
        var record = record(
            OffsetRecord(connector: producer.connector, partition: position.partition, offset: position.offset), topic: topic,
            // A partition keeps the bytes of its key, whoever wrote it first.
            key: topic == topics.offsets ? worker.read { $0.key(of: position.partition, connector: producer.connector) } : nil)
        if producer.epoch > 0 { record.headers = [.init(Self.epochHeader, Array(String(producer.epoch).utf8))] }
        return record
    }

    private func record(_ offset: OffsetRecord, topic: String, key: [UInt8]?) -> KafkaRecord {
        let encoded = offset.encoded
        return KafkaRecord(topic: topic, key: key ?? encoded.key, value: encoded.value)
    }

    package func write(_ positions: [SourcePosition], by producer: Producer) async throws {
        try await self.producer.send(positions.compactMap { record($0, by: producer) })
    }

    package func alter(_ positions: [SourcePosition]?, of connector: String) async throws {
        for (i, table) in try await tables(of: connector).enumerated() {
            try await table.readToEnd()
            let known = table.read { $0.positions(of: connector) }
            let changes = positions ?? known.map { SourcePosition(partition: $0.partition, offset: [:]) }
            let records = changes.compactMap { position -> KafkaRecord? in
                let key = table.read { $0.key(of: position.partition, connector: connector) }
                let isRemoval = position.offset.entries.isEmpty
                // New positions go to the first topic; the worker's keeps none that would come to light again.
                guard i == 0 || key != nil, !isRemoval || key != nil else { return nil }
                return record(
                    OffsetRecord(connector: connector, partition: position.partition, offset: isRemoval || i > 0 ? nil : position.offset),
                    topic: table.topic, key: key)
            }
            try await table.write(records)
        }
    }
}
