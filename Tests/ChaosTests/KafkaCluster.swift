import ConnectAPI
import Foundation
import Kafka
import TestSupport
import Testing

/// Workers of one cluster on a real broker, run as a user runs them.
struct KafkaCluster {
    let broker: KafkaBroker
    /// The group's name; names of topics and connectors begin with it, since the broker is shared.
    let name: String
    let workers: [SluiceWorker]
    /// The worker file all of them are started with.
    let config: String
    let directory: String

    var clients: [String: String] { ["bootstrap.servers": broker.bootstrapServers] }

    func start(_ worker: SluiceWorker) throws { try worker.start([config]) }

    /// Gives the body so many workers that are ready, or that are to be started; they are killed in the end.
    static func with(
        _ count: Int, _ settings: [String: String] = [:], starting: Bool = true, _ body: (KafkaCluster) async throws -> Void
    ) async throws {
        try await withKafka { broker in
            try await withTemporaryDirectory { directory in
                let name = "c" + UUID().uuidString.prefix(8).lowercased(), config = directory + "/worker.properties"
                let json = "org.apache.kafka.connect.json.JsonConverter"
                let all = [
                    "bootstrap.servers": broker.bootstrapServers, "group.id": name, "config.storage.topic": "\(name)-configs",
                    "offset.storage.topic": "\(name)-offsets", "status.storage.topic": "\(name)-status", "config.storage.replication.factor": "1",
                    "offset.storage.replication.factor": "1", "status.storage.replication.factor": "1", "offset.storage.partitions": "3",
                    "session.timeout.ms": "6000", "heartbeat.interval.ms": "1000", "key.converter": json, "key.converter.schemas.enable": "false",
                    "value.converter": json, "value.converter.schemas.enable": "false",
                ].merging(settings) { $1 }
                try all.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)\n" }.joined().write(toFile: config, atomically: true, encoding: .utf8)
                let cluster = KafkaCluster(
                    broker: broker, name: name, workers: try (0..<count).map { try SluiceWorker(directory: "\(directory)/w\($0)") }, config: config,
                    directory: directory)
                defer { for worker in cluster.workers { worker.kill() } }
                if starting {
                    for worker in cluster.workers { try cluster.start(worker) }
                    for worker in cluster.workers { try await worker.waitUntilReady() }
                }
                try await body(cluster)
            }
        }
    }

    /// By the worker that was started last, which seldom leads.
    func create(_ connector: String, _ settings: [String: String]) throws {
        let body = try JSONSerialization.data(withJSONObject: ["name": connector, "config": settings])
        let answer = try workers.last!.request("POST", "/connectors", body: String(decoding: body, as: UTF8.self))
        #expect(answer.status == 201, "\(answer.body)")
    }

    /// A PostgreSQL source of a table.
    func createSource(_ connector: String, of table: String, in database: PostgresDatabase, _ more: [String: String] = [:]) throws {
        try create(
            connector,
            database.connection.merging([
                "connector.class": "io.debezium.connector.postgresql.PostgresConnector", "topic.prefix": name, "plugin.name": "pgoutput",
                "table.include.list": table, "publication.autocreate.mode": "filtered", "tombstones.on.delete": "false",
                "topic.creation.default.partitions": "3", "topic.creation.default.replication.factor": "1",
            ]) { $1 }.merging(more) { $1 })
    }

    /// The states of a connector's tasks and the ports of the workers that run them, by any worker that answers.
    func tasks(of connector: String, by asked: [SluiceWorker]? = nil) -> [(state: String, port: Int)] {
        for worker in asked ?? workers where worker.isRunning {
            guard let status = try? worker.request("GET", "/connectors/\(connector)/status").json as? [String: Any],
                let tasks = status["tasks"] as? [[String: Any]]
            else { continue }
            return tasks.map { task in
                (task["state"] as? String ?? "", (task["worker_id"] as? String)?.split(separator: ":").last.flatMap { Int($0) } ?? 0)
            }
        }
        return []
    }

    func waitUntilRunning(_ connector: String, tasks count: Int = 1) async throws {
        try await workers[0].wait("\(connector) runs", seconds: 90) {
            let tasks = tasks(of: connector)
            return tasks.count == count && tasks.allSatisfy { $0.state == "RUNNING" }
        }
    }
}

/// What a topic holds for a consumer that reads what was committed.
struct TopicRecords {
    private let servers: String
    private let topic: String
    private let isolation: String
    private var consumer: KafkaConsumer?
    private(set) var all: [KafkaRecord] = []

    init(_ servers: String, _ topic: String, isolation: String = "read_committed") {
        self.servers = servers
        self.topic = topic
        self.isolation = isolation
    }

    private mutating func open() async throws -> (KafkaConsumer, [TopicPartition])? {
        if consumer == nil {
            consumer = try KafkaConsumer(
                try KafkaSettings(.consumer, KafkaConsumer.connectDefaults, ["bootstrap.servers": servers, "isolation.level": isolation]))
            let partitions = try await consumer!.partitionCounts(topic: topic)[topic] ?? 0
            guard partitions > 0 else {
                consumer = nil
                return nil
            }
            try await consumer!.assign(Dictionary(uniqueKeysWithValues: (0..<partitions).map { (.init(topic, $0), 0) }))
        }
        let count = try await consumer!.partitionCounts(topic: topic)[topic] ?? 0
        return (consumer!, (0..<count).map { TopicPartition(topic, $0) })
    }

    /// Reads on to the end and returns what is new. A broker that is away is no end.
    mutating func read() async throws -> [KafkaRecord] {
        guard let (consumer, _) = try await open() else { return [] }
        var new: [KafkaRecord] = []
        let deadline = Date().addingTimeInterval(2)
        while Date() < deadline {
            let polled = await consumer.poll(timeout: .milliseconds(200))
            if polled.records.isEmpty, polled.ends.isEmpty { break }
            for records in polled.records { for row in 0..<records.count { new.append(records.record(row)) } }
        }
        all += new
        return new
    }

    /// The sum of the partitions' ends: with `read_committed` those of what no open transaction holds back.
    mutating func end() async throws -> Int64 {
        guard let (consumer, partitions) = try await open() else { return 0 }
        return try await consumer.offsets(of: partitions, at: .end).values.reduce(0, +)
    }
}

extension KafkaRecord {
    /// A side of it as a JSON object.
    static func object(_ bytes: [UInt8]?) throws -> [String: Any]? { try bytes.flatMap { try JSONSerialization.jsonObject(with: Data($0)) as? [String: Any] } }
}

/// A change of the table `items` of `JournaledWork`, as its topic has it.
struct ItemChange: Hashable {
    let key: Int
    /// nil: deleted.
    let seq: Int?
    let op: String

    init(key: Int, seq: Int?, op: String) {
        self.key = key
        self.seq = seq
        self.op = op
    }

    init?(_ record: KafkaRecord) throws {
        guard let key = try KafkaRecord.object(record.key)?["id"] as? Int, let value = try KafkaRecord.object(record.value), let op = value["op"] as? String
        else { return nil }
        self.init(key: key, seq: (value["after"] as? [String: Any])?["seq"] as? Int, op: op)
    }
}
