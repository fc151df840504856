import ConnectAPI
import Foundation
import Kafka
import Synchronization
import TestSupport
import Testing

/// Sinks whose tasks are on several workers of a real Apache Kafka (`KAFKA_HOME`), writing to a real S3: whoever is killed or frozen, and whoever else
/// writes the same files, every record is in the lake once, and no offset goes back.
@Suite(.serialized, .enabled(if: KafkaBroker.isAvailable)) struct ClusterSinkTests {
    private func settings(_ topic: String, _ bucket: String, _ server: S3Server) -> [String: String] {
        [
            "connector.class": "io.confluent.connect.s3.S3SinkConnector", "topics": topic, "storage.class": "io.confluent.connect.s3.storage.S3Storage",
            "format.class": "io.confluent.connect.s3.format.json.JsonFormat", "store.url": server.endpoint, "s3.bucket.name": bucket,
            "s3.bucket.create": "true", "s3.region": server.region, "aws.access.key.id": server.accessKey, "aws.secret.access.key": server.secret,
            "flush.size": "1000000", "file.max.age.ms": "700", "retry.backoff.ms": "200", "tasks.max": "3",
            "consumer.override.session.timeout.ms": "6000", "consumer.override.heartbeat.interval.ms": "1000",
        ]
    }

    /// `SLUICE_CLUSTER_ROUNDS` sets the number of rounds: a worker is killed in the odd ones and frozen in the even ones.
    @Test func everyRecordIsInTheLakeOnceAfterKillsAndFreezes() async throws {
        let environment = ProcessInfo.processInfo.environment
        let rounds = environment["SLUICE_CLUSTER_ROUNDS"].flatMap { Int($0) } ?? 2
        var random = SeededGenerator.printed()
        print("cluster sink test: \(rounds) rounds, SLUICE_SEED=\(random.seed)")
        try await withSwiftS3 { server in
            try await KafkaCluster.with(3) { cluster in
                let topic = "\(cluster.name)-numbers", bucket = uniqueBucket(), group = "connect-\(cluster.name)-lake"
                let admin = try KafkaAdmin(KafkaSettings(.admin, cluster.clients))
                let numbers = try await Numbers(topic, partitions: 6, admin, cluster.clients)
                try await numbers.whileProducing {
                    try cluster.create("\(cluster.name)-lake", settings(topic, bucket, server))
                    try await cluster.waitUntilRunning("\(cluster.name)-lake", tasks: 3)
                    var offsets = GroupOffsets(admin, group)
                    try await cluster.workers[0].wait("all partitions are committed", seconds: 60) { try await offsets.look().count == 6 }
                    var moves: [Duration] = []
                    #expect(Set(cluster.tasks(of: "\(cluster.name)-lake").map(\.port)).count == 3, "a task a worker")
                    for round in 1...rounds {
                        let worker = cluster.workers.randomElement(using: &random)!, before = try await offsets.look()
                        let killed = ContinuousClock.now
                        if round % 2 == 1 { worker.kill() } else { worker.freeze() }
                        try await worker.wait("its task runs elsewhere", seconds: 60) {
                            let others = cluster.workers.filter { $0 !== worker }
                            let tasks = cluster.tasks(of: "\(cluster.name)-lake", by: others)
                            return tasks.count == 3 && tasks.allSatisfy { $0.state == "RUNNING" && $0.port != worker.port }
                        }
                        moves.append(killed.duration(to: .now))
                        // Others have its partitions when all have moved on.
                        try await worker.wait("others go on with its partitions", seconds: 60) {
                            let now = try await offsets.look()
                            return before.allSatisfy { now[$0.key] ?? 0 > $0.value + 20 }
                        }
                        if round % 2 == 1 { try cluster.start(worker) } else { worker.thaw() }
                        for _ in 0..<Int.random(in: 10...60, using: &random) {
                            _ = try await offsets.look()
                            try await Task.sleep(for: .milliseconds(50))
                        }
                    }
                    #expect(offsets.steps.isEmpty, "offsets went back: \(offsets.steps)")
                    print("cluster sink: session.timeout.ms=6000; tasks ran elsewhere after at most \(moves.max()!)")
                }
                let count = numbers.count, offsets = GroupOffsets(admin, group)
                try await cluster.workers[0].wait("all \(count) are committed", seconds: 90) {
                    var offsets = offsets
                    return try await offsets.look().values.reduce(0, +) == Int64(count)
                }
                for worker in cluster.workers {
                    #expect(!worker.log.contains(" failed and is not restarted by itself"), "\(worker.log.suffix(3000))")
                    #expect(worker.stop() == 0, "\(worker.log.suffix(3000))")
                }
                let verdict = try lake(server, bucket, count)
                print("cluster sink: \(rounds) rounds, \(verdict)")
                #expect(verdict.hasPrefix("exactly once"), "\(verdict)")
            }
        }
    }

    /// Two connectors of one name that know nothing of each other, each in a group of its own: what a task is that was given up and goes on. Whoever
    /// finds a file cut elsewhere leaves its group, joins it again and reads from its committed offsets.
    @Test func rivalsStoreEveryRecordOnceAndBeginAgain() async throws {
        try await withSwiftS3 { server in
            try await KafkaCluster.with(1) { cluster in
                let topic = "\(cluster.name)-rivals", bucket = uniqueBucket(), name = "\(cluster.name)-lake"
                let admin = try KafkaAdmin(KafkaSettings(.admin, cluster.clients))
                let numbers = try await Numbers(topic, partitions: 4, admin, cluster.clients)
                // A worker without a cluster, on the same brokers.
                let rival = try SluiceWorker(directory: cluster.directory + "/rival"), file = cluster.directory + "/rival.properties"
                defer { rival.kill() }
                let shared = ["bootstrap.servers", "key.converter", "value.converter"]
                try String(contentsOfFile: cluster.config, encoding: .utf8).split(separator: "\n").filter { line in shared.contains { line.hasPrefix($0) } }
                    .joined(separator: "\n").write(toFile: file, atomically: true, encoding: .utf8)
                try await numbers.whileProducing {
                    try cluster.create(name, settings(topic, bucket, server).merging(["tasks.max": "2"]) { $1 })
                    try rival.configure(
                        name,
                        settings(topic, bucket, server).merging([
                            "tasks.max": "2", "file.max.age.ms": "1100", "consumer.override.group.id": "\(name)-rival",
                        ]) { $1 })
                    try rival.start([file])
                    // Whoever cuts larger files meets those of the other.
                    try await rival.wait("tasks begin again", seconds: 60) { began(rival) + began(cluster.workers[0]) >= 3 }
                }
                let count = numbers.count
                for (group, worker) in [("connect-\(name)", cluster.workers[0]), ("\(name)-rival", rival)] {
                    var offsets = GroupOffsets(admin, group)
                    try await worker.wait("\(group) has all \(count)", seconds: 180) { try await offsets.look().values.reduce(0, +) == Int64(count) }
                    #expect(offsets.steps.isEmpty, "offsets went back: \(offsets.steps)")
                }
                for worker in [rival, cluster.workers[0]] {
                    #expect(!worker.log.contains(" failed and is not restarted by itself"), "\(worker.log.suffix(3000))")
                    #expect(worker.stop() == 0, "\(worker.log.suffix(3000))")
                }
                let verdict = try lake(server, bucket, count)
                print("cluster rivals: began again \(began(rival)) and \(began(cluster.workers[0])) times, \(verdict)")
                #expect(verdict.hasPrefix("exactly once"), "\(verdict)")
            }
        }
    }

    /// What a transaction was given up with is in the topic all the same; `isolation.level` says whether a sink takes it.
    @Test func aSinkThatReadsCommittedLeavesOutWhatWasAborted() async throws {
        try await KafkaCluster.with(1) { cluster in
            let topic = "\(cluster.name)-lines", text = "org.apache.kafka.connect.storage.StringConverter"
            let admin = try KafkaAdmin(KafkaSettings(.admin, cluster.clients))
            _ = try await admin.createTopics([.init(topic, partitions: 1, replicationFactor: 1)])
            func sink(_ isolation: String) -> [String: String] {
                [
                    "connector.class": "FileStreamSink", "file": "\(cluster.directory)/\(isolation).txt", "topics": topic, "value.converter": text,
                    "consumer.override.isolation.level": isolation,
                ]
            }
            func lines(_ isolation: String) throws -> [String] {
                try String(contentsOfFile: "\(cluster.directory)/\(isolation).txt", encoding: .utf8).split(separator: "\n").map(String.init)
            }
            for isolation in ["read_committed", "read_uncommitted"] { try cluster.create("\(cluster.name)-\(isolation)", sink(isolation)) }
            let producer = try KafkaProducer(
                KafkaSettings(
                    .producer, KafkaProducer.connectDefaults, cluster.clients, ["transactional.id": topic, "enable.idempotence": "true"]))
            try await producer.initTransactions()
            var committed: [String] = [], all: [String] = []
            for round in 0..<20 {
                let isCommitted = round % 3 != 1
                let round = (0..<50).map { "\(isCommitted ? "kept" : "aborted") \(round) \($0)" }
                try await producer.beginTransaction()
                try await producer.send(round.map { KafkaRecord(topic: topic, partition: 0, key: nil, value: Array($0.utf8)) })
                all += round
                if isCommitted {
                    try await producer.commitTransaction()
                    committed += round
                } else {
                    try await producer.abortTransaction()
                }
            }
            try await cluster.workers[0].wait("both have all") {
                try lines("read_uncommitted").count >= all.count && lines("read_committed").count >= committed.count
            }
            // Open, and longer there than a sink takes to read it.
            try await producer.beginTransaction()
            try await producer.send([KafkaRecord(topic: topic, partition: 0, key: nil, value: Array("open".utf8))])
            try await cluster.workers[0].wait("an open transaction is read") { try lines("read_uncommitted").last == "open" }
            #expect(try lines("read_committed") == committed)
            #expect(try lines("read_uncommitted") == all + ["open"])
            try await producer.commitTransaction()
            try await cluster.workers[0].wait("a transaction is committed") { try lines("read_committed").last == "open" }
            await producer.close()
            #expect(cluster.workers[0].stop() == 0)
        }
    }

    /// How often tasks of the worker left their group and began at the committed offsets.
    private func began(_ worker: SluiceWorker) -> Int { worker.log.components(separatedBy: "reads again from its committed offsets").count - 1 }

    private func lake(_ server: S3Server, _ bucket: String, _ count: Int) throws -> String {
        try Python.run(Self.verify, [server.endpoint, server.accessKey, server.secret, bucket, String(count)]).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private static let verify = """
        import boto3, collections, json, sys
        from botocore.config import Config
        s3 = boto3.client('s3', endpoint_url=sys.argv[1], aws_access_key_id=sys.argv[2], aws_secret_access_key=sys.argv[3], region_name='us-east-1', config=Config(s3={'addressing_style': 'path'}))
        rows, objects = collections.Counter(), 0
        for page in s3.get_paginator('list_objects_v2').paginate(Bucket=sys.argv[4]):
            for key in (o['Key'] for o in page.get('Contents', [])):
                if '/_sluice/' in key: continue
                objects += 1
                rows.update(json.loads(line)['n'] for line in s3.get_object(Bucket=sys.argv[4], Key=key)['Body'].read().splitlines())
        missing = [n for n in range(int(sys.argv[5])) if n not in rows]
        twice = sorted(n for n, times in rows.items() if times > 1)
        if missing or twice or len(rows) != int(sys.argv[5]):
            print(f'{len(rows)} of {sys.argv[5]} numbers in {objects} objects: {len(missing)} missing, from {missing[:5]}; {len(twice)} twice, from {twice[:5]}')
        else:
            print(f'exactly once: {len(rows)} records in {objects} objects')
        """
}

/// Writes 0, 1, 2 … to a topic, round its partitions, until the body is done.
private final class Numbers: Sendable {
    private let topic: String
    private let partitions: Int
    private let producer: KafkaProducer
    private let next = Mutex(0)
    var count: Int { next.withLock { $0 } }

    init(_ topic: String, partitions: Int, _ admin: KafkaAdmin, _ clients: [String: String]) async throws {
        self.topic = topic
        self.partitions = partitions
        _ = try await admin.createTopics([.init(topic, partitions: Int32(partitions), replicationFactor: 1)])
        producer = try KafkaProducer(KafkaSettings(.producer, KafkaProducer.connectDefaults, clients))
    }

    func whileProducing(_ body: () async throws -> Void) async throws {
        let producing = Task {
            while !Task.isCancelled {
                let first = count
                try await producer.send(
                    (first..<first + 60).map { n in
                        KafkaRecord(topic: topic, partition: Int32(n % partitions), key: nil, value: Array("{\"n\":\(n)}".utf8))
                    })
                next.withLock { $0 = first + 60 }
                try? await Task.sleep(for: .milliseconds(100))
            }
        }
        do { try await body() } catch {
            producing.cancel()
            throw error
        }
        producing.cancel()
        try await producing.value
        await producer.close()
    }
}

/// The offsets a group commits, as seen from time to time.
private struct GroupOffsets {
    private let admin: KafkaAdmin
    private let group: String
    private var last: [TopicPartition: Int64] = [:]
    /// Where one went back.
    private(set) var steps: [String] = []

    init(_ admin: KafkaAdmin, _ group: String) {
        self.admin = admin
        self.group = group
    }

    mutating func look() async throws -> [TopicPartition: Int64] {
        let now = try await admin.groupOffsets(group)
        for (partition, offset) in now where offset < last[partition] ?? 0 { steps.append("\(partition): from \(last[partition]!) to \(offset)") }
        last.merge(now) { $1 }
        return now
    }
}
