import Foundation
import TestSupport
import Testing

/// One sink task with a file open in every directory of every partition: a file that holds a few rows costs a few KiB, so that the process stays
/// small however many there are; where even that is more than the task's budget, the largest and oldest are stored. Every row arrives once.
///
/// `SLUICE_MANY_FILES=1` opens ten thousand: 200 partitions of 50 directories, within 256 MiB.
@Suite(.serialized) struct ManyFilesTests {
    private static let partitions = ProcessInfo.processInfo.environment["SLUICE_MANY_FILES"] == nil ? 20 : 200
    private static let directories = 50

    private static let schema = """
        {"type": "record", "name": "s.Envelope", "fields": [
         {"name": "id", "type": {"type": "long", "arg.properties": {"iteration": {"start": 0}}}},
         {"name": "k", "type": {"type": "int", "arg.properties": {"range": {"min": 0, "max": \(directories)}}}},
         {"name": "amount", "type": {"type": "double", "arg.properties": {"range": {"min": 0, "max": 1000}}}},
         {"name": "note", "type": {"type": "string", "arg.properties": {"regex": "[a-z]{20}"}}}]}
        """

    /// A budget of MiB with room for all of them, and one with room for a few hundred.
    @Test(arguments: zip([64, 1], [partitions, 12]))
    func aFileInEveryDirectoryOfEveryPartition(budget: Int, partitions: Int) async throws {
        try await withTemporaryDirectory { directory in
            let files = partitions * Self.directories, rows = files * 20
            let worker = try SluiceWorker(directory: directory)
            defer { worker.kill() }
            // The route takes envelopes, and spreads them by Java's hash of their number.
            try worker.configure(
                "source",
                [
                    "connector.class": "io.confluent.kafka.connect.datagen.DatagenConnector", "kafka.topic": "events", "iterations": String(rows),
                    "max.interval": "0", "random.seed": "7", "schema.string": Self.schema, "transforms": "route",
                    "transforms.route.type": "io.debezium.transforms.partitions.PartitionRouting", "transforms.route.partition.payload.fields": "id",
                    "transforms.route.partition.topic.num": String(partitions),
                ])
            try worker.configure(
                "lake",
                [
                    "connector.class": "io.confluent.connect.s3.S3SinkConnector", "topics": "events", "topics.dir": "lake",
                    "store.url": "file://\(directory)/out", "s3.bucket.name": "b", "s3.bucket.create": "true",
                    "storage.class": "io.confluent.connect.s3.storage.S3Storage", "format.class": "io.confluent.connect.s3.format.parquet.ParquetFormat",
                    "flush.size": "1000000", "partitioner.class": "FieldPartitioner", "partition.field.name": "k", "flush.on.stop": "true",
                ])
            // A stop that has to end within the default five seconds leaves the rest of the files to the next start.
            try worker.start(environment: [
                "CONNECT_SLUICE_TASK_MEMORY_BYTES": String(budget << 20), "CONNECT_TASK_SHUTDOWN_GRACEFUL_TIMEOUT_MS": "120000",
            ])
            var open = 0
            func metric(_ name: String) throws -> Int {
                try worker.request("GET", "/metrics").body.split(separator: "\n").filter { $0.hasPrefix("sluice_object_store_\(name){") }
                    .compactMap { Double($0.split(separator: " ").last ?? "") }.reduce(0) { $0 + Int($1) }
            }
            try await worker.wait("every row was taken", seconds: 180) {
                open = max(open, try metric("open_files"))
                return try metric("records_total") == rows
            }
            // The figures are as of the last second.
            try await Task.sleep(for: .milliseconds(2000))
            open = max(open, try metric("open_files"))
            let early = try metric("files_closed_total")
            let (status, peak) = worker.stopAndWeigh()
            #expect(status == 0)
            print("many files: \(open) open, \(early) stored early, at most \(peak >> 20) MiB with a budget of \(budget) MiB")
            // The worker itself, and 16 KiB a file: 252 MiB for ten thousand.
            #expect(peak < 96 << 20 + files * 16 << 10)
            if budget == 64 {
                #expect(open == files && early == 0)
            } else {
                #expect(open < files && early > 0)
            }
            let arrived = try Python.run(
                "import duckdb, sys; print(*duckdb.sql(f\"SELECT count(*), count(DISTINCT id), min(id), max(id) FROM read_parquet('{sys.argv[1]}/**/*.parquet', hive_partitioning=false)\").fetchall()[0])",
                [directory + "/out/b/lake"])
            #expect(arrived.split(whereSeparator: \.isWhitespace).map(String.init) == [rows, rows, 0, rows - 1].map { String($0) })
        }
    }
}
