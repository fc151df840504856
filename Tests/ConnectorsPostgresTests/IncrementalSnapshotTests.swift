import ConnectAPI
import Foundation
import TestSupport
import Testing

@testable import ConnectorsPostgres

/// Signals, and tables read again while changes flow.
@Suite(.serialized) struct IncrementalSnapshotTests {
    private static let signalTable = "create table debezium_signal(id varchar(64) primary key, type varchar(32) not null, data text);"
    private static let settings = [
        "signal.data.collection": "public.debezium_signal", "incremental.snapshot.chunk.size": "7", "snapshot.mode": "no_data",
    ]

    private func execute(_ db: PostgresDatabase, _ id: String, _ data: String, type: String = "execute-snapshot") throws {
        try db.sql("insert into debezium_signal values ('\(id)', '\(type)', $$\(data)$$)")
    }

    private func reads(_ recorder: Recorder, _ table: String) -> [Value] { recorder.events(table).filter { $0.op == "r" }.compactMap(\.key) }
    private func key(_ id: Int64) -> Value { .struct([.integer(id)]) }

    @Test(arguments: ["insert_insert", "insert_delete"]) func tablesAreReadByChunks(strategy: String) async throws {
        try await withPostgres { db in
            try db.sql(
                Self.signalTable + "create table a(id int primary key, v text); create table b(x int, y text, primary key (x, y)); create table k(v int)")
            try db.sql("insert into a select i, 'v' || i from generate_series(1, 40) i; insert into b select i % 3, 'y' || i from generate_series(1, 20) i")
            let recorder = Recorder()
            try await db.runSource(Self.settings.merging(["incremental.snapshot.watermarking.strategy": strategy]) { $1 }, into: recorder) {
                try await db.untilSlotIsActive()
                try execute(db, "s1", #"{"data-collections": ["public\\.[ab]", "public.k", "public.nothing"]}"#)
                try await eventually("all rows") { reads(recorder, "a").count == 40 && reads(recorder, "b").count == 20 }
                try await eventually("the end") { recorder.position?.offset[IncrementalProgress.offsetKey] == nil }
            }
            #expect(reads(recorder, "a") == (1...40).map { key($0) })
            let pairs = reads(recorder, "b").map { value in if case .struct(let k) = value { "\(k[0].integerValue!) \(k[1].stringValue!)" } else { "" } }
            #expect(pairs == pairs.sorted() && Set(pairs).count == 20)
            let read = recorder.events("a")[0]
            #expect(read.snapshot == "incremental" && read.lsn == nil && read.before == .null)
        }
    }

    /// DBLog's promise: whatever is changed while chunks are read, each key ends as it is in the table.
    @Test(arguments: [false, true]) func rowsEndAsTheyAreInTheTable(readOnly: Bool) async throws {
        try await withPostgres { db in
            try db.sql(Self.signalTable + "create table a(id int primary key, v text); insert into a select i, 'old' from generate_series(1, 400) i")
            let recorder = Recorder(), file = NSTemporaryDirectory() + "signals-\(db.name).txt"
            defer { try? FileManager.default.removeItem(atPath: file) }
            var settings = Self.settings
            if readOnly {
                settings.merge(["read.only": "true", "signal.enabled.channels": "file", "signal.file": file, "signal.poll.interval.ms": "50"]) { $1 }
            }
            try await db.runSource(settings, into: recorder) {
                try await db.untilSlotIsActive()
                let data = #"{"data-collections": ["public.a"]}"#
                if readOnly {
                    try #"{"id":"f1","type":"execute-snapshot","data":\#(data)}"#.write(toFile: file, atomically: false, encoding: .utf8)
                } else {
                    try execute(db, "s1", data)
                }
                for round in 0..<25 {
                    _ = try await db.ask(
                        """
                        update a set v = 'r\(round)' where id % 40 = \(round); delete from a where id = \(round * 10 + 5);
                        update a set id = id + 1000 where id = \(round * 10 + 7); insert into a values (\(2000 + round), 'new')
                        """)
                }
                try await eventually("the snapshot is over") {
                    reads(recorder, "a").count > 100 && recorder.position?.offset[IncrementalProgress.offsetKey] == nil
                }
                try db.sql("insert into a values (9999, 'end')")
                try await eventually("the end") { recorder.events("a").last?.key == key(9999) }
            }
            let rows = try db.sql("select id, v from a").split(separator: "\n").map { $0.split(separator: "|").map(String.init) }
            let table = recorder.table("a")
            #expect(table.count == rows.count)
            for row in rows { #expect(table[key(Int64(row[0])!)] == .struct([.integer(Int64(row[0])!), .string(row[1])]), "\(row)") }
            if readOnly { #expect(try db.sql("select count(*) from debezium_signal") == "0") }
        }
    }

    @Test func aRestartGoesOnWhereItWas() async throws {
        try await withPostgres { db in
            try db.sql(Self.signalTable + "create table a(id int primary key, v text); insert into a select i, 'v' from generate_series(1, 100) i")
            let recorder = Recorder()
            try await db.runSource(Self.settings, into: recorder) {
                try await db.untilSlotIsActive()
                try db.sql("insert into a values (0, 'first')")
                try await eventually("streaming") { recorder.count == 1 }
            }
            try execute(db, "s1", #"{"data-collections": ["public.a"]}"#)
            for limit in [20, 50, 80] {
                recorder.crash(afterEvents: limit)
                await #expect(throws: Recorder.Crash.self) {
                    try await db.runSource(Self.settings, into: recorder) { try await eventually("never") { false } }
                }
                recorder.restart()
            }
            #expect(recorder.position?.offset[IncrementalProgress.offsetKey] != nil)
            try await db.runSource(Self.settings, into: recorder) {
                try await eventually("all rows") { reads(recorder, "a").count >= 101 && recorder.position?.offset[IncrementalProgress.offsetKey] == nil }
            }
            #expect(reads(recorder, "a") == (0...100).map { key($0) })
        }
    }

    @Test func conditionsSurrogateKeysPausesStopsAndNotifications() async throws {
        try await withPostgres { db in
            try db.sql(Self.signalTable + "create table a(id int primary key, v text, n int); create table k(v text, n int unique)")
            try db.sql(
                "insert into a select i, case when i % 2 = 0 then 'even' else 'odd' end, 100 - i from generate_series(1, 60) i; insert into k select 'k', i from generate_series(1, 9) i"
            )
            let recorder = Recorder(),
                settings = Self.settings.merging(["notification.enabled.channels": "sink,log", "notification.sink.topic.name": "notes"]) { $1 }
            @Sendable func types() -> [String] {
                recorder.events.filter { $0.topic == "notes" }.compactMap { if case .struct(let n)? = $0.value { n[2].stringValue } else { nil } }
            }
            try await db.runSource(settings, into: recorder) {
                try await db.untilSlotIsActive()
                try execute(
                    db, "s1",
                    #"{"data-collections": ["public.a"], "additional-conditions": [{"data-collection": "public.a", "filter": "v = 'even'"}], "surrogate-key": "n"}"#
                )
                try await eventually("even rows") { types().last == "COMPLETED" }
                #expect(reads(recorder, "a") == stride(from: 60, through: 2, by: -2).map { key(Int64($0)) })
                try execute(db, "p", "", type: "pause-snapshot")
                try execute(db, "u", "", type: "no-such-signal")
                try execute(db, "l", #"{"message": "at {}"}"#, type: "log")
                // In one transaction: paused before the first chunk is read.
                try db.sql(
                    """
                    begin; insert into debezium_signal values ('s2', 'execute-snapshot', '{"data-collections": ["public.a"]}'), ('p2', 'pause-snapshot', '');
                    commit
                    """)
                try await eventually("paused") { types().last == "PAUSED" }
                let seen = reads(recorder, "a").count
                try execute(db, "r2", "", type: "resume-snapshot")
                try await eventually("resumed") { reads(recorder, "a").count > seen }
                try execute(db, "x", #"{"data-collections": ["public.a"]}"#, type: "stop-snapshot")
                try await eventually("stopped") { ["ABORTED", "COMPLETED"].contains(types().last) }
                // A table whose unique column may be null goes by that column.
                try execute(db, "s3", #"{"data-collections": ["public.k"], "surrogate-key": "n"}"#)
                try await eventually("the keyed table") { recorder.events("k").count == 9 }
            }
            #expect(types().prefix(2) == ["STARTED", "IN_PROGRESS"])
            #expect(types().contains("TABLE_SCAN_COMPLETED") && types().contains("RESUMED"))
        }
    }

    @Test func aTableTruncatedOrAlteredMeanwhileIsReadAgain() async throws {
        try await withPostgres { db in
            try db.sql(Self.signalTable + "create table a(id int primary key, v text); insert into a select i, 'v' from generate_series(1, 30) i")
            let recorder = Recorder()
            try await db.runSource(Self.settings, into: recorder) {
                try await db.untilSlotIsActive()
                try execute(db, "s1", #"{"data-collections": ["public.a"]}"#)
                try db.sql("truncate a; alter table a add column w int; insert into a values (1, 'again', 5)")
                try await eventually("the end") {
                    recorder.position?.offset[IncrementalProgress.offsetKey] == nil && recorder.events("a").contains { $0.after == .struct([1, "again", 5]) }
                }
            }
            let last = recorder.events("a").last { $0.key == key(1) }
            #expect(last?.after == .struct([1, "again", 5]))
        }
    }

    @Test func signalsAndProgressOfAnyTextAreRead() throws {
        #expect(Signal(json: #"{"id":"1","type":"log","data":{"message":"x"}}"#) == Signal(id: "1", type: "log", data: #"{"message":"x"}"#))
        #expect(Signal(json: "nonsense") == nil && Signal(json: "{}") == nil)
        #expect(SnapshotRequest("") != nil && SnapshotRequest("[1]") == nil)
        let request = try #require(SnapshotRequest(#"{"data-collections":["a"],"additional-condition":"x=1","type":"BLOCKING"}"#))
        #expect(request.isBlocking && request.conditions.map(\.filter) == ["x=1"] && request.conditions[0].collection == ".*")
        var progress = IncrementalProgress(correlationID: "s", collections: [.init(schema: "a.b", name: "t\"x", condition: "v = 'y'", surrogateKey: "n")])
        progress.lastKey = ["1", "é"]
        progress.maximumKey = ["9", ""]
        progress.rows = 12
        #expect(IncrementalProgress(json: progress.json) == progress)
        var random = SeededGenerator.printed()
        let bytes = Array(progress.json.utf8)
        for _ in 0..<3_000 {
            var mutated = bytes
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                mutated[Int.random(in: 0..<mutated.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            let text = String(decoding: mutated.prefix(Int.random(in: 0...mutated.count, using: &random)), as: UTF8.self)
            _ = (IncrementalProgress(json: text), SnapshotRequest(text), Signal(json: text))
        }
    }
}
