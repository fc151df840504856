import ConnectAPI
import TestSupport
import Testing

@testable import ConnectorsPostgres

/// Streaming from a real server into a recorder.
@Suite(.serialized) struct SourceStreamingTests {
    private func ids(_ recorder: Recorder, _ table: String) -> [Int64] {
        recorder.events(table).compactMap { event in
            if case .struct(let key)? = event.key { key[0].integerValue } else { nil }
        }
    }

    @Test func snapshotThenStreamGiveTheTable() async throws {
        try await withPostgres { db in
            try db.sql("create table a(id int primary key, v text); insert into a select i, 'v' || i from generate_series(1, 10) i")
            let recorder = Recorder()
            try await db.runSource(into: recorder) {
                try await eventually("the snapshot is there") { recorder.events("a").count == 10 }
                try db.sql("insert into a values (11, 'x'); update a set v = 'y' where id = 1; delete from a where id = 2; update a set id = 100 where id = 3")
                try await eventually("the changes are there") { recorder.events("a").count == 10 + 1 + 1 + 2 + 3 }
            }
            #expect(recorder.events("a").map { $0.op ?? "-" } == Array(repeating: "r", count: 10) + ["c", "u", "d", "-", "d", "-", "c"])
            #expect(recorder.events("a").prefix(10).map(\.snapshot) == ["first"] + Array(repeating: "true", count: 8) + ["last"])
            #expect(recorder.table("a").count == 10)
            let keys = recorder.position?.offset.entries.map(\.key) ?? []
            #expect(keys == ["lsn_proc", "messageType", "lsn_commit", "lsn", "txId", "ts_usec", "sluice_system_id", "sluice_timeline"])
            #expect(recorder.position?.partition == ["server": "p"])
        }
    }

    @Test func resumesInsideATransactionExactlyOnce() async throws {
        try await withPostgres { db in
            try db.sql("create table a(id int primary key, v text)")
            let recorder = Recorder()
            try await db.runSource(["snapshot.mode": "no_data"], into: recorder) {
                try await db.untilSlotIsActive()
                try db.sql("insert into a values (0, 'first')")
                try await eventually("streaming") { recorder.count == 1 }
            }
            // Short transactions between the rows of a long one: they commit first.
            try db.sql("begin; insert into a select i, 'x' from generate_series(1, 60000) i; commit; insert into a values (70000, 'after')")
            for limit in [1, 20_000, 40_000] {
                recorder.crash(afterEvents: limit)
                await #expect(throws: Recorder.Crash.self) {
                    try await db.runSource(["snapshot.mode": "no_data"], into: recorder) { try await eventually("never") { false } }
                }
                recorder.restart()
            }
            #expect(recorder.position?.offset["sluice_ordinal"] != nil)
            try await db.runSource(["snapshot.mode": "no_data"], into: recorder) {
                try await eventually("all rows are there") { recorder.count >= 60_002 }
            }
            #expect(ids(recorder, "a") == Array(0...60_000).map(Int64.init) + [70_000])
            #expect(recorder.largestFrame <= 16_384)
            #expect(recorder.position?.offset["sluice_ordinal"] == nil)
        }
    }

    @Test func goesOnWhereDebeziumStopped() async throws {
        try await withPostgres { db in
            let later = db.connection["slot.name"]! + "_later", noData = ["snapshot.mode": "no_data"]
            try db.sql("create table a(id int primary key, v text)")
            let all = Recorder()
            try await db.runSource(noData, into: all) {
                try await db.untilSlotIsActive()
                try db.sql("insert into a values (0, 'before')")
                try await eventually("streaming") { all.count == 1 }
            }
            // A slot as Debezium would have left it: it has acknowledged the first transaction only.
            try db.sql("select pg_create_logical_replication_slot('\(later)', 'pgoutput')")
            let committed = all.position!.offset["lsn_commit"]!
            try db.sql("begin; insert into a values (1, 'a'); insert into a values (2, 'a'), (3, 'a'); commit; insert into a values (4, 'after')")
            try await db.runSource(noData, into: all) { try await eventually("all rows") { all.count == 5 } }
            let second = all.events[2]
            let xid = try Int64(db.sql("select xmin from a where id = 2"))!
            let resumed = Recorder()
            resumed.set(
                position: SourcePosition(
                    partition: ["server": "p"],
                    offset: [
                        "lsn_proc": .integer(second.lsn!), "messageType": "INSERT", "lsn_commit": committed, "lsn": .integer(second.lsn!),
                        "txId": .integer(xid), "ts_usec": 1,
                    ]))
            try await db.runSource(noData.merging(["slot.name": later, "internal.log.position.check.enable": "false"]) { $1 }, into: resumed) {
                try await eventually("the rest") { resumed.count == 2 }
            }
            #expect(ids(resumed, "a") == [3, 4])
        }
    }

    /// A backlog is read by stretches of WAL, in two sessions in turn; what is written meanwhile is streamed after it.
    @Test(arguments: [true, false]) func aBacklogIsCaughtUpWithoutLossOrRepetition(binary: Bool) async throws {
        try await withPostgres { db in
            try db.sql("create table a(id int primary key, v text\(binary ? "" : ", x int4range"))")
            let recorder = Recorder(), noData = ["snapshot.mode": "no_data"]
            try await db.runSource(noData, into: recorder) {
                try await db.untilSlotIsActive()
                try db.sql("insert into a values (0, 'first')")
                try await eventually("streaming") { recorder.count == 1 }
            }
            let loads = (0..<12).map { "insert into a(id, v) select i, repeat('x', 900) from generate_series(\($0 * 5000 + 1), \($0 * 5000 + 5000)) i;" }
            try db.sql(loads.joined(separator: "\n"))
            // A process that dies inside the backlog, twice.
            for limit in [10_000, 40_000] {
                recorder.crash(afterEvents: limit)
                await #expect(throws: Recorder.Crash.self) { try await db.runSource(noData, into: recorder) { try await eventually("never") { false } } }
                recorder.restart()
            }
            try await db.runSource(noData, into: recorder) {
                try await eventually("the backlog is there") { recorder.count >= 60_001 }
                try await db.untilSlotIsActive()
                try db.sql("insert into a values (70000, 'after')")
                try await eventually("streaming goes on") { recorder.count >= 60_002 }
            }
            #expect(ids(recorder, "a") == Array(0...60_000).map(Int64.init) + [70_000])
            #expect(try db.sql("select count(*) from pg_replication_slots where database = current_database()") == "1")
        }
    }

    /// A role that may stream but for which no slot is left: the backlog is streamed.
    @Test func aBacklogIsStreamedWhereNoSlotIsFree() async throws {
        let server = try PostgresServer.start(settings: ["max_replication_slots=1"])
        let db = PostgresDatabase(server: server, name: "postgres")
        try db.sql("create table a(id int primary key, v text)")
        let recorder = Recorder(), noData = ["snapshot.mode": "no_data"]
        try await db.runSource(noData, into: recorder) { try await db.untilSlotIsActive() }
        try db.sql("insert into a select i, repeat('x', 900) from generate_series(1, 50000) i")
        try await db.runSource(noData, into: recorder) { try await eventually("the backlog is there") { recorder.count >= 50_000 } }
        #expect(ids(recorder, "a") == Array(1...50_000).map(Int64.init))
        try server.stop()
    }

    @Test func interleavedTransactionsComeInCommitOrder() async throws {
        try await withPostgres { db in
            try db.sql("create extension dblink; create table a(id int primary key, v text)")
            let recorder = Recorder()
            try await db.runSource(["snapshot.mode": "no_data"], into: recorder) {
                try await db.untilSlotIsActive()
                let other = "'host=127.0.0.1 port=\(db.port) user=postgres password=postgres dbname=\(db.name)'"
                try db.sql(
                    """
                    begin; insert into a values (1, 'long');
                    select dblink_exec(\(other), 'insert into a values (2, ''short'')');
                    insert into a values (3, 'long');
                    select dblink_exec(\(other), 'insert into a values (4, ''short'')');
                    insert into a values (5, 'long'); commit
                    """)
                try await eventually("all rows are there") { recorder.count == 5 }
            }
            #expect(ids(recorder, "a") == [2, 4, 1, 3, 5])
        }
    }

    @Test func schemaChangesAreFollowedInMidStream() async throws {
        try await withPostgres { db in
            try db.sql("create table a(id int primary key, v text)")
            let recorder = Recorder()
            try await db.runSource(into: recorder) {
                try db.sql("insert into a values (0, 'x')")
                try await eventually("streaming") { recorder.count == 1 }
                try db.sql(
                    """
                    insert into a values (1, 'x');
                    alter table a add column w int default 7; insert into a values (2, 'x', 5);
                    alter table a rename column v to name; insert into a values (3, 'x', 5);
                    alter table a alter column w type bigint; insert into a values (4, 'x', 5);
                    alter table a drop column w; insert into a values (5, 'x')
                    """)
                try await eventually("all rows are there") { recorder.count == 6 }
            }
            #expect(
                recorder.events.map(\.after) == [
                    .struct([0, "x"]), .struct([1, "x"]), .struct([2, "x", 5]), .struct([3, "x", 5]), .struct([4, "x", 5]), .struct([5, "x"]),
                ])
        }
    }

    /// The stream says nothing of ALTER TYPE: a value tells.
    @Test func enumLabelsGrowWithTheirType() async throws {
        try await withPostgres { db in
            try db.sql("create type mood as enum ('sad', 'ok'); create domain feeling as mood; create table a(id int primary key, m mood, f feeling)")
            let recorder = Recorder()
            try await db.runSource(into: recorder) {
                try db.sql("insert into a values (1, 'sad', 'ok')")
                try await eventually("streaming") { recorder.count == 1 }
                try db.sql("alter type mood add value 'happy' before 'sad'")
                try db.sql("insert into a values (2, 'happy', 'sad')")
                try await eventually("the new label") { recorder.count == 2 }
                try db.sql("alter type mood rename value 'happy' to 'glad'; insert into a values (3, 'glad', 'glad'), (4, null, null)")
                try await eventually("all rows are there") { recorder.count == 4 }
            }
            #expect(ids(recorder, "a") == [1, 2, 3, 4])
            #expect(recorder.allowed("m") == ["sad,ok", "happy,sad,ok", "glad,sad,ok", "glad,sad,ok"])
        }
    }

    /// hstore has no binary decoder: the stream goes on in text when a table gets such a column.
    @Test func binaryGivesWayToTextWithoutLoss() async throws {
        try await withPostgres { db in
            try db.sql("create extension hstore; create table a(id int primary key, n numeric(6,2), t timestamp)")
            let recorder = Recorder()
            try await db.runSource(into: recorder) {
                try db.sql("insert into a values (1, 1.25, '2024-01-02 03:04:05.678')")
                try await eventually("streaming") { recorder.count == 1 }
                try db.sql(
                    "begin; insert into a values (2, 2.5); alter table a add column h hstore; insert into a values (3, 3.75, null, 'k=>v'); commit; insert into a values (4)"
                )
                try await eventually("all rows are there") { recorder.count == 4 }
            }
            #expect(ids(recorder, "a") == [1, 2, 3, 4])
            guard case .struct(let row)? = recorder.events[2].after else { return #expect(Bool(false)) }
            #expect(row[1] == .bytes([1, 119]) && row[3].stringValue == #"{"k":"v"}"#)
        }
    }

    @Test func replicaIdentitiesTruncatesToastAndMessages() async throws {
        try await withPostgres { db in
            try db.sql(
                """
                create table f(id int primary key, v text); alter table f replica identity full;
                create table k(a int, b text); alter table k replica identity full;
                create table t(id int primary key, big text, small int); alter table t alter big set storage external;
                """)
            let recorder = Recorder()
            try await db.runSource(["skipped.operations": "none", "snapshot.mode": "no_data"], into: recorder) {
                try await db.untilSlotIsActive()
                try db.sql("insert into f values (1, 'a')")
                try db.sql(
                    """
                    update f set v = 'b'; delete from f;
                    insert into k values (1, 'x'); update k set b = 'y'; delete from k;
                    insert into t values (1, repeat('B', 9000), 1); update t set small = 2; truncate t, f;
                    select pg_logical_emit_message(true, 'pre', 'in'), pg_logical_emit_message(false, 'pre', 'out');
                    """)
                try await eventually("all events are there") { recorder.count == 14 }
            }
            #expect(recorder.events("f").map { $0.op ?? "-" } == ["c", "u", "d", "-", "t"])
            #expect(recorder.events("f")[1].before == .struct([1, "a"]))
            #expect(recorder.events("k").map { $0.op ?? "-" } == ["c", "u", "d", "-"])
            #expect(recorder.events("k").allSatisfy { $0.key == nil })
            #expect(recorder.events("t")[1].unavailable == [1])
            #expect(recorder.events("t").last?.op == "t")
            #expect(recorder.events("message").count == 2)
        }
    }

    /// Invariant 1, and the answer to idle databases whose WAL belongs to others.
    @Test func theSlotMovesWithTheLogAndOnIdleDatabases() async throws {
        try await withPostgres { db in
            try db.sql("create table a(id int primary key); create table other(id serial primary key, v text)")
            let confirmed = "select confirmed_flush_lsn - '0/0' from pg_replication_slots where database = current_database()"
            let recorder = Recorder()
            try await db.runSource(["table.include.list": "public.a"], into: recorder) {
                try db.sql("insert into a values (0)")
                try await eventually("streaming") { recorder.count == 1 }
                recorder.hold(true)
                let before = try Int64(db.sql(confirmed))!
                try db.sql("insert into a values (1)")
                let written = try Int64(db.sql("select pg_current_wal_lsn() - '0/0'"))!
                try await eventually("the row came") { recorder.count == 2 }
                try await Task.sleep(for: .milliseconds(400))
                #expect(try Int64(db.sql(confirmed))! < written)
                #expect(try Int64(db.sql(confirmed))! >= before)
                recorder.hold(false)
                try await eventually("the slot moves") { try await Int64(db.ask(confirmed))! >= written }
                try db.sql("insert into other(v) select repeat('x', 1000) from generate_series(1, 5000)")
                let idle = try Int64(db.sql("select pg_current_wal_lsn() - '0/0'"))!
                try await eventually("the slot moves over WAL of others") { try await Int64(db.ask(confirmed))! >= idle }
            }
            // The stored position moved before the slot did, so the next start finds no gap.
            try await db.runSource(["table.include.list": "public.a"], into: recorder) {
                try db.sql("insert into a values (2)")
                try await eventually("streaming again") { recorder.count == 3 }
            }
        }
    }

    @Test func statusGoesOnWhileTheLogTakesNothing() async throws {
        try await withPostgres { db in
            try db.sql("create table a(id int primary key, v text); alter system set wal_sender_timeout = '2s'; select pg_reload_conf()")
            defer { _ = try? db.sql("alter system reset wal_sender_timeout; select pg_reload_conf()") }
            let slow = SlowOutput()
            try await db.runSource(["snapshot.mode": "no_data"], into: slow.recorder, output: slow) {
                try await db.untilSlotIsActive()
                try db.sql("insert into a select i, repeat('x', 500) from generate_series(1, 100000) i")
                try await eventually("the source waits for the log") { slow.isWaiting }
                try await Task.sleep(for: .seconds(5))
                #expect(try db.sql("select count(*) from pg_replication_slots where active and database = current_database()") == "1")
                slow.release()
                try await eventually("all rows are there") { slow.recorder.count == 100_000 }
            }
        }
    }

    @Test func heartbeatsComeAndTheirQueryRuns() async throws {
        try await withPostgres { db in
            try db.sql("create table a(id int primary key); create table beats(t timestamptz default now())")
            let recorder = Recorder()
            try await db.runSource(
                [
                    "table.include.list": "public.a", "heartbeat.interval.ms": "100", "heartbeat.action.query": "insert into beats default values",
                ], into: recorder
            ) {
                try await eventually("heartbeats") { recorder.events.filter { $0.topic == "__debezium-heartbeat.p" }.count >= 3 }
            }
            #expect(try Int(db.sql("select count(*) from beats"))! >= 3)
        }
    }

    @Test func transactionMetadataCountsEvents() async throws {
        try await withPostgres { db in
            try db.sql("create table a(id int primary key); create table b(id int primary key)")
            let recorder = Recorder()
            try await db.runSource(["provide.transaction.metadata": "true", "snapshot.mode": "no_data"], into: recorder) {
                try await db.untilSlotIsActive()
                try db.sql("begin; insert into a values (1); insert into b values (1); insert into a values (2); commit")
                try await eventually("all events are there") { recorder.count == 5 }
            }
            func orders(_ table: String) -> [[Value]] {
                recorder.events(table).map { if case .struct(let t)? = $0.transaction { Array(t.dropFirst()) } else { [] } }
            }
            #expect(orders("a") == [[1, 1], [3, 2]] && orders("b") == [[2, 1]])
            #expect(recorder.events("transaction").count == 2)
        }
    }

    @Test func aRestartOfTheServerIsSurvived() async throws {
        let server = try PostgresServer.start()
        defer { try? server.stop(immediately: true) }
        let db = PostgresDatabase(server: server, name: "postgres")
        try db.sql("create table a(id int primary key)")
        let recorder = Recorder()
        let error = try await db.failure(into: recorder) {
            try db.sql("insert into a values (1)")
            try await eventually("streaming") { recorder.count == 1 }
            try server.stop(immediately: true)
        }
        #expect(error?.disposition == .retry)
        let away = try await db.failure(into: recorder)
        #expect(away?.code == "postgres.unreachable" && away?.disposition == .retry)
        try server.start()
        try db.sql("insert into a values (2)")
        try await db.runSource(into: recorder) { try await eventually("streaming again") { recorder.count == 2 } }
    }
}

/// A log that takes nothing until it is told to.
final class SlowOutput: SourceOutput {
    let recorder = Recorder()
    private let gate = AsyncStream<Never>.makeStream()
    private let waiting = FlagBox()

    var isWaiting: Bool { waiting.value }
    func release() { gate.continuation.finish() }

    func emit(_ batches: [RecordBatch], at position: SourcePosition?) async throws -> FrameNumber {
        if !batches.isEmpty {
            waiting.value = true
            for await _ in gate.stream {}
        }
        return try await recorder.emit(batches, at: position)
    }
    var durable: FrameNumber { recorder.durable }
    func flush() async throws {}
    func stage(_ batches: [RecordBatch], in unit: String) async throws { try await recorder.stage(batches, in: unit) }
    func publish(_ unit: String, at position: SourcePosition) async throws { try await recorder.publish(unit, at: position) }
    func discard(_ unit: String) async throws { try await recorder.discard(unit) }
}
