import ConnectAPI
import Foundation
import Synchronization
import Testing

@testable import ConnectRuntime

/// Damage in the log stops the partition it is in, and the rest goes on.
@Suite struct WorkerDamageTests {
    @Test func aDamagedPartitionStopsAloneAndIsReported() async throws {
        let world = World()
        try await withWorker(world) { herder in
            for topic in ["a", "b"] {
                _ = try await herder.create(topic, entries(["connector.class": "Count", "until": "40", "topic": topic]), initialState: .started)
                try await eventually { try await herder.log.topics()[topic]?.first?.end == 40 }
            }
        }
        try Database(path: world.directory + "/sluice.db", .readWrite).execute(
            """
            UPDATE blobs SET bytes = zeroblob(50) WHERE id = (
                SELECT blob FROM batches JOIN partitions ON batches.partition = partitions.id WHERE topic = 'a' ORDER BY batches.first_offset DESC LIMIT 1)
            """)
        try await withWorker(world) { herder in
            _ = try await herder.create("both", entries(["connector.class": "Collect", "topics": "a,b"]), initialState: .started)
            _ = try await herder.create("alone", entries(["connector.class": "Collect", "topics": "a"]), initialState: .started)
            try await eventually { try await herder.offsets("both").contains { $0.partition["kafka_topic"] == "b" && $0.offset["kafka_offset"] == 40 } }
            try await eventually { try await herder.taskStatus("both", 0).status.trace != nil }
            let status = try await herder.taskStatus("both", 0).status
            #expect(status.state == .running)
            #expect(status.trace?.contains("Partition a-0 was given up") == true && status.trace?.contains("PATCH /connectors/") == true)
            #expect(await herder.metricsText().contains("sluice_sink_stopped_partitions{connector=\"both\",task=\"0\"} 1"))
            // The log goes on being written, and what comes to the other partition is delivered.
            _ = try await herder.create("more", entries(["connector.class": "Count", "until": "7", "topic": "b"]), initialState: .started)
            try await eventually { try await herder.offsets("both").contains { $0.offset["kafka_offset"] == 47 } }
            // A task that has nothing else to read fails and says why.
            try await eventually { try await herder.taskStatus("alone", 0).status.state == .failed }
            #expect(try await herder.taskStatus("alone", 0).status.trace?.contains("a-0 stops at offset") == true)
        }
    }

    @Test func aTaskThatIsPausedSaysForHowLong() async throws {
        let world = World()
        try await withWorker(world) { herder in
            _ = try await herder.create("s", entries(["connector.class": "Count", "until": "5", "topic": "t"]), initialState: .started)
            try await eventually { try await herder.taskStatus("s", 0).status.state == .running }
            try await herder.pause("s")
            try await Task.sleep(for: .milliseconds(30))
            let text = await herder.metricsText()
            #expect(text.contains("kafka_connect_connector_task_pause_ratio{connector=\"s\",task=\"0\"} 0."))
            #expect(!text.contains("kafka_connect_connector_task_running_ratio{connector=\"s\",task=\"0\"} 1\n"))
        }
    }
}

/// `errors.retry.timeout` and `errors.retry.delay.max.ms`.
@Suite struct ErrorRetriesTests {
    private static func batch(_ rows: Int) -> TransformedBatch {
        TransformedBatch(
            RecordBatch(
                topic: "t", count: rows, key: nil, value: Column(Schema(.int64), (0..<rows).map { .integer(Int64($0)) }),
                timestamps: .constant(.integer(0), RecordBatch.timestampSchema, count: rows)))
    }

    private static func run(_ config: [String: String], _ error: ConnectorError.Disposition, failures: Int, rows: Int = 8) async throws -> (
        calls: Int, rows: Int, bad: [Int]
    ) {
        let calls = Mutex(0), waits = Mutex(0)
        let stage = TransformStage(retries: ErrorTolerance(config).retries, onRetry: { _, _ in waits.withLock { $0 += 1 } }) { batch in
            let call = calls.withLock { calls in
                calls += 1
                return calls
            }
            if call <= failures { throw ConnectorError("test.away", error, "The registry is away") }
            return [batch]
        }
        var bad: [Int] = []
        let out = try await stage.run(batch(rows)) { row, _ in bad.append(row) }
        return (calls.withLock { $0 }, out.reduce(0) { $0 + $1.batch.count }, bad)
    }

    @Test func whatMayPassIsTriedAgainBeforeARowIsBlamed() async throws {
        let patient = ["errors.retry.timeout": "10000", "errors.retry.delay.max.ms": "20"]
        let passed = try await Self.run(patient, .retry, failures: 5)
        #expect(passed.calls == 6 && passed.rows == 8 && passed.bad.isEmpty)
        let endless = try await Self.run(["errors.retry.timeout": "-1", "errors.retry.delay.max.ms": "5"], .retry, failures: 12)
        #expect(endless.rows == 8 && endless.bad.isEmpty)
        // Without a timeout, and for what does not pass, rows are tried apart at once.
        #expect(try await Self.run([:], .retry, failures: .max).bad == Array(0..<8))
        #expect(try await Self.run(patient, .reject, failures: .max).bad == Array(0..<8))
    }

    @Test func theTimeIsOverForAllRowsTogether() async throws {
        let start = ContinuousClock.now
        let out = try await Self.run(["errors.retry.timeout": "150", "errors.retry.delay.max.ms": "10"], .retry, failures: .max, rows: 64)
        #expect(out.bad == Array(0..<64) && out.rows == 0)
        #expect(start.duration(to: .now) < .seconds(20), "64 rows do not wait one after the other")
    }

    @Test func waitsGrowAsKafkaConnectsDo() {
        var run = ErrorRetries(timeout: nil, delayMaximum: .milliseconds(1000)).begin()
        #expect(run.next() == .milliseconds(300) && run.next() == .milliseconds(600))
        for _ in 0..<50 { #expect(run.next()! < .milliseconds(1000)) }
        var over = ErrorRetries(timeout: .zero, delayMaximum: .seconds(1)).begin()
        #expect(over.next() == nil)
    }

    @Test func aStopCutsTheWait() async throws {
        let task = Task { try await Self.run(["errors.retry.timeout": "-1"], .retry, failures: .max) }
        try await Task.sleep(for: .milliseconds(50))
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }
}
