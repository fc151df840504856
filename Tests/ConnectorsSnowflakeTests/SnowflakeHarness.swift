import ConnectAPI
import Foundation
import Synchronization
import TestSupport

@testable import ConnectorsSnowflake

/// A clock tests move.
final class TestClock: Sendable {
    private let value: Mutex<Int64>
    init(_ start: Int64 = WallClock.milliseconds) { value = Mutex(start) }
    var now: Int64 { value.withLock { $0 } }
    func advance(_ milliseconds: Int64) { value.withLock { $0 += milliseconds } }
}

final class CountingMetrics: MetricSink {
    private let values = Mutex<[String: Double]>([:])
    func set(_ name: String, _ labels: [String: String], _ value: Double) { values.withLock { $0[name] = value } }
    func add(_ name: String, _ labels: [String: String], _ value: Double) { values.withLock { $0[name, default: 0] += value } }
    func observe(_ name: String, _ labels: [String: String], _ seconds: Double) { add(name, labels, seconds) }
    subscript(name: String) -> Double { values.withLock { $0["sluice_snowflake_" + name] ?? 0 } }
}

/// What was handed to the dead letter queue.
final class Rejected: Sendable {
    private let list = Mutex<[RejectedRecord]>([])
    func add(_ record: RejectedRecord) { list.withLock { $0.append(record) } }
    var offsets: [Int64] { list.withLock { $0.map(\.offset) } }
    var messages: [String] { list.withLock { $0.map(\.error.message) } }
}

struct NotCommitted: Error {
    let wanted: Int64
    let committed: [TopicPartition: Int64]
}

/// Makes sink tasks as the runtime would, and commits as it would.
final class SnowflakeHarness {
    let server: SnowflakeServer
    private(set) var table = "T_" + UUID().uuidString.prefix(8).uppercased()
    private(set) var connector = "c" + UUID().uuidString.prefix(8).lowercased()
    let clock = TestClock()
    let metrics = CountingMetrics()
    let rejected = Rejected()
    var settings: [String: String]
    var committed: [TopicPartition: Int64] = [:]
    var memory = 64 << 20
    private var current: SnowflakeSinkTask?
    private var opened: [TopicPartition] = []

    init(_ server: SnowflakeServer, _ settings: [String: String] = [:]) {
        self.server = server
        let base = [
            "connector.class": "com.snowflake.kafka.connector.SnowflakeSinkConnector", "snowflake.url.name": server.url, "snowflake.user.name": server.user,
            "snowflake.password": server.password, "snowflake.database.name": "D", "snowflake.schema.name": "S", "snowflake.warehouse.name": "W",
            "snowflake.topic2table.map": "orders:\(table)", "snowflake.copy.interval.seconds": "0", "buffer.count.records": "3",
            "snowflake.request.retries": "2", "snowflake.account.name": "acc",
        ]
        self.settings = base.merging(settings) { $1 }
    }

    func makeTask() throws -> SnowflakeSinkTask {
        let (configuration, findings) = SnowflakeSinkConfiguration.parse(settings)
        guard findings.isEmpty else { throw ConnectorError("config.invalid", .stop, findings.map(\.message).joined(separator: "; ")) }
        let context = TaskContext(
            connector: connector, task: 0, log: Logger("test"), metrics: metrics, memoryBudget: memory, scratchDirectory: "/tmp"
        ) { [rejected] record in rejected.add(record) }
        return try SnowflakeSinkTask(configuration, context, clock: { [clock] in clock.now })
    }

    static let partition = TopicPartition("orders", 0)
    static let schema = Schema.struct([Schema.Field("id", Schema(.int64)), Schema.Field("name", Schema(.string, optional: true))])

    /// Records of offsets: {id: offset, name: "n<offset>"}; some without a value, some with a long name.
    static func batch(
        _ offsets: Range<Int64>, partition: TopicPartition = partition, topic: String? = nil, tombstones: Set<Int64> = [], large: Set<Int64> = [],
        bytes: Int = 4000, onlyID: Bool = false
    ) -> ConsumedBatch {
        let long = String(repeating: "x", count: bytes)
        let shape = onlyID ? Schema.struct([schema.fields[0]]) : schema
        let value = Column(
            shape, offsets.map { .struct([.integer($0)] + (onlyID ? [] : [.string(large.contains($0) ? "n\($0)\(long)" : "n\($0)")])) })
        let batch = RecordBatch(
            topic: topic ?? partition.topic, count: offsets.count, key: Column(Schema(.string), offsets.map { .string("k\($0)") }), value: value,
            tombstones: tombstones.isEmpty ? nil : Bitmap(offsets.map { tombstones.contains($0) }),
            timestamps: Column(RecordBatch.timestampSchema, count: offsets.count, .int64(offsets.map { 1_700_000_000_000 + $0 })))
        return ConsumedBatch(batch, from: partition, offsets: .contiguous(from: offsets.lowerBound), nextOffset: offsets.upperBound)
    }

    /// Becomes another worker's copy of the same connector.
    func take(identityOf other: SnowflakeHarness) {
        connector = other.connector
        table = other.table
        settings["snowflake.topic2table.map"] = other.settings["snowflake.topic2table.map"]
    }

    /// What the REST validation would find.
    func check() async -> [Diagnostic] {
        let (configuration, findings) = SnowflakeSinkConfiguration.parse(settings)
        guard findings.isEmpty else { return findings }
        return await ((try? SnowflakeSinkConnector(configuration).check()) ?? [])
    }

    /// Files on the connector's stage.
    func staged() throws -> [String] {
        let stage = VendorNames.stage(connector, table: ObjectName(["D", "S", table])).name
        return try server.sql("LIST @D.S.\(stage)/").compactMap { $0[0] }
    }

    func start(_ partitions: [TopicPartition] = [partition]) async throws {
        var task = try makeTask()
        _ = try await task.open(partitions)
        let known = committed.filter { partitions.contains($0.key) }
        if !known.isEmpty { await task.committed(known) }
        opened = partitions
        current = task
    }

    func write(_ batch: ConsumedBatch) async throws { try await current!.write(batch) }

    /// Ticks until the partition's offset is committed.
    func commit(_ partition: TopicPartition = partition, upTo offset: Int64) async throws {
        let deadline = Date().addingTimeInterval(30)
        while (committed[partition] ?? 0) < offset {
            guard Date() < deadline else { throw NotCommitted(wanted: offset, committed: committed) }
            try await tick()
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// One flush and, as the runtime does, the commit of what it returned.
    func tick(_ reason: FlushReason = .tick, commits: Bool = true) async throws {
        let offsets = try await current!.flush(reason)
        guard commits, !offsets.isEmpty else { return }
        committed.merge(offsets) { $1 }
        await current!.committed(offsets)
    }

    func giveUp(_ partition: TopicPartition) async { await current?.close([partition]) }

    /// Drops the task as a crash would: what is under way ends, nothing is flushed.
    func crash() async {
        await current?.close(opened)
        current = nil
    }

    func count() throws -> Int { Int(try server.sql("SELECT COUNT(*) FROM D.S.\(table)")[0][0] ?? "") ?? -1 }

    /// The ids of the table's rows, in order.
    func ids(_ path: String = "RECORD_CONTENT:id") throws -> [Int] {
        try server.sql("SELECT \(path)::INT AS ID FROM D.S.\(table) ORDER BY 1").compactMap { $0[0].flatMap { Int($0) } }
    }
}
