import Foundation
import Testing
import TestSupport

/// The real binary writes to Google Cloud Storage stand-ins; the files are read by pyarrow and DuckDB.
@Suite(.serialized) struct GCSKillTests {
    private func configure(_ worker: SluiceWorker, _ lines: String, _ server: GCSServer, _ sink: [String: String]) throws {
        try worker.configure("lines", ["connector.class": "FileStreamSource", "file": lines, "topic": "events", "batch.size": "50"])
        try worker.configure(
            "lake",
            [
                "connector.class": "io.aiven.kafka.connect.gcs.GcsSinkConnector", "topics": "events", "gcs.bucket.name": server.bucket,
                "gcs.endpoint": server.endpoint, "gcs.retry.backoff.initial.delay.ms": "20", "gcs.retry.backoff.max.delay.ms": "200",
            ].merging(sink) { $1 })
    }

    /// The objects below a prefix, downloaded.
    private func download(_ server: GCSServer, _ prefix: String, to directory: String) throws {
        let script = """
            import json, os, sys, urllib.parse, urllib.request
            endpoint, prefix, directory = sys.argv[1:]
            os.makedirs(directory, exist_ok=True)
            base = f'{endpoint}/storage/v1/b/lake/o'
            page = json.load(urllib.request.urlopen(f'{base}?prefix={urllib.parse.quote(prefix, safe="")}&maxResults=1000'))
            assert 'nextPageToken' not in page
            for item in page.get('items', []):
                name = item['name']
                if any(part in name for part in ('_sluice', '_ledger', '_sealed')): continue
                body = urllib.request.urlopen(f'{base}/{urllib.parse.quote(name, safe="")}?alt=media').read()
                open(os.path.join(directory, name.replace('/', '!')), 'wb').write(body)
            """
        try Python.run(script, [server.endpoint, prefix, directory])
    }

    private func count(_ server: GCSServer, _ prefix: String, _ directory: String, _ expression: String) throws -> String {
        try download(server, prefix, to: directory)
        return try Python.run("import sys, glob, gzip, json, duckdb, pyarrow.parquet as pq\nd = sys.argv[1]\nprint(\(expression))", [directory])
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Under names of the records, and under names of the clock that a ledger lists.
    private static let modes = [
        "names": ["file.name.template": "{{timestamp:format=yyyy-MM-dd}}/events_{{partition}}-{{start_offset}}.parquet"],
        "ledger": [
            "file.name.template": "{{timestamp:format=HHmmss}}/events_{{counter}}.parquet", "file.name.timestamp.source": "WALLCLOCK",
            "exactly.once.mode": "ledger",
        ],
    ]

    /// Killed while it writes, again and again: every record is in the bucket once.
    @Test(arguments: ["names", "ledger"]) func everyRecordIsInTheBucketOnceAfterKills(mode: String) async throws {
        try await withOwnGCSStub { server in
            try await withTemporaryDirectory { directory in
                let worker = try SluiceWorker(directory: directory), lines = directory + "/lines.txt"
                try configure(
                    worker, lines, server,
                    [
                        "file.name.prefix": "kill/", "format.output.type": "parquet", "format.output.fields": "value,offset", "file.max.records": "700",
                        "file.max.age.ms": "300",
                        "file.compression.type": "zstd",
                    ].merging(Self.modes[mode]!) { $1 })
                let total = 12_000, rounds = 6
                var random = SeededGenerator(seed: UInt64.random(in: 0...UInt64.max))
                print("seed \(random.seed)")
                _ = FileManager.default.createFile(atPath: lines, contents: nil)
                let file = try FileHandle(forWritingTo: URL(fileURLWithPath: lines))
                for round in 0..<rounds {
                    try worker.start()
                    for chunk in 0..<10 {
                        let from = round * total / rounds + chunk * total / rounds / 10
                        try file.write(contentsOf: Data((from..<from + total / rounds / 10).map { "line \($0)\n" }.joined().utf8))
                        try await Task.sleep(for: .milliseconds(Int.random(in: 5...120, using: &random)))
                    }
                    #expect(worker.isRunning, "\(worker.log.suffix(2000))")
                    worker.kill()
                }
                try worker.start()
                let all = "sorted((row['offset'], row['value']) for f in glob.glob(d + '/*') for row in pq.read_table(f).to_pylist())"
                try await worker.wait("the last line is in the bucket", seconds: 60) {
                    try count(server, "kill/", directory + "/down", "\(all)[-1:] == [(\(total - 1), 'line \(total - 1)')]") == "True"
                }
                try await Task.sleep(for: .milliseconds(700))
                #expect(worker.stop() == 0)
                let verdict = try count(server, "kill/", directory + "/end", "\(all) == [(i, f'line {i}') for i in range(\(total))]")
                let found = try count(server, "kill/", directory + "/end", "len(\(all)), \(all)[:3]")
                #expect(verdict == "True", "\(found)")
            }
        }
    }

    /// Every format, read row by row; the last records are stored when the worker stops.
    @Test func everyFormatIsReadByOthers() async throws {
        try await withGCSEmulator { server in
            try await withTemporaryDirectory { directory in
                let worker = try SluiceWorker(directory: directory), lines = directory + "/lines.txt", total = 1000
                try (0..<total).map { "line \($0)\n" }.joined().write(toFile: lines, atomically: true, encoding: .utf8)
                let formats: [(String, [String: String], String)] = [
                    (
                        "parquet", ["format.output.type": "parquet", "format.output.envelope": "false", "file.compression.type": "snappy"],
                        "duckdb.sql(f\"select list(value order by cast(value[6:] as int)) from read_parquet('{d}/*')\").fetchall()[0][0]"
                    ),
                    (
                        "jsonl", ["format.output.type": "jsonl", "file.compression.type": "gzip"],
                        "[json.loads(l)['value'] for f in sorted(glob.glob(d + '/*'), key=lambda f: int(f.rsplit('-', 1)[1][:-3])) for l in gzip.open(f).read().split(b'\\n')]"
                    ),
                    (
                        "csv", ["format.output.fields": "offset,value", "format.output.fields.value.encoding": "none"],
                        "[l.split(',')[1] for f in sorted(glob.glob(d + '/*'), key=lambda f: int(f.rsplit('-', 1)[1])) for l in open(f).read().split('\\n')]"
                    ),
                ]
                try configure(worker, lines, server, ["file.name.prefix": "formats/default/"])
                for (name, settings, _) in formats {
                    try worker.configure(
                        "lake-\(name)",
                        [
                            "connector.class": "GcsSink", "topics": "events", "gcs.bucket.name": server.bucket, "gcs.endpoint": server.endpoint,
                            "file.name.prefix": "formats/\(name)/", "file.max.records": "300",
                        ].merging(settings) { $1 })
                }
                try worker.start()
                try await worker.wait("three files of each are stored") {
                    try formats.allSatisfy { try count(server, "formats/\($0.0)/", "\(directory)/\($0.0)-early", "len(glob.glob(d + '/*'))") == "3" }
                }
                #expect(worker.stop() == 0)
                for (name, _, rows) in formats {
                    let verdict = try count(server, "formats/\(name)/", "\(directory)/\(name)", "\(rows) == [f'line {i}' for i in range(\(total))]")
                    let found = try count(server, "formats/\(name)/", "\(directory)/\(name)", rows)
                    #expect(verdict == "True", "\(name): \(found.prefix(300))")
                }
            }
        }
    }
}
