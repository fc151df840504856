import Foundation
import Synchronization
import Testing
import TestSupport

/// The real binary writing to a real S3 through a proxy that stops it at a chosen request, where it is killed: before a file, after it, before a
/// part, after it, before the upload completes, after it completed and before the offset is committed; for every rotation, in one directory and in
/// five that rotate independently. Every offset is in the bucket once, in order.
///
/// Of the steps of large files each rotation takes one, in turn; `SLUICE_S3_KILL_ROUNDS=N` takes them all, N times.
@Suite(.serialized) struct S3KillTests {
    private struct Step: Sendable {
        let what: String
        let matches: @Sendable (FaultProxy.Request) -> Bool
        /// The request is served and its answer held back.
        let forwarding: Bool
    }

    private struct Sink {
        let name: String
        let settings: [String: String]
    }

    private static let puts = [
        Step(what: "before put", matches: { $0.method == "PUT" && !$0.isPart }, forwarding: false),
        Step(what: "after put", matches: { $0.method == "PUT" && !$0.isPart }, forwarding: true),
    ]
    private static let uploads = [
        Step(what: "before part", matches: { $0.isPart }, forwarding: false), Step(what: "after part", matches: { $0.isPart }, forwarding: true),
        Step(what: "before complete", matches: { $0.isComplete }, forwarding: false),
        Step(what: "after complete", matches: { $0.isComplete }, forwarding: true),
    ]

    /// Names of the clock, and everything that is stored in a ledger. `put` is an entry, all files are uploads.
    private static let ledgers = [
        ("records", ["flush.size": "70"]), ("bytes", ["flush.size": "1000000", "file.max.bytes": "1000"]),
    ].map { name, rotation in
        Sink(
            name: "ledger-\(name)",
            settings: rotation.merging([
                "exactly.once.mode": "ledger", "partitioner.class": "TimeBasedPartitioner", "timestamp.extractor": "Wallclock", "timezone": "UTC",
                "locale": "en", "path.format": "'at'=HH-mm-ss-SSS", "partition.duration.ms": "5",
            ]) { $1 })
    }

    private static func sinks(_ prefix: String, records: Int, bytes: Int, milliseconds: Int) -> [Sink] {
        let unlimited = ["flush.size": "1000000"]
        let rotations = [
            ("flush", ["flush.size": String(records)]), ("bytes", unlimited.merging(["file.max.bytes": String(bytes)]) { $1 }),
            ("age", unlimited.merging(["file.max.age.ms": String(milliseconds)]) { $1 }),
            ("schedule", unlimited.merging(["rotate.schedule.interval.ms": String(milliseconds), "timezone": "UTC"]) { $1 }),
        ]
        // Sizes and ages are each file's own: one is cut while the others stay open.
        let five = ["partitioner.class": "FieldPartitioner", "partition.field.name": "k"]
        return rotations.flatMap { [Sink(name: "\(prefix)-\($0)-one", settings: $1), Sink(name: "\(prefix)-\($0)-five", settings: $1.merging(five) { $1 })] }
    }

    /// A worker with one topic and the sinks that read it.
    private final class Run {
        let worker: SluiceWorker
        private let topic: String
        private(set) var count = 0

        init(_ directory: String, topic: String, _ sinks: [Sink], _ connection: [String: String]) throws {
            self.topic = "\(directory)/\(topic).txt"
            worker = try SluiceWorker(directory: directory)
            try Data().write(to: URL(fileURLWithPath: self.topic))
            try worker.configure(
                "source",
                [
                    "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "file": self.topic, "topic": topic,
                    "value.converter": "org.apache.kafka.connect.storage.StringConverter",
                ])
            for sink in sinks {
                try worker.configure(
                    sink.name,
                    sink.settings.merging([
                        "connector.class": "io.confluent.connect.s3.S3SinkConnector", "topics": topic, "topics.dir": sink.name,
                        "storage.class": "io.confluent.connect.s3.storage.S3Storage", "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
                        "value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false",
                        "s3.part.size": "5242880", "s3.bucket.create": "true", "retry.backoff.ms": "100", "flush.on.stop": "true",
                    ]) { $1 }.merging(connection) { $1 })
            }
        }

        /// Whether the log has all lines, by its list of topics.
        func hasAll(_ answer: SluiceWorker.Response) -> Bool {
            let topics = answer.json as? [[String: Any]] ?? []
            let partitions = topics.flatMap { $0["partitions"] as? [[String: Any]] ?? [] }
            return partitions.contains { ($0["end"] as? Int) == count }
        }

        /// More lines for all sinks; `padding` bytes in every fifth: those of directory d0.
        func produce(_ lines: Int, padding: Int) throws {
            let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: topic))
            try handle.seekToEnd()
            let text = (count..<count + lines).map { i in
                "{\"o\":\(i),\"k\":\"d\(i % 5)\",\"p\":\"\(String(repeating: "x", count: i % 5 == 0 ? padding : 20))\"}\n"
            }
            try handle.write(contentsOf: Data(text.joined().utf8))
            try handle.close()
            count += lines
        }
    }

    @Test func everyOffsetIsInTheBucketOnceAfterKillsAtEveryStep() async throws {
        let rounds = ProcessInfo.processInfo.environment["SLUICE_S3_KILL_ROUNDS"].flatMap { Int($0) } ?? 0
        try await withSwiftS3 { server in
            try await withTemporaryDirectory { directory in
                let armed = Mutex<(prefix: String, step: Step)?>(nil), met = Mutex(false)
                let bucket = uniqueBucket()
                let proxy = try FaultProxy(to: server.port) { request in
                    guard let point = armed.withLock({ $0 }), request.target.hasPrefix("/\(bucket)/\(point.prefix)/"), point.step.matches(request) else {
                        return nil
                    }
                    met.withLock { $0 = true }
                    return .hold(forwarding: point.step.forwarding)
                }
                defer { proxy.stop() }
                let connection = [
                    "store.url": proxy.endpoint, "s3.bucket.name": bucket, "s3.region": server.region, "aws.access.key.id": server.accessKey,
                    "aws.secret.access.key": server.secret,
                ]
                var kills = 0
                func kill(_ run: Run, _ sink: Sink, _ step: Step) async throws {
                    met.withLock { $0 = false }
                    armed.withLock { $0 = (sink.name, step) }
                    try run.worker.start()
                    try await run.worker.wait("\(sink.name) is \(step.what)", seconds: 60) { met.withLock { $0 } }
                    if step.forwarding { try await Task.sleep(for: .milliseconds(50)) }
                    run.worker.kill()
                    armed.withLock { $0 = nil }
                    kills += 1
                }
                var expected: [String] = []
                /// Lets a worker store what is left: all of it is in the bucket when it has stopped.
                func finish(_ run: Run, _ sinks: [Sink]) async throws {
                    // Stopping waits for what is on its way, however slow the machine.
                    try run.worker.start(environment: ["SHUTDOWN_TIMEOUT": "60000"])
                    try await run.worker.wait("the topic has \(run.count) records", seconds: 60) {
                        run.hasAll(try run.worker.request("GET", "/sluice/v1/topics"))
                    }
                    // The lag is as of the last look at the log's end, at most a second and a tick ago.
                    try await Task.sleep(for: .milliseconds(1600))
                    try await run.worker.wait("\(sinks.map(\.name)) have read it", seconds: 60) {
                        let metrics = try run.worker.request("GET", "/metrics").body
                        return sinks.allSatisfy { sink in
                            metrics.split(separator: "\n").contains {
                                $0.hasPrefix("sluice_sink_lag_records{") && $0.contains("\"\(sink.name)\"") && $0.hasSuffix(" 0")
                            }
                        }
                    }
                    #expect(run.worker.stop() == 0)
                    expected += sinks.map { "\($0.name) \(run.count)" }
                }

                // Every directory gets more than a file of bytes each time: one file at least is due.
                let small = Self.sinks("small", records: 70, bytes: 1000, milliseconds: 400)
                let shared = try Run("\(directory)/small", topic: "small", small, connection)
                for sink in small {
                    for step in Self.puts {
                        try shared.produce(140, padding: 20)
                        try await kill(shared, sink, step)
                    }
                }
                try await finish(shared, small)

                let clock = try Run("\(directory)/clock", topic: "clock", Self.ledgers, connection)
                for sink in Self.ledgers {
                    for step in Self.puts + Self.uploads {
                        try clock.produce(140, padding: 20)
                        try await kill(clock, sink, step)
                    }
                }
                try await finish(clock, Self.ledgers)

                // Wherever the clock cuts what comes, one file is larger than a part.
                for (i, sink) in Self.sinks("large", records: 300, bytes: 5_500_000, milliseconds: 3000).enumerated() {
                    let run = try Run("\(directory)/\(sink.name)", topic: "large", [sink], connection)
                    let steps = rounds == 0 ? [Self.uploads[(i + i / 4) % 4]] : (0..<rounds).flatMap { _ in Self.uploads }
                    for step in steps {
                        try run.produce(600, padding: 100_000)
                        try await kill(run, sink, step)
                    }
                    try await finish(run, [sink])
                }

                let verdict = try Python.run(
                    Self.verify, [server.endpoint, server.accessKey, server.secret, bucket, expected.joined(separator: "\n")])
                print("s3 kill test: \(kills) kills, \(verdict)")
                #expect(verdict.hasPrefix("exactly once"), "\(verdict)")
            }
        }
    }

    private static let verify = """
        import boto3, json, sys
        from botocore.config import Config
        s3 = boto3.client('s3', endpoint_url=sys.argv[1], aws_access_key_id=sys.argv[2], aws_secret_access_key=sys.argv[3], region_name='us-east-1', config=Config(s3={'addressing_style': 'path'}))
        objects = 0
        for name, count in (line.split() for line in sys.argv[5].splitlines()):
            rows, last = [], {}
            for page in s3.get_paginator('list_objects_v2').paginate(Bucket=sys.argv[4], Prefix=name + '/'):
                for key in (o['Key'] for o in page.get('Contents', [])):
                    if '/_sluice/' in key or '/_ledger/' in key: continue
                    objects += 1
                    directory = key.rsplit('/', 1)[0]
                    for line in s3.get_object(Bucket=sys.argv[4], Key=key)['Body'].read().splitlines():
                        o = json.loads(line)['o']
                        if o <= last.get(directory, -1): sys.exit(print(f'{name}: {o} comes after {last[directory]} in {key}'))
                        last[directory] = o
                        rows.append(o)
            if sorted(rows) != list(range(int(count))):
                missing = sorted(set(range(int(count))) - set(rows))[:5]
                twice = sorted(o for o in set(rows) if rows.count(o) > 1)[:5] if len(rows) > len(set(rows)) else []
                sys.exit(print(f'{name}: {len(rows)} rows, {count} records, missing {missing}, twice {twice}'))
        print(f'exactly once: {objects} objects')
        """
}
