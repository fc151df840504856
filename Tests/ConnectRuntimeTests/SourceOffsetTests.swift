import ConnectAPI
import Foundation
import Kafka
import TestSupport
import Testing

@testable import ConnectRuntime

/// Where a source's positions are, and what a transaction holds, on a real Apache Kafka (`KAFKA_HOME`).
@Suite(.serialized, .enabled(if: KafkaBroker.isAvailable)) struct SourceOffsetTests {
    /// One worker of a cluster of its own, its topics in Kafka.
    private func withWorkers(
        _ settings: [String: String] = [:], _ body: (TestCluster, (_ body: (TestCluster.Worker) async throws -> Void) async throws -> Void) async throws -> Void
    ) async throws {
        try await withKafka { broker in
            try await withTemporaryDirectory { directory in
                let cluster = TestCluster(broker.bootstrapServers, directory: directory), world = World()
                let text = ["value.converter": "org.apache.kafka.connect.storage.StringConverter"]
                try await body(cluster) { run in
                    let worker = try await cluster.start(1, settings.merging(text) { a, _ in a }, world: world)
                    do {
                        try await eventually { await worker.herder.leadership != nil }
                        try await run(worker)
                    } catch {
                        await worker.stop()
                        throw error
                    }
                    await worker.stop()
                }
            }
        }
    }

    private func count(_ topic: String, until: Int, _ more: [String: String] = [:]) -> [ConfigEntry] {
        let topics = ["topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1"]
        return entries(["connector.class": "Count", "topic": topic, "until": String(until)].merging(topics) { $1 }.merging(more) { $1 })
    }

    private func arrive(_ connector: String, at position: Int64, _ herder: DistributedHerder) async throws {
        try await eventually { try await herder.offsets(connector).map(\.offset) == [["position": .integer(position)]] }
    }

    /// The records of a topic, partition by partition.
    private func records<T>(of topic: String, _ log: KafkaLog, _ read: (RecordBatch, Int) -> T?) async throws -> [T] {
        var out: [T] = []
        for range in try await log.topics()[topic] ?? [] {
            var next = range.start
            while case let batches = try await log.read(TopicPartition(topic, range.partition), from: next, maxBytes: 1 << 20), let last = batches.last {
                for batch in batches { out += (0..<batch.batch.count).compactMap { read(batch.batch, $0) } }
                next = last.firstOffset + Int64(last.batch.count)
            }
        }
        return out
    }

    private func text(_ column: Column?, _ row: Int) -> String? {
        if case .bytes(let bytes)? = column?[row] { String(decoding: bytes, as: UTF8.self) } else { nil }
    }

    private func keys(in topic: String, _ log: KafkaLog) async throws -> [String] { try await records(of: topic, log) { text($0.key, $1) } }
    private func values(in topic: String, _ log: KafkaLog) async throws -> [Int64] {
        try await records(of: topic, log) { text($0.value, $1).flatMap { Int64($0) } }
    }

    @Test func aConnectorKeepsItsPositionsInATopicOfItsOwn() async throws {
        try await withWorkers { cluster, withWorker in
            let topic = "n-\(cluster.name)", own = "own-\(cluster.name)", config = ["offsets.storage.topic": own]
            try await withWorker { worker in
                _ = try await worker.herder.create("c", count(topic, until: 300, config), initialState: .started)
                try await arrive("c", at: 300, worker.herder)
                let log = worker.topics!
                #expect(try await Set(keys(in: own, log)) == [#"["c",{"source":"count"}]"#])
                #expect(try await keys(in: "\(cluster.name)-offsets", log).isEmpty)
                let admin = try KafkaClients(worker: ["bootstrap.servers": cluster.bootstrapServers]).admin()
                #expect(try await admin.describeConfig(topic: own)["cleanup.policy"] == "compact")
            }
            // Another run resumes where that topic says it stands.
            try await withWorker { worker in
                _ = try await worker.herder.put("c", count(topic, until: 500, config))
                try await arrive("c", at: 500, worker.herder)
                #expect(try await values(in: topic, worker.topics!) == Array(0..<500))
                // Set and removed by hand, there as well.
                try await worker.herder.stop("c")
                try await eventually { try await worker.herder.status("c").connector.status.state == .stopped }
                _ = try await worker.herder.alterOffsets("c", [SourcePosition(partition: ["source": "count"], offset: ["position": 400])])
                #expect(try await worker.herder.offsets("c").map(\.offset) == [["position": 400]])
                _ = try await worker.herder.resetOffsets("c")
                #expect(try await worker.herder.offsets("c").isEmpty)
            }
        }
    }

    @Test func aTopicOfItsOwnTakesOverFromTheWorkers() async throws {
        try await withWorkers { cluster, withWorker in
            let topic = "n-\(cluster.name)", own = "own-\(cluster.name)"
            try await withWorker { worker in
                let herder = worker.herder
                _ = try await herder.create("c", count(topic, until: 200), initialState: .started)
                try await arrive("c", at: 200, herder)
                _ = try await herder.put("c", count(topic, until: 350, ["offsets.storage.topic": own]))
                try await arrive("c", at: 350, herder)
                #expect(try await values(in: topic, worker.topics!) == Array(0..<350), "it began where the worker's topic said")
                #expect(try await !keys(in: own, worker.topics!).isEmpty)
                // And back: the worker's topic says what it said.
                _ = try await herder.put("c", count(topic, until: 350))
                try await arrive("c", at: 350, herder)
            }
        }
    }

    /// A commit leaves a mark in the partition, an offset that is no record: they count the transactions.
    private func transactions(_ topic: String, _ records: Int64, _ log: KafkaLog) async throws -> Int64 {
        (try await log.topics()[topic]?.reduce(0) { $0 + $1.end } ?? 0) - records
    }

    @Test func aTransactionHoldsAFrameOrWhatAnIntervalBrings() async throws {
        try await withWorkers(["exactly.once.source.support": "enabled"]) { cluster, withWorker in
            try await withWorker { worker in
                let herder = worker.herder, log = worker.topics!, slow = ["rows": "5", "delay.ms": "40"]
                var marks: [String: Int64] = [:]
                for (name, boundary) in [
                    ("poll", [:]), ("interval", ["transaction.boundary": "interval", "transaction.boundary.interval.ms": "400"]),
                    ("moment", ["transaction.boundary": "interval", "transaction.boundary.interval.ms": "1"]),
                ] {
                    let topic = "\(name)-\(cluster.name)"
                    _ = try await herder.create(name, count(topic, until: 200, slow.merging(boundary) { $1 }), initialState: .started)
                    try await arrive(name, at: 200, herder)
                    #expect(try await values(in: topic, log) == Array(0..<200))
                    marks[name] = try await transactions(topic, 200, log)
                }
                // 40 frames, 40 ms apart: alone by `poll`, together for 400 ms by `interval`.
                #expect(marks["poll"]! >= 30 && marks["poll"]! <= 40, "\(marks)")
                #expect(marks["interval"]! >= 4 && marks["interval"]! * 2 <= marks["poll"]!, "\(marks)")
                #expect(marks["moment"]! > marks["interval"]!, "\(marks)")
            }
            // What was committed is where the next run begins.
            try await withWorker { worker in
                _ = try await worker.herder.put("poll", count("poll-\(cluster.name)", until: 260, ["rows": "5"]))
                try await arrive("poll", at: 260, worker.herder)
                #expect(try await values(in: "poll-\(cluster.name)", worker.topics!) == Array(0..<260))
            }
        }
    }

    /// Transactions that wait for a schema are given up and done again; nothing comes twice.
    @Test func aRegistryThatIsAwayHoldsTransactionsUp() async throws {
        let server = try SchemaRegistryServer(failures: 9)
        let avro = ["value.converter": AvroConverter.className, "value.converter.schema.registry.url": server.url, "value.converter.retries.wait.ms": "10"]
        try await withWorkers(avro.merging(["exactly.once.source.support": "enabled"]) { $1 }) { cluster, withWorker in
            try await withWorker { worker in
                let topic = "n-\(cluster.name)"
                _ = try await worker.herder.create("c", count(topic, until: 300), initialState: .started)
                try await arrive("c", at: 300, worker.herder)
                let rows = try await records(of: topic, worker.topics!) { batch, row -> [UInt8]? in
                    if case .bytes(let bytes)? = batch.value?[row] { bytes } else { nil }
                }
                #expect(rows.count == 300 && Set(rows).count == 300 && rows.allSatisfy { $0.starts(with: [0, 0, 0, 0, 1]) })
            }
        }
        #expect(try server.requests().count == 10)
    }

    /// A leader's writes are transactions of one client, and each is read before it is answered.
    @Test func connectorsAreMadeAtOnceInTransactions() async throws {
        try await withWorkers(["exactly.once.source.support": "enabled"]) { cluster, withWorker in
            try await withWorker { worker in
                let herder = worker.herder, names = (0..<8).map { "c\($0)" }
                try await withThrowingTaskGroup { group in
                    for name in names {
                        let config = cluster.hold(2)
                        group.addTask { _ = try await herder.create(name, config, initialState: .started) }
                    }
                    try await group.waitForAll()
                }
                try await eventually { cluster.journal.running.count == 16 }
                for name in names { #expect(try await herder.status(name).tasks.count == 2) }
            }
        }
    }

    @Test func aConnectorsOwnTopicIsPartOfItsTransactions() async throws {
        try await withWorkers(["exactly.once.source.support": "enabled"]) { cluster, withWorker in
            let topic = "n-\(cluster.name)", own = "own-\(cluster.name)"
            try await withWorker { worker in
                _ = try await worker.herder.create("c", count(topic, until: 300, ["offsets.storage.topic": own]), initialState: .started)
                try await arrive("c", at: 300, worker.herder)
                // A mark a transaction in both.
                let marks = try await transactions(topic, 300, worker.topics!), records = try await keys(in: own, worker.topics!).count
                #expect(try await transactions(own, Int64(records), worker.topics!) == marks && marks > 0)
            }
            try await withWorker { worker in
                _ = try await worker.herder.put("c", count(topic, until: 400, ["offsets.storage.topic": own]))
                try await arrive("c", at: 400, worker.herder)
                #expect(try await values(in: topic, worker.topics!) == Array(0..<400))
            }
        }
    }
}
