import Foundation
import Testing
import TestSupport

/// The product's promise, on the real binary and a real PostgreSQL: killed at any moment, any number of times, the lake holds every committed
/// change exactly once, in order per key.
@Suite(.serialized) struct KillTests {
    /// `SLUICE_KILL_ROUNDS` sets the number; `SLUICE_SEED` repeats a run.
    @Test func everyCommittedChangeIsInTheLakeOnceAfterKills() async throws {
        let environment = ProcessInfo.processInfo.environment
        let rounds = environment["SLUICE_KILL_ROUNDS"].flatMap { Int($0) } ?? 100
        var random = SeededGenerator.printed()
        print("kill test: \(rounds) rounds, SLUICE_SEED=\(random.seed)")
        let server = try S3Server.start(), bucket = uniqueBucket()
        try await withPostgres { database in
            try await withTemporaryDirectory { directory in
                try database.sql(JournaledWork.schema(rows: 30_000))
                let worker = try SluiceWorker(directory: directory)
                try worker.configure(
                    "source",
                    database.connection.merging([
                        "connector.class": "io.debezium.connector.postgresql.PostgresConnector", "topic.prefix": "chaos", "plugin.name": "pgoutput",
                        "table.include.list": "public.items", "publication.autocreate.mode": "filtered", "tombstones.on.delete": "false",
                        "snapshot.max.threads": "2",
                    ]) { $1 })
                let sink = [
                    "connector.class": "io.confluent.connect.s3.S3SinkConnector", "topics": "chaos.public.items",
                    "storage.class": "io.confluent.connect.s3.storage.S3Storage", "flush.size": "1500", "file.max.age.ms": "700",
                    "format.class": "io.confluent.connect.s3.format.parquet.ParquetFormat",
                ]
                try worker.configure("lake", sink.merging(["store.url": "file://\(directory)", "s3.bucket.name": "lake"]) { $1 })
                // The same records in an S3 that verifies what it is sent.
                try worker.configure(
                    "bucket",
                    sink.merging([
                        "store.url": server.endpoint, "s3.bucket.name": bucket, "s3.bucket.create": "true", "s3.region": server.region,
                        "aws.access.key.id": server.accessKey, "aws.secret.access.key": server.secret,
                    ]) { $1 })
                let work = try JournaledWork.start(on: database)
                defer { work.stop() }

                for round in 1...rounds {
                    try worker.start()
                    // Short lives die in start-up and snapshot, longer ones in streaming and upload.
                    try await Task.sleep(for: .milliseconds(Int.random(in: 5...(round % 5 == 0 ? 2500 : 600), using: &random)))
                    #expect(worker.isRunning, "the worker ended by itself in round \(round): \(worker.log.suffix(2000))")
                    worker.kill()
                }

                work.stop()
                try worker.start()
                let last = try database.sql("select max(seq) from journal where op <> 'd'")
                let objects = [server.endpoint, server.accessKey, server.secret, bucket, directory + "/bucket"]
                try await worker.wait("change \(last) is in the lake and in the bucket", seconds: 120) {
                    try Python.run(Self.download, objects)
                    return try ["/lake", "/bucket"].allSatisfy {
                        try Python.run(Self.highest, [directory + $0]).trimmingCharacters(in: .whitespacesAndNewlines) == last
                    }
                }
                // What is written after the last change would be a duplicate: give it the time to show.
                try await Task.sleep(for: .seconds(2))
                #expect(worker.stop() == 0)
                let journal = directory + "/journal.csv"
                try database.sql("copy (select id, seq, op from journal order by seq) to stdout with csv").write(
                    toFile: journal, atomically: true, encoding: .utf8)
                try Python.run(Self.download, objects)
                for place in ["/lake", "/bucket"] {
                    let verdict = try Python.run(Self.verify, [directory + place, journal])
                    print("kill test, \(place): \(verdict)")
                    #expect(verdict.hasPrefix("exactly once"), "\(place): \(verdict)")
                }
            }
        }
        try server.stop()
    }

    /// Brings the objects of a bucket that are not there yet into a directory.
    private static let download = """
        import boto3, os, sys
        from botocore.config import Config
        s3 = boto3.client('s3', endpoint_url=sys.argv[1], aws_access_key_id=sys.argv[2], aws_secret_access_key=sys.argv[3], region_name='us-east-1', config=Config(s3={'addressing_style': 'path'}))
        for page in s3.get_paginator('list_objects_v2').paginate(Bucket=sys.argv[4]):
            for o in page.get('Contents', []):
                path = f"{sys.argv[5]}/{o['Key']}"
                if not os.path.exists(path) or os.path.getsize(path) != o['Size']:
                    os.makedirs(os.path.dirname(path), exist_ok=True)
                    s3.download_file(sys.argv[4], o['Key'], path)
        """

    private static let highest = """
        import glob, sys
        import pyarrow.parquet as pq
        top = 0
        for f in glob.glob(sys.argv[1] + "/**/*.parquet", recursive=True):
            t = pq.read_table(f, columns=["after"])
            top = max([top] + [r["seq"] for r in t.column("after").to_pylist() if r])
        print(top)
        """

    /// Reads the lake in file order (start offsets are in the names) and plays it against the journal, key by key.
    private static let verify = """
        import collections, csv, glob, sys
        import pyarrow.parquet as pq
        journal = collections.defaultdict(list)
        for key, seq, op in csv.reader(open(sys.argv[2])):
            journal[int(key)].append((int(seq), op))
        lake = collections.defaultdict(list)
        rows = expected = 0
        for f in sorted(glob.glob(sys.argv[1] + "/**/*.parquet", recursive=True)):
            for r in pq.read_table(f, columns=["before", "after", "op"]).to_pylist():
                image = r["after"] or r["before"]
                lake[image["id"]].append((image["seq"] if r["after"] else None, r["op"]))
                rows += 1
        for key in set(journal) | set(lake):
            seen, want = lake[key], journal[key]
            if seen and seen[0][1] == "r":
                read = seen[0][0]
                want = [(read, "r")] + [w for w in want if w[0] > read]
            else:
                # Absent when its part of the snapshot was read: from a later insert on, or never seen.
                tails = [want[i:] for i, w in enumerate(want) if w[1] == "c"] + [[]]
                want = next((t for t in tails if len(t) == len(seen)), want)
            shown = [(s if op != "d" else None, op) for s, op in want]
            expected += len(want)
            if seen != shown:
                sys.exit(print(f"key {key}: lake {seen}, committed {want}"))
        print(f"exactly once: {rows} rows of {len(lake)} keys in the lake, {expected} expected")
        """
}
