import ConnectAPI
import Foundation
import Kafka
import Synchronization
import TestSupport
import Testing

@testable import ConnectRuntime

/// What is particular to the log in Kafka; the laws of every log are in `LogLawTests`.
@Suite struct KafkaLogTests {
    /// Key, value and headers of every record, rendered by hand.
    private func rendered(_ batch: RecordBatch, _ rendering: Rendering) throws -> [KafkaRecord] {
        let key = try Converters.make(rendering.key, isKey: true), value = try Converters.make(rendering.value, isKey: false)
        let keys = try key.render(batch.key, count: batch.count, nullSchemaRows: nil, topic: batch.topic)
        let values = try value.render(batch.value, count: batch.count, nullSchemaRows: batch.tombstones, topic: batch.topic)
        let headers = try HeaderRendering(batch, try Converters.make(rendering.header, isKey: false))
        return (0..<batch.count).map { row in
            KafkaRecord(
                topic: batch.topic, partition: 0, key: keys.bytes(row).map(Array.init), value: values.bytes(row).map(Array.init),
                headers: headers.headers(row).map { .init($0.name, $0.value.map(Array.init)) }, timestamp: batch.timestamps[row].integerValue)
        }
    }

    @Test func recordsAreTheBytesTheConvertersWrite() async throws {
        var random = SeededGenerator.printed()
        try await withMockKafkaLog { log, mock in
            let producer = Producer.named("c")
            var sent: [KafkaRecord] = []
            while sent.count < 1000 {
                var batch = RecordBatch.random(topic: "t", rows: Int.random(in: 1...90, using: &random), using: &random)
                // Times before 1970 are none to Kafka.
                batch.timestamps = Column(RecordBatch.timestampSchema, (0..<batch.count).map { .integer(1_700_000_000_000 + Int64($0)) })
                // A null where the schema has none cannot be written as JSON.
                guard let records = try? rendered(batch, producer.rendering) else { continue }
                try await log.append(Frame([batch], at: nil), by: producer)
                sent += records
            }
            var found: [KafkaRecord] = []
            while let last = try await log.read(TopicPartition("t", 0), from: Int64(found.count), maxBytes: 1 << 16).nonEmpty {
                for stored in last { found += try rendered(stored.batch, .bytes) }
            }
            #expect(found.count == sent.count)
            for (a, b) in zip(found, sent) { #expect(a == b) }
        }
    }

    /// Rows that a converter cannot render are told one by one, and their neighbours get into the topic, whatever the cut.
    @Test func recordsThatCannotBeRenderedAreSkippedWhereThatIsTolerated() async throws {
        var random = SeededGenerator.printed()
        try await withMockKafkaLog { log, mock in
            let schema = Schema(.int64), count = 3000
            // A null where the schema has none.
            let valid = Bitmap((0..<count).map { _ in Int.random(in: 0..<100, using: &random) > 0 }), good = valid.setPositions
            let column = Column(schema, count: count, .int64((0..<count).map { Int64($0) }), validity: valid)
            let batch = RecordBatch(
                topic: "t", count: count, key: nil, value: column, timestamps: .constant(1_700_000_000_000, RecordBatch.timestampSchema, count: count))
            let told = Mutex<[FailedRecord]>([])
            let frame = Frame([batch], at: .at(7)) { record in told.withLock { $0.append(record) } }
            try await log.append(frame, by: .named("c"))
            #expect(told.withLock { $0.count } == count - good.count && told.withLock { $0 }.allSatisfy { $0.stage == .valueConverter && $0.topic == "t" })
            #expect(try await log.sourcePositions(of: "c") == [.at(7)])
            var found: [String] = []
            while let last = try await log.read(TopicPartition("t", 0), from: Int64(found.count), maxBytes: 1 << 16).nonEmpty {
                for stored in last {
                    for row in 0..<stored.batch.count {
                        if case .bytes(let text)? = stored.batch.value?[row] { found.append(String(decoding: text, as: UTF8.self)) }
                    }
                }
            }
            #expect(found.map { $0.hasSuffix("}") } == good.map { _ in true } && found.count == good.count)
            for (text, row) in zip(found, good) { #expect(text.hasSuffix("\"payload\":\(row)}")) }
            // Not tolerated: the frame fails, and with it the position.
            await #expect(throws: ConnectorError.self) { try await log.append(Frame([batch], at: .at(9)), by: .named("c")) }
            #expect(try await log.sourcePositions(of: "c") == [.at(7)])
        }
    }

    @Test func whatIsRefusedFailsItsFrameAndAllBehindIt() async throws {
        try await withMockKafkaLog { log, mock in
            try await refusal(log, mock)
            #expect(try await log.sourcePositions(of: "c") == [.at(1)])
            // The next run begins again.
            let next = log.appender(for: .named("c"))
            try await next.append(Frame([.numbers([2, 3])], at: .at(3))).durable()
            #expect(try await log.sourcePositions(of: "c") == [.at(3)])
        }
    }

    private func refusal(_ log: KafkaLog, _ mock: MockKafka) async throws {
        let appender = log.appender(for: .named("c"))
        try await appender.append(Frame([.numbers([1])], at: .at(1))).durable()
        mock.failProduce(29, times: 1)
        let refused = appender.append(Frame([.numbers([2])], at: .at(2)))
        let error = await #expect(throws: ConnectorError.self) { try await refused.durable() }
        #expect(error?.code == KafkaError.notAuthorized && error?.disposition == .stop)
        let behind = appender.append(Frame([.numbers([3])], at: .at(3)))
        await #expect(throws: ConnectorError.self) { try await behind.durable() }
    }

    @Test func aFencedAppenderIsAnswered() async throws {
        try await withMockKafkaLog { log, mock in
            let appender = log.appender(for: .named("c"))
            try await appender.append(Frame([.numbers([1])], at: .at(1))).durable()
            mock.setBroker(up: false)
            let pending = appender.append(Frame([.numbers([2])], at: .at(2)))
            try await Task.sleep(for: .milliseconds(100))
            appender.fence()
            await #expect(throws: ConnectorError.self) { try await pending.durable() }
            #expect(try await log.sourcePositions(of: "c") == [.at(1)])
            mock.setBroker(up: true)
        }
    }

    @Test func framesWaitForABrokerThatIsAway() async throws {
        try await withMockKafkaLog { log, mock in
            let appender = log.appender(for: .named("c"))
            try await appender.append(Frame([.numbers([0])], at: .at(0))).durable()
            mock.setBroker(up: false)
            let pending = (1..<50 as Range<Int64>).map { appender.append(Frame([.numbers([$0])], at: .at($0))) }
            try await Task.sleep(for: .milliseconds(500))
            #expect(pending.allSatisfy { !$0.isDone })
            #expect(try await log.sourcePositions(of: "c") == [.at(0)])
            mock.setBroker(up: true)
            for append in pending { try await append.durable() }
            #expect(try await ScopedLog(log, scope: "").numbers() == Array(0..<50))
            #expect(try await log.sourcePositions(of: "c") == [.at(49)])
        }
    }

    @Test func topicsAreMadeByTheFirstGroupThatTakesThem() throws {
        let none = try TopicCreationRules(["tasks.max": "1"])
        if none != nil { Issue.record("rules without any key") }
        let rules = try #require(
            try TopicCreationRules([
                "topic.creation.default.partitions": "3", "topic.creation.default.replication.factor": "1", "topic.creation.default.cleanup.policy": "compact",
                "topic.creation.groups": "wide, odd", "topic.creation.wide.include": "shop\\.orders.*", "topic.creation.wide.exclude": ".*_old",
                "topic.creation.wide.partitions": "12", "topic.creation.wide.retention.ms": "1000", "topic.creation.odd.include": "shop.*",
            ]))
        #expect(
            try rules.topic("shop.orders")
                == .init("shop.orders", partitions: 12, replicationFactor: 1, config: ["retention.ms": "1000"]))
        #expect(try rules.topic("shop.orders_old") == .init("shop.orders_old", partitions: 3, replicationFactor: 1))
        #expect(try rules.topic("else") == .init("else", partitions: 3, replicationFactor: 1, config: ["cleanup.policy": "compact"]))
        let bad = try #require(try TopicCreationRules(["topic.creation.default.partitions": "none"]))
        #expect(throws: ConnectorError.self) { try bad.topic("t") }
    }
}

extension Array {
    fileprivate var nonEmpty: Self? { isEmpty ? nil : self }
}

/// Against a real broker: what the mock cannot show.
@Suite(.enabled(if: KafkaBroker.isAvailable)) struct KafkaLogBrokerTests {
    @Test func topicsAreMadeAsConfigured() async throws {
        try await withKafka { broker in
            try await withKafkaLog(broker.bootstrapServers) { log in
                let topic = "made-\(UUID().uuidString)"
                let producer = Producer(
                    connector: "c-\(topic)", task: 0, rendering: Producer.named("").rendering,
                    config: [
                        "topic.creation.default.partitions": "3", "topic.creation.default.replication.factor": "-1",
                        "topic.creation.default.cleanup.policy": "compact",
                    ])
                try await log.append(Frame([.numbers(0..<100, topic: topic)], at: .at(1)), by: producer)
                let admin = try KafkaClients(worker: ["bootstrap.servers": broker.bootstrapServers]).admin()
                #expect(try await admin.partitionCounts(topic: topic) == [topic: 3])
                #expect(try await admin.describeConfig(topic: topic)["cleanup.policy"] == "compact")
                #expect(try await log.topics()[topic]?.reduce(0) { $0 + $1.end } == 100)
            }
        }
    }

    @Test func aRecordLargerThanTheTopicTakesIsSaid() async throws {
        try await withKafka { broker in
            try await withKafkaLog(broker.bootstrapServers) { log in
                let topic = "small-\(UUID().uuidString)"
                let producer = Producer(
                    connector: "c-\(topic)", task: 0, rendering: Producer.named("").rendering,
                    config: [
                        "topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1",
                        "topic.creation.default.max.message.bytes": "20000", "producer.override.max.request.size": "10000000",
                        // What is judged is the batch as it is sent.
                        "producer.override.compression.type": "none",
                    ])
                let error = await #expect(throws: ConnectorError.self) {
                    try await log.append(Frame([.numbers([1], topic: topic, padding: 30_000)], at: .at(1)), by: producer)
                }
                #expect(error?.code == KafkaError.recordTooLarge && error?.hint?.contains("max.message.bytes") == true)
            }
        }
    }

    // MARK: Exactly once

    /// A log whose producers write in transactions; the body is given a producer of a topic of its own, and what readers of committed records see of it.
    private func withTransactions(
        _ config: [String: String] = [:],
        _ body: (KafkaLog, Producer, _ topic: String, _ committed: () async throws -> [Int64]) async throws -> Void
    ) async throws {
        try await withKafka { broker in
            try await withEmbeddedLog { embedded, _ in
                let clients = KafkaClients(worker: ["bootstrap.servers": broker.bootstrapServers]), topic = "once-\(UUID().uuidString)"
                let log = KafkaLog(
                    clients: clients, topics: KafkaTopicCreator(clients, isEnabled: true), offsets: LocalOffsetStore(embedded), exactlyOnce: "g-\(topic)")
                let reader = KafkaLog(
                    clients: KafkaClients(worker: ["bootstrap.servers": broker.bootstrapServers, "consumer.isolation.level": "read_committed"]),
                    topics: KafkaTopicCreator(clients, isEnabled: true), offsets: LocalOffsetStore(embedded))
                let made = ["topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1"]
                let producer = Producer(
                    connector: "c-\(topic)", task: 0, rendering: Producer.named("").rendering, config: made.merging(config) { $1 }, epoch: 1)
                do {
                    try await body(log, producer, topic) {
                        // Offsets of a topic with transactions have gaps.
                        try await ScopedLog(reader, scope: "").batches(topic).flatMap(\.batch.numbers)
                    }
                } catch {
                    await log.close()
                    await reader.close()
                    throw error
                }
                await log.close()
                await reader.close()
            }
        }
    }

    @Test func aUnitIsThereAsAWholeOrNotAtAll() async throws {
        try await withTransactions { log, producer, topic, committed in
            var first: (any Appender)? = log.appender(for: producer)
            try await first!.prepare()
            try await log.stage([.numbers([1, 2], topic: topic)], unit: "x", by: producer)
            try await log.stage([.numbers([3], topic: topic)], unit: "x", by: producer)
            #expect(try await committed() == [])
            try await first!.publish(unit: "x", at: .at(1)).durable()
            // A broker writes a transaction's end into its partitions a moment after it is decided.
            #expect(try await holdsInTime { try await committed() == [1, 2, 3] })
            try await log.stage([.numbers([4], topic: topic)], unit: "y", by: producer)
            // The run ends, and with it the unit.
            first = nil
            let second = log.appender(for: producer)
            try await second.prepare()
            try await log.stage([.numbers([5], topic: topic)], unit: "y", by: producer)
            try await second.publish(unit: "y", at: .at(2)).durable()
            try await second.append(Frame([.numbers([6], topic: topic)], at: .at(3))).durable()
            #expect(try await holdsInTime { try await committed() == [1, 2, 3, 5, 6] })
        }
    }

    /// Rather a unit in two transactions than one that never ends.
    @Test func aUnitThatTakesTooLongIsCommittedInParts() async throws {
        try await withTransactions(["producer.override.transaction.timeout.ms": "2000"]) { log, producer, topic, committed in
            let appender = log.appender(for: producer)
            try await appender.prepare()
            try await log.stage([.numbers([1], topic: topic)], unit: "x", by: producer)
            // As when the connector is paused.
            #expect(try await holdsInTime { try await committed() == [1] })
            try await log.stage([.numbers([2], topic: topic)], unit: "x", by: producer)
            // Other records do not wait for the unit's end.
            try await appender.append(Frame([.numbers([3], topic: topic)], at: nil)).durable()
            #expect(try await holdsInTime { try await committed() == [1, 2, 3] })
            try await appender.publish(unit: "x", at: .at(1)).durable()
            #expect(try await committed() == [1, 2, 3])
        }
    }

    /// Refused by the broker, and by the client before a broker hears of it.
    @Test(arguments: ["10000000", "20000"]) func aRecordThatIsTooLargeForATransactionIsSaid(maximum: String) async throws {
        let config = [
            "topic.creation.default.max.message.bytes": "20000", "producer.override.max.request.size": maximum, "producer.override.compression.type": "none",
        ]
        try await withTransactions(config) { log, producer, topic, committed in
            func refused(_ body: () async throws -> Void) async {
                let error = await #expect(throws: ConnectorError.self) { try await body() }
                #expect(error?.code == KafkaError.recordTooLarge && error?.disposition == .stop, "\(String(describing: error))")
            }
            let appender = log.appender(for: producer)
            try await appender.prepare()
            try await appender.append(Frame([.numbers([1], topic: topic)], at: .at(1))).durable()
            await refused { try await appender.append(Frame([.numbers([2], topic: topic, padding: 30_000)], at: .at(2))).durable() }
            let next = log.appender(for: producer)
            try await next.prepare()
            try await log.stage([.numbers([3], topic: topic)], unit: "x", by: producer)
            await refused { try await log.stage([.numbers([4], topic: topic, padding: 30_000)], unit: "x", by: producer) }
            #expect(try await holdsInTime { try await committed() == [1] })
        }
    }
}
