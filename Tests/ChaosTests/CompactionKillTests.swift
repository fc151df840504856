import Foundation
import Synchronization
import Testing
import TestSupport

/// The real binary merging small files while new ones arrive, killed before and after each of its steps: plan, merged file, deletions, the next plan. After
/// every kill each row that was stored is there, once or twice; in the end once. `SLUICE_COMPACTION_ROUNDS=N` takes all steps N times.
@Suite(.serialized) struct CompactionKillTests {
    private static var rounds: Int { ProcessInfo.processInfo.environment["SLUICE_COMPACTION_ROUNDS"].flatMap { Int($0) } ?? 1 }

    private final class Run {
        let worker: SluiceWorker
        private let file: String
        private(set) var count = 0

        init(_ directory: String, _ sink: [String: String]) throws {
            file = directory + "/lines.txt"
            worker = try SluiceWorker(directory: directory)
            try Data().write(to: URL(fileURLWithPath: file))
            try worker.configure(
                "source",
                [
                    "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "file": file, "topic": "t",
                    "value.converter": "org.apache.kafka.connect.storage.StringConverter",
                ])
            try worker.configure(
                "sink",
                sink.merging([
                    "connector.class": "io.confluent.connect.s3.S3SinkConnector", "topics": "t", "flush.size": "1000000", "file.max.age.ms": "60",
                    "storage.class": "io.confluent.connect.s3.storage.S3Storage", "value.converter": "org.apache.kafka.connect.json.JsonConverter",
                    "value.converter.schemas.enable": "false", "retry.backoff.ms": "100", "flush.on.stop": "true", "compact.interval.ms": "100",
                    "compact.min.age.ms": "0", "compact.min.files": "3", "compact.target.bytes": "20000",
                ]) { $1 })
        }

        func produce(_ lines: Int) throws {
            let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: file))
            try handle.seekToEnd()
            try handle.write(contentsOf: Data((count..<count + lines).map { "{\"o\":\($0),\"k\":\"d\($0 % 5)\"}\n" }.joined().utf8))
            try handle.close()
            count += lines
        }

        /// Lines that come a few at a time, so that files are many.
        func trickle() async throws {
            for _ in 0..<8 {
                try produce(15)
                try await Task.sleep(for: .milliseconds(80))
            }
        }

        func metric(_ name: String) throws -> Double {
            try worker.request("GET", "/metrics").body.split(separator: "\n").filter { $0.hasPrefix(name + "{") }
                .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }.reduce(0, +)
        }

        /// Stops when everything is stored and nothing is left to merge.
        func finish() async throws {
            try worker.start(environment: ["SHUTDOWN_TIMEOUT": "60000"])
            try await worker.wait("the sink has all \(count) records", seconds: 60) {
                let lines = try worker.request("GET", "/metrics").body.split(separator: "\n")
                return lines.contains { $0.hasPrefix("sluice_object_store_committed_offset{") && $0.hasSuffix(" \(count)") || $0.hasSuffix(" \(count).0") }
            }
            var last = -1.0
            try await worker.wait("nothing is left to merge", seconds: 60) {
                let merges = try metric("sluice_object_store_merges_total")
                defer { last = merges }
                try await Task.sleep(for: .milliseconds(1500))
                return merges == last
            }
            #expect(worker.stop() == 0)
        }
    }

    private struct Step: Sendable {
        let what: String
        let matches: @Sendable (FaultProxy.Request) -> Bool
        let forwarding: Bool
        /// How many requests of the kind pass before.
        var passing = 0
    }

    private static func isPlan(_ request: FaultProxy.Request) -> Bool { request.target.contains("_compact") }
    private static func isSource(_ request: FaultProxy.Request) -> Bool { request.target.contains("/topics/t/") }
    private static func isMerged(_ request: FaultProxy.Request) -> Bool { isSource(request) && request.target.contains("-00") }

    private static let steps = [
        Step(what: "before plan", matches: { $0.method == "PUT" && isPlan($0) }, forwarding: false),
        Step(what: "after plan", matches: { $0.method == "PUT" && isPlan($0) }, forwarding: true),
        Step(what: "before merged file", matches: { $0.method == "PUT" && isMerged($0) }, forwarding: false),
        Step(what: "after merged file", matches: { $0.method == "PUT" && isMerged($0) }, forwarding: true),
        Step(what: "before first deletion", matches: { $0.method == "DELETE" && isSource($0) }, forwarding: false),
        Step(what: "in the middle of deletions", matches: { $0.method == "DELETE" && isSource($0) }, forwarding: true, passing: 1),
        Step(what: "before an old plan's deletion", matches: { $0.method == "DELETE" && isPlan($0) }, forwarding: false),
    ]

    @Test func everyRowStaysInTheBucketAfterKillsAtEveryStep() async throws {
        try await withSwiftS3 { server in
            try await withTemporaryDirectory { directory in
                let armed = Mutex<Step?>(nil), met = Mutex(false), bucket = uniqueBucket()
                let proxy = try FaultProxy(to: server.port) { request in
                    armed.withLock { step in
                        guard var point = step, point.matches(request) else { return nil }
                        point.passing -= 1
                        step = point
                        guard point.passing < 0 else { return nil }
                        met.withLock { $0 = true }
                        return .hold(forwarding: point.forwarding)
                    }
                }
                defer { proxy.stop() }
                let run = try Run(
                    directory,
                    [
                        "store.url": proxy.endpoint, "s3.bucket.name": bucket, "s3.region": server.region, "aws.access.key.id": server.accessKey,
                        "aws.secret.access.key": server.secret, "format.class": "io.confluent.connect.s3.format.json.JsonFormat", "s3.bucket.create": "true",
                    ])
                let place = [server.endpoint, server.accessKey, server.secret, bucket]
                for _ in 0..<Self.rounds {
                    for step in Self.steps {
                        met.withLock { $0 = false }
                        armed.withLock { $0 = step }
                        try run.worker.start()
                        let deadline = Date().addingTimeInterval(60)
                        while !met.withLock({ $0 }), Date() < deadline { try await run.trickle() }
                        try #require(met.withLock { $0 }, "never \(step.what): \(run.worker.log.suffix(2000))")
                        try await Task.sleep(for: .milliseconds(50))
                        run.worker.kill()
                        armed.withLock { $0 = nil }
                        let verdict = try Python.run(Self.bucketRows + Self.verify, place + ["2"])
                        #expect(verdict.hasPrefix("rows"), "\(step.what): \(verdict)")
                    }
                }
                try await run.finish()
                let verdict = try Python.run(Self.bucketRows + Self.verify, place + ["1", String(run.count)])
                print("compaction kill test in S3: \(Self.steps.count * Self.rounds) kills, \(verdict)")
                #expect(verdict.hasPrefix("rows \(run.count)"), "\(verdict)")
            }
        }
    }

    /// At any moment, with Parquet in a directory.
    @Test func everyRowStaysInADirectoryAfterKillsAtAnyTime() async throws {
        try await withTemporaryDirectory { directory in
            var random = SeededGenerator(seed: UInt64.random(in: 0...UInt64.max))
            print("SLUICE_SEED=\(random.seed)")
            let run = try Run(
                directory, ["store.url": "file://\(directory)/lake", "format.class": "io.confluent.connect.s3.format.parquet.ParquetFormat"])
            let kills = 4 * Self.rounds
            for kill in 0..<kills {
                try run.worker.start()
                try await run.worker.waitUntilReady()
                for _ in 0..<3 { try await run.trickle() }
                try await Task.sleep(for: .milliseconds(Int.random(in: 0...300, using: &random)))
                run.worker.kill()
                let verdict = try Python.run(Self.directoryRows + Self.verify, [directory + "/lake", "2"])
                #expect(verdict.hasPrefix("rows"), "kill \(kill): \(verdict)")
            }
            try await run.finish()
            let verdict = try Python.run(Self.directoryRows + Self.verify, [directory + "/lake", "1", String(run.count)])
            print("compaction kill test in a directory: \(kills) kills, \(verdict)")
            #expect(verdict.hasPrefix("rows \(run.count)"), "\(verdict)")
        }
    }

    private static let bucketRows = """
        import boto3, json, sys
        from botocore.config import Config
        s3 = boto3.client('s3', endpoint_url=sys.argv[1], aws_access_key_id=sys.argv[2], aws_secret_access_key=sys.argv[3], region_name='us-east-1', config=Config(s3={'addressing_style': 'path'}))
        options = sys.argv[5:]
        def files():
            for page in s3.get_paginator('list_objects_v2').paginate(Bucket=sys.argv[4], Prefix='topics/t/'):
                for o in page.get('Contents', []):
                    object = s3.get_object(Bucket=sys.argv[4], Key=o['Key'])
                    yield o['Key'], object['Metadata'], [json.loads(l)['o'] for l in object['Body'].read().splitlines()]

        """

    private static let directoryRows = """
        import glob, sys
        import pyarrow.parquet as pq
        options = sys.argv[2:]
        def files():
            for f in glob.glob(sys.argv[1] + '/topics/t/**/*.parquet', recursive=True):
                p = pq.ParquetFile(f, page_checksum_verification=True)
                yield f, {k.decode(): v.decode() for k, v in p.metadata.metadata.items()}, p.read().column('o').to_pylist()

        """

    /// Every row up to the last is there, at most so many times; every file says what it holds.
    private static let verify = """
        from collections import Counter
        rows, count, merged = Counter(), 0, 0
        for key, metadata, own in files():
            said = [int(metadata['kafka-' + k]) for k in ('start', 'end', 'count')]
            if said != [own[0], own[-1], len(own)] or own != sorted(own): sys.exit(print(f'{key} says {said} and holds {own[:3]}…{own[-3:]}'))
            rows.update(own)
            count += 1
            merged += 'kafka-merged' in metadata
        last = int(options[1]) if len(options) > 1 else max(rows, default=-1) + 1
        missing = [o for o in range(last) if not rows[o]]
        often = [o for o, n in rows.items() if n > int(options[0])]
        if missing or often: sys.exit(print(f'missing {missing[:5]}, more than {options[0]} times {sorted(often)[:5]}, of {last}'))
        print(f'rows {len(rows)}, files {count}, merged {merged}')
        """
}
