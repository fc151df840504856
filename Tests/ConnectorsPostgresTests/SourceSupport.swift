import ConnectAPI
import Dispatch
import Foundation
import Synchronization
import TestSupport

@testable import ConnectorsPostgres

/// An output in memory that keeps a source's promises: frames in order, staged units out of sight until published.
final class Recorder: SourceOutput {
    struct Event: Sendable {
        let topic: String
        let key: Value?
        /// nil: a tombstone.
        let value: Value?
        let headers: [String: Value]
        /// Positions in `after` of values the server did not send.
        let unavailable: [Int]
        /// The schema of `after`.
        let row: Schema?

        private func member(_ name: String, of value: Value?, _ names: [String]) -> Value? {
            guard case .struct(let members)? = value, let i = names.firstIndex(of: name) else { return nil }
            return members[i]
        }
        private static let envelope = ["before", "after", "source", "transaction", "op", "ts_ms", "ts_us", "ts_ns"]
        private static let source = [
            "version", "connector", "name", "ts_ms", "snapshot", "db", "sequence", "ts_us", "ts_ns", "schema", "table", "txId", "lsn", "xmin",
        ]
        var op: String? { member("op", of: value, Self.envelope)?.stringValue }
        var before: Value? { member("before", of: value, Self.envelope) }
        var after: Value? { member("after", of: value, Self.envelope) }
        var snapshot: String? { member("snapshot", of: member("source", of: value, Self.envelope), Self.source)?.stringValue }
        var lsn: Int64? { member("lsn", of: member("source", of: value, Self.envelope), Self.source)?.integerValue }
        var transaction: Value? { member("transaction", of: value, Self.envelope) }
    }

    private struct State {
        var events: [Event] = []
        var position: SourcePosition?
        var positions: [SourcePosition] = []
        var staged: [String: [RecordBatch]] = [:]
        var frames: FrameNumber = 0
        var frameSizes: [Int] = []
        var isHeld = false
        var failsAfterUnits: Int?
        var published = 0
        var failsAfterEvents: Int?
    }
    private let state = Mutex(State())

    struct Crash: Error {}

    /// Frames are taken but not durable, as with a log whose disk is stuck.
    func hold(_ held: Bool) { state.withLock { $0.isHeld = held } }
    private let durableFrame = Mutex<FrameNumber>(0)

    /// Publishing throws after so many units: the process dies in a snapshot.
    func crash(afterUnits count: Int) { state.withLock { $0.failsAfterUnits = count } }
    /// Emitting throws once there are at least so many events: the process dies while streaming.
    func crash(afterEvents count: Int) { state.withLock { $0.failsAfterEvents = count } }
    func restart() {
        state.withLock {
            $0.failsAfterUnits = nil
            $0.failsAfterEvents = nil
            $0.staged = [:]
        }
    }

    func emit(_ batches: [RecordBatch], at position: SourcePosition?) async throws -> FrameNumber {
        try state.withLock { state in
            if let limit = state.failsAfterEvents, state.events.count >= limit { throw Crash() }
            for batch in batches { state.events += Self.events(batch) }
            state.frameSizes.append(batches.reduce(0) { $0 + $1.count })
            if let position {
                state.position = position
                state.positions.append(position)
            }
            state.frames += 1
            if !state.isHeld { durableFrame.withLock { $0 = state.frames } }
            return state.frames
        }
    }

    var durable: FrameNumber {
        let held = state.withLock { $0.isHeld }
        return durableFrame.withLock { frame in
            if !held { frame = max(frame, state.withLock { $0.frames }) }
            return frame
        }
    }

    func flush() async throws {}

    func stage(_ batches: [RecordBatch], in unit: String) async throws { state.withLock { $0.staged[unit, default: []] += batches } }

    func publish(_ unit: String, at position: SourcePosition) async throws {
        try state.withLock { state in
            if let limit = state.failsAfterUnits, state.published >= limit { throw Crash() }
            state.published += 1
            for batch in state.staged.removeValue(forKey: unit) ?? [] { state.events += Self.events(batch) }
            state.position = position
            state.positions.append(position)
        }
    }

    func discard(_ unit: String) async throws { state.withLock { _ = $0.staged.removeValue(forKey: unit) } }

    private static func events(_ batch: RecordBatch) -> [Event] {
        (0..<batch.count).map { row in
            var headers: [String: Value] = [:]
            for header in batch.headers where header.present?[row] ?? true { headers[header.name] = header.values[row] }
            var unavailable: [Int] = []
            if case .struct(let members)? = batch.value?.storage, members.count > 1, case .struct(let fields) = members[1].storage {
                unavailable = fields.indices.filter { fields[$0].unavailable?[row] ?? false }
            }
            let schema = batch.value.flatMap { value in value.schema.fields.first { $0.name == "after" }?.schema }
            return Event(
                topic: batch.topic, key: batch.key?[row], value: batch.isTombstone(row) ? nil : batch.value?[row], headers: headers,
                unavailable: unavailable, row: schema)
        }
    }

    var events: [Event] { state.withLock { $0.events } }
    var published: Int { state.withLock { $0.published } }
    var count: Int { state.withLock { $0.events.count } }
    var position: SourcePosition? { state.withLock { $0.position } }
    var positions: [SourcePosition] { state.withLock { $0.positions } }
    var largestFrame: Int { state.withLock { $0.frameSizes.max() ?? 0 } }
    func set(position: SourcePosition?) { state.withLock { $0.position = position } }
    func events(_ table: String) -> [Event] { events.filter { $0.topic.hasSuffix("." + table) } }

    /// The labels an enum's field allows, event by event.
    func allowed(_ field: String) -> [String?] { events.map { $0.row?.fields.first { $0.name == field }?.schema.parameter("allowed") } }

    /// What a reader of the topic ends up with: the last value of each key.
    func table(_ table: String) -> [Value: Value] {
        var out: [Value: Value] = [:]
        for event in events(table) {
            guard let key = event.key, let op = event.op else { continue }
            if op == "d" { out[key] = nil } else if let after = event.after { out[key] = after }
        }
        return out
    }
}

final class FlagBox: Sendable {
    private let flag = Mutex(false)
    var value: Bool {
        get { flag.withLock { $0 } }
        set { flag.withLock { $0 = newValue } }
    }
}

struct NoMetrics: MetricSink {
    func set(_ name: String, _ labels: [String: String], _ value: Double) {}
    func add(_ name: String, _ labels: [String: String], _ value: Double) {}
    func observe(_ name: String, _ labels: [String: String], _ seconds: Double) {}
}

final class RecordedMetrics: MetricSink {
    private let values = Mutex<[String: Double]>([:])
    func set(_ name: String, _ labels: [String: String], _ value: Double) { values.withLock { $0[name] = value } }
    func add(_ name: String, _ labels: [String: String], _ value: Double) { values.withLock { $0[name, default: 0] += value } }
    func observe(_ name: String, _ labels: [String: String], _ seconds: Double) { add(name, labels, seconds) }
    subscript(name: String) -> Double? { values.withLock { $0[name] } }
}

struct TimedOut: Error, CustomStringConvertible {
    let what: String
    var description: String { "waited too long until \(what)" }
}

/// Waits for a condition; its deadline is far beyond what a loaded machine needs.
func eventually(_ what: String, within: Duration = .seconds(90), _ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + within
    while try await !condition() {
        guard ContinuousClock.now < deadline else { throw TimedOut(what: what) }
        try await Task.sleep(for: .milliseconds(30))
    }
}

extension PostgresDatabase {
    func configuration(_ extra: [String: String] = [:]) -> [String: String] {
        connection.merging([
            "connector.class": PostgresSource.info.className, "name": "test", "topic.prefix": "p", "plugin.name": "pgoutput",
            "publication.autocreate.mode": "filtered", "status.update.interval.ms": "100", "slot.max.retries": "2", "slot.retry.delay.ms": "200",
        ]) { a, _ in a }.merging(extra) { _, b in b }
    }

    /// Runs the source on a recorder until `body` returns, then stops it as the runtime does: by cancelling. A task that ends before throws here.
    func runSource(
        _ extra: [String: String] = [:], into recorder: Recorder, output: (any SourceOutput)? = nil, metrics: any MetricSink = NoMetrics(),
        _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        let configuration = configuration(extra)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                let source = try PostgresSource(PostgresConfiguration(configuration))
                let context = TaskContext(
                    connector: "test", task: 0, log: Logger("test.postgres"), metrics: metrics, memoryBudget: 64 << 20, scratchDirectory: "/tmp"
                ) { _ in }
                var task = try await source.makeTask(configuration, resumingAt: recorder.position.map { [$0] } ?? [], context)
                try await task.run(output ?? recorder)
                return false
            }
            group.addTask {
                try await body()
                return true
            }
            let first = try await group.next()!
            if !first { throw TimedOut(what: "the body ended: the task returned by itself") }
            group.cancelAll()
            while let _ = await group.nextResult() {}
        }
    }

    /// As `sql`, without holding a thread of the cooperative pool: there are as few as cores, and the source under test needs them.
    func ask(_ text: String) async throws -> String {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(with: Result { try sql(text) }) }
        }
    }

    /// Waits until the connector streams from its slot.
    func untilSlotIsActive() async throws {
        try await eventually("the slot is read") {
            try await ask(
                """
                select count(*) from pg_replication_slots s join pg_stat_replication r on r.pid = s.active_pid
                where not s.temporary and s.database = current_database() and r.state in ('catchup', 'streaming')
                """) == "1"
        }
    }

    /// Runs the source until it fails, and returns the error.
    func failure(_ extra: [String: String] = [:], into recorder: Recorder = Recorder(), while body: @escaping @Sendable () async throws -> Void = {})
        async throws -> ConnectorError?
    {
        do {
            try await runSource(extra, into: recorder) {
                try await body()
                try await Task.sleep(for: .seconds(60))
            }
            return nil
        } catch let error as ConnectorError {
            return error
        }
    }
}
