import ConnectAPI
import Foundation
import TestSupport
import Testing

@testable import ConnectRuntime

@Suite struct LogRetentionTests {
    private let producer = Producer.named("c")
    private let t = TopicPartition("t", 0)

    private func withTenBatches(_ body: (EmbeddedLog) async throws -> Void) async throws {
        var options = EmbeddedLog.Options()
        options.cacheBytes = 0
        try await withEmbeddedLog(options) { log, _ in
            for i in 0..<10 as Range<Int64> { try await log.append(Frame([.numbers(i * 10..<i * 10 + 10)], at: nil), by: producer) }
            try await body(log)
        }
    }

    private func age(_ log: EmbeddedLog, before offset: Int64, by hours: Int64) async throws {
        try await log.writer.write {
            try $0.db.run("UPDATE batches SET written = written - ? WHERE first_offset < ?", .integer(hours * 3_600_000), .integer(offset))
        }
    }

    @Test func byDefaultAWeekIsKept() async throws {
        try await withTenBatches { log in
            #expect(try await log.retain(RetentionPolicy(), consumedBy: [:]) == .init())
            try await age(log, before: 50, by: 169)
            let trimmed = try await log.retain(RetentionPolicy(), consumedBy: [:])
            #expect(trimmed.batches == 5 && trimmed.records == 50 && trimmed.bytes > 0)
            #expect(try await log.topics() == ["t": [PartitionRange(partition: 0, start: 50, end: 100)]])
            #expect(try await log.numbers() == Array(50..<100), "a reader before the start begins at the start")
        }
    }

    @Test func whatASubscribedGroupHasNotConsumedStays() async throws {
        try await withTenBatches { log in
            try await age(log, before: 100, by: 1000)
            try await log.commit([t: 35], group: "connect-slow")
            try await log.commit([t: 90], group: "connect-fast")
            let groups: [String: Set<String>] = ["connect-slow": ["t"], "connect-fast": ["t"], "connect-other": ["u"]]
            try await log.retain(RetentionPolicy(), consumedBy: groups)
            #expect(try await log.numbers() == Array(30..<100), "the batch the slow group stands in stays whole")
            try await log.retain(RetentionPolicy(), consumedBy: groups.merging(["connect-new": ["t"]]) { $1 })
            #expect(try await log.numbers().count == 70, "a group that has consumed nothing yet keeps everything")
            try await log.retain(RetentionPolicy(), consumedBy: ["connect-fast": ["t"]])
            #expect(try await log.numbers() == Array(90..<100))
        }
    }

    @Test func consumedRecordsCanGoAtOnce() async throws {
        try await withTenBatches { log in
            let policy = RetentionPolicy(deletesConsumed: true)
            try await log.retain(policy, consumedBy: [:])
            #expect(try await log.numbers().count == 100, "nobody subscribes: the other limits hold")
            try await log.commit([t: 100], group: "g")
            try await log.retain(policy, consumedBy: ["g": ["t"]])
            #expect(try await log.numbers().isEmpty)
            #expect(try await log.topics() == ["t": [PartitionRange(partition: 0, start: 100, end: 100)]])
            try await log.append(Frame([.numbers([100])], at: nil), by: producer)
            #expect(try await log.batches().map(\.firstOffset) == [100], "offsets go on")
        }
    }

    @Test func aPartitionKeepsToItsBytes() async throws {
        try await withTenBatches { log in
            let one = try await log.readers.run { try $0.integer("SELECT max(stored) FROM batches")! }
            try await log.retain(RetentionPolicy(time: nil, bytes: one * 3), consumedBy: [:])
            let kept = try await log.numbers()
            #expect(kept == Array(70..<100))
        }
    }

    @Test func theBlobsOfRemovedBatchesAreFreed() async throws {
        try await withTenBatches { log in
            try await log.stage([.numbers([1])], unit: "x", by: producer)
            try await log.discard(unit: "x", connector: "c")
            try await age(log, before: 70, by: 1000)
            try await log.retain(RetentionPolicy(), consumedBy: [:])
            let freed = try await holdsInTime {
                try await log.readers.run {
                    let blobs = try $0.integer("SELECT count(*) FROM blobs"), garbage = try $0.integer("SELECT count(*) FROM garbage")
                    return blobs == 3 && garbage == 0
                }
            }
            #expect(freed)
        }
    }

    @Test func freedSpaceGoesBackToTheDiskAndTheWALStaysShort() async throws {
        var random = SeededGenerator(seed: 7)
        try await withEmbeddedLog { log, directory in
            let words = (0..<125_000).map { _ in random.next() }
            let noise = words.withUnsafeBytes { Array($0) }
            let batch = RecordBatch(
                topic: "t", count: 1, key: nil, value: Column(Schema(.bytes), [.bytes(noise)]),
                timestamps: .constant(.integer(0), RecordBatch.timestampSchema, count: 1))
            let appender = log.appender(for: producer)
            for _ in 0..<12 {
                for _ in 0..<10 { _ = appender.append(Frame([batch], at: nil)) }
                try await appender.append(Frame([], at: .at(1))).durable()
            }
            func size(_ name: String) throws -> Int {
                try FileManager.default.attributesOfItem(atPath: directory + "/" + name)[.size] as? Int ?? 0
            }
            try await log.retain(RetentionPolicy(time: .zero), consumedBy: [:])
            #expect(try size("sluice.db-wal") < 110 << 20)
            let shrunk = try await holdsInTime {
                let pages = try await log.readers.run { try $0.integer("PRAGMA page_count")! }
                return pages * Int64(LogSchema.pageSize) < 80 << 20
            }
            #expect(shrunk)
        }
    }
}
