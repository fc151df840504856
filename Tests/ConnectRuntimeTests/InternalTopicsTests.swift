import ConnectAPI
import Foundation
import JSON
import TestSupport
import Testing

@testable import ConnectRuntime

/// Kafka Connect's internal topics, as a Kafka Connect 4.1 worker with Debezium wrote them.
struct InternalTopicRecording {
    let records: [(partition: Int, offset: Int, record: InternalRecord)]

    init(_ topic: String) throws {
        let file = try #require(Bundle.module.url(forResource: "Golden/internal-topics/\(topic)", withExtension: "jsonl"))
        records = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map { line in
            let json = try JSONValue.parse(String(line))
            return (
                Int(json["partition"]!.integerValue!), Int(json["offset"]!.integerValue!),
                InternalRecord(key: Array(json["key"]!.stringValue!.utf8), value: json["value"]?.stringValue.map { Array($0.utf8) })
            )
        }
    }
}

@Suite struct InternalTopicsTests {
    // MARK: Byte for byte, both ways

    @Test func theConfigTopicIsReadAndWrittenByteForByte() throws {
        let recording = try InternalTopicRecording("connect-configs").records
        #expect(recording.count == 211)
        for (_, offset, record) in recording {
            let read = try ConfigRecord(record)
            #expect(read.encoded == record, "offset \(offset): \(record.keyText)")
        }
    }

    @Test func theOffsetTopicIsReadAndWrittenByteForByte() throws {
        let recording = try InternalTopicRecording("connect-offsets").records
        #expect(recording.count == 31)
        for (_, _, record) in recording { #expect(try OffsetRecord(record).encoded == record) }
    }

    @Test func theStatusTopicIsReadAndWrittenByteForByte() throws {
        let recording = try InternalTopicRecording("connect-status").records
        #expect(recording.count > 150)
        for (partition, offset, record) in recording {
            let read = try StatusRecord(record)
            #expect(read.encoded == record, "\(partition):\(offset): \(record.keyText)")
        }
    }

    // MARK: What they say

    @Test func aWorkerTakesOverWhatTheRecordedClusterHad() throws {
        var cluster = ClusterConfig(), byHand: [String: String] = [:]
        for (_, _, record) in try InternalTopicRecording("connect-configs").records {
            _ = cluster.apply(try ConfigRecord(record))
            if record.keyText.hasPrefix("connector-") {
                byHand[String(record.keyText.dropFirst(10))] = record.value.map { String(decoding: $0, as: UTF8.self) }
            }
        }
        #expect(cluster.names == byHand.keys.sorted())
        #expect(cluster.sessionKey?.algorithm == "HmacSHA256")
        #expect(cluster.slotOwners.isEmpty, "Kafka Connect gives no slots")
        var offsets = SourceOffsets()
        for (_, _, record) in try InternalTopicRecording("connect-offsets").records { try offsets.apply(record, epoch: nil) }
        let position = try #require(offsets.positions(of: "tx-metadata").first)
        #expect(position.partition == ["server": "tx_metadata"])
        #expect(
            position.offset.entries.map(\.key) == [
                "transaction_id", "lsn_proc", "messageType", "lsn_commit", "lsn", "txId", "transaction_data_collection_order_golden.customers", "ts_usec",
            ])
        #expect(position.offset["lsn"] == .integer(224_097_248))
    }

    @Test func tasksBecomeEffectiveWithTheirCommit() {
        var cluster = ClusterConfig()
        let config = [ConfigEntry("name", "c")], first = [ConfigEntry("n", "0")], second = [ConfigEntry("n", "1")]
        #expect(cluster.apply(.connector("c", config)) == .connector("c"))
        #expect(cluster.apply(.task("c", 0, first)) == nil)
        #expect(cluster.apply(.task("c", 1, second)) == nil)
        #expect(cluster["c"]?.tasks.configs == [])
        #expect(cluster.apply(.commit("c", tasks: 2, slots: [3, 7])) == .tasks("c"))
        #expect(cluster["c"]?.tasks.configs == [first, second])
        #expect(cluster.slotOwners[7].map { TaskID($0.connector, $0.task) } == TaskID("c", 1))
        let generation = cluster["c"]!.tasks.generation
        // The same written again moves no task; another one does.
        for (task, config) in [first, second].enumerated() { _ = cluster.apply(.task("c", task, config)) }
        _ = cluster.apply(.commit("c", tasks: 2, slots: [3, 8]))
        #expect(cluster["c"]?.tasks.generation == generation)
        _ = cluster.apply(.task("c", 0, second))
        _ = cluster.apply(.commit("c", tasks: 1, slots: [3]))
        #expect(cluster["c"]!.tasks.generation > generation)
        #expect(cluster["c"]?.tasks.configs == [second])
    }

    @Test func aCommitWithoutItsTasksMakesTheConnectorInconsistentUntilTheyAreWritten() {
        var cluster = ClusterConfig()
        _ = cluster.apply(.task("c", 1, []))
        _ = cluster.apply(.commit("c", tasks: 2, slots: [1, 2]))
        _ = cluster.apply(.connector("c", []))
        #expect(cluster["c"]?.tasks.isConsistent == false)
        #expect(cluster["c"]?.tasks.slots == nil)
        for task in 0..<2 { _ = cluster.apply(.task("c", task, [])) }
        _ = cluster.apply(.commit("c", tasks: 2, slots: [1, 2]))
        #expect(cluster["c"]?.tasks.isConsistent == true)
    }

    @Test func compactionMayLeaveTasksBeforeTheirConnector() {
        var cluster = ClusterConfig()
        _ = cluster.apply(.task("c", 0, [ConfigEntry("a", "b")]))
        _ = cluster.apply(.commit("c", tasks: 1, slots: [4]))
        _ = cluster.apply(.targetState("c", .stopped))
        #expect(cluster["c"] == nil)
        #expect(cluster.apply(.connector("c", [])) == .connector("c"))
        #expect(cluster["c"]?.tasks.slots == [4])
        #expect(cluster["c"]?.targetState == .stopped)
        #expect(cluster.apply(.connector("c", nil)) == .removed("c"))
        #expect(cluster.slotOwners.isEmpty)
    }

    @Test func aPositionOfAnOlderEpochIsAZombies() throws {
        var offsets = SourceOffsets()
        func write(_ lsn: Int64?, _ epoch: Int64?) throws {
            let record = OffsetRecord(connector: "c", partition: ["server": "s"], offset: lsn.map { ["lsn": .integer($0)] })
            try offsets.apply(record.encoded, epoch: epoch)
        }
        try write(10, 3)
        try write(20, 4)
        try write(15, 3)
        #expect(offsets.positions(of: "c").map { $0.offset["lsn"] } == [.integer(20)])
        #expect(offsets.epoch(of: "c") == 4)
        // A person's change always counts, and does not let the zombie in again.
        try write(5, nil)
        try write(15, 3)
        #expect(offsets.positions(of: "c").map { $0.offset["lsn"] } == [.integer(5)])
        try write(nil, nil)
        #expect(offsets.positions(of: "c").isEmpty)
    }

    // MARK: Fuzz

    /// Bytes of outside are refused with an error or read; what is read is written the same again.
    @Test func randomRecordsNeverTrap() throws {
        var random = SeededGenerator.printed()
        let recorded = try ["connect-configs", "connect-offsets", "connect-status"].flatMap { try InternalTopicRecording($0).records.map(\.record) }
        var refused = 0, taken = 0
        for _ in 0..<20_000 {
            let base = recorded.randomElement(using: &random)!
            var key = base.key, value = (Bool.random(using: &random) ? base : recorded.randomElement(using: &random)!).value
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                if !key.isEmpty, Bool.random(using: &random) { key[Int.random(in: 0..<key.count, using: &random)] = UInt8.random(in: 0...255, using: &random) }
                if let count = value?.count, count > 0 { value![Int.random(in: 0..<count, using: &random)] = UInt8.random(in: 32...126, using: &random) }
                if Int.random(in: 0..<8, using: &random) == 0 { value = value.map { Array($0.prefix(Int.random(in: 0...$0.count, using: &random))) } }
            }
            let record = InternalRecord(key: key, value: value)
            func attempt<R>(_ parse: (InternalRecord) throws -> R) { if (try? parse(record)) == nil { refused += 1 } else { taken += 1 } }
            attempt { try ConfigRecord($0) }
            attempt { try StatusRecord($0) }
            attempt { try OffsetRecord($0) }
            if let read = try? ConfigRecord(record), let written = read.encoded { #expect(try ConfigRecord(written) == read) }
            if let read = try? StatusRecord(record), let written = read.encoded { #expect(try StatusRecord(written) == read) }
        }
        #expect(refused > 1000 && taken > 1000, "\(refused) refused, \(taken) taken")
    }
}
