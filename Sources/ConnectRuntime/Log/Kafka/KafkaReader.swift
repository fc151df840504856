import ConnectAPI
import Kafka

/// Reads partitions from any offset, for whoever is no sink: `sluice tap`, REST, a dead letter's original bytes.
///
/// A consumer stays where it was read last, so that reading on costs one fetch. One reader at a time.
actor KafkaReader {
    private let clients: KafkaClients
    private var consumers: [TopicPartition: Cursor] = [:]
    private var uses: UInt64 = 0
    private static let cursors = 4
    /// A broker that does not answer within this time is away.
    private static let patience: Duration = .seconds(30)

    private final class Cursor {
        let consumer: KafkaConsumer
        var next: Int64
        var waiting: [FetchedRecords] = []
        var used: UInt64 = 0
        init(_ consumer: KafkaConsumer, at offset: Int64) {
            self.consumer = consumer
            next = offset
        }
    }
    private var metadata: KafkaConsumer?

    init(_ clients: KafkaClients) { self.clients = clients }

    func close() async {
        for cursor in consumers.values { await cursor.consumer.close() }
        await metadata?.close()
    }

    /// First and next offsets of every partition of every topic that is not Kafka's own.
    func topics() async throws -> [String: [PartitionRange]] {
        let consumer = try asking(), counts = try await consumer.partitionCounts().filter { !$0.key.hasPrefix("__") }
        let partitions = counts.flatMap { topic, count in (0..<count).map { TopicPartition(topic, $0) } }
        let starts = try await consumer.offsets(of: partitions, at: .beginning), ends = try await consumer.offsets(of: partitions, at: .end)
        return Dictionary(grouping: partitions, by: \.topic).mapValues { partitions in
            partitions.sorted().map { PartitionRange(partition: $0.partition, start: starts[$0] ?? 0, end: ends[$0] ?? 0) }
        }
    }

    func ends(_ partitions: [TopicPartition]) async throws -> [TopicPartition: Int64] { try await asking().offsets(of: partitions, at: .end) }

    func topicNames() async throws -> Set<String> { Set(try await asking().partitionCounts().keys.filter { !$0.hasPrefix("__") }) }

    private func asking() throws -> KafkaConsumer {
        if let metadata { return metadata }
        let made = try clients.consumer("sluice-metadata", group: nil)
        metadata = made
        return made
    }

    func read(_ partition: TopicPartition, from offset: Int64, maxBytes: Int) async throws -> [StoredBatch] {
        let cursor = try await cursor(partition, at: offset)
        guard let cursor else { return [] }
        var found: [StoredBatch] = [], bytes = 0
        while found.isEmpty || bytes < maxBytes {
            guard !cursor.waiting.isEmpty else {
                guard found.isEmpty, try await fill(cursor, partition) else { break }
                continue
            }
            let stored = cursor.waiting[0].stored, size = stored.batch.byteCount, room = max(1, maxBytes - bytes)
            if size > room, stored.batch.count > 1 {
                // As many rows as fit, at least one.
                let rows = min(stored.batch.count, max(found.isEmpty ? 1 : 0, stored.batch.count * room / size))
                if rows > 0 {
                    found.append(StoredBatch(partition: partition, firstOffset: stored.firstOffset, batch: stored.batch.slice(0..<rows), rendering: .bytes))
                    cursor.next = stored.firstOffset + Int64(rows)
                }
                if let rest = cursor.waiting[0].dropping(rows) { cursor.waiting[0] = rest } else { cursor.waiting.removeFirst() }
                break
            }
            found.append(stored)
            bytes += size
            cursor.next = stored.firstOffset + Int64(stored.batch.count)
            cursor.waiting.removeFirst()
        }
        return found
    }

    private func cursor(_ partition: TopicPartition, at offset: Int64) async throws -> Cursor? {
        uses += 1
        if let known = consumers[partition], known.next == offset {
            known.used = uses
            return known
        }
        let asking = try asking()
        guard (try await asking.partitionCounts(topic: partition.topic)[partition.topic] ?? 0) > partition.partition else { return nil }
        let end = try await asking.offsets(of: [partition], at: .end)[partition] ?? 0
        guard offset < end else { return nil }
        if consumers[partition] == nil, consumers.count >= Self.cursors, let oldest = consumers.min(by: { $0.value.used < $1.value.used }) {
            consumers[oldest.key] = nil
            await oldest.value.consumer.close()
        }
        let consumer =
            try consumers[partition]?.consumer
            ?? clients.consumer("sluice-reader", group: nil, defaults: ["queued.max.messages.kbytes": "4096", "fetch.wait.max.ms": "10"])
        try await consumer.assign([partition: offset])
        let cursor = Cursor(consumer, at: offset)
        cursor.used = uses
        consumers[partition] = cursor
        return cursor
    }

    /// Fetches more; false at the end of the partition.
    private func fill(_ cursor: Cursor, _ partition: TopicPartition) async throws -> Bool {
        let end = try await asking().offsets(of: [partition], at: .end)[partition] ?? 0
        guard cursor.next < end else { return false }
        let deadline = ContinuousClock.now + Self.patience
        while ContinuousClock.now < deadline {
            let polled = await cursor.consumer.poll(timeout: .milliseconds(100), maxBytes: 1 << 20)
            cursor.waiting += polled.records
            if !polled.records.isEmpty { return true }
            // What stands before the end is a transaction's marker, or was aborted.
            if let reached = polled.ends[partition], reached >= end { return false }
            if let error = polled.errors.first(where: { $0.disposition == .stop }) { throw error }
            try Task.checkCancellation()
        }
        throw ConnectorError(
            "kafka.timeout", .retry, "Could not read \(partition) from offset \(cursor.next): no broker answered in time", hint: "Check the brokers")
    }
}
