import ConnectAPI
import TestSupport
import Testing

@testable import ConnectorsPostgres

/// A position means something on one log only, and a slot only while its WAL is there. Neither is passed over in silence.
@Suite(.serialized) struct ServerIdentityTests {
    private static let first = ServerIdentity(systemID: "7000", timeline: 1)
    private static let second = ServerIdentity(systemID: "7000", timeline: 2, timelineStart: 500)

    private func code(_ stored: StreamPosition, on identity: ServerIdentity, history: String = "1\t0/1F4\tno recovery target specified\n", end: UInt64? = 9000)
        -> String?
    {
        ServerIdentity.Report(identity: identity, end: end, history: TimelineHistory(history)).objection(to: stored, slot: "s")?.code
    }

    @Test func positionsOfTheSameLogAreTaken() {
        #expect(code(StreamPosition(committed: 9000, server: Self.first), on: Self.first) == nil)
        #expect(code(StreamPosition(committed: 9000), on: Self.second) == nil)
        #expect(code(StreamPosition(committed: 500, server: Self.first), on: Self.second) == nil)
        #expect(code(StreamPosition(committed: 99_000, server: Self.first), on: Self.first, end: nil) == nil)
    }

    @Test func positionsOfOtherLogsAreNot() {
        #expect(code(StreamPosition(committed: 10, server: .init(systemID: "8000", timeline: 1)), on: Self.first) == "postgres.server_changed")
        #expect(code(StreamPosition(committed: 501, server: Self.first), on: Self.second) == "postgres.timeline_diverged")
        #expect(code(StreamPosition(committed: 10, server: Self.second), on: Self.first, history: "") == "postgres.timeline_diverged")
        // The same number, but another fork.
        let other = ServerIdentity(systemID: "7000", timeline: 2, timelineStart: 400)
        #expect(code(StreamPosition(committed: 450, server: other), on: Self.second) == "postgres.timeline_diverged")
        let third = ServerIdentity(systemID: "7000", timeline: 3, timelineStart: 800), history = "1\t0/1F4\tx\n\n2\t0/320\tx\n"
        #expect(code(StreamPosition(committed: 700, server: Self.second), on: third, history: history) == nil)
        #expect(code(StreamPosition(committed: 450, server: other), on: third, history: history) == "postgres.timeline_diverged")
        #expect(code(StreamPosition(committed: 9001, server: Self.first), on: Self.first) == "postgres.offset_ahead")
    }

    @Test func aTransactionHalfEmittedMustHaveCommittedBeforeTheFork() {
        var position = StreamPosition(committed: 100, server: Self.first)
        position.partial = .init(xid: 7, changes: 3, lsn: 200, fingerprint: "f", finalLSN: 499)
        #expect(code(position, on: Self.second) == nil)
        position.partial?.finalLSN = 500
        #expect(code(position, on: Self.second) == "postgres.timeline_diverged")
        position.partial?.finalLSN = nil
        #expect(code(position, on: Self.second) == "postgres.timeline_diverged")
    }

    @Test func historiesOfAnyTextAreRead() {
        #expect(
            TimelineHistory("1\t0/3000060\tno recovery target specified\n\n2\t0/4000000\tbefore 2026-01-01\n").ancestors.map(\.end) == [0x300_0060, 0x400_0000])
        var random = SeededGenerator.printed()
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in "0123/\t\n #AF".utf8.randomElement(using: &random)! }
            _ = TimelineHistory(String(decoding: bytes, as: UTF8.self))
        }
    }

    // MARK: On real servers

    private func streamed(_ db: PostgresDatabase, _ recorder: Recorder, _ extra: [String: String] = [:], until count: Int, _ sql: String) async throws {
        try await db.runSource(extra, into: recorder) {
            try await db.untilSlotIsActive()
            try db.sql(sql)
            try await eventually("\(count) events") { recorder.count == count }
        }
    }

    @Test func anotherServerIsNotTakenForTheOld() async throws {
        let other = try PostgresServer.start()
        defer { try? other.stop(immediately: true) }
        let twin = PostgresDatabase(server: other, name: "postgres")
        try await withPostgres { db in
            let recorder = Recorder()
            try db.sql("create table a(id int primary key)")
            try await streamed(db, recorder, until: 1, "insert into a values (1)")
            #expect(recorder.position?.offset["sluice_system_id"]?.stringValue?.isEmpty == false)
            #expect(recorder.position?.offset["sluice_timeline"] == 1)
            try twin.sql("create table a(id int primary key); insert into a values (7), (8)")
            let error = try await twin.failure(into: recorder)
            #expect(error?.code == "postgres.server_changed" && error?.disposition == .stop)
            #expect(
                error?.description.contains("database.hostname") == true && error?.description.contains("when_needed") == true, "\(String(describing: error))")
            try await streamed(twin, recorder, ["snapshot.mode": "when_needed"], until: 4, "insert into a values (9)")
            #expect(recorder.events.map { $0.op ?? "-" } == ["c", "r", "r", "c"])
        }
    }

    /// Ends recovery where the server's WAL ends, which begins a new timeline: what promoting a standby and restoring a backup do.
    private func promote(_ server: PostgresServer) async throws {
        let owner = try Subprocess.run("stat", ["-c", "%U", server.directory]).split(separator: "\n")[0]
        let signal = server.directory + "/recovery.signal"
        try Subprocess.run(
            "bash", ["-c", "echo \"restore_command = 'false'\" >> \(server.directory)/postgresql.conf; touch \(signal); chown \(owner) \(signal)"])
        try server.start()
        try await eventually("the server is promoted") { try server.sql("select pg_is_in_recovery()") == "f" }
    }

    @Test func aPromotedServerGoesOnAndARestoredOneIsRefused() async throws {
        let server = try PostgresServer.start()
        defer { try? server.stop(immediately: true) }
        let db = PostgresDatabase(server: server, name: "postgres"), recorder = Recorder(), backup = server.directory + ".backup"
        defer { _ = try? Subprocess.run("rm", ["-rf", backup]) }
        try db.sql("create table a(id int primary key)")
        try await streamed(db, recorder, until: 1, "insert into a values (1)")
        try server.stop()
        try Subprocess.run("cp", ["-a", server.directory, backup])
        try server.start()
        try await streamed(db, recorder, until: 2, "insert into a values (2)")
        try server.stop()
        try await promote(server)
        try await streamed(db, recorder, until: 3, "insert into a values (3)")
        #expect(recorder.position?.offset["sluice_timeline"] == 2)

        try server.stop()
        try Subprocess.run("bash", ["-c", "rm -rf '\(server.directory)'; mv '\(backup)' '\(server.directory)'"])
        try await promote(server)
        // Its log grows beyond the stored position: only the timeline tells.
        try db.sql("insert into a values (10); create table filler as select repeat('x', 1000) as v from generate_series(1, 5000)")
        let error = try await db.failure(into: recorder)
        #expect(error?.code == "postgres.timeline_diverged" && error?.disposition == .stop)
        #expect(error?.description.contains("restored") == true && error?.description.contains("when_needed") == true, "\(String(describing: error))")
        try await streamed(db, recorder, ["snapshot.mode": "when_needed", "table.include.list": "public.a"], until: 6, "insert into a values (11)")
        #expect(recorder.events.suffix(3).map { $0.op ?? "-" } == ["r", "r", "c"])
    }

    @Test func aSlotThatLostItsWALIsRefusedOrMadeAnew() async throws {
        let server = try PostgresServer.start(settings: ["max_slot_wal_keep_size=1MB", "min_wal_size=32MB", "max_wal_size=32MB"])
        defer { try? server.stop(immediately: true) }
        let db = PostgresDatabase(server: server, name: "postgres"), recorder = Recorder()
        try db.sql("create table a(id int primary key)")
        try await streamed(db, recorder, until: 1, "insert into a values (1)")
        try db.sql("insert into a values (2)")
        for _ in 0..<4 { try db.sql("create table if not exists f(v int); insert into f values (1); select pg_switch_wal(); checkpoint") }
        #expect(try db.sql("select wal_status from pg_replication_slots where slot_name = '\(db.connection["slot.name"]!)'") == "lost")
        let error = try await db.failure(into: recorder)
        #expect(error?.code == "postgres.slot_lost" && error?.disposition == .stop)
        #expect(error?.description.contains("max_slot_wal_keep_size") == true, "\(String(describing: error))")
        let unread = try await db.failure(["snapshot.mode": "no_data"])
        #expect(unread?.code == "postgres.slot_lost")
        try await streamed(db, recorder, ["snapshot.mode": "when_needed", "table.include.list": "public.a"], until: 4, "insert into a values (3)")
        #expect(recorder.events.map { $0.op ?? "-" } == ["c", "r", "r", "c"])
    }

    @Test func aSlotThatIsGoneIsRefusedOrMadeAnew() async throws {
        try await withPostgres { db in
            let recorder = Recorder()
            try db.sql("create table a(id int primary key)")
            try await streamed(db, recorder, until: 1, "insert into a values (1)")
            try await eventually("the slot is free") {
                _ = try await db.ask("select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database() and not active")
                return try await db.ask("select count(*) from pg_replication_slots where database = current_database()") == "0"
            }
            try db.sql("insert into a values (2)")
            let error = try await db.failure(into: recorder)
            #expect(error?.code == "postgres.slot_missing" && error?.disposition == .stop)
            #expect(error?.description.contains("does not exist") == true && error?.description.contains("when_needed") == true, "\(String(describing: error))")
            try await streamed(db, recorder, ["snapshot.mode": "when_needed"], until: 4, "insert into a values (3)")
            #expect(recorder.events.map { $0.op ?? "-" } == ["c", "r", "r", "c"])
        }
    }
}
