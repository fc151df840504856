import ConnectAPI
import Synchronization
import TestSupport
import Testing

@testable import ConnectorsPostgres

@Suite(.serialized) struct SnapshotTests {
    @Test func tablesComeByNameOnceWithMarksAtTheirEnds() async throws {
        try await withPostgres { db in
            try db.sql(
                """
                create table "B upper"(id int primary key); insert into "B upper" values (1);
                create table a(id int primary key); insert into a values (1), (2), (3);
                create table empty(id int primary key);
                create table one(id int primary key); insert into one values (1);
                create table z_empty(id int primary key);
                """)
            let recorder = Recorder()
            try await db.runSource(["snapshot.mode": "initial_only"], into: recorder) {
                try await eventually("the snapshot is done") { recorder.position?.offset["snapshot_completed"] == true }
            }
            #expect(recorder.events.map(\.topic) == ["p.public.B_upper", "p.public.a", "p.public.a", "p.public.a", "p.public.one"])
            #expect(recorder.events.map(\.snapshot) == ["first", "first_in_data_collection", "true", "last_in_data_collection", "last"])
            #expect(recorder.events.allSatisfy { $0.op == "r" })
            #expect(recorder.position?.offset.entries.map(\.key) == ["last_snapshot_record", "lsn", "txId", "ts_usec", "snapshot", "snapshot_completed"])
            #expect(try db.sql("select count(*) from pg_replication_slots where database = current_database()") == "0")
        }
    }

    @Test func theIncludeListOrdersTables() async throws {
        try await withPostgres { db in
            try db.sql(
                "create table a(id int primary key); insert into a values (1); create table b(id int primary key); insert into b values (1); create table c(id int primary key); insert into c values (1)"
            )
            let recorder = Recorder()
            try await db.runSource(
                ["snapshot.mode": "initial_only", "table.include.list": "public.c,public.[ab]", "snapshot.include.collection.list": "public.[bc]"],
                into: recorder
            ) {
                try await eventually("the snapshot is done") { recorder.position?.offset["snapshot_completed"] == true }
            }
            #expect(recorder.events.map(\.topic) == ["p.public.c", "p.public.b"])
        }
    }

    @Test func overridesReplaceTheSelect() async throws {
        try await withPostgres { db in
            try db.sql("create table a(id int primary key, v text); insert into a select i, 'v' from generate_series(1, 10) i")
            let recorder = Recorder()
            try await db.runSource(
                [
                    "snapshot.mode": "initial_only", "snapshot.select.statement.overrides": "public.a",
                    "snapshot.select.statement.overrides.public.a": "select * from public.a where id > 7",
                ], into: recorder
            ) { try await eventually("the snapshot is done") { recorder.position?.offset["snapshot_completed"] == true } }
            #expect(recorder.count == 3)
        }
    }

    @Test func typesWithoutABinaryDecoderComeAsText() async throws {
        try await withPostgres { db in
            try db.sql(
                "create extension hstore; create extension citext; create table a(id int primary key, h hstore, c citext, r int4range, m money); insert into a values (1, 'k=>v', 'Hi', '[1,5)', 12.5)"
            )
            let recorder = Recorder()
            try await db.runSource(["snapshot.mode": "initial_only"], into: recorder) { try await eventually("there") { recorder.count == 1 } }
            #expect(recorder.events[0].after == .struct([1, #"{"k":"v"}"#, "Hi", "[1,5)", .bytes([4, 226])]))
        }
    }

    @Test func aPartitionedTableComesAsParentAndAsLeaf() async throws {
        try await withPostgres { db in
            try db.sql(
                "create table parent(id int primary key) partition by range (id); create table leaf partition of parent for values from (0) to (100); insert into parent values (1)"
            )
            let recorder = Recorder()
            try await db.runSource(into: recorder) {
                try await eventually("the snapshot") { recorder.position?.offset["snapshot_completed"] == true }
                try db.sql("insert into parent values (2)")
                try await eventually("the change") { recorder.count == 3 }
            }
            #expect(recorder.events.map { "\($0.topic) \($0.op!)" } == ["p.public.leaf r", "p.public.parent r", "p.public.leaf c"])
        }
    }

    /// Writers move money between accounts while four connections read: every state a reader can reconstruct from the stream has the same total.
    @Test func parallelReadersSeeOneSnapshotAndTheStreamJoinsIt() async throws {
        try await withPostgres { db in
            try db.sql(
                """
                create table a(id int primary key, balance int not null, pad text);
                insert into a select i, 100, repeat('x', 700) from generate_series(1, 20000) i;
                create table b(id int primary key, balance int not null); insert into b select i, 100 from generate_series(1, 1000) i;
                """)
            let recorder = Recorder(), stop = FlagBox()
            async let writer: Void = Task {
                var random = SeededGenerator.printed()
                while !stop.value {
                    let from = Int.random(in: 1...20_000, using: &random), to = Int.random(in: 1...1000, using: &random)
                    _ = try await db.ask(
                        "begin; update a set balance = balance - 1 where id = \(from); update b set balance = balance + 1 where id = \(to); commit")
                }
            }.value
            try await db.runSource(["snapshot.max.threads": "4"], into: recorder) {
                try await eventually("streamed after the snapshot") { recorder.events("b").count > 1010 }
                stop.value = true
                try await Task.sleep(for: .milliseconds(200))
                try db.sql("insert into b values (0, 0)")
                try await eventually("the last change") { recorder.table("b").count == 1001 }
            }
            try await writer
            func total(_ table: String) -> Int64 {
                recorder.table(table).values.reduce(0) { if case .struct(let row) = $1 { $0 + row[1].integerValue! } else { $0 } }
            }
            #expect(recorder.events("a").filter { $0.op == "r" }.count == 20_000)
            #expect(total("a") + total("b") == 21_000 * 100)
            #expect(try String(total("a")) == db.sql("select sum(balance) from a"))
            #expect(Set(recorder.events.filter { $0.op == "r" }.map(\.lsn)).count == 1)
        }
    }

    /// Tables finished before the crash stay; the rest is read later; changes between the two snapshots come for the former only.
    @Test func aCrashedSnapshotGoesOnWithWhatIsLeft() async throws {
        try await withPostgres { db in
            for table in ["a", "b", "c"] {
                try db.sql("create table \(table)(id int primary key, v int); insert into \(table) select i, 0 from generate_series(1, 100) i")
            }
            let recorder = Recorder()
            recorder.crash(afterUnits: 1)
            await #expect(throws: Recorder.Crash.self) { try await db.runSource(into: recorder) { try await eventually("never") { false } } }
            #expect(recorder.events.map(\.topic).allSatisfy { $0 == "p.public.a" } && recorder.count == 100)
            for table in ["a", "b", "c"] {
                try db.sql("update \(table) set v = 1 where id = 1; insert into \(table) values (101, 0); delete from \(table) where id = 2")
            }
            recorder.restart()
            try await db.runSource(into: recorder) {
                try await eventually("the snapshot is done") { recorder.position?.offset["snapshot_completed"] == true }
                for table in ["a", "b", "c"] { try db.sql("update \(table) set v = 2 where id = 1") }
                try await eventually("all changes") { recorder.events("c").count == 101 && recorder.events("a").count == 100 + 4 + 1 }
            }
            #expect(recorder.events("a").dropFirst(100).map { $0.op ?? "-" } == ["u", "c", "d", "-", "u"])
            for table in ["b", "c"] { #expect(recorder.events(table).map { $0.op ?? "-" } == Array(repeating: "r", count: 100) + ["u"]) }
            for table in ["a", "b", "c"] { #expect(try String(recorder.table(table).count) == db.sql("select count(*) from \(table)")) }
        }
    }

    /// Rows move between ranges read before the crash and ranges read after it; replaying the topic must give the table, and no row twice.
    @Test func aLargeTableGoesOnWhereItsRangesEnd() async throws {
        try await withPostgres { db in
            try db.sql("create table a(id int primary key, v int); insert into a select i, 0 from generate_series(1, 20000) i; analyze a")
            let parts = ["sluice.snapshot.unit.bytes": "100000", "snapshot.max.threads": "2"]
            let recorder = Recorder()
            var random = SeededGenerator.printed()
            for crash in 0..<3 {
                recorder.restart()
                recorder.crash(afterUnits: recorder.published + 2)
                await #expect(throws: Recorder.Crash.self) { try await db.runSource(parts, into: recorder) { try await eventually("never") { false } } }
                var statements = ""
                for i in 0..<200 {
                    let id = Int.random(in: 1...20_000, using: &random), other = 100_000 * (crash + 1) + i
                    let statement =
                        switch i % 4 {
                        case 0: "update a set v = v + 1 where id = \(id);"
                        case 1: "delete from a where id = \(id);"
                        case 2: "insert into a values (\(other), 1);"
                        // From anywhere to below every range, or above.
                        default: "update a set id = \(i % 8 == 3 ? -other : other) where id = \(id);"
                        }
                    statements += statement
                }
                try db.sql(statements)
            }
            let ledger = recorder.position!.offset.entries.filter { $0.key.hasPrefix("sluice_snapshot_lsn:public.a[") }
            #expect((1...3).contains(ledger.count))
            recorder.restart()
            try await db.runSource(parts, into: recorder) {
                try await eventually("the snapshot is done") { recorder.position?.offset["snapshot_completed"] == true }
                try db.sql("insert into a values (0, 0)")
                try await eventually("streamed to the end") { recorder.table("a")[.struct([0])] != nil }
            }
            var state: [Value: Value] = [:]
            for event in recorder.events("a") {
                switch event.op {
                case "r", "c":
                    #expect(state[event.key!] == nil, "\(event.op!) of a row that is there")
                    state[event.key!] = event.after
                case "u":
                    #expect(state[event.key!] != nil, "update of a row that is not there")
                    state[event.key!] = event.after
                case "d":
                    #expect(state[event.key!] != nil, "delete of a row that is not there")
                    state[event.key!] = nil
                default: break
                }
            }
            let table = try db.sql("select id, v from a order by id").split(separator: "\n").map { $0.split(separator: "|").map { Int64($0)! } }
            #expect(state.count == table.count)
            for row in table { #expect(state[.struct([.integer(row[0])])] == .struct([.integer(row[0]), .integer(row[1])])) }
            #expect(Set(recorder.events("a").compactMap { $0.op == "r" ? $0.lsn : nil }).count == 4)
        }
    }

    @Test func eachModeDoesWhatItSays() async throws {
        try await withPostgres { db in
            try db.sql("create table a(id int primary key); insert into a values (1)")
            let recorder = Recorder()
            func run(_ mode: String, events: Int, _ statement: String) async throws {
                try await db.runSource(["snapshot.mode": mode], into: recorder) {
                    try await db.untilSlotIsActive()
                    try await eventually("what comes by itself") { recorder.count >= events - 1 }
                    try db.sql(statement)
                    try await eventually("the change") { recorder.count == events }
                }
            }
            try await run("no_data", events: 1, "insert into a values (2)")
            try await run("initial", events: 2, "insert into a values (3)")
            #expect(recorder.events.compactMap(\.op) == ["c", "c"])
            try await run("always", events: 6, "insert into a values (4)")
            #expect(recorder.events.compactMap(\.op) == ["c", "c", "r", "r", "r", "c"])
            try await Task.sleep(for: .milliseconds(300))
            try db.sql("select pg_drop_replication_slot('\(db.connection["slot.name"]!)')")
            #expect(try await db.failure(["snapshot.mode": "initial"], into: recorder)?.code == "postgres.slot_missing")
            try await run("when_needed", events: 11, "insert into a values (5)")
            #expect(recorder.events.compactMap(\.op).suffix(5) == ["r", "r", "r", "r", "c"])
        }
    }
}
