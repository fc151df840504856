import Foundation
import TestSupport
import Testing

/// The transform asks a real PostgreSQL whose catalog has TimescaleDB's tables: chunks made before and after the start, and a table that is no chunk.
@Suite struct TimescaleTests {
    private static let catalog = """
        create schema _timescaledb_catalog; create schema _timescaledb_internal;
        create table _timescaledb_catalog.hypertable (id int primary key, schema_name name, table_name name);
        create table _timescaledb_catalog.chunk (id int primary key, hypertable_id int, schema_name name, table_name name);
        create table _timescaledb_catalog.continuous_agg (mat_hypertable_id int, user_view_schema name, user_view_name name);
        insert into _timescaledb_catalog.hypertable values (1, 'public', 'conditions'), (2, '_timescaledb_internal', '_materialized_hypertable_2');
        insert into _timescaledb_catalog.continuous_agg values (2, 'public', 'summary');
        """
    private static func chunk(_ id: Int, of hypertable: Int, rows: Int) -> String {
        """
        begin; create table _timescaledb_internal._hyper_\(hypertable)_\(id)_chunk (id int primary key);
        insert into _timescaledb_catalog.chunk values (\(id), \(hypertable), '_timescaledb_internal', '_hyper_\(hypertable)_\(id)_chunk');
        insert into _timescaledb_internal._hyper_\(hypertable)_\(id)_chunk select generate_series(1, \(rows)); commit;
        """
    }

    @Test func chunksComeUnderTheNameOfTheirHypertable() async throws {
        try await withPostgres { database in
            try database.sql(Self.catalog + Self.chunk(1, of: 1, rows: 3) + "create table _timescaledb_internal.stray (id int primary key)")
            try await withTemporaryDirectory { directory in
                let worker = try SluiceWorker(directory: directory)
                defer { worker.kill() }
                let connection = database.connection
                try worker.configure(
                    "metrics",
                    connection.merging([
                        "connector.class": "io.debezium.connector.postgresql.PostgresConnector", "plugin.name": "pgoutput", "topic.prefix": "db",
                        "schema.include.list": "_timescaledb_internal", "value.converter": "org.apache.kafka.connect.json.JsonConverter",
                        "value.converter.schemas.enable": "false", "transforms": "timescale",
                        "transforms.timescale.type": "io.debezium.connector.postgresql.transforms.timescaledb.TimescaleDb",
                    ]) { $1 }.merging(connection.map { ("transforms.timescale.\($0.key)", $0.value) }) { own, _ in own })
                try worker.start()
                try await worker.waitUntilReady()
                func records(_ topic: String) throws -> [Substring] {
                    try Subprocess.run(SluiceWorker.binary, ["tap", topic, "--from-beginning", "--url", "http://127.0.0.1:\(worker.port)"]).split(
                        separator: "\n")
                }
                try await worker.wait("the snapshot is there") { try records("timescaledb.public.conditions").count == 3 }
                try database.sql(
                    Self.chunk(2, of: 1, rows: 2) + Self.chunk(3, of: 2, rows: 4) + "insert into _timescaledb_internal.stray values (7)")
                try await worker.wait("new chunks are there") {
                    try records("timescaledb.public.conditions").count == 5 && records("timescaledb.public.summary").count == 4
                }
                try await worker.wait("what is no chunk keeps its name") { try records("db._timescaledb_internal.stray").count == 1 }
                let last = String(try records("timescaledb.public.summary").last!)
                for text in [#"\"table\":\"summary\""#, "__debezium_timescaledb_hypertable_table", "_materialized_hypertable_2", "_hyper_2_3_chunk"] {
                    #expect(last.contains(text), "\(last)")
                }
                #expect(worker.stop() == 0)
            }
        }
    }
}
