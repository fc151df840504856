import ConnectAPI
import TestSupport
import Testing

@testable import ConnectorsPostgres

/// Keys of Debezium that change what is captured or how it is described: each does what it says or is refused in words.
@Suite(.serialized) struct SourceKeyTests {
    private func findings(_ extra: [String: String]) -> [String] {
        let base = ["topic.prefix": "p", "database.hostname": "h", "database.user": "u", "database.dbname": "d"]
        return PostgresConfiguration.parse(base.merging(extra) { $1 }).findings.map(\.key)
    }

    @Test(arguments: [
        ("converters", "isbn"), ("post.processors", "reselector"), ("snapshot.mode", "custom"), ("snapshot.query.mode", "custom"),
        ("snapshot.locking.mode", "custom"), ("topic.naming.strategy", "com.example.Mine"), ("sourceinfo.struct.maker", "com.example.Mine"),
        ("transaction.metadata.factory", "com.example.Mine"), ("signal.enabled.channels", "source,kafka"), ("notification.enabled.channels", "jmx"),
        ("notification.enabled.channels", "sink"), ("column.propagate.source.type", "("), ("event.converting.failure.handling.mode", "explode"),
        ("signal.data.collection", "signals"), ("time.precision.mode", "structured"), ("plugin.name", "wal2json"),
    ])
    func whatCannotWorkIsRefused(_ key: String, _ value: String) {
        #expect(findings([key: value]).count == 1)
        #expect(findings([:]) == [])
    }

    @Test func whatHasNoEffectIsSaid() throws {
        let given = [
            "database.sslfactory": "x.Y", "xmin.fetch.interval.ms": "100", "event.processing.failure.handling.mode": "skip", "table.ignore.builtin": "false",
        ]
        let base = ["topic.prefix": "p", "database.hostname": "h", "database.user": "u", "database.dbname": "d", "xmin.fetch.interval.ms": "0"]
        #expect(try PostgresConfiguration(base.merging(given) { $1 }).ineffective(given).count == 4)
        #expect(try PostgresConfiguration(base).ineffective(base) == [])
        #expect(
            try PostgresConfiguration(base.merging(["custom.metric.tags": "env=prod, team = data,x"]) { $1 }).metricTags == ["env": "prod", "team": "data"])
    }

    @Test func fieldsTellTheTypeAndTheCommentOfTheirColumn() async throws {
        try await withPostgres { db in
            try db.sql(
                """
                create table a(id int primary key, n numeric(8,4), v varchar(20), t timestamp(3), x text);
                comment on column a.v is 'a note'; comment on column a.n is 'another'
                """)
            func schema(_ extra: [String: String]) async throws -> Schema {
                let configuration = try PostgresConfiguration(db.configuration(extra)), filter = try CaptureFilter(configuration)
                let catalog = TableCatalog(ConnectionParameters(configuration), filter, SchemaFactory(configuration, filter, task: 0, log: Logger("test")))
                return try #require(try await catalog.schema(ofTable: "public", "a")).row
            }
            func parameters(_ schema: Schema, _ name: String) -> [String] {
                schema.fields.first { $0.name == name }!.schema.parameters.map { "\($0.key.replacing("__debezium.source.column.", with: ""))=\($0.value)" }
            }
            let plain = try await schema([:])
            #expect(plain.fields.allSatisfy { $0.schema.doc == nil } && parameters(plain, "v") == [])
            let told = try await schema([
                "column.propagate.source.type": "public\\.a\\.(n|v)", "datatype.propagate.source.type": "\(db.name)\\.public\\.a\\.timestamp",
            ])
            #expect(parameters(told, "n") == ["scale=4", "connect.decimal.precision=8", "type=NUMERIC", "length=8", "scale=4", "name=n"])
            #expect(parameters(told, "v") == ["type=VARCHAR", "length=20", "scale=0", "name=v"])
            #expect(parameters(told, "t") == ["type=TIMESTAMP", "length=26", "scale=3", "name=t"])
            #expect(parameters(told, "x") == [])
            let commented = try await schema(["include.schema.comments": "true"])
            #expect(commented.fields.map(\.schema.doc) == [nil, "another", "a note", nil, nil])
        }
    }

    @Test func updatesWithoutChangeAreLeftOutWhenAsked() async throws {
        try await withPostgres { db in
            try db.sql(
                """
                create table f(id int primary key, v text, hidden int, big text); alter table f replica identity full; alter table f alter big set storage external;
                create table d(id int primary key, v text)
                """)
            let recorder = Recorder()
            try await db.runSource(
                ["snapshot.mode": "no_data", "skip.messages.without.change": "true", "column.exclude.list": "public.f.hidden"], into: recorder
            ) {
                try await db.untilSlotIsActive()
                try db.sql(
                    """
                    insert into f values (1, 'a', 1, repeat('B', 9000)); update f set v = v; update f set hidden = 2; update f set v = null; update f set v = null;
                    update f set id = 2; insert into d values (1, 'x'); update d set v = v; insert into f values (9, 'end')
                    """)
                try await eventually("the end") { recorder.events("f").last?.key == .struct([9]) }
            }
            #expect(recorder.events("f").map { $0.op ?? "-" } == ["c", "u", "d", "-", "c", "c"])
            #expect(recorder.events("d").map(\.op) == ["c", "u"])
        }
    }

    @Test func aValueThatCannotBeRepresentedStopsWhenAsked() async throws {
        try await withPostgres { db in
            try db.sql("create table a(id int primary key, n numeric(5,2)); insert into a values (1, 'NaN')")
            let fails = ["event.converting.failure.handling.mode": "fail"], recorder = Recorder()
            let error = try await db.failure(fails, into: recorder)
            #expect(error?.code == "postgres.conversion" && error?.description.contains("decimal.handling.mode") == true && recorder.count == 0)
            let streamed = try await db.failure(fails.merging(["snapshot.mode": "no_data"]) { $1 }, into: recorder) {
                try await db.untilSlotIsActive()
                try db.sql("insert into a values (2, 'NaN')")
            }
            #expect(streamed?.code == "postgres.conversion" && recorder.count == 0)
        }
    }

    @Test func tablesComeByTheirRowCountAndPostGISsOwnDoesNot() async throws {
        try await withPostgres { db in
            try db.sql(
                """
                create table a(id int primary key); create table b(id int primary key); create table spatial_ref_sys(srid int primary key);
                insert into a select generate_series(1, 30); insert into b select generate_series(1, 3); insert into spatial_ref_sys values (1); analyze
                """)
            for (order, first) in [("ascending", "p.public.b"), ("descending", "p.public.a")] {
                let recorder = Recorder()
                try await db.runSource(["snapshot.mode": "initial_only", "snapshot.tables.order.by.row.count": order], into: recorder) {
                    try await eventually("the rows") { recorder.count == 33 }
                }
                #expect(recorder.events.first?.topic == first)
            }
        }
    }
}
