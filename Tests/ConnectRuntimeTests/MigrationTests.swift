import ConnectAPI
import Kafka
import TestSupport
import Testing

@testable import ConnectRuntime

/// `sluice migrate` on a real Apache Kafka (`KAFKA_HOME`).
@Suite(.enabled(if: KafkaBroker.isAvailable)) struct MigrationTests {
    @Test func aDataDirectoryMovesOnceAndIsGoneOnFrom() async throws {
        try await withKafka { broker in
            try await withTemporaryDirectory { directory in
                let cluster = TestCluster(broker.bootstrapServers, directory: directory), topic = "\(cluster.name)-t", name = "\(cluster.name)-source"
                let worker = try WorkerConfig(file: cluster.settings)
                let log = try await EmbeddedLog.open(directory: directory + "/data")
                let converter = Rendering.Converter("org.apache.kafka.connect.json.JsonConverter", ["schemas.enable": "false"])
                let producer = Producer(connector: name, task: 0, rendering: Rendering(key: converter, value: converter, header: converter))
                func append(_ values: [Int64], at position: Int64) async throws {
                    let batch = RecordBatch(
                        topic: topic, count: values.count, key: nil, value: Column(Schema(.int64), count: values.count, .int64(values)),
                        timestamps: .constant(.integer(1_700_000_000_000), RecordBatch.timestampSchema, count: values.count))
                    try await log.append(Frame([batch], at: SourcePosition(partition: ["s": "x"], offset: ["at": .integer(position)])), by: producer)
                }
                try await append(Array(0..<2500), at: 1)
                try await append(Array(2500..<2600), at: 2)
                let stored = StoredConnector(config: [ConfigEntry("connector.class", "Hold"), ConfigEntry("name", name)], targetState: .paused)
                try await log.store.put(stored, name: name)
                try await log.store.putStatus(StoredStatus(.paused), connector: name, task: nil)
                try await log.store.addTopic(topic, connector: name)
                try await log.commit([TopicPartition(topic, 0): 700], group: "connect-\(name)")

                // A dry run changes nothing.
                let dry = try await Migration(log, worker, making: false), planned = try await dry.plan()
                #expect(planned.count == 6 && planned.allSatisfy(\.isAction), "\(planned)")
                let admin = try KafkaAdmin(KafkaSettings(.admin, ["bootstrap.servers": broker.bootstrapServers]))
                #expect(try await admin.partitionCounts().keys.filter { $0.hasPrefix(cluster.name) }.isEmpty)
                await dry.close()

                // Cut short after the first step, run again, and again.
                for (round, steps) in [(1, 1), (2, 6)] {
                    let migration = try await Migration(log, worker, making: true), plan = try await migration.plan()
                    for step in plan.prefix(steps) { try await migration.perform(step) }
                    await migration.close()
                    #expect(plan.count == (round == 1 ? 6 : 5), "round \(round): \(plan)")
                }
                let done = try await Migration(log, worker, making: true)
                let rest = try await done.plan()
                #expect(rest.isEmpty, "\(rest)")
                try await append([9, 8, 7], at: 3)
                let more = try await done.plan()
                #expect(more.filter(\.isAction).map(\.description) == ["copy 3 records to \(topic)-0 (offsets 2600 to 2602 of the data directory)"], "\(more)")
                await done.close()

                let consumer = try KafkaConsumer(KafkaSettings(.consumer, KafkaConsumer.connectDefaults, ["bootstrap.servers": broker.bootstrapServers]))
                try await consumer.assign([TopicPartition(topic, 0): 0])
                var values: [String] = []
                try await eventually {
                    for records in await consumer.poll(timeout: .milliseconds(200)).records {
                        for row in 0..<records.count { values.append(String(decoding: records.record(row).value ?? [], as: UTF8.self)) }
                    }
                    return values.count >= 2600
                }
                #expect(values == (0..<2600).map { String($0) })
                await consumer.close()
                #expect(try await admin.groupOffsets("connect-\(name)") == [TopicPartition(topic, 0): 700])
                let there = try await DistributedHerder.Cluster.connect(worker)
                try await there.store.open()
                #expect(try await there.store.connectors() == [name: stored])
                #expect(try await there.offsets.positions(of: name).map { $0.offset["at"] } == [.integer(2)])
                #expect(try await there.store.topics(of: name) == [topic])
                await there.store.close()
                await there.offsets.close()
                await log.close()
            }
        }
    }
}
