import ConnectAPI
import Foundation
import TestSupport
import Testing

@testable import ConnectRuntime

/// What every `Log` keeps to, whatever it is made of.
@Suite struct LogLawTests {
    @Test(arguments: LogImplementation.allCases)
    func recordsComeBackInOrderWithOffsetsFromZeroWithoutGaps(_ implementation: LogImplementation) async throws {
        try await implementation.withLog { log in
            let appender = log.appender(for: .named("c"))
            var pending: [PendingAppend] = []
            for i in 0..<200 as Range<Int64> { pending.append(appender.append(Frame([.numbers(i * 3..<i * 3 + 3)], at: .at(i)))) }
            for append in pending { try await append.durable() }
            let batches = try await log.batches()
            #expect(batches.first?.firstOffset == 0)
            #expect(try await log.numbers() == Array(0..<600))
            #expect(try await log.topics() == ["t": [PartitionRange(partition: 0, start: 0, end: 600)]])
            #expect(try await log.sourcePositions(of: "c") == [.at(199)])
        }
    }

    @Test(arguments: LogImplementation.columnar)
    func everyPartOfABatchComesBack(_ implementation: LogImplementation) async throws {
        var random = SeededGenerator.printed()
        try await implementation.withLog { log in
            var sent: [RecordBatch] = []
            for i in 0..<40 { sent.append(.random(topic: "t\(i % 3)", rows: Int.random(in: 1...90, using: &random), using: &random)) }
            let appender = log.appender(for: .named("c"))
            for batch in sent { _ = appender.append(Frame([batch], at: nil)) }
            try await appender.append(Frame([], at: .at(1))).durable()
            for topic in ["t0", "t1", "t2"] {
                let rows = try await log.batches(topic).flatMap { $0.batch.rows }
                #expect(rows == sent.filter { $0.topic == topic }.flatMap(\.rows))
            }
        }
    }

    @Test(arguments: LogImplementation.allCases)
    func aFrameOfSeveralTopicsIsOneCommit(_ implementation: LogImplementation) async throws {
        try await implementation.withLog { log in
            let frame = Frame([.numbers([1], topic: "a"), .numbers([2, 3], topic: "b"), .numbers([4], topic: "a")], at: .at(9))
            try await log.append(frame, by: .named("c"))
            #expect(try await log.numbers("a") == [1, 4])
            #expect(try await log.numbers("b") == [2, 3])
            #expect(try await log.sourcePositions(of: "c") == [.at(9)])
        }
    }

    @Test(arguments: LogImplementation.allCases)
    func aFrameWithoutBatchesMovesThePosition(_ implementation: LogImplementation) async throws {
        try await implementation.withLog { log in
            try await log.append(Frame([], at: .at(5)), by: .named("c"))
            #expect(try await log.sourcePositions(of: "c") == [.at(5)])
            #expect(try await log.topics().isEmpty)
        }
    }

    @Test(arguments: LogImplementation.allCases)
    func manyProducersAtOnceKeepEachTheirOrder(_ implementation: LogImplementation) async throws {
        try await implementation.withLog { log in
            let frames: Int64 = 150, producers: Int64 = 8
            try await withThrowingTaskGroup(of: Void.self) { group in
                for p in 0..<producers {
                    group.addTask {
                        let appender = log.appender(for: .named("c\(p)"))
                        var pending: [PendingAppend] = []
                        for i in 0..<frames {
                            pending.append(appender.append(Frame([.numbers([p * 1000 + i])], at: .at(i, server: "s\(p)"))))
                        }
                        for append in pending { try await append.durable() }
                    }
                }
                try await group.waitForAll()
            }
            let numbers = try await log.numbers()
            #expect(numbers.count == Int(frames * producers))
            for p in 0..<producers {
                #expect(numbers.filter { $0 / 1000 == p } == (0..<frames).map { p * 1000 + $0 })
                #expect(try await log.sourcePositions(of: "c\(p)") == [.at(frames - 1, server: "s\(p)")])
            }
        }
    }

    @Test(arguments: LogImplementation.allCases)
    func readingBeginsAtTheOffsetAndKeepsToTheBytes(_ implementation: LogImplementation) async throws {
        try await implementation.withLog { log in
            let partition = TopicPartition("t", 0)
            for i in 0..<10 as Range<Int64> { try await log.append(Frame([.numbers(i * 10..<i * 10 + 10, padding: 1000)], at: nil), by: .named("c")) }
            let cut = try await log.read(partition, from: 37, maxBytes: 1)
            #expect(cut.count == 1 && cut[0].firstOffset == 37 && [[37], [37, 38, 39]].contains(cut[0].batch.numbers))
            #expect((10...45).contains(try await log.read(partition, from: 0, maxBytes: 40_000).reduce(0) { $0 + $1.batch.count }))
            #expect(try await log.read(partition, from: 100, maxBytes: 1 << 20).isEmpty)
            #expect(try await log.read(partition, from: 1000, maxBytes: 1 << 20).isEmpty)
            #expect(try await log.read(TopicPartition("unknown", 0), from: 0, maxBytes: 1 << 20).isEmpty)
            for start in 0..<100 as Range<Int64> { #expect(try await log.numbers(from: start, maxBytes: 25_000) == Array(start..<100)) }
        }
    }

    @Test(arguments: LogImplementation.columnar)
    func theProducersRenderingStaysWithItsRecords(_ implementation: LogImplementation) async throws {
        try await implementation.withLog { log in
            let text = Rendering.Converter("org.apache.kafka.connect.storage.StringConverter")
            let other = Producer(connector: "d", task: 0, rendering: Rendering(key: text, value: text, header: text))
            try await log.append(Frame([.numbers([1])], at: nil), by: .named("c"))
            try await log.append(Frame([.numbers([2])], at: nil), by: other)
            #expect(try await log.batches().map(\.rendering) == [Producer.named("c").rendering, other.rendering])
        }
    }

    // MARK: Units

    @Test(arguments: LogImplementation.staging)
    func aStagedUnitIsOutOfSightUntilItIsPublished(_ implementation: LogImplementation) async throws {
        try await implementation.withLog { log in
            let producer = Producer.named("c")
            try await log.append(Frame([.numbers([1])], at: .at(1)), by: producer)
            try await log.stage([.numbers([10, 11]), .numbers([20], topic: "u")], unit: "x", by: producer)
            try await log.stage([.numbers([12])], unit: "x", by: producer)
            try await log.stage([.numbers([99])], unit: "y", by: producer)
            #expect(try await log.numbers() == [1])
            #expect(try await log.numbers("u").isEmpty)
            try await log.append(Frame([.numbers([2])], at: .at(2)), by: producer)
            try await log.publish(unit: "x", at: .at(3), by: producer)
            try await log.append(Frame([.numbers([3])], at: .at(4)), by: producer)
            #expect(try await log.numbers() == [1, 2, 10, 11, 12, 3])
            #expect(try await log.numbers(from: 3) == [11, 12, 3])
            #expect(try await log.numbers("u") == [20])
            #expect(try await log.sourcePositions(of: "c") == [.at(4)])
            try await log.publish(unit: "x", at: .at(5), by: producer)
            #expect(try await log.numbers() == [1, 2, 10, 11, 12, 3], "published once")
        }
    }

    @Test(arguments: LogImplementation.staging)
    func discardDropsAUnitOrAllOfAConnector(_ implementation: LogImplementation) async throws {
        try await implementation.withLog { log in
            let c = Producer.named("c"), d = Producer.named("d")
            for unit in ["x", "y", "z"] { try await log.stage([.numbers([1])], unit: unit, by: c) }
            try await log.stage([.numbers([2])], unit: "x", by: d)
            try await log.discard(unit: "x", connector: "c")
            try await log.discard(unit: "unknown", connector: "c")
            try await log.publish(unit: "x", at: .at(1), by: c)
            try await log.publish(unit: "y", at: .at(2), by: c)
            #expect(try await log.numbers() == [1])
            try await log.discard(unit: nil, connector: "c")
            try await log.publish(unit: "z", at: .at(3), by: c)
            #expect(try await log.numbers() == [1])
            try await log.publish(unit: "x", at: .at(1), by: d)
            #expect(try await log.numbers() == [1, 2])
        }
    }

    @Test(arguments: LogImplementation.staging)
    func publishingKeepsItsPlaceBetweenFramesUnderWay(_ implementation: LogImplementation) async throws {
        try await implementation.withLog { log in
            try await log.stage([.numbers([100])], unit: "x", by: .named("c"))
            let appender = log.appender(for: .named("c"))
            let pending = [
                appender.append(Frame([.numbers([1])], at: .at(1))), appender.publish(unit: "x", at: .at(2)),
                appender.append(Frame([.numbers([2])], at: .at(3))),
            ]
            for append in pending.reversed() { try await append.durable() }
            #expect(try await log.numbers() == [1, 100, 2])
            #expect(try await log.sourcePositions(of: "c") == [.at(3)])
        }
    }

    // MARK: Offsets

    @Test(arguments: LogImplementation.allCases)
    func sourcePositionsKeepTheOrderTheyWereFirstSeenIn(_ implementation: LogImplementation) async throws {
        try await implementation.withLog { log in
            for server in ["b", "a", "c"] { try await log.append(Frame([], at: .at(1, server: server)), by: .named("k")) }
            try await log.append(Frame([], at: .at(2, server: "a")), by: .named("k"))
            #expect(try await log.sourcePositions(of: "k") == [.at(1, server: "b"), .at(2, server: "a"), .at(1, server: "c")])
            try await log.alterSourcePositions(
                of: "k", [.at(7, server: "b"), SourcePosition(partition: ["server": "c"], offset: [:]), .at(1, server: "new")])
            #expect(try await log.sourcePositions(of: "k") == [.at(7, server: "b"), .at(2, server: "a"), .at(1, server: "new")])
            try await log.alterSourcePositions(of: "k", nil)
            #expect(try await log.sourcePositions(of: "k").isEmpty)
        }
    }

    @Test(arguments: LogImplementation.allCases)
    func aPositionKeepsTheOrderAndTypesOfItsOffset(_ implementation: LogImplementation) async throws {
        try await implementation.withLog { log in
            let offset: OffsetMap = ["z": 1, "a": .double(1.5), "b": true, "n": .null, "s": "x"]
            let one = SourcePosition(partition: ["server": "s", "database": "d"], offset: offset)
            try await log.append(Frame([], at: one), by: .named("k"))
            #expect(try await log.sourcePositions(of: "k") == [one])
            // The same partition whatever the order of its entries.
            let same = SourcePosition(partition: ["database": "d", "server": "s"], offset: ["z": 2])
            try await log.append(Frame([], at: same), by: .named("k"))
            #expect(try await log.sourcePositions(of: "k").map(\.offset) == [["z": 2]])
        }
    }

    @Test(arguments: LogImplementation.altering)
    func consumerOffsetsAreCommittedAndAltered(_ implementation: LogImplementation) async throws {
        try await implementation.withLog { log in
            let a = TopicPartition("a", 0), b = TopicPartition("b", 0)
            for topic in ["a", "b"] { try await log.append(Frame([.numbers(0..<9, topic: topic)], at: nil), by: .named("c")) }
            try await log.commit([a: 5, b: 7], group: "connect-x")
            try await log.commit([a: 6], group: "connect-x")
            #expect(try await log.consumerOffsets(of: "connect-x") == [a: 6, b: 7])
            #expect(try await log.consumerOffsets(of: "connect-y").isEmpty)
            try await log.alterConsumerOffsets(of: "connect-x", [a: 1, b: nil])
            #expect(try await log.consumerOffsets(of: "connect-x") == [a: 1])
            try await log.alterConsumerOffsets(of: "connect-x", nil)
            #expect(try await log.consumerOffsets(of: "connect-x").isEmpty)
        }
    }

    // MARK: Waiting

    @Test(arguments: LogImplementation.allCases)
    func aWaiterWakesForWhatItWaitsFor(_ implementation: LogImplementation) async throws {
        try await implementation.withLog { log in
            let t = TopicPartition("t", 0)
            try await log.append(Frame([.numbers([0])], at: nil), by: .named("c"))
            await log.waitForRecords(past: [t: 0], timeout: .seconds(60))  // There already.
            async let waits: Void = log.waitForRecords(past: [t: 1], timeout: .seconds(60))
            try await log.append(Frame([.numbers([1])], at: nil), by: .named("c"))
            await waits
            async let discovers: Void = log.waitForRecords(past: [t: 2], timeout: .seconds(60))
            try await Task.sleep(for: .milliseconds(20))
            try await log.append(Frame([.numbers([1], topic: "created")], at: nil), by: .named("c"))
            await discovers
        }
    }

    @Test(arguments: LogImplementation.allCases)
    func aWaitEndsWithItsTimeAndWithItsTask(_ implementation: LogImplementation) async throws {
        try await implementation.withLog { log in
            let t = TopicPartition("t", 0)
            await log.waitForRecords(past: [t: 0], timeout: .milliseconds(5))
            let task = Task { await log.waitForRecords(past: [t: 0], timeout: .seconds(3600)) }
            try await Task.sleep(for: .milliseconds(5))
            task.cancel()
            await task.value
        }
    }

    @Test(arguments: LogImplementation.allCases)
    func aCancelledWaitForDurabilityThrowsAndTheFrameStays(_ implementation: LogImplementation) async throws {
        try await implementation.withLog { log in
            let pending = PendingAppend()
            let task = Task { try await pending.durable() }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            pending.resolve(.success(()))
            try await pending.durable()
            #expect(pending.isDone)
        }
    }
}
