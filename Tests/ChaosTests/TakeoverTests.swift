import Foundation
import Kafka
import TestSupport
import Testing

/// A worker on the internal topics a Kafka Connect 4.1 worker with Debezium 3.3 wrote, replayed on a real Apache Kafka (`KAFKA_HOME`); the log
/// sequence numbers are those of a PostgreSQL that has just made the changes.
@Suite(.serialized, .enabled(if: KafkaBroker.isAvailable)) struct TakeoverTests {
    private struct Recorded {
        let partition: Int32
        let key: String
        let value: String?
    }

    private static func recording(_ topic: String) throws -> [Recorded] {
        let file = Checkout.root + "/Tests/ConnectRuntimeTests/Golden/internal-topics/\(topic).jsonl"
        return try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n").map { line in
            let json = try JSONSerialization.jsonObject(with: Data(line.utf8)) as! [String: Any]
            return Recorded(partition: Int32(json["partition"] as! Int), key: json["key"] as! String, value: json["value"] as? String)
        }
    }

    /// The names in a JSON object, in its order.
    private static func names(_ json: String) -> [String] {
        json.matches(of: /"([^"]+)":/).map { String($0.1) }
    }

    private static func with(_ numbers: [String: Int64], in json: String) throws -> String {
        try numbers.reduce(json) { $0.replacing(try Regex("\"\($1.key)\":\\d+"), with: "\"\($1.key)\":\($1.value)") }
    }

    private struct Change: Hashable {
        let lsn: Int64
        let xid: Int
        let op: String
    }

    /// What a decoder of PostgreSQL's own says of the transactions: their changes, and where each one's commit ends.
    private static func decoded(_ database: PostgresDatabase, _ slot: String) throws -> [(changes: [Change], commit: Int64)] {
        let text = try database.sql("select lsn - '0/0', xid, data from pg_logical_slot_peek_changes('\(slot)', null, null, 'include-xids', '0')")
        var all: [(changes: [Change], commit: Int64)] = [], open: [Change] = []
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: "|", maxSplits: 2)
            let lsn = Int64(fields[0])!
            if fields[2] == "COMMIT" {
                if !open.isEmpty { all.append((open, lsn)) }
                open = []
            } else if fields[2] != "BEGIN" {
                let op = fields[2].contains(": INSERT:") ? "c" : fields[2].contains(": UPDATE:") ? "u" : "d"
                open.append(Change(lsn: lsn, xid: Int(fields[1])!, op: op))
            }
        }
        return all
    }

    @Test func recordedTopicsAndDebeziumsPositionsAreTakenOverAndGivenBack() async throws {
        // Between two transactions; in the middle of one; in the middle of the first, when Debezium has seen no commit yet.
        let connectors = ["default", "schemas-disabled", "special-values"]
        let schemas = try Dictionary(grouping: Self.recording("connect-offsets"), by: \.key)
        try await withPostgres { database in
            try database.sql("create schema golden; create table golden.items (id int primary key, seq bigint)")
            for connector in connectors {
                let name = connector.replacing("-", with: "_")
                try database.sql("create publication pub_\(name) for table golden.items")
                try database.sql("select pg_create_logical_replication_slot('g_\(name)', 'pgoutput')")
            }
            try database.sql("select pg_create_logical_replication_slot('twin_\(database.name)', 'test_decoding')")
            func work(_ transactions: Range<Int>) throws {
                try database.sql(
                    transactions.map { t in
                        "begin; insert into golden.items values (\(t), \(t)), (\(t + 1000), \(t)); update golden.items set seq = \(t + 1) where id = \(t);"
                            + " update golden.items set seq = seq + 1 where id = \(t + 999); delete from golden.items where id = \(t + 998); commit;"
                    }.joined(separator: "\n"))
            }
            try work(1..<30)
            let before = try Self.decoded(database, "twin_\(database.name)")
            #expect(before.count == 29 && before.allSatisfy { $0.changes.count >= 3 })
            let (whole, half, first) = (before[9], before[11], before[0])
            let positions: [String: (numbers: [String: Int64], after: Change)] = [
                "default": (
                    ["lsn_proc": whole.commit, "lsn_commit": whole.commit, "lsn": whole.commit, "txId": Int64(whole.changes[0].xid)], whole.changes.last!
                ),
                "schemas-disabled": (
                    ["lsn_proc": half.changes[1].lsn, "lsn_commit": before[10].commit, "lsn": half.changes[1].lsn, "txId": Int64(half.changes[0].xid)],
                    half.changes[1]
                ),
                "special-values": (
                    ["lsn_proc": first.changes[0].lsn, "lsn": first.changes[0].lsn, "txId": Int64(first.changes[0].xid)], first.changes[0]
                ),
            ]
            try await KafkaCluster.with(1, ["offset.storage.partitions": "5"], starting: false) { cluster in
                let worker = cluster.workers[0]
                let here = { (text: String) in
                    text.replacing("\"55432\"", with: "\"\(database.port)\"").replacing(
                        "\"database.dbname\":\"golden\"", with: "\"database.dbname\":\"\(database.name)\""
                    ).replacing(/"table.include.list":"[^"]*"/, with: "\"table.include.list\":\"golden.items\"")
                }
                try await replay(cluster, connectors, positions.mapValues(\.numbers), here)
                try cluster.start(worker)
                try await worker.waitUntilReady()
                let names = try worker.request("GET", "/connectors").json as? [String]
                #expect(names?.sorted() == connectors)
                for connector in connectors { try await cluster.waitUntilRunning(connector) }
                try work(30..<40)
                let all = try Self.decoded(database, "twin_\(database.name)").flatMap(\.changes),
                    end = try Self.decoded(database, "twin_\(database.name)").last!
                for connector in connectors {
                    let prefix = connector.replacing("-", with: "_"), expected = Array(all.drop { $0 != positions[connector]!.after }.dropFirst())
                    var topic = TopicRecords(cluster.broker.bootstrapServers, "\(prefix).golden.items"), seen: [Change] = []
                    func look() async throws {
                        for record in try await topic.read() {
                            guard let value = try KafkaRecord.object(record.value) else { continue }
                            let event = value["payload"] as? [String: Any] ?? value, source = event["source"] as? [String: Any]
                            seen.append(Change(lsn: source?["lsn"] as? Int64 ?? 0, xid: source?["txId"] as? Int ?? 0, op: event["op"] as? String ?? ""))
                        }
                    }
                    try await worker.wait("\(connector) has the last change", seconds: 60) {
                        try await look()
                        return seen.last == all.last
                    }
                    try await Task.sleep(for: .milliseconds(500))
                    try await look()
                    #expect(seen == expected, "\(connector): \(seen.count) of \(expected.count), first \(String(describing: seen.first))")
                }
                print("takeover: \(all.count) changes, three positions of Debezium's gone on from to the change")
                #expect(worker.stop() == 0, "\(worker.log.suffix(3000))")
                try await givesBack(cluster, connectors, schemas.mapValues(\.last!), end, here)
            }
        }
    }

    /// The recorded topics, record by record, and then once more what made these connectors run.
    private func replay(_ cluster: KafkaCluster, _ connectors: [String], _ positions: [String: [String: Int64]], _ here: (String) -> String) async throws {
        let admin = try KafkaAdmin(KafkaSettings(.admin, cluster.clients))
        _ = try await admin.createTopics(
            [("configs", 1), ("offsets", 5), ("status", 5)].map {
                .init("\(cluster.name)-\($0.0)", partitions: $0.1, replicationFactor: 1, config: ["cleanup.policy": "compact"])
            })
        let producer = try KafkaProducer(KafkaSettings(.producer, KafkaProducer.connectDefaults, cluster.clients))
        func write(_ topic: String, _ records: [Recorded]) async throws {
            try await producer.send(
                records.map { record in
                    KafkaRecord(
                        topic: "\(cluster.name)-\(topic)", partition: record.partition, key: Array(record.key.utf8), value: record.value.map { Array($0.utf8) })
                })
        }
        let configs = try Self.recording("connect-configs"), offsets = try Self.recording("connect-offsets"), status = try Self.recording("connect-status")
        try await write("configs", configs)
        try await write("offsets", offsets)
        try await write("status", status)
        for connector in connectors {
            let keys = ["connector-\(connector)", "task-\(connector)-0", "commit-\(connector)"]
            let running = keys.map { key in configs.first { $0.key == key && $0.value != nil }! }
            #expect(running[2].value == #"{"tasks":1}"#)
            try await write("configs", running.map { Recorded(partition: 0, key: $0.key, value: $0.value.map(here)) })
            let position = offsets.last { $0.key.hasPrefix("[\"\(connector)\",") }!
            try await write(
                "offsets", [Recorded(partition: position.partition, key: position.key, value: try Self.with(positions[connector]!, in: position.value!))])
        }
        await producer.close()
    }

    /// What stands in the topics afterwards has the recording's keys, partitions and names, so that Kafka Connect and Debezium read it as their own.
    private func givesBack(
        _ cluster: KafkaCluster, _ connectors: [String], _ recorded: [String: Recorded], _ end: (changes: [Change], commit: Int64), _ here: (String) -> String
    ) async throws {
        func latest(_ topic: String) async throws -> [String: KafkaRecord] {
            var records = TopicRecords(cluster.broker.bootstrapServers, "\(cluster.name)-\(topic)")
            return Dictionary(try await records.read().map { (String(decoding: $0.key ?? [], as: UTF8.self), $0) }, uniquingKeysWith: { $1 })
        }
        func text(_ record: KafkaRecord?) -> String { String(decoding: record?.value ?? [], as: UTF8.self) }
        let offsets = try await latest("offsets"), configs = try await latest("configs"), status = try await latest("status")
        let configsRecorded = try Self.recording("connect-configs"), statusRecorded = try Self.recording("connect-status")
        #expect(Set(offsets.keys) == Set(recorded.keys), "no key of another spelling")
        for connector in connectors {
            let (key, before) = recorded.first { $0.key.hasPrefix("[\"\(connector)\",") }!, after = offsets[key]
            #expect(after?.partition == before.partition, "\(connector)'s position in the partition Java's partitioner gives it")
            #expect(
                Self.names(text(after)).filter { !$0.hasPrefix("sluice_") } == ["lsn_proc", "messageType", "lsn_commit", "lsn", "txId", "ts_usec"],
                "\(text(after))")
            let position = try KafkaRecord.object(after?.value) ?? [:]
            #expect(position["txId"] as? Int == end.changes[0].xid)
            let committed = position["lsn_commit"] as? Int64 ?? 0
            #expect(committed > end.changes.last!.lsn && committed <= end.commit, "\(committed), \(end)")
            let headers = (after?.headers ?? []).map(\.name)
            #expect(headers.allSatisfy { $0 == "sluice.epoch" }, "\(headers)")

            func made(_ key: String) throws -> String { here(configsRecorded.first { $0.key == key && $0.value != nil }!.value!) }
            #expect(try text(configs["connector-\(connector)"]) == made("connector-\(connector)"))
            let task = try KafkaRecord.object(configs["task-\(connector)-0"]?.value)?["properties"] as? [String: String]
            let taskRecorded = try KafkaRecord.object(Array(made("task-\(connector)-0").utf8))?["properties"] as? [String: String]
            #expect(task == taskRecorded && task != nil)
            #expect(text(configs["commit-\(connector)"]).wholeMatch(of: /\{"tasks":1,"slots":\[\d+\]\}/) != nil, "\(text(configs["commit-\(connector)"]))")
            let shape = statusRecorded.first { $0.key.hasPrefix("status-task-") && $0.value != nil }!
            #expect(Self.names(text(status["status-task-\(connector)-0"])) == Self.names(shape.value!))
        }
    }

    // MARK: Kafka Connect itself

    /// Kafka Connect's own worker from the distribution, with its FileStream connectors.
    private final class JavaWorker {
        let port: Int
        private let directory: String
        private let child: Child

        init(_ cluster: KafkaCluster) throws {
            port = try freePort()
            directory = cluster.directory + "/java-\(port)"
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            let home = KafkaBroker.home!, jar = try FileManager.default.contentsOfDirectory(atPath: home + "/libs").first { $0.hasPrefix("connect-file-") }!
            let file = directory + "/worker.properties"
            try
                (String(contentsOfFile: cluster.config, encoding: .utf8)
                + "listeners=http://127.0.0.1:\(port)\nplugin.path=\(home)/libs/\(jar)\noffset.flush.interval.ms=1000\nscheduled.rebalance.max.delay.ms=0\n")
                .write(toFile: file, atomically: true, encoding: .utf8)
            child = try Subprocess.start(
                home + "/bin/connect-distributed.sh", [file],
                environment: [
                    "LOG_DIR": directory, "KAFKA_HEAP_OPTS": "-Xms64m -Xmx256m", "KAFKA_GC_LOG_OPTS": " ", "KAFKA_JMX_OPTS": " ",
                    "KAFKA_JVM_PERFORMANCE_OPTS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto",
                ], output: directory + "/out.log", errors: directory + "/out.log")
        }

        var log: String { (try? String(contentsOfFile: directory + "/out.log", encoding: .utf8)) ?? "" }

        func states(_ connector: String) throws -> [String] {
            let text = try Subprocess.run("curl", ["-sS", "-m", "20", "http://127.0.0.1:\(port)/connectors/\(connector)/status"])
            let json = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
            let own = (json?["connector"] as? [String: Any])?["state"] as? String
            return [own ?? ""] + (json?["tasks"] as? [[String: Any]] ?? []).map { $0["state"] as? String ?? "" }
        }

        func stop() {
            child.signal(SIGTERM)
            child.wait()
        }
        deinit {
            if child.isRunning { child.signal(SIGKILL) }
        }
    }

    @Test func kafkaConnectTakesAClusterOfOursAndWeTakeItBack() async throws {
        try await KafkaCluster.with(1, starting: false) { cluster in
            let worker = cluster.workers[0], input = cluster.directory + "/in.txt", output = cluster.directory + "/out.txt"
            let (source, sink, paused, stopped) = ("\(cluster.name)-in", "\(cluster.name)-out", "\(cluster.name)-paused", "\(cluster.name)-stopped")
            let string = ["value.converter": "org.apache.kafka.connect.storage.StringConverter"]
            try Data().write(to: URL(fileURLWithPath: input))
            var count = 0
            func write() throws {
                let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: input))
                try handle.seekToEnd()
                try handle.write(contentsOf: Data((count..<count + 300).map { "line \($0)\n" }.joined().utf8))
                try handle.close()
                count += 300
            }
            func arrives(_ log: () -> String) async throws {
                let deadline = Date().addingTimeInterval(90)
                while Date() < deadline, (try? String(contentsOfFile: output, encoding: .utf8).split(separator: "\n").count) ?? 0 < count {
                    try await Task.sleep(for: .milliseconds(100))
                }
                let lines = try String(contentsOfFile: output, encoding: .utf8).split(separator: "\n").map(String.init)
                #expect(lines == (0..<count).map { "line \($0)" }, "\(lines.count) of \(count) lines: \(log().suffix(3000))")
            }
            let fileSource = ["connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "file": input]
            try cluster.start(worker)
            try await worker.waitUntilReady()
            try cluster.create(source, fileSource.merging(["topic": "\(cluster.name)-lines"]) { $1 }.merging(string) { $1 })
            try write()
            try cluster.create(
                sink,
                string.merging([
                    "connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector", "file": output, "topics": "\(cluster.name)-lines",
                ]) { $1 })
            for (name, request) in [(paused, "pause"), (stopped, "stop")] {
                try cluster.create(name, fileSource.merging(["topic": "\(name)-lines"]) { $1 }.merging(string) { $1 })
                #expect(try worker.request("PUT", "/connectors/\(name)/\(request)").status / 100 == 2)
            }
            try await arrives { worker.log }
            #expect(worker.stop() == 0, "\(worker.log.suffix(3000))")

            try write()
            let java = try JavaWorker(cluster)
            try await arrives { java.log }
            let deadline = Date().addingTimeInterval(30),
                wanted = [source: ["RUNNING", "RUNNING"], sink: ["RUNNING", "RUNNING"], paused: ["PAUSED", "PAUSED"], stopped: ["STOPPED"]]
            var states: [String: [String]] = [:]
            while Date() < deadline, states != wanted {
                for name in wanted.keys { states[name] = (try? java.states(name)) ?? [] }
                try await Task.sleep(for: .milliseconds(200))
            }
            #expect(states == wanted)
            try write()
            try await arrives { java.log }
            java.stop()

            try write()
            try cluster.start(worker)
            try await arrives { worker.log }
            for name in [source, sink] { try await cluster.waitUntilRunning(name) }
            #expect(cluster.tasks(of: paused).map(\.state) == ["PAUSED"] && cluster.tasks(of: stopped).isEmpty)
            try write()
            try await arrives { worker.log }
            #expect(worker.stop() == 0, "\(worker.log.suffix(3000))")
        }
    }
}
