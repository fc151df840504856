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
        var random = SeededGenerator.printed()
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
            try await cluster.waitUntilRunning("source")
            for worker in cluster.workers { #expect(!worker.log.contains(" failed and is not restarted by itself"), "\(worker.log.suffix(3000))") }
        }
    }

    private static let memorySeconds = ProcessInfo.processInfo.environment["SLUICE_MEMORY_SECONDS"].flatMap { Double($0) }

    /// A soak test, for `SLUICE_MEMORY_SECONDS` (at least 60): a source and a sink of three tasks on three workers, none of which grows.
    @Test(.enabled(if: memorySeconds != nil)) func memoryStaysFlat() async throws {
        let seconds = Self.memorySeconds!
        try await withCluster(exactlyOnce: false) { cluster in
            try cluster.create(
                "\(cluster.name)-lake",
                [
                    "connector.class": "io.confluent.connect.s3.S3SinkConnector", "topics": "\(cluster.name).public.items", "tasks.max": "3",
                    "storage.class": "io.confluent.connect.s3.storage.S3Storage", "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
                    "store.url": "file://\(cluster.directory)", "s3.bucket.name": "lake", "flush.size": "1000", "file.max.age.ms": "1000",
                ])
            try await cluster.waitUntilRunning("\(cluster.name)-lake", tasks: 3)
            var samples: [[Int]] = []
            let end = Date().addingTimeInterval(seconds)
            while Date() < end {
                samples.append(cluster.workers.map { $0.residentBytes ?? 0 })
                try await Task.sleep(for: .seconds(1))
            }
            for worker in cluster.workers.indices {
                // The first fifth is what warms up.
                let own = samples.map { $0[worker] }, middle = own[own.count / 5..<own.count * 3 / 5].max()!, last = own[(own.count * 4 / 5)...].max()!
                print("cluster memory: \(Int(seconds)) s, worker \(worker): \(own[0] >> 20) MB first, at most \(middle >> 20) MB, then \(last >> 20) MB")
                #expect(middle > 0 && last < middle + middle / 10 + 4 << 20, "worker \(worker) grew from \(middle) to \(last) bytes")
            }
        }
    }

    // MARK: The cluster

    /// A source streams while work goes on; after the body everything must be there.
    private func withCluster(exactlyOnce: Bool, _ body: (KafkaCluster) async throws -> Void) async throws {
        try await withPostgres { database in
            try database.sql(JournaledWork.schema(rows: 1000))
            try await KafkaCluster.with(3, ["exactly.once.source.support": exactlyOnce ? "enabled" : "disabled"]) { cluster in
                try cluster.createSource("source", of: "public.items", in: database)
                try await cluster.waitUntilRunning("source")
                var records = TopicRecords(cluster.broker.bootstrapServers, "\(cluster.name).public.items"), changes: [ItemChange] = []
                try await cluster.workers[0].wait("the snapshot is in Kafka", seconds: 60) {
                    changes += try await records.read().compactMap { try ItemChange($0) }
                    return changes.count == 1000
                }
                let work = try JournaledWork.start(on: database, pause: 0.3)
                defer { work.stop() }
                try await Task.sleep(for: .seconds(2))
                try await body(cluster)
                try await Task.sleep(for: .seconds(1))
                work.stop()

                let last = try Int(database.sql("select max(seq) from journal where op <> 'd'"))!
                try await cluster.workers[0].wait("change \(last) is in Kafka", seconds: 120) {
                    changes += try await records.read().compactMap { try ItemChange($0) }
                    return changes.contains { $0.seq == last }
                }
                // What is written after the last change would be a duplicate: give it the time to show.
                try await Task.sleep(for: .seconds(2))
                for worker in cluster.workers where worker.isRunning { #expect(worker.stop() == 0) }
                changes += try await records.read().compactMap { try ItemChange($0) }
                let journal = try database.sql("select id, seq, op from journal order by seq").split(separator: "\n").map { line in
                    let fields = line.split(separator: "|")
                    return ItemChange(key: Int(fields[0])!, seq: fields[2] == "d" ? nil : Int(fields[1])!, op: String(fields[2]))
                }
                let verdict = verdict(changes, journal, exactlyOnce: exactlyOnce)
                print("cluster: \(verdict)")
                #expect(verdict.hasPrefix(exactlyOnce ? "exactly once" : "at least once"), "\(verdict)")
            }
        }
    }

    /// Plays the topic against the journal, key by key. At least once: what comes first comes in order, and a repetition repeats what came.
    private func verdict(_ changes: [ItemChange], _ journal: [ItemChange], exactlyOnce: Bool) -> String {
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
