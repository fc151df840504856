import ConnectAPI
import Foundation
import TestSupport
import Testing

@testable import ConnectRuntime

/// What only the embedded log has: a directory, a cache, a file that can be damaged or full.
@Suite struct LogEmbeddedTests {
    private let producer = Producer.named("c")
    private let t = TopicPartition("t", 0)

    private func random(_ count: Int, _ generator: inout SeededGenerator) -> RecordBatch {
        let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
        return RecordBatch(
            topic: "t", count: 1, key: nil, value: Column(Schema(.bytes), [.bytes(bytes)]),
            timestamps: .constant(.integer(0), RecordBatch.timestampSchema, count: 1))
    }

    // MARK: The directory

    @Test func aRestartForgetsNothingButWhatWasStaged() async throws {
        try await withTemporaryDirectory { directory in
            let first = try await EmbeddedLog.open(directory: directory + "/a/b")
            try await first.append(Frame([.numbers(0..<10)], at: .at(1)), by: producer)
            try await first.commit([t: 4], group: "g")
            try await first.stage([.numbers([77])], unit: "u", by: producer)
            let id = first.clusterID
            #expect(id.count == 22)
            await first.close()

            let second = try await EmbeddedLog.open(directory: directory + "/a/b")
            #expect(second.clusterID == id)
            try await second.publish(unit: "u", at: .at(2), by: producer)
            try await second.append(Frame([.numbers(10..<12)], at: .at(3)), by: producer)
            #expect(try await second.numbers() == Array(0..<12))
            #expect(try await second.consumerOffsets(of: "g") == [t: 4])
            #expect(try await second.sourcePositions(of: "c") == [.at(3)])
            await second.close()
        }
    }

    @Test func aSecondWorkerIsKeptOutOfTheDirectory() async throws {
        try await withEmbeddedLog { _, directory in
            let error = await #expect(throws: ConnectorError.self) { try await EmbeddedLog.open(directory: directory) }
            #expect(error?.code == "log.locked" && error?.message.contains("(process \(getpid()))") == true)
        }
    }

    @Test func aDirectoryThatCannotBeUsedIsNamed() async throws {
        let error = await #expect(throws: ConnectorError.self) { try await EmbeddedLog.open(directory: "/dev/null/data") }
        #expect(error?.code == "log.open_failed" && error?.message.contains("/dev/null/data") == true)
    }

    @Test func aFileThatIsNoDatabaseIsRefused() async throws {
        try await withTemporaryDirectory { directory in
            try String(repeating: "not a database ", count: 500).write(toFile: directory + "/sluice.db", atomically: true, encoding: .utf8)
            let error = await #expect(throws: ConnectorError.self) { try await EmbeddedLog.open(directory: directory) }
            #expect(error?.code == "log.corrupt")
        }
    }

    @Test func aLogOfALaterVersionIsRefused() async throws {
        try await withTemporaryDirectory { directory in
            let log = try await EmbeddedLog.open(directory: directory)
            await log.close()
            try Database(path: directory + "/sluice.db", .readWrite).execute("PRAGMA user_version=99")
            let error = await #expect(throws: ConnectorError.self) { try await EmbeddedLog.open(directory: directory) }
            #expect(error?.code == "log.version")
        }
    }

    @Test func aClosedLogSaysSo() async throws {
        try await withTemporaryDirectory { directory in
            let log = try await EmbeddedLog.open(directory: directory)
            try await log.append(Frame([.numbers([1])], at: nil), by: producer)
            let waiter = Task { await log.waitForRecords(past: [t: 9], timeout: .seconds(3600)) }
            await log.close()
            await waiter.value
            let write = await #expect(throws: ConnectorError.self) { try await log.append(Frame([.numbers([2])], at: nil), by: producer) }
            let read = await #expect(throws: ConnectorError.self) { try await log.sourcePositions(of: "c") }
            #expect(write?.code == "log.closed" && read?.code == "log.closed")
        }
    }

    @Test func anotherProcessReadsWhileTheWorkerAppends() async throws {
        try await withEmbeddedLog { log, directory in
            try await log.append(Frame([.numbers(0..<5)], at: nil), by: producer)
            var random = SeededGenerator(seed: 1)
            let late = RecordBatch.random(topic: "u", rows: 3, using: &random)
            let other = try await EmbeddedLog.openReadOnly(directory)
            #expect(try await other.numbers() == Array(0..<5))
            async let waits: Void = other.waitForRecords(past: [t: 5], timeout: .seconds(60))
            try await log.append(Frame([.numbers(5..<7), late], at: nil), by: producer)
            await waits
            #expect(try await other.numbers() == Array(0..<7))
            #expect(try await other.batches("u").map(\.batch.count) == [3], "schemas that came later are found")
            let (seen, known) = (try await other.topics(), try await log.topics())
            #expect(seen == known)
            await other.close()
        }
        let error = await #expect(throws: ConnectorError.self) { try await EmbeddedLog.openReadOnly("/nonexistent") }
        #expect(error?.code == "log.not_found")
    }

    // MARK: Reading from the disk

    @Test func whatTheCacheDoesNotHoldIsReadFromTheDisk() async throws {
        for cacheBytes in [0, 30_000, 1 << 20] {
            var options = EmbeddedLog.Options()
            options.cacheBytes = cacheBytes
            try await withEmbeddedLog(options) { log, _ in
                let appender = log.appender(for: producer)
                for i in 0..<60 as Range<Int64> {
                    _ = appender.append(Frame([.numbers(i * 10..<i * 10 + 10, padding: 5), .numbers([i], topic: "u")], at: nil))
                }
                try await log.stage([.numbers([-1, -2])], unit: "x", by: producer)
                try await appender.publish(unit: "x", at: .at(1)).durable()
                try await appender.append(Frame([.numbers(600..<610)], at: nil)).durable()
                #expect(try await log.numbers(maxBytes: 20_000) == Array(0..<600) + [-1, -2] + Array(600..<610))
                #expect(try await log.numbers(from: 595) == Array(595..<600) + [-1, -2] + Array(600..<610))
                #expect(try await log.numbers("u") == Array(0..<60))
            }
        }
    }

    @Test func aLargeFrameIsCutAtRecordsUnderOneCommit() async throws {
        var options = EmbeddedLog.Options()
        options.batchBytes = 10_000
        options.cacheBytes = 0
        try await withEmbeddedLog(options) { log, _ in
            var texts = (0..<3000 as Range<Int64>).map { Value.struct([.integer($0), .string(String(repeating: "y", count: 5))]) }
            texts[1500] = .struct([.integer(1500), .string(String(repeating: "z", count: 100_000))])
            let batch = RecordBatch(
                topic: "t", count: 3000, key: nil, value: Column(RecordBatch.numberSchema, texts),
                timestamps: .constant(.integer(0), RecordBatch.timestampSchema, count: 3000))
            try await log.append(Frame([batch], at: .at(1)), by: producer)
            let batches = try await log.batches()
            #expect(batches.count > 5)
            #expect(batches.filter { $0.batch.byteCount > 20_000 }.allSatisfy { $0.batch.count <= 2 })
            #expect(batches.flatMap { $0.batch.rows } == batch.rows)
            #expect(try await log.numbers() == Array(0..<3000))
        }
    }

    @Test func aSchemaIsStoredOnceHoweverManyBatchesUseIt() async throws {
        try await withEmbeddedLog { log, _ in
            let appender = log.appender(for: producer)
            for i in 0..<500 as Range<Int64> { _ = appender.append(Frame([.numbers([i])], at: nil)) }
            try await appender.append(Frame([], at: .at(1))).durable()
            let (schemas, bytes) = try await log.readers.run { db in
                (try db.integer("SELECT count(*) FROM schemas"), try db.integer("SELECT max(length(bytes)) FROM blobs"))
            }
            #expect(schemas == 2 && bytes! < 80)
        }
    }

    // MARK: Damage

    private func damage(_ directory: String, _ sql: String) throws {
        try Database(path: directory + "/sluice.db", .readWrite).execute(sql)
    }

    @Test func aDamagedBatchStopsItsPartitionOnly() async throws {
        for sql in [
            "UPDATE blobs SET bytes = zeroblob(50) WHERE id = (SELECT blob FROM batches WHERE first_offset = 20)",
            "UPDATE blobs SET bytes = substr(bytes, 1, 30) WHERE id = (SELECT blob FROM batches WHERE first_offset = 20)",
            "UPDATE blobs SET bytes = (SELECT bytes FROM blobs WHERE id = 1) WHERE id = (SELECT blob FROM batches WHERE first_offset = 20)",
            "DELETE FROM blobs WHERE id = (SELECT blob FROM batches WHERE first_offset = 20)",
            "DELETE FROM batches WHERE first_offset = 20",
            "UPDATE batches SET count = 9 WHERE first_offset = 20",
        ] {
            var options = EmbeddedLog.Options()
            options.cacheBytes = 0
            try await withEmbeddedLog(options) { log, directory in
                // The first blob is of another topic, so that a batch of another topic in place of this one is noticed.
                try await log.append(Frame([.numbers(0..<10, topic: "u")], at: nil), by: producer)
                for i in 0..<5 as Range<Int64> { try await log.append(Frame([.numbers(i * 10..<i * 10 + 10)], at: nil), by: producer) }
                try damage(directory, sql)
                let good = try await log.read(t, from: 0, maxBytes: 1 << 20)
                #expect(good.flatMap(\.batch.numbers) == Array(0..<20), "what lies before the damage is read: \(sql)")
                let error = await #expect(throws: ConnectorError.self) { try await log.read(t, from: 20, maxBytes: 1 << 20) }
                #expect(error?.code == "log.corrupt" && error?.message.contains("t-0 at offset 20") == true, "\(sql): \(error as Any)")
                #expect(try await log.numbers("u") == Array(0..<10))
                #expect(try await log.numbers(from: 30) == Array(30..<50))
                try await log.append(Frame([.numbers(50..<60)], at: nil), by: producer)
                #expect(try await log.numbers(from: 30) == Array(30..<60))
            }
        }
    }

    /// Damage anywhere in the file ends in an error or in the right records, never in a trap or in wrong ones.
    @Test func damageAnywhereInTheFileNeverTraps() async throws {
        var random = SeededGenerator.printed()
        try await withTemporaryDirectory { directory in
            let log = try await EmbeddedLog.open(directory: directory + "/data")
            let appender = log.appender(for: producer)
            for i in 0..<100 as Range<Int64> { _ = appender.append(Frame([.numbers(i * 10..<i * 10 + 10)], at: .at(i))) }
            try await appender.append(Frame([], at: .at(100))).durable()
            await log.close()
            let path = directory + "/data/sluice.db", whole = try Data(contentsOf: URL(fileURLWithPath: path))
            for _ in 0..<60 {
                var bytes = whole
                for _ in 0..<Int.random(in: 1...20, using: &random) {
                    bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                try bytes.write(to: URL(fileURLWithPath: path))
                guard let damaged = try? await EmbeddedLog.open(directory: directory + "/data") else { continue }
                for start in stride(from: Int64(0), to: 1000, by: 50) {
                    for batch in (try? await damaged.read(t, from: start, maxBytes: 10_000)) ?? [] where batch.firstOffset < 1000 {
                        #expect(batch.batch.numbers == Array(batch.firstOffset..<batch.endOffset))
                    }
                }
                _ = try? await damaged.sourcePositions(of: "c")
                await damaged.close()
            }
        }
    }

    // MARK: A full disk

    @Test func aFullDiskFailsACommitAsAWholeAndLosesNothing() async throws {
        var random = SeededGenerator.printed()
        var options = EmbeddedLog.Options()
        options.maxPages = 400
        try await withEmbeddedLog(options) { log, _ in
            let appender = log.appender(for: producer)
            let batches = (0..<100).map { _ in self.random(30_000, &random) }
            let pending = batches.enumerated().map { appender.append(Frame([$1], at: .at(Int64($0)))) }
            var durable = 0, failed = 0
            for append in pending {
                do {
                    try await append.durable()
                    #expect(failed == 0, "nothing succeeds after a failure")
                    durable += 1
                } catch let error as ConnectorError {
                    #expect(error.code == "log.disk_full" && error.disposition == .retry && error.hint != nil)
                    failed += 1
                }
            }
            #expect(durable > 0 && failed > 0)
            let end = try await log.topics()["t"]?.first?.end
            #expect(end == Int64(durable))
            #expect(try await log.sourcePositions(of: "c") == [.at(Int64(durable) - 1)])
            let refused = await #expect(throws: ConnectorError.self) { try await appender.append(Frame([], at: .at(999))).durable() }
            #expect(refused?.code == "log.disk_full", "the appender takes nothing more")

            // Space was freed: another run goes on where the log ends.
            try await log.writer.write { try $0.db.execute("PRAGMA max_page_count=100000") }
            let next = log.appender(for: producer)
            for i in durable..<100 { _ = next.append(Frame([batches[i]], at: .at(Int64(i)))) }
            try await next.append(Frame([], at: .at(100))).durable()
            #expect(try await log.batches().flatMap { $0.batch.rows } == batches.flatMap(\.rows))
        }
    }

    @Test func aBatchThatCannotBeStoredFailsInItsTurn() async throws {
        try await withEmbeddedLog { log, _ in
            let appender = log.appender(for: producer)
            let broken = RecordBatch(
                topic: "t", count: 1, key: nil, value: Column(Schema(.string), count: 1, .int64([1])),
                timestamps: .constant(.integer(0), RecordBatch.timestampSchema, count: 1))
            let before = appender.append(Frame([.numbers([1])], at: .at(1))), bad = appender.append(Frame([broken], at: .at(2)))
            let after = appender.append(Frame([.numbers([3])], at: .at(3)))
            try await before.durable()
            for append in [bad, after] {
                let error = await #expect(throws: ConnectorError.self) { try await append.durable() }
                #expect(error?.code == "log.invalid_batch")
            }
            #expect(try await log.numbers() == [1])
            #expect(try await log.sourcePositions(of: "c") == [.at(1)])
        }
    }
}
