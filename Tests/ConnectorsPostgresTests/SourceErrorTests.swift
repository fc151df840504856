import ConnectAPI
import TestSupport
import Testing

@testable import ConnectorsPostgres

/// Every error a person can cause says what happened, where, and what to do; and never a password.
@Suite(.serialized) struct SourceErrorTests {
    private func expect(
        _ error: ConnectorError?, _ code: String, _ disposition: ConnectorError.Disposition, _ words: String...,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(error?.code == code, sourceLocation: sourceLocation)
        #expect(error?.disposition == disposition, sourceLocation: sourceLocation)
        for word in words { #expect(error?.description.contains(word) == true, "\(error?.description ?? "no error")", sourceLocation: sourceLocation) }
        #expect(error?.description.contains("not-the-password") == false, sourceLocation: sourceLocation)
    }

    @Test func wrongPasswordUnknownDatabaseAndClosedPort() async throws {
        try await withPostgres { db in
            try await expect(
                db.failure(["database.password": "not-the-password"]), "postgres.authentication", .stop, "password authentication failed", "28P01",
                "database.password")
            try await expect(db.failure(["database.dbname": "nope"]), "postgres.database_missing", .stop, "\"nope\" does not exist", "database.dbname")
            try await expect(db.failure(["database.port": "1"]), "postgres.unreachable", .retry, "127.0.0.1:1", "refused", "database.port")
        }
    }

    @Test func validationConnectsAndSaysWhatDebeziumSays() async throws {
        try await withPostgres { db in
            func check(_ extra: [String: String]) async throws -> [String] {
                try await PostgresSource(PostgresConfiguration(db.configuration(extra))).check().map(\.message)
            }
            let fine = try await check([:]), refused = try await check(["database.port": "1"]), missing = try await check(["database.dbname": "nope"])
            #expect(fine == [])
            #expect(
                refused == [
                    "Error while validating connector config: Connection to 127.0.0.1:1 refused. Check that the hostname and port are correct and that the postmaster is accepting TCP/IP connections."
                ])
            #expect(missing == ["Error while validating connector config: FATAL: database \"nope\" does not exist"])
        }
    }

    @Test func publicationsThatAreMissingOrOfTheWrongKind() async throws {
        try await withPostgres { db in
            try db.sql("create table a(id int primary key)")
            try await expect(
                db.failure(["publication.autocreate.mode": "disabled"]), "postgres.publication_missing", .stop, "does not exist", "CREATE PUBLICATION")
            try await expect(db.failure(["table.include.list": "public.nothing"]), "postgres.no_tables", .stop, "table.include.list")
            try db.sql("create publication \(db.connection["publication.name"]!) for all tables")
            try await expect(db.failure(), "postgres.publication_mismatch", .stop, "FOR ALL TABLES", "all_tables")
        }
    }

    @Test func aPublicationDroppedWhileStreaming() async throws {
        try await withPostgres { db in
            try db.sql("create table a(id int primary key)")
            let recorder = Recorder()
            let error = try await db.failure(into: recorder) {
                try await db.untilSlotIsActive()
                try db.sql("insert into a values (1)")
                try await eventually("streaming") { recorder.count == 1 }
                try db.sql("drop publication \(db.connection["publication.name"]!); insert into a values (2)")
            }
            expect(error, "postgres.publication_missing", .stop, "does not exist", "CREATE PUBLICATION")
        }
    }

    @Test func aSlotInUseNamesTheProcessAndIsWaitedFor() async throws {
        try await withPostgres { db in
            try db.sql("create table a(id int primary key)")
            let first = Recorder(), second = Recorder()
            try await db.runSource(["snapshot.mode": "no_data"], into: first) {
                try await db.untilSlotIsActive()
                let pid = try db.sql("select active_pid from pg_replication_slots where active and database = current_database()")
                try await expect(
                    db.failure(["snapshot.mode": "no_data"], into: second), "postgres.slot_in_use", .retry, "is active for PID \(pid)", "slot.name")
            }
        }
    }

    @Test func slotsOfOthersAreLeftAlone() async throws {
        try await withPostgres { db in
            try db.sql("create table a(id int primary key); select pg_create_logical_replication_slot('\(db.connection["slot.name"]!)', 'test_decoding')")
            try await expect(db.failure(), "postgres.slot_plugin", .stop, "test_decoding", "slot.name")
        }
    }

    @Test func aServerWithoutLogicalWALOrFreeSlots() async throws {
        let server = try PostgresServer.start(settings: ["wal_level=replica", "max_replication_slots=1"])
        let db = PostgresDatabase(server: server, name: "postgres")
        try db.sql("create table a(id int primary key)")
        try await expect(db.failure(), "postgres.wal_level", .stop, "wal_level=replica", "wal_level=logical in postgresql.conf")
        try server.stop()
    }

    @Test func everySlotTaken() async throws {
        let server = try PostgresServer.start(settings: ["max_replication_slots=1"])
        let db = PostgresDatabase(server: server, name: "postgres")
        try db.sql("create table a(id int primary key); select pg_create_physical_replication_slot('taken')")
        try await expect(db.failure(), "postgres.slots_exhausted", .stop, "all replication slots are in use", "max_replication_slots")
        try server.stop()
    }

    @Test func missingPrivileges() async throws {
        try await withPostgres { db in
            let user = "u_\(db.name.suffix(20))"
            try db.sql("create table a(id int primary key); insert into a values (1); create role \(user) login replication password 'not-the-password'")
            defer { _ = try? db.sql("drop owned by \(user); drop role \(user)") }
            let login = ["database.user": user, "database.password": "not-the-password"]
            try await expect(db.failure(login), "postgres.privilege", .stop, "Creating publication", "SELECT on the captured tables")
            try db.sql("create publication \(db.connection["publication.name"]!) for table a")
            try await expect(
                db.failure(login.merging(["publication.autocreate.mode": "disabled"]) { $1 }), "postgres.privilege", .stop, "table public.a",
                "permission denied")
        }
    }

    @Test func slotsAndTheirStartAgainstTheOffset() async throws {
        try await withPostgres { db in
            try db.sql("create table a(id int primary key)")
            let recorder = Recorder(), slot = db.connection["slot.name"]!
            try await db.runSource(into: recorder) {
                try db.sql("insert into a values (1)")
                try await eventually("streaming") { recorder.count == 1 && recorder.position != nil }
            }
            try await Task.sleep(for: .milliseconds(300))
            try db.sql("select pg_drop_replication_slot('\(slot)'); insert into a values (2); select pg_create_logical_replication_slot('\(slot)', 'pgoutput')")
            try await expect(db.failure(into: recorder), "postgres.offset_gone", .stop, "no longer available on the server", "when_needed")
            #expect(recorder.count == 1)
        }
    }

    @Test func malformedReplicationAnswersNeverTrap() {
        var random = SeededGenerator.printed()
        for _ in 0..<20_000 {
            var chunk = ChunkQueue.Chunk()
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                var frame = (0..<Int.random(in: 0...60, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
                if frame.count > 26, Bool.random(using: &random) {
                    frame[0] = UInt8(ascii: "w")
                    frame[25] = Array("BCRIUDTMOY".utf8).randomElement(using: &random)!
                    // The relation nobody has.
                    if frame.count > 30, Bool.random(using: &random) { frame.replaceSubrange(26..<30, with: [0, 0, 0, 0]) }
                }
                frame.withUnsafeBytes { chunk.append($0) }
            }
            let records = ControlRecords(source: SourceIdentity(name: "p", database: "d"), conversion: ValueConversion())
            var decoder = StreamDecoder(
                resumingAt: StreamPosition(committed: 0), fingerprint: "", skips: .init(["none"]),
                control: .init(records: records, messageTopic: "m", capturesMessage: { _ in true }, transactionTopic: Bool.random(using: &random) ? "t" : nil))
            var offset = 0
            _ = try? chunk.bytes.withUnsafeBytes { bytes in
                while let pause = try decoder.consume(bytes, from: &offset) {
                    if case .relation(let relation) = pause { decoder.define(relation, nil) } else { _ = decoder.takeFrame() }
                }
            }
            _ = decoder.takeFrame()
        }
    }
}
