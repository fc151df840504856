import Foundation
import Testing
import TestSupport

/// The log is the boundary: while a sink's store is away, PostgreSQL's WAL is released all the same, and afterwards the lake has every row once.
@Suite(.serialized) struct OutageTests {
    /// `SLUICE_OUTAGE_SECONDS` makes the outage longer.
    @Test func walStaysBoundedWhileTheStoreIsAway() async throws {
        let seconds = ProcessInfo.processInfo.environment["SLUICE_OUTAGE_SECONDS"].flatMap { Double($0) } ?? 20
        let server = try PostgresServer.start(settings: ["min_wal_size=32MB"]), store = try S3Server.start()
        defer {
            try? server.stop(immediately: true)
            try? store.stop()
        }
        try await withTemporaryDirectory { directory in
            // The idle database has a slot of its own, and all of the WAL that passes it belongs to the other.
            try server.sql("create database idle")
            try server.sql("create table items (id bigserial primary key, v text not null)")
            try server.sql("create table nothing (id int primary key)", database: "idle")
            let worker = try SluiceWorker(directory: directory)
            defer { worker.kill() }
            for (name, database, table) in [("busy", "postgres", "items"), ("idle", "idle", "nothing")] {
                try worker.configure(
                    name,
                    PostgresDatabase(server: server, name: database).connection.merging([
                        "connector.class": "io.debezium.connector.postgresql.PostgresConnector", "topic.prefix": name, "plugin.name": "pgoutput",
                        "table.include.list": "public.\(table)", "publication.autocreate.mode": "filtered", "status.update.interval.ms": "500",
                    ]) { $1 })
            }
            try worker.configure(
                "lake",
                [
                    "connector.class": "io.confluent.connect.s3.S3SinkConnector", "topics": "busy.public.items",
                    "storage.class": "io.confluent.connect.s3.storage.S3Storage", "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
                    "store.url": store.endpoint, "s3.bucket.name": "lake", "s3.region": store.region, "s3.path.style.access.enabled": "true",
                    "aws.access.key.id": store.accessKey, "aws.secret.access.key": store.secret, "flush.size": "5000", "file.max.age.ms": "1000",
                    "retry.backoff.ms": "500",
                ])
            try Python.run(Self.makeBucket, [store.endpoint])
            try worker.start()
            let slots = "select coalesce(sum(active::int), 0) from pg_replication_slots"
            try await worker.wait("both sources stream") { try server.sql(slots) == "2" }
            let writer = try Subprocess.start(
                "bash", ["-c", "while psql -qXAt -v ON_ERROR_STOP=1 -c \"$STATEMENT\" && sleep 0.2; do :; done"],
                environment: [
                    "PGHOST": "127.0.0.1", "PGPORT": String(server.port), "PGUSER": "postgres", "PGPASSWORD": "postgres", "PGDATABASE": "postgres",
                    "STATEMENT": "insert into items (v) select repeat(md5(random()::text), 25) from generate_series(1, 1000)",
                ])
            defer { kill(-writer.pid, SIGKILL) }
            try await worker.wait("the lake has rows") { try Self.lake(store).total > 0 }

            try store.stop()
            let start = try Int64(server.sql("select pg_current_wal_lsn() - '0/0'"))!, end = Date().addingTimeInterval(seconds)
            var most: Int64 = 0
            while Date() < end {
                // A slot's restart point moves with the snapshots of running transactions that checkpoints write.
                try server.sql("checkpoint")
                try await Task.sleep(for: .seconds(2))
                most = max(most, try Int64(server.sql("select max(pg_current_wal_lsn() - restart_lsn)::bigint from pg_replication_slots"))!)
            }
            let written = try Int64(server.sql("select pg_current_wal_lsn() - '0/0'"))! - start
            print("outage test: \(Int(seconds)) s without a store, \(written >> 20) MB of WAL written, at most \(most >> 20) MB retained")
            #expect(written > 24 << 20, "too little was written to show anything")
            #expect(most < max(16 << 20, written / 2), "slots kept \(most) of \(written) bytes")
            let figures = try worker.request("GET", "/metrics").body
            #expect(figures.contains("sluice_source_lag_seconds{") && figures.contains("sluice_source_lag_bytes{"))
            #expect(figures.contains("sluice_postgres_slot_retained_bytes{") && figures.contains("sluice_sink_lag_seconds{"))

            kill(-writer.pid, SIGKILL)
            writer.wait()
            try store.restart()
            let rows = try Int(server.sql("select count(*) from items"))!
            try await worker.wait("all \(rows) rows are in the lake", seconds: 120) { try Self.lake(store).total >= rows }
            let lake = try Self.lake(store)
            #expect(lake.total == rows && lake.distinct == rows)
            #expect(worker.stop() == 0)
        }
    }

    private static func lake(_ store: S3Server) throws -> (total: Int, distinct: Int) {
        let parts = try Python.run(count, [store.endpoint]).split(separator: " ").compactMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
        return (parts[0], parts[1])
    }

    private static let client = """
        import boto3, json, sys
        from botocore.config import Config
        s3 = boto3.client("s3", endpoint_url=sys.argv[1], aws_access_key_id="test:tester", aws_secret_access_key="testing",
            region_name="us-east-1", config=Config(s3={"addressing_style": "path"}))
        """
    private static let makeBucket = client + "\ns3.create_bucket(Bucket=\"lake\")"
    private static let count =
        client + """

            ids = []
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket="lake"):
                for o in page.get("Contents", []):
                    body = s3.get_object(Bucket="lake", Key=o["Key"])["Body"].read()
                    ids += [json.loads(line)["after"]["id"] for line in body.splitlines()]
            print(len(ids), len(set(ids)))
            """
}
