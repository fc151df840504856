import ConnectAPI
import TestSupport
import Testing

@testable import ConnectorsPostgres

/// What the connector makes and leaves on the server.
@Suite(.serialized) struct SlotTests {
    private func published(_ db: PostgresDatabase) throws -> String {
        try db.sql(
            "select string_agg(schemaname || '.' || tablename, ',' order by 1) from pg_publication_tables where pubname = '\(db.connection["publication.name"]!)'"
        )
    }

    @Test func publicationModes() async throws {
        try await withPostgres { db in
            try db.sql("create table a(id int primary key); create table b(id int primary key); create schema s; create table s.c(id int primary key)")
            let publication = db.connection["publication.name"]!
            func run(_ extra: [String: String]) async throws -> String {
                try await db.runSource(["snapshot.mode": "no_data"].merging(extra) { $1 }, into: Recorder()) { try await db.untilSlotIsActive() }
                try await Task.sleep(for: .milliseconds(300))
                try db.sql("select pg_drop_replication_slot('\(db.connection["slot.name"]!)')")
                return try self.published(db)
            }
            #expect(try await run(["table.include.list": "public.a"]) == "public.a")
            #expect(try await run(["schema.include.list": "public,s"]) == "public.a,public.b,s.c")
            #expect(try await run(["publication.autocreate.mode": "disabled", "table.include.list": "public.a"]) == "public.a,public.b,s.c")
            try db.sql("drop publication \(publication)")
            #expect(try await run(["publication.autocreate.mode": "all_tables"]) == "public.a,public.b,s.c")
            #expect(try db.sql("select puballtables from pg_publication where pubname = '\(publication)'") == "t")
            try db.sql("drop publication \(publication)")
            #expect(try await run(["publication.autocreate.mode": "no_tables"]) == "")
            #expect(try db.sql("select puballtables from pg_publication where pubname = '\(publication)'") == "f")
        }
    }

    @Test func theSlotGoesOnAnOrderlyStopWhenAsked() async throws {
        try await withPostgres { db in
            try db.sql("create table a(id int primary key)")
            try await db.runSource(["slot.drop.on.stop": "true"], into: Recorder()) { try await db.untilSlotIsActive() }
            #expect(try db.sql("select count(*) from pg_replication_slots where database = current_database()") == "0")
        }
    }

    @Test func replicaIdentitiesAreSet() async throws {
        try await withPostgres { db in
            try db.sql("create table a(id int primary key); create table b(id int primary key, u int not null); create unique index b_u on b(u)")
            try await db.runSource(["replica.identity.autoset.values": "public.a:FULL,public.b:INDEX b_u"], into: Recorder()) {
                try await db.untilSlotIsActive()
            }
            #expect(try db.sql("select string_agg(relreplident::text, '' order by relname) from pg_class where relname in ('a', 'b')") == "fi")
        }
    }

    @Test func initialStatementsRunAndNamesShow() async throws {
        try await withPostgres { db in
            try db.sql("create table a(id int primary key); create table seen(v text)")
            let recorder = Recorder()
            try await db.runSource(["database.initial.statements": "insert into seen values ('a;;b'); select 1", "snapshot.mode": "no_data"], into: recorder) {
                try await db.untilSlotIsActive()
                let named = try db.sql("select count(*) from pg_stat_activity where application_name = 'Sluice p'")
                #expect(named != "0")
            }
            #expect(try db.sql("select distinct v from seen") == "a;b")
        }
    }

    @Test func keysComeFromUniqueIndexesAndMessageKeyColumns() async throws {
        try await withPostgres { db in
            try db.sql(
                """
                create table u(a int, b int not null); create unique index u_b on u(b); create unique index u_a on u(a) where a > 0; insert into u values (1, 2);
                create table k(id int primary key, c text); insert into k values (1, 'x')
                """)
            let recorder = Recorder()
            try await db.runSource(["snapshot.mode": "initial_only", "message.key.columns": "public.k:c"], into: recorder) {
                try await eventually("rows") { recorder.count == 2 }
            }
            #expect(recorder.events("u")[0].key == .struct([2]))
            #expect(recorder.events("k")[0].key == .struct(["x"]))
        }
    }

    @Test func metricsSayWhatTheSlotKeeps() async throws {
        try await withPostgres { db in
            try db.sql("create table a(id int primary key)")
            let recorder = Recorder(), metrics = RecordedMetrics()
            try await db.runSource(["snapshot.mode": "no_data"], into: recorder, metrics: metrics) {
                try await db.untilSlotIsActive()
                try db.sql("insert into a values (1), (2); update a set id = 3 where id = 1")
                try await eventually("figures") {
                    metrics["debezium_metrics_TotalNumberOfEventsSeen"] == 3 && metrics["sluice_postgres_slot_retained_bytes"] != nil
                }
            }
            #expect(metrics["debezium_metrics_TotalNumberOfCreateEventsSeen"] == 2)
            #expect(metrics["debezium_metrics_MilliSecondsBehindSource"]! >= 0)
            #expect(metrics["debezium_metrics_Connected"] == 0)
            #expect(metrics["debezium_metrics_MaxQueueSizeInBytes"]! > 0 && metrics["debezium_metrics_CurrentQueueSizeInBytes"]! >= 0)
        }
    }

    /// WAL that is not ours makes no lag; a log that takes nothing does.
    @Test func lagGrowsWithWhatIsNotDurableAndNotWhileIdle() async throws {
        try await withPostgres { db in
            try db.sql("create table a(id int primary key); create table other(v text)")
            let recorder = Recorder(), metrics = RecordedMetrics()
            try await db.runSource(["snapshot.mode": "no_data", "table.include.list": "public.a"], into: recorder, metrics: metrics) {
                try await db.untilSlotIsActive()
                try db.sql("insert into a values (1)")
                try await eventually("no lag") { recorder.count == 1 && metrics["sluice_source_lag_seconds"] == 0 && metrics["sluice_source_lag_bytes"] == 0 }
                recorder.hold(true)
                try db.sql("insert into a values (2); insert into other select repeat('x', 1000) from generate_series(1, 3000)")
                try await eventually("lag") { metrics["sluice_source_lag_seconds"]! > 2 && metrics["sluice_source_lag_bytes"]! > 3_000_000 }
                recorder.hold(false)
                try await eventually("no lag again") { metrics["sluice_source_lag_seconds"] == 0 }
                try db.sql("insert into other select repeat('x', 1000) from generate_series(1, 3000)")
                for _ in 0..<3 {
                    try await Task.sleep(for: .seconds(1))
                    #expect(metrics["sluice_source_lag_seconds"]! <= 2.5, "an idle table is not behind")
                }
            }
        }
    }
}
