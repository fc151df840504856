import ConnectAPI
import Foundation
import Kafka
import TestSupport
import Testing

/// Three workers of a cluster on a real Apache Kafka (`KAFKA_HOME`) and a real PostgreSQL: whatever is killed, restarted or away, every committed
/// change is in Kafka, in order per key; exactly once where exactly-once is on.
@Suite(.serialized, .enabled(if: KafkaBroker.isAvailable)) struct ClusterTests {
    /// `SLUICE_CLUSTER_ROUNDS` sets the number of rounds, of which every fourth freezes a worker and the others kill one; `SLUICE_SEED` repeats a run.
    private var rounds: Int { ProcessInfo.processInfo.environment["SLUICE_CLUSTER_ROUNDS"].flatMap { Int($0) } ?? 4 }

    @Test func everyChangeIsInKafkaAfterKills() async throws { try await kills(exactlyOnce: false) }
    @Test func everyChangeIsInKafkaOnceAfterKillsWithExactlyOnce() async throws { try await kills(exactlyOnce: true) }

    private func kills(exactlyOnce: Bool) async throws {
        var random = SeededGenerator(seed: ProcessInfo.processInfo.environment["SLUICE_SEED"].flatMap { UInt64($0) } ?? .random(in: 0 ... .max))
        print("cluster kill test: \(rounds) rounds, exactly-once \(exactlyOnce), SLUICE_SEED=\(random.seed)")
        try await withCluster(exactlyOnce: exactlyOnce) { cluster in
            for round in 1...rounds {
                let worker = cluster.workers.randomElement(using: &random)!
                if round % 4 == 0 {
                    // A zombie: its tasks run elsewhere when it wakes up in the middle of what it was writing.
                    worker.freeze()
                    try await Task.sleep(for: .milliseconds(Int.random(in: 7000...12000, using: &random)))
                    worker.thaw()
                    continue
                }
                worker.kill()
                // Often it is back before the session ends, sometimes its tasks run elsewhere by then.
                try await Task.sleep(for: .milliseconds(Int.random(in: 0...9000, using: &random)))
                try cluster.start(worker)
                try await Task.sleep(for: .milliseconds(Int.random(in: 0...3000, using: &random)))
            }
        }
    }

    @Test func aRollingRestartLosesNothing() async throws {
        try await withCluster(exactlyOnce: false) { cluster in
            for worker in cluster.workers {
                #expect(worker.stop() == 0)
                try cluster.start(worker)
                try await worker.waitUntilReady()
            }
        }
    }

    /// `SLUICE_BROKER_SECONDS` makes the outage longer.
    @Test func aBrokerThatIsAwayFailsNoTaskAndLosesNothing() async throws {
        let seconds = ProcessInfo.processInfo.environment["SLUICE_BROKER_SECONDS"].flatMap { Double($0) } ?? 30
        try await withCluster(exactlyOnce: false) { cluster in
            try cluster.broker.stop()
            try await Task.sleep(for: .seconds(seconds))
            try cluster.broker.start()
            try await cluster.waitUntilRunning()
            for worker in cluster.workers { #expect(!worker.log.contains(" failed and is not restarted by itself"), "\(worker.log.suffix(3000))") }
        }
    }

    // MARK: The cluster

    private struct Cluster {
        let broker: KafkaBroker
        let database: PostgresDatabase
        let workers: [SluiceWorker]
        let config: String
        let topic: String

        func start(_ worker: SluiceWorker) throws { try worker.start([config]) }

        func waitUntilRunning() async throws {
            try await workers[0].wait("the source runs", seconds: 90) {
                workers.contains { worker in
                    guard worker.isRunning, let status = try? worker.request("GET", "/connectors/source/status").json as? [String: Any],
                        let tasks = status["tasks"] as? [[String: Any]]
                    else { return false }
                    return tasks.first?["state"] as? String == "RUNNING"
                }
            }
        }
    }

    /// A source streams while work goes on; after the body everything must be there.
    private func withCluster(exactlyOnce: Bool, _ body: (Cluster) async throws -> Void) async throws {
        try await withKafka { broker in
            try await withPostgres { database in
                try await withTemporaryDirectory { directory in
                    try database.sql(JournaledWork.schema(rows: 1000))
                    let name = String(database.name.prefix(10)), config = directory + "/worker.properties"
                    try """
                    bootstrap.servers=\(broker.bootstrapServers)
                    group.id=\(name)
                    config.storage.topic=\(name)-configs
                    offset.storage.topic=\(name)-offsets
                    status.storage.topic=\(name)-status
                    config.storage.replication.factor=1
                    offset.storage.replication.factor=1
                    status.storage.replication.factor=1
                    offset.storage.partitions=3
                    session.timeout.ms=6000
                    heartbeat.interval.ms=1000
                    key.converter=org.apache.kafka.connect.json.JsonConverter
                    key.converter.schemas.enable=false
                    value.converter=org.apache.kafka.connect.json.JsonConverter
                    value.converter.schemas.enable=false
                    exactly.once.source.support=\(exactlyOnce ? "enabled" : "disabled")
                    """.write(toFile: config, atomically: true, encoding: .utf8)
                    let cluster = Cluster(
                        broker: broker, database: database, workers: try (1...3).map { try SluiceWorker(directory: "\(directory)/w\($0)") }, config: config,
                        topic: "\(name).public.items")
                    defer { for worker in cluster.workers { worker.kill() } }
                    for worker in cluster.workers { try cluster.start(worker) }
                    for worker in cluster.workers { try await worker.waitUntilReady() }
                    try create(cluster, prefix: name)
                    try await cluster.waitUntilRunning()
                    var records = Records(broker.bootstrapServers, cluster.topic)
                    try await cluster.workers[0].wait("the snapshot is in Kafka", seconds: 60) { try await records.read() == 1000 }

                    let work = try JournaledWork.start(on: database, pause: 0.3)
                    defer { work.stop() }
                    try await Task.sleep(for: .seconds(2))
                    try await body(cluster)
                    try await Task.sleep(for: .seconds(1))
                    work.stop()

                    let last = try Int(database.sql("select max(seq) from journal where op <> 'd'"))!
                    try await cluster.workers[0].wait("change \(last) is in Kafka", seconds: 120) {
                        _ = try await records.read()
                        return records.highest == last
                    }
                    // What is written after the last change would be a duplicate: give it the time to show.
                    try await Task.sleep(for: .seconds(2))
                    for worker in cluster.workers where worker.isRunning { #expect(worker.stop() == 0) }
                    _ = try await records.read()
                    let journal = try database.sql("select id, seq, op from journal order by seq").split(separator: "\n").map { line in
                        let fields = line.split(separator: "|")
                        return Records.Change(key: Int(fields[0])!, seq: fields[2] == "d" ? nil : Int(fields[1])!, op: String(fields[2]))
                    }
                    let verdict = records.verdict(journal, exactlyOnce: exactlyOnce)
                    print("cluster: \(verdict)")
                    #expect(verdict.hasPrefix(exactlyOnce ? "exactly once" : "at least once"), "\(verdict)")
                }
            }
        }
    }

    private func create(_ cluster: Cluster, prefix: String) throws {
        let settings = cluster.database.connection.merging([
            "connector.class": "io.debezium.connector.postgresql.PostgresConnector", "topic.prefix": prefix, "plugin.name": "pgoutput",
            "table.include.list": "public.items", "publication.autocreate.mode": "filtered", "tombstones.on.delete": "false",
            "topic.creation.default.partitions": "3", "topic.creation.default.replication.factor": "1",
        ]) { $1 }
        let body = try JSONSerialization.data(withJSONObject: ["name": "source", "config": settings])
        let answer = try cluster.workers[1].request("POST", "/connectors", body: String(decoding: body, as: UTF8.self))
        #expect(answer.status == 201, "\(answer.body)")
    }
}

/// What a topic holds for a consumer that reads what was committed.
private struct Records {
    struct Change: Hashable {
        let key: Int
        let seq: Int?
        let op: String
    }
    private let servers: String
    private let topic: String
    private var consumer: KafkaConsumer?
    private var ends: [Int32: Int64] = [:]
    private(set) var changes: [Change] = []
    var highest: Int { changes.reduce(0) { max($0, $1.seq ?? 0) } }

    init(_ servers: String, _ topic: String) {
        self.servers = servers
        self.topic = topic
    }

    /// Reads on to the end; returns how many there are. A broker that is away is no end.
    mutating func read() async throws -> Int {
        let consumer: KafkaConsumer
        if let known = self.consumer {
            consumer = known
        } else {
            consumer = try KafkaConsumer(
                try KafkaSettings(.consumer, KafkaConsumer.connectDefaults, ["bootstrap.servers": servers, "isolation.level": "read_committed"]))
            let partitions = try await consumer.partitionCounts(topic: topic)[topic] ?? 0
            guard partitions > 0 else { return 0 }
            try await consumer.assign(Dictionary(uniqueKeysWithValues: (0..<partitions).map { (.init(topic, $0), 0) }))
            self.consumer = consumer
        }
        let deadline = Date().addingTimeInterval(2)
        while Date() < deadline {
            let polled = await consumer.poll(timeout: .milliseconds(200))
            if polled.records.isEmpty, polled.ends.isEmpty { break }
            for records in polled.records {
                for row in 0..<records.count { if let change = try Self.change(records.record(row)) { changes.append(change) } }
            }
        }
        return changes.count
    }

    private static func change(_ record: KafkaRecord) throws -> Change? {
        func object(_ bytes: [UInt8]?) throws -> [String: Any]? { try bytes.flatMap { try JSONSerialization.jsonObject(with: Data($0)) as? [String: Any] } }
        guard let key = try object(record.key)?["id"] as? Int, let value = try object(record.value), let op = value["op"] as? String else { return nil }
        return Change(key: key, seq: (value["after"] as? [String: Any])?["seq"] as? Int, op: op)
    }

    /// Plays the topic against the journal, key by key. At least once: what comes first comes in order, and a repetition repeats what came.
    func verdict(_ journal: [Change], exactlyOnce: Bool) -> String {
        let written = Dictionary(grouping: journal, by: \.key), read = Dictionary(grouping: changes, by: \.key)
        var repeated = 0, expected = 0
        for key in Set(written.keys).union(read.keys) {
            let seen = read[key] ?? []
            let want = (seen.first?.op == "r" ? [seen[0]] : []) + (written[key] ?? [])
            expected += want.count
            if exactlyOnce {
                if seen != want { return "key \(key): Kafka \(seen), committed \(want)" }
                continue
            }
            var next = 0
            for change in seen {
                if next < want.count, want[next] == change {
                    next += 1
                } else if want[..<next].contains(change) {
                    repeated += 1
                } else {
                    return "key \(key): \(change) at the wrong place in Kafka: \(seen), committed \(want)"
                }
            }
            if next < want.count { return "key \(key): \(want[next]) is not in Kafka: \(seen)" }
        }
        return exactlyOnce
            ? "exactly once: \(changes.count) records of \(read.count) keys"
            : "at least once: \(changes.count) records of \(read.count) keys, \(expected) expected, \(repeated) repeated"
    }
}
