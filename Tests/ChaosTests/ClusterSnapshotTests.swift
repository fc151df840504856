import Foundation
import Kafka
import TestSupport
import Testing

/// A worker with exactly-once sources on a real Apache Kafka (`KAFKA_HOME`), killed in the middle of a snapshot: for whoever reads what was committed
/// each row is there once, and the changes of the time behind it.
@Suite(.serialized, .enabled(if: KafkaBroker.isAvailable)) struct ClusterSnapshotTests {
    @Test func aPartOfASnapshotThatACrashCutIsThereOnce() async throws {
        var random = SeededGenerator.printed()
        print("cluster snapshot test: SLUICE_SEED=\(random.seed)")
        let rows = 60_000, kills = 3
        try await withPostgres { database in
            try database.sql(JournaledWork.schema(rows: rows))
            try await KafkaCluster.with(1, ["exactly.once.source.support": "enabled"]) { cluster in
                let worker = cluster.workers[0], topic = "\(cluster.name).public.items"
                var written = TopicRecords(cluster.broker.bootstrapServers, topic, isolation: "read_uncommitted")
                var committed = TopicRecords(cluster.broker.bootstrapServers, topic)
                let work = try JournaledWork.start(on: database, pause: 0.1)
                defer { work.stop() }
                var before: Int64 = 0
                for kill in 1...kills {
                    if kill == 1 { try cluster.createSource("source", of: "public.items", in: database) } else { try cluster.start(worker) }
                    let wanted = before + Int64.random(in: 2000...40_000, using: &random)
                    try await worker.wait("\(wanted) records were written", seconds: 60) { try await written.end() >= wanted }
                    worker.kill()
                    before = try await written.end()
                    // Nothing of the part is visible: its transaction is open.
                    #expect(try await committed.read().isEmpty, "kill \(kill)")
                }
                try cluster.start(worker)
                try await cluster.waitUntilRunning("source")
                var changes: [ItemChange] = []
                try await worker.wait("the snapshot is committed", seconds: 90) {
                    changes += try await committed.read().compactMap { try ItemChange($0) }
                    return changes.count >= rows
                }
                try await Task.sleep(for: .seconds(1))
                work.stop()
                let last = try Int(database.sql("select max(seq) from items"))!
                try await worker.wait("change \(last) is in Kafka", seconds: 60) {
                    changes += try await committed.read().compactMap { try ItemChange($0) }
                    return changes.contains { $0.seq == last }
                }
                try await Task.sleep(for: .seconds(1))
                #expect(worker.stop() == 0, "\(worker.log.suffix(3000))")
                changes += try await committed.read().compactMap { try ItemChange($0) }

                let table = Dictionary(
                    uniqueKeysWithValues: try database.sql("select id, seq from items").split(separator: "\n").map { line in
                        let fields = line.split(separator: "|")
                        return (Int(fields[0])!, Int(fields[1])!)
                    })
                let read = Dictionary(grouping: changes, by: \.key)
                for key in Set(table.keys).union(read.keys) {
                    let seen = read[key] ?? []
                    #expect(seen.last?.seq == table[key], "key \(key): \(seen), the table has \(String(describing: table[key]))")
                    let numbers = seen.compactMap(\.seq)
                    #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 }, "key \(key): \(seen)")
                    #expect(zip(seen, seen.dropFirst()).allSatisfy { $1.op != "r" && !($0.op == "d" && $1.op == "d") }, "key \(key): \(seen)")
                }
                print("cluster snapshot: \(kills) kills, \(try await written.end()) written, \(changes.count) committed of \(read.count) keys, each once")
            }
        }
    }
}
