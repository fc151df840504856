import ConnectAPI
import Foundation
import Synchronization
import Testing

@testable import ConnectRuntime

/// Synthetic connectors over the real embedded log and the real herder.
@Suite struct WorkerPipelineTests {
    @Test func recordsFlowInOrderAndOnceAcrossRestartsOfTheWorker() async throws {
        let world = World()
        try await withWorker(world) { herder in
            _ = try await herder.create("source", entries(["connector.class": "Count", "until": "5000", "topic": "numbers"]), initialState: .started)
            _ = try await herder.create("sink", entries(["connector.class": "Collect", "topics": "numbers"]), initialState: .started)
            try await eventually { world.collected.count >= 1000 }
        }
        try await withWorker(world) { herder in
            try await eventually { world.collected.count >= 5000 }
            try await eventually { try await herder.status("sink").tasks.map(\.status.state) == [.running] }
            try await eventually { try await herder.offsets("sink").first?.offset["kafka_offset"] == 5000 }
            #expect(try await herder.offsets("source").map(\.offset) == [["position": 5000]])
            #expect(try await herder.topics("source") == ["numbers"])
            #expect(try await herder.topics("sink") == ["numbers"])
        }
        // The sink commits only what it settled, so nothing is lost; what it took again after the restart is the same.
        var next: Int64 = 0
        for value in world.collected where value == next { next += 1 }
        #expect(next == 5000)
        #expect(Set(world.collected) == Set(0..<5000))
    }

    @Test func aTaskThatAsksForARetryIsMadeAnewWhereTheLogStands() async throws {
        let world = World()
        try await withWorker(world) { herder in
            _ = try await herder.create(
                "source",
                entries(["connector.class": "Count", "until": "100", "fail.at": "50", "fail.times": "3", "errors.retry.delay.initial.ms": "1", "topic": "n"]),
                initialState: .started)
            _ = try await herder.create("sink", entries(["connector.class": "Collect", "topics.regex": "n+"]), initialState: .started)
            try await eventually { world.collected.count >= 100 }
            #expect(try await herder.status("source").tasks.map(\.status.state) == [.running])
        }
        #expect(world.collected == Array(0..<100))
    }

    @Test func aFailedTaskShowsAJavaTraceWithItsHintAndRestartsWhenAsked() async throws {
        let world = World()
        try await withWorker(world) { herder in
            _ = try await herder.create(
                "source", entries(["connector.class": "Count", "until": "10", "fail.at": "5", "fail.fatally": "true", "topic": "n"]), initialState: .started)
            try await eventually { try await herder.taskStatus("source", 0).status.state == .failed }
            let status = try await herder.status("source")
            #expect(status.connector.status.state == .running)
            let trace = try #require(status.tasks[0].status.trace)
            #expect(trace.hasPrefix("org.apache.kafka.connect.errors.ConnectException: The count broke at 5. Mend it\n"))
            #expect(trace.contains("Caused by: org.apache.kafka.connect.errors.ConnectException: the cause below"))
            world.mended.withLock { $0 = true }
            let restarting = try await herder.restart("source", includeTasks: true, onlyFailed: true)
            #expect(restarting?.connector.status.state == .running)
            #expect(restarting?.tasks.map(\.status.state) == [.restarting])
            try await eventually { try await herder.offsets("source").first?.offset["position"] == 10 }
            #expect(try await herder.taskStatus("source", 0).status.state == .running)
        }
    }

    @Test func aSinkThatAsksForARetryGetsTheSameBatchAgain() async throws {
        let world = World()
        world.refusals.withLock { $0 = 3 }
        try await withWorker(world) { herder in
            _ = try await herder.create("source", entries(["connector.class": "Count", "until": "20", "topic": "n"]), initialState: .started)
            _ = try await herder.create("sink", entries(["connector.class": "Collect", "topics": "n"]), initialState: .started)
            try await eventually { world.collected.count >= 20 }
        }
        #expect(world.collected == Array(0..<20))
        #expect(world.refusals.withLock { $0 } == 0)
    }

    @Test func aBadRecordGoesToTheDeadLettersWithItsReasonAndTheOthersPass() async throws {
        let world = World()
        try await withWorker(world) { herder in
            _ = try await herder.create("source", entries(["connector.class": "Count", "until": "30", "topic": "n"]), initialState: .started)
            _ = try await herder.create(
                "sink",
                entries([
                    "connector.class": "Collect", "topics": "n", "reject": "17", "errors.tolerance": "all",
                    "errors.deadletterqueue.topic.name": "dead", "errors.deadletterqueue.context.headers.enable": "true",
                ]), initialState: .started)
            try await eventually { world.collected.count >= 29 }
            try await eventually { try await herder.log.topics()["dead"]?.first?.end == 1 }
            let letter = try #require(try await herder.log.read(TopicPartition("dead", 0), from: 0, maxBytes: 1 << 20).first?.batch)
            #expect(letter.value?[0] == .bytes(Array("17".utf8)))
            let headers = Dictionary(letter.headers.map { ($0.name, $0.values[0].text) }, uniquingKeysWith: { $1 })
            #expect(headers["__connect.errors.topic"] == "n")
            #expect(headers["__connect.errors.offset"] == "17")
            #expect(headers["__connect.errors.stage"] == "TASK_PUT")
            #expect(headers["__connect.errors.exception.message"] == "Seventeen is not taken")
            #expect(await herder.metricsText().contains("kafka_connect_task_error_total_records_skipped{connector=\"sink\",task=\"0\"} 1"))
        }
        #expect(world.collected.sorted() == (0..<30).filter { $0 != 17 })
    }

    @Test func withoutToleranceABadRecordFailsTheTaskInKafkasWords() async throws {
        let world = World()
        try await withWorker(world) { herder in
            _ = try await herder.create("source", entries(["connector.class": "Count", "until": "30", "topic": "n"]), initialState: .started)
            _ = try await herder.create("sink", entries(["connector.class": "Collect", "topics": "n", "reject": "17"]), initialState: .started)
            try await eventually { try await herder.taskStatus("sink", 0).status.state == .failed }
            let trace = try #require(try await herder.taskStatus("sink", 0).status.trace)
            #expect(trace.hasPrefix("org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler\n"))
            #expect(trace.contains("Caused by: org.apache.kafka.connect.errors.DataException: Seventeen is not taken (topic n, partition 0, offset 17)"))
        }
    }

    @Test func pausedSinksStopReadingAndPausedSourcesStopEmitting() async throws {
        let world = World()
        try await withWorker(world) { herder in
            _ = try await herder.create(
                "source", entries(["connector.class": "Count", "until": "1000000", "topic": "n", "delay.ms": "1"]), initialState: .started)
            try await eventually { try await herder.log.topics()["n"]?.first?.end ?? 0 > 10 }
            try await herder.pause("source")
            try await eventually { try await herder.status("source").tasks.map(\.status.state) == [.paused] }
            try await Task.sleep(for: .milliseconds(50))
            let end = try await herder.log.topics()["n"]?.first?.end
            try await Task.sleep(for: .milliseconds(100))
            #expect(try await herder.log.topics()["n"]?.first?.end == end)
            try await herder.resume("source")
            try await eventually { try await herder.log.topics()["n"]?.first?.end ?? 0 > end ?? 0 }
            #expect(try await herder.status("source").tasks.map(\.status.state) == [.running])
        }
        // Invariant 9: the target state outlives the process.
        try await withWorker(world) { herder in
            try await herder.stop("source")
            #expect(try await herder.status("source").tasks.isEmpty)
        }
        try await withWorker(world) { herder in
            let status = try await herder.status("source"), tasks = try await herder.tasks("source")
            #expect(status.connector.status.state == .stopped)
            #expect(tasks.isEmpty)
        }
    }

    @Test func memoryOnTheWayIntoTheLogStaysWithinTheBudget() async throws {
        let world = World()
        try await withWorker(world, ["sluice.source.buffer.bytes": "65536"]) { herder in
            _ = try await herder.create(
                "source", entries(["connector.class": "Count", "until": "200000", "rows": "500", "topic": "n"]), initialState: .started)
            try await eventually { try await herder.offsets("source").first?.offset["position"] == 200_000 }
            #expect(herder.services.sourceBudget.peak <= 65536)
            // The bytes are given back once the position is there.
            try await eventually { herder.services.sourceBudget.used == 0 }
        }
    }

    @Test func snapshotUnitsAppearAtOnceAndOnlyWhenPublished() async throws {
        let world = World()
        try await withWorker(world) { herder in
            _ = try await herder.create(
                "source", entries(["connector.class": "Count", "until": "10", "unit": "table-1", "topic": "n"]), initialState: .started)
            try await eventually { try await herder.offsets("source").first?.offset["position"] == 10 }
            #expect(try await herder.log.topics()["n"]?.first?.end == 20)
            let rows = try await herder.log.read(TopicPartition("n", 0), from: 0, maxBytes: 1 << 20).flatMap { b in
                (0..<b.batch.count).map { b.batch.value![$0] }
            }
            #expect(rows.prefix(10) == (100..<110).map { .integer($0) }[...])
        }
    }
}

@Suite struct WorkerOffsetTests {
    private func batch(_ count: Int) -> RecordBatch {
        RecordBatch(
            topic: "t", count: count, key: nil, value: Column(Schema(.int64), count: count, .int64((0..<Int64(count)).map { $0 })),
            timestamps: .constant(.integer(0), RecordBatch.timestampSchema, count: count))
    }

    @Test func aBatchThatATransformSplitsKeepsEveryOffsetAndOverlapsNowhere() {
        let stored = StoredBatch(
            partition: TopicPartition("t", 0), firstOffset: 100, batch: batch(10),
            rendering: Rendering(key: .init("k"), value: .init("v"), header: .init("h")))
        var random = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            let home = (0..<10).map { _ in Int.random(in: 0...3, using: &random) }
            // Rows of home 3 were dropped.
            let outputs = (0..<3).map { output in
                let rows = home.indices.filter { home[$0] == output }
                return TransformedBatch(stored.batch.select(rows), origins: rows)
            }
            let consumed = consumedBatches(outputs, of: stored)
            let kept = home.indices.filter { home[$0] < 3 }
            #expect(consumed.flatMap { c in (0..<c.batch.count).map { c.offsets[$0] } } == kept.map { Int64(100 + $0) })
            #expect(consumed.flatMap { c in (0..<c.batch.count).map { c.batch.value![$0].integerValue! } } == kept.map { Int64($0) })
            for (a, b) in zip(consumed, consumed.dropFirst()) { #expect(a.nextOffset == b.offsets[0]) }
            if let last = consumed.last { #expect(last.nextOffset == 110) }
        }
    }

    @Test func offsetsAreCommittedFromWhatIsSettledAndDroppedRowsCount() {
        let a = TopicPartition("a", 0)
        var progress = SinkProgress()
        progress.open(a, at: 5, committed: 5)
        progress.deliver(a, upTo: 10)
        #expect(progress.committable().isEmpty)
        progress.skip(a, upTo: 20)
        #expect(progress.committable().isEmpty, "five records are not settled yet")
        #expect(progress.settle([a: 8]).isEmpty)
        #expect(progress.committable() == [a: 8])
        #expect(progress.settle([a: 10]).isEmpty)
        #expect(progress.committable() == [a: 20], "what was dropped behind the last settled record counts")
        progress.commit([a: 20])
        #expect(progress.committable().isEmpty)
        #expect(progress.settle([a: 99]) == [a])
        #expect(progress.lag([a: 25]) == (5, 5))
    }

    @Test func partitionsAreDividedIntoRangesOfEachTopicAsKafkaDoes() {
        let partitions = SinkPartitions(tasks: 2)
        let topics = (0..<5).map { TopicPartition("five", $0) } + [TopicPartition("one", 0)]
        #expect(partitions.claim(topics, for: 0) == [0, 1, 2].map { TopicPartition("five", $0) } + [TopicPartition("one", 0)])
        #expect(partitions.claim(topics, for: 1) == [3, 4].map { TopicPartition("five", $0) })
        #expect(partitions.claim(topics + [TopicPartition("one", 1)], for: 1).last == TopicPartition("one", 1))
    }

    @Test func withAnotherAssignorAPartitionGoesToTheTaskWithTheFewestAndStays() {
        let strategy = "org.apache.kafka.clients.consumer.RoundRobinAssignor"
        let partitions = SinkPartitions(tasks: 2, config: ["consumer.override.partition.assignment.strategy": strategy])
        let first = ["a", "b", "c"].map { TopicPartition($0, 0) }
        #expect(partitions.claim(first, for: 0).map(\.topic) == ["a", "c"])
        #expect(partitions.claim(first, for: 1).map(\.topic) == ["b"])
        let more = first + [TopicPartition("0", 0)]
        #expect(partitions.claim(more, for: 1).map(\.topic) == ["0", "b"])
        #expect(partitions.claim(more, for: 0).map(\.topic) == ["a", "c"])
    }

    @Test func joinedBatchesKeepEveryRowHeaderAndTombstoneInOrder() throws {
        func one(_ topic: String, _ value: Int64?, header: Bool) -> RecordBatch {
            RecordBatch(
                topic: topic, count: 1, key: nil, value: Column(Schema(.int64), [.integer(value ?? 0)]),
                tombstones: value == nil ? Bitmap(repeating: true, count: 1) : nil,
                timestamps: .constant(.integer(value ?? -1), RecordBatch.timestampSchema, count: 1),
                headers: [HeaderColumn("h", .constant("x", Schema(.string), count: 1), present: header ? nil : Bitmap(repeating: false, count: 1))])
        }
        let joined = RecordBatch.joining([one("a", 1, header: true), one("b", 9, header: true), one("a", nil, header: false), one("a", 3, header: true)])
        #expect(joined.map(\.topic) == ["a", "b"])
        let a = joined[0]
        #expect((0..<3).map { a.isTombstone($0) } == [false, true, false])
        #expect((0..<3).map { a.value![$0] } == [1, 0, 3])
        #expect((0..<3).map { a.timestamps[$0] } == [1, -1, 3])
        #expect(a.headers[0].present.map { p in (0..<3).map { p[$0] } } == [true, false, true])
    }
}

extension Value {
    /// The text that the bytes are.
    fileprivate var text: String { if case .bytes(let bytes) = self { String(decoding: bytes, as: UTF8.self) } else { "" } }
}
