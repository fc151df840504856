import ConnectAPI
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Kafka

@Suite struct ClientTests {
    static func producer(_ servers: String, _ more: [String: String] = [:]) throws -> KafkaProducer {
        try KafkaProducer(try KafkaSettings(.producer, KafkaProducer.connectDefaults, ["bootstrap.servers": servers], more))
    }
    static func consumer(_ servers: String, _ more: [String: String] = [:]) throws -> KafkaConsumer {
        try KafkaConsumer(try KafkaSettings(.consumer, KafkaConsumer.connectDefaults, ["bootstrap.servers": servers], more))
    }

    /// Reads a partition to its end.
    static func all(_ consumer: KafkaConsumer, _ partition: TopicPartition) async throws -> [KafkaRecord] {
        try await consumer.assign([partition: 0])
        var out: [KafkaRecord] = []
        for _ in 0..<200 {
            let polled = await consumer.poll(timeout: .milliseconds(100))
            for records in polled.records { for row in 0..<records.count { out.append(records.record(row)) } }
            if polled.ends[partition] != nil { return out }
        }
        Issue.record("the end of \(partition) did not come")
        return out
    }

    @Test func recordsComeBackAsTheyWereSent() async throws {
        let mock = MockKafka()
        mock.createTopic("t")
        let producer = try Self.producer(mock.bootstrapServers)
        var sent: [KafkaRecord] = []
        for i in 0..<500 {
            sent.append(
                KafkaRecord(
                    topic: "t", partition: 0, key: i % 3 == 0 ? nil : Array("k\(i)".utf8), value: i % 5 == 0 ? nil : i % 7 == 0 ? [] : Array("v\(i)".utf8),
                    headers: i % 4 == 0 ? [] : [.init("a", [1]), .init("b", i % 2 == 0 ? nil : []), .init("a", Array("\(i)".utf8))],
                    timestamp: 1_700_000_000_000 + Int64(i)))
        }
        try await producer.send(sent)
        let consumer = try Self.consumer(mock.bootstrapServers)
        #expect(try await Self.all(consumer, TopicPartition("t", 0)) == sent)
        #expect(try await consumer.offsets(of: [TopicPartition("t", 0)], at: .end) == [TopicPartition("t", 0): 500])
        await consumer.close()
        await producer.close()
    }

    @Test func keysAreDividedAsJavaDividesThem() async throws {
        let mock = MockKafka()
        mock.createTopic("t", partitions: 4)
        let producer = try Self.producer(mock.bootstrapServers)
        let keys = (0..<40).map { "key-\($0)" }
        try await producer.send(keys.map { KafkaRecord(topic: "t", key: Array($0.utf8), value: [1]) })
        let consumer = try Self.consumer(mock.bootstrapServers)
        for p in 0..<4 as Range<Int32> {
            for record in try await Self.all(consumer, TopicPartition("t", p)) {
                #expect(Murmur2.partition(of: record.key!, count: 4) == p)
            }
        }
        await consumer.close()
        await producer.close()
    }

    @Test func whatABrokerRefusesIsSaidInWords() async throws {
        let mock = MockKafka()
        mock.createTopic("t")
        let producer = try Self.producer(mock.bootstrapServers, ["max.request.size": "2000"])
        let large = await #expect(throws: ConnectorError.self) {
            try await producer.send([KafkaRecord(topic: "t", key: nil, value: Array(repeating: 0, count: 5000))])
        }
        #expect(large?.code == KafkaError.recordTooLarge && large?.message.contains("5000 bytes") == true)
        // NOT_LEADER passes by itself.
        mock.failProduce(6, times: 2)
        try await producer.send([KafkaRecord(topic: "t", key: nil, value: [1])])
        mock.failProduce(29, times: 1)
        let refused = await #expect(throws: ConnectorError.self) { try await producer.send([KafkaRecord(topic: "t", key: nil, value: [1])]) }
        #expect(refused?.code == KafkaError.notAuthorized && refused?.disposition == .stop)
        await producer.close()
    }

    @Test func aBrokerThatIsAwayIsWaitedFor() async throws {
        let mock = MockKafka()
        mock.createTopic("t")
        let producer = try Self.producer(mock.bootstrapServers)
        try await producer.send([KafkaRecord(topic: "t", key: nil, value: [1])])
        mock.setBroker(up: false)
        async let sent = producer.send((0..<100).map { KafkaRecord(topic: "t", key: nil, value: [$0]) })
        try await Task.sleep(for: .milliseconds(700))
        mock.setBroker(up: true)
        #expect(try await sent == [TopicPartition("t", 0): 101])
        let consumer = try Self.consumer(mock.bootstrapServers)
        #expect(try await Self.all(consumer, TopicPartition("t", 0)).map { $0.value! } == [[1]] + (0..<100).map { [$0] })
        await consumer.close()
        await producer.close()
    }

    @Test func abandonedRecordsAreAnswered() async throws {
        let mock = MockKafka()
        mock.createTopic("t")
        let producer = try Self.producer(mock.bootstrapServers)
        try await producer.send([KafkaRecord(topic: "t", key: nil, value: [1])])
        mock.setBroker(up: false)
        let task = Task { try await producer.send([KafkaRecord(topic: "t", key: nil, value: [2])]) }
        try await Task.sleep(for: .milliseconds(200))
        producer.abandon()
        let error = await #expect(throws: ConnectorError.self) { try await task.value }
        #expect(error?.code == "kafka.abandoned")
        await producer.close()
    }

    @Test func aMemberAnswersItsRebalancesAndCommits() async throws {
        let mock = MockKafka()
        mock.createTopic("t", partitions: 2)
        let producer = try Self.producer(mock.bootstrapServers)
        try await producer.send((0..<10).map { KafkaRecord(topic: "t", partition: Int32($0 % 2), key: nil, value: [UInt8($0)]) })
        let group = ["group.id": "connect-x"]
        let consumer = try Self.consumer(mock.bootstrapServers, group)
        try await consumer.subscribe(["t"])
        var read = 0, assigned: [TopicPartition] = []
        for _ in 0..<300 where read < 10 {
            let polled = await consumer.poll(timeout: .milliseconds(100))
            for rebalance in polled.rebalances {
                if case .assigned(let partitions) = rebalance { assigned += partitions }
                try await consumer.complete(rebalance)
            }
            read += polled.records.reduce(0) { $0 + $1.count }
        }
        #expect(read == 10 && assigned.sorted() == [TopicPartition("t", 0), TopicPartition("t", 1)])
        try await consumer.commit([assigned[0]: 3], metadata: [assigned[0]: "note"])
        let committed = try await consumer.committed(assigned)
        #expect(committed[assigned[0]]?.offset == 3 && committed[assigned[1]] == nil)
        await consumer.close()
        // Without a membership, as a worker reads a sink's offsets.
        let other = try Self.consumer(mock.bootstrapServers, group)
        #expect(try await other.committed(assigned)[assigned[0]]?.offset == 3)
        await other.close()
        await producer.close()
    }

    /// Whoever is told of a rebalance may be stopped before it has answered: it leaves all the same, and the others go on.
    @Test(.timeLimit(.minutes(1))) func aMemberLeavesInTheMiddleOfARebalance() async throws {
        let mock = MockKafka()
        mock.createTopic("t", partitions: 2)
        func member() async throws -> KafkaConsumer {
            let consumer = try Self.consumer(mock.bootstrapServers, ["group.id": "g", "session.timeout.ms": "6000"])
            try await consumer.subscribe(["t"])
            return consumer
        }
        func next(_ consumer: KafkaConsumer, while other: KafkaConsumer? = nil) async throws -> KafkaConsumer.Rebalance {
            for _ in 0..<300 {
                if let other { for rebalance in await other.poll(timeout: .zero).rebalances { try await other.complete(rebalance) } }
                if let rebalance = await consumer.poll(timeout: .milliseconds(50)).rebalances.first { return rebalance }
            }
            throw ConnectorError("test", .stop, "no rebalance came")
        }
        func count(_ rebalance: KafkaConsumer.Rebalance) -> Int { if case .assigned(let partitions) = rebalance { partitions.count } else { -1 } }
        let first = try await member()
        #expect(count(try await next(first)) == 2)
        await first.close()
        let second = try await member(), assigned = try await next(second)
        #expect(count(assigned) == 2)
        try await second.complete(assigned)
        let third = try await member(), revoked = try await next(second, while: third)
        #expect(count(revoked) == -1)
        await second.close()
        var held = 0
        while held < 2 {
            let rebalance = try await next(third)
            held += max(0, count(rebalance))
            try await third.complete(rebalance)
        }
        await third.close()
    }
}
