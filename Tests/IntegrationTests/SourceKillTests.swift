import Foundation
import TestSupport
import Testing

/// The real binary, killed while it reads: every row of a file, every record drawn and every row an API gave is in the lake once.
@Suite(.serialized) struct SourceKillTests {
    private static let lake = [
        "connector.class": "io.confluent.connect.s3.S3SinkConnector", "storage.class": "io.confluent.connect.s3.storage.S3Storage",
        "format.class": "io.confluent.connect.s3.format.parquet.ParquetFormat", "s3.bucket.name": "lake", "topics.dir": "", "flush.size": "5000",
        "file.max.age.ms": "300",
    ]

    /// `count|distinct ids|lowest|highest` of a topic's files.
    private func summary(_ directory: String, _ topic: String, _ id: String) throws -> String {
        try Python.run(
            """
            import duckdb, glob, sys
            files = glob.glob(sys.argv[1] + '/**/*.parquet', recursive=True)
            print('|'.join(map(str, duckdb.sql(f"select count(*), count(distinct {sys.argv[2]}), min({sys.argv[2]}), max({sys.argv[2]}) from read_parquet({files!r}, union_by_name = true)").fetchall()[0])) if files else '')
            """, ["\(directory)/lake/\(topic)", id]
        ).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    @Test func everyRowIsInTheLakeOnceAfterKills() async throws {
        var random = SeededGenerator(seed: .random(in: 0...UInt64.max))
        print("source kill test: SLUICE_SEED=\(random.seed)")
        let api = try HTTPAPIServer()
        try await withTemporaryDirectory { directory in
            let rows = 40_000, path = directory + "/rows.csv"
            try ("id,name,amt\n" + (0..<rows).map { "\($0),\"name, \($0)\",\($0).25\n" }.joined()).write(toFile: path, atomically: true, encoding: .utf8)
            try Subprocess.run("gzip", [path])
            let worker = try SluiceWorker(directory: directory)
            try worker.configure(
                "csv",
                [
                    "connector.class": "com.github.jcustenborder.kafka.connect.spooldir.SpoolDirCsvSourceConnector", "topic": "csv", "file": path + ".gz",
                    "rows.per.second": "16000", "batch.size": "700",
                ])
            try worker.configure(
                "datagen",
                [
                    "connector.class": "io.confluent.kafka.connect.datagen.DatagenConnector", "kafka.topic": "datagen", "quickstart": "transactions",
                    "max.interval": "2", "iterations": "1500", "random.seed": "7",
                ])
            try worker.configure(
                "http",
                [
                    "connector.class": "com.github.castorm.kafka.connect.http.HttpSourceConnector", "kafka.topic": "http",
                    "http.request.url": api.url + "/since", "http.request.params": "after=${offset.after}", "http.timer.interval.millis": "400",
                    "http.response.record.offset.pointer": "after=/id",
                ])
            for topic in ["csv", "datagen", "http"] {
                try worker.configure("lake-\(topic)", Self.lake.merging(["topics": topic, "store.url": "file://\(directory)"]) { $1 })
            }
            for _ in 0..<4 {
                try worker.start()
                try await Task.sleep(for: .milliseconds(Int.random(in: 150...1200, using: &random)))
                #expect(worker.isRunning, "\(worker.log.suffix(2000))")
                worker.kill()
            }
            try worker.start()
            let expected = [("csv", "id", "\(rows)|\(rows)|0|\(rows - 1)"), ("datagen", "id", "1500|1500|1|1500"), ("http", "id", "25|25|1|25")]
            for (topic, id, text) in expected {
                try await worker.wait("all of \(topic) is in the lake", seconds: 60) { try summary(directory, topic, id) == text }
            }
            // What comes after would be a duplicate: give it the time to show.
            try await Task.sleep(for: .seconds(1))
            #expect(worker.stop() == 0)
            for (topic, id, text) in expected { #expect(try summary(directory, topic, id) == text) }
        }
    }
}
