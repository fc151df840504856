import Foundation
import TestSupport
import Testing

/// The warehouse half of the banking pipelines: PostgreSQL into RAW tables with DATA and INGESTED_AT, by the real binary.
@Suite(.serialized) struct PipelineTests {
    /// `errors.tolerance` and the dead letter queue: a second sink takes the queue to a table.
    @Test func aRecordTheTableDoesNotTakeIsInTheDeadLetterQueue() async throws {
        try await withSnowflake { server in
            try await withTemporaryDirectory { directory in
                let id = UUID().uuidString.prefix(8).uppercased(), file = directory + "/lines.txt"
                let lines = (0..<5).map { $0 == 3 ? "long " + String(repeating: "x", count: 2000) : "line \($0)" }
                try Data(lines.map { $0 + "\n" }.joined().utf8).write(to: URL(fileURLWithPath: file))
                let worker = try SluiceWorker(directory: directory)
                try worker.configure("lines", ["connector.class": "FileStreamSource", "file": file, "topic": "lines"])
                let base = [
                    "connector.class": "com.snowflake.kafka.connector.SnowflakeSinkConnector", "snowflake.url.name": server.url,
                    "snowflake.user.name": server.user, "snowflake.password": server.password, "snowflake.database.name": "D", "snowflake.schema.name": "S",
                    "snowflake.warehouse.name": "W", "buffer.flush.time": "1", "snowflake.copy.interval.seconds": "0",
                ]
                try worker.configure(
                    "good\(id)",
                    base.merging([
                        "topics": "lines", "snowflake.topic2table.map": "lines:GOOD_\(id)", "snowflake.variant.max.bytes": "1024", "errors.tolerance": "all",
                        "errors.log.enable": "true", "errors.deadletterqueue.topic.name": "dead", "errors.deadletterqueue.context.headers.enable": "true",
                        "errors.deadletterqueue.topic.replication.factor": "1",
                    ]) { $1 })
                try worker.configure(
                    "dead\(id)",
                    base.merging([
                        "topics": "dead", "snowflake.topic2table.map": "dead:DEAD_\(id)", "value.converter": "org.apache.kafka.connect.storage.StringConverter",
                        "header.converter": "org.apache.kafka.connect.storage.StringConverter",
                    ]) { $1 })
                try worker.start()
                try await worker.wait("four lines are in one table and one in the other") {
                    try server.rowsIfThere("GOOD_\(id)") == 4 && server.rowsIfThere("DEAD_\(id)") == 1
                }
                let dead = try server.sql(
                    "SELECT RECORD_CONTENT::VARCHAR LIKE '%long xxx%', RECORD_METADATA:headers:\"__connect.errors.offset\"::VARCHAR FROM D.S.DEAD_\(id)")[0]
                #expect(dead[0]?.lowercased() == "true" && dead[1] == "3", "\(dead)")
                worker.stop()
            }
        }
    }

    @Test func changesOfPostgresAreRowsOfTheWarehouse() async throws {
        try await withPostgres { database in
            try await withSnowflake { server in
                try await withTemporaryDirectory { directory in
                    let id = UUID().uuidString.prefix(8).uppercased(), customers = "CUSTOMERS_\(id)", accounts = "ACCOUNTS_\(id)"
                    try database.sql(
                        """
                        create table customers (id serial primary key, first_name varchar(100) not null, email varchar(255) unique not null, created_at timestamptz default now());
                        create table accounts (id serial primary key, customer_id int references customers on delete cascade, balance numeric(18,2) default 0, currency char(3) default 'USD');
                        alter table customers replica identity full;
                        insert into customers (first_name, email) select 'c' || i, i || '@x.io' from generate_series(1, 10) i;
                        insert into accounts (customer_id, balance) select 1 + i % 10, i * 1.25 from generate_series(1, 20) i;
                        """)
                    let worker = try SluiceWorker(directory: directory)
                    try worker.configure(
                        "bank",
                        [
                            "connector.class": "io.debezium.connector.postgresql.PostgresConnector", "topic.prefix": "banking_server",
                            "plugin.name": "pgoutput",
                            "table.include.list": "public.customers, public.accounts", "publication.autocreate.mode": "filtered",
                            "decimal.handling.mode": "double",
                        ].merging(database.connection) { $1 })
                    try worker.configure(
                        "warehouse\(id)",
                        [
                            "connector.class": "com.snowflake.kafka.connector.SnowflakeSinkConnector",
                            "topics": "banking_server.public.customers,banking_server.public.accounts", "snowflake.url.name": server.url,
                            "snowflake.user.name": server.user, "snowflake.password": server.password, "snowflake.database.name": "D",
                            "snowflake.schema.name": "S", "snowflake.warehouse.name": "W", "snowflake.table.layout": "seed",
                            "snowflake.topic2table.map": "banking_server.public.customers:\(customers),banking_server.public.accounts:\(accounts)",
                            "buffer.flush.time": "1", "snowflake.copy.interval.seconds": "0", "transforms": "unwrap",
                            "transforms.unwrap.type": "io.debezium.transforms.ExtractNewRecordState", "transforms.unwrap.add.fields": "op,ts_ms,lsn",
                            "transforms.unwrap.delete.tombstone.handling.mode": "rewrite",
                        ])
                    try worker.start()
                    try await worker.wait("the snapshot is in the warehouse") {
                        try server.rowsIfThere(customers) == 10 && server.rowsIfThere(accounts) == 20
                    }
                    try database.sql("update customers set email = 'new@x.io' where id = 3; delete from accounts where id = 20;")
                    try await worker.wait("the changes are in the warehouse") {
                        try server.rowsIfThere(customers) >= 11 && server.rowsIfThere(accounts) >= 21
                    }
                    // What dbt's staging does: the newest row of a key.
                    let newest = try server.sql(
                        "SELECT DATA:email::VARCHAR, DATA:__op::VARCHAR, INGESTED_AT IS NOT NULL FROM D.S.\(customers) WHERE DATA:id::INT = 3 QUALIFY ROW_NUMBER() OVER (PARTITION BY DATA:id::INT ORDER BY DATA:__lsn::INT DESC, DATA:__ts_ms::INT DESC) = 1"
                    )
                    #expect(newest.map { Array($0[..<2]) } == [["new@x.io", "u"]])
                    #expect(try server.sql("SELECT COUNT(*) FROM D.S.\(accounts) WHERE DATA:__deleted::VARCHAR = 'true' AND DATA:id::INT = 20")[0][0] == "1")
                    #expect(
                        try server.sql("SELECT SUM(DATA:balance::FLOAT) FROM D.S.\(accounts) WHERE DATA:__op::VARCHAR = 'r'")[0][0].flatMap { Double($0) }
                            == 262.5)
                    worker.stop()
                }
            }
        }
    }
}
