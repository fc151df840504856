import ConnectAPI
import Foundation
import Kafka
import TestSupport

@testable import ConnectRuntime

/// A log on librdkafka's mock cluster, which makes topics of one partition.
func withMockKafkaLog<R>(_ body: (KafkaLog, MockKafka) async throws -> R) async throws -> R {
    let mock = MockKafka()
    return try await withKafkaLog(mock.bootstrapServers, topics: MockTopics(mock: mock)) { try await body($0, mock) }
}

struct MockTopics: TopicCreator {
    let mock: MockKafka
    func ensure(_ topic: String, config: [String: String]) { mock.createTopic(topic) }
}

/// A log on a cluster, its positions in a directory of its own.
func withKafkaLog<R>(
    _ servers: String, topics: (any TopicCreator)? = nil, _ body: (KafkaLog) async throws -> R
) async throws -> R {
    try await withEmbeddedLog { embedded, _ in
        let clients = KafkaClients(worker: ["bootstrap.servers": servers])
        let log = KafkaLog(
            clients: clients, topics: topics ?? KafkaTopicCreator(clients, isEnabled: true), offsets: LocalOffsetStore(embedded))
        do {
            let result = try await body(log)
            await log.close()
            return result
        } catch {
            await log.close()
            throw error
        }
    }
}

/// Topics, groups and connectors of one test, apart from others of the cluster; records parsed as `Producer.named` rendered them.
struct ScopedLog: Log {
    private let log: any Log
    private let scope: String

    init(_ log: any Log, scope: String) {
        self.log = log
        self.scope = scope
    }

    private func scoped(_ batches: [RecordBatch]) -> [RecordBatch] {
        batches.map { batch in
            var batch = batch
            batch.topic = scope + batch.topic
            return batch
        }
    }
    private func scoped(_ partition: TopicPartition) -> TopicPartition { TopicPartition(scope + partition.topic, partition.partition) }
    private func scoped<V>(_ offsets: [TopicPartition: V]) -> [TopicPartition: V] {
        Dictionary(uniqueKeysWithValues: offsets.map { (scoped($0.key), $0.value) })
    }
    private func scoped(_ producer: Producer) -> Producer {
        Producer(connector: scope + producer.connector, task: producer.task, rendering: producer.rendering, config: producer.config)
    }
    private func own(_ topic: String) -> String? { topic.hasPrefix(scope) ? String(topic.dropFirst(scope.count)) : nil }

    private struct ScopedAppender: Appender {
        let appender: any Appender
        let log: ScopedLog
        func append(_ frame: Frame) -> PendingAppend { appender.append(Frame(log.scoped(frame.batches), at: frame.position)) }
        func publish(unit: String, at position: SourcePosition) -> PendingAppend { appender.publish(unit: unit, at: position) }
        func fence() { appender.fence() }
    }

    func appender(for producer: Producer) -> any Appender { ScopedAppender(appender: log.appender(for: scoped(producer)), log: self) }
    func stage(_ batches: [RecordBatch], unit: String, by producer: Producer, rejected: RejectedRecords?) async throws {
        try await log.stage(scoped(batches), unit: unit, by: scoped(producer), rejected: rejected)
    }
    func discard(unit: String?, connector: String) async throws { try await log.discard(unit: unit, connector: scope + connector) }
    func sourcePositions(of connector: String) async throws -> [SourcePosition] { try await log.sourcePositions(of: scope + connector) }
    func alterSourcePositions(of connector: String, _ positions: [SourcePosition]?) async throws {
        try await log.alterSourcePositions(of: scope + connector, positions)
    }
    func consumer(for member: SinkMember) throws -> any LogConsumer { try log.consumer(for: member) }
    func consumerOffsets(of group: String) async throws -> [TopicPartition: Int64] {
        let found = try await log.consumerOffsets(of: scope + group)
        return Dictionary(uniqueKeysWithValues: found.map { (TopicPartition(own($0.key.topic) ?? $0.key.topic, $0.key.partition), $0.value) })
    }
    func commit(_ offsets: [TopicPartition: Int64], group: String) async throws { try await log.commit(scoped(offsets), group: scope + group) }
    func alterConsumerOffsets(of group: String, _ offsets: [TopicPartition: Int64?]?) async throws {
        try await log.alterConsumerOffsets(of: scope + group, offsets.map { scoped($0) })
    }

    func read(_ partition: TopicPartition, from offset: Int64, maxBytes: Int) async throws -> [StoredBatch] {
        try await log.read(scoped(partition), from: offset, maxBytes: maxBytes).map { stored in
            var batch = stored.batch
            batch.topic = partition.topic
            let rendering = Producer.named("").rendering
            func parsed(_ column: Column?, _ converter: Rendering.Converter, isKey: Bool) throws -> Column? {
                guard let column else { return nil }
                let rows = try ByteArrayConverter().render(column, count: batch.count, nullSchemaRows: nil, topic: "")
                return try Converters.make(converter, isKey: isKey).parse(rows, topic: "")
            }
            batch.key = try parsed(batch.key, rendering.key, isKey: true)
            batch.value = try parsed(batch.value, rendering.value, isKey: false)
            return StoredBatch(partition: partition, firstOffset: stored.firstOffset, batch: batch, rendering: rendering)
        }
    }
    func waitForRecords(past offsets: [TopicPartition: Int64], timeout: Duration) async {
        await log.waitForRecords(past: scoped(offsets), timeout: timeout)
    }
    func topics() async throws -> [String: [PartitionRange]] {
        Dictionary(uniqueKeysWithValues: try await log.topics().compactMap { topic, ranges in own(topic).map { ($0, ranges) } })
    }
    func close() async {}
}
