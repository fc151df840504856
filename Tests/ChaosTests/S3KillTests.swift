import Foundation
import Synchronization
import Testing
import TestSupport

/// The real binary writing to a real S3 through a proxy that stops it at a chosen request, where it is killed: before a part, after it, before
/// the upload completes, after it completed and before the offset is committed; for every rotation, in one directory and in five that rotate
/// independently. Every offset is in the bucket once, in order.
@Suite(.serialized) struct S3KillTests {
    private struct Sink {
        let name: String
        let topic: String
        let settings: [String: String]
        /// Where it is killed: requests that are held back, or whose answer is.
        let steps: [(what: String, matches: @Sendable (FaultProxy.Request) -> Bool, forwarding: Bool)]
    }

    private static let puts: [(what: String, matches: @Sendable (FaultProxy.Request) -> Bool, forwarding: Bool)] = [
        ("before put", { $0.method == "PUT" && !$0.isPart }, false), ("after put", { $0.method == "PUT" && !$0.isPart }, true),
    ]
    private static let uploads: [(what: String, matches: @Sendable (FaultProxy.Request) -> Bool, forwarding: Bool)] = [
        ("before part", { $0.isPart }, false), ("after part", { $0.isPart }, true), ("before complete", { $0.isComplete }, false),
        ("after complete", { $0.isComplete }, true),
    ]

    private static let sinks: [Sink] = {
        let five = ["partitioner.class": "FieldPartitioner", "partition.field.name": "k"]
        let rotations = [
            ("flush", ["flush.size": "70"]), ("age", ["flush.size": "1000000", "file.max.age.ms": "400"]),
            ("schedule", ["flush.size": "1000000", "rotate.schedule.interval.ms": "500", "timezone": "UTC"]),
        ]
        var sinks = [Sink(name: "large", topic: "large", settings: ["flush.size": "300"], steps: uploads)]
        for (name, settings) in rotations {
            // Independent ages: one file is cut while the others stay open.
            sinks.append(Sink(name: "\(name)-one", topic: "small", settings: settings, steps: puts))
            sinks.append(
                Sink(
                    name: "\(name)-five", topic: "small",
                    settings: settings.merging(five) { $1 }.merging(name == "age" ? ["file.max.bytes": "2000"] : [:]) { $1 },
                    steps: puts))
        }
        return sinks
    }()

    @Test func everyOffsetIsInTheBucketOnceAfterKillsAtEveryStep() async throws {
        try await withSwiftS3 { server in
            try await withTemporaryDirectory { directory in
                let armed = Mutex<(prefix: String, matches: @Sendable (FaultProxy.Request) -> Bool, forwarding: Bool)?>(nil), met = Mutex(false)
                let bucket = uniqueBucket()
                let proxy = try FaultProxy(to: server.port) { request in
                    guard let point = armed.withLock({ $0 }), request.target.hasPrefix("/\(bucket)/\(point.prefix)/"), point.matches(request) else {
                        return nil
                    }
                    met.withLock { $0 = true }
                    return .hold(forwarding: point.forwarding)
                }
                defer { proxy.stop() }
                let worker = try SluiceWorker(directory: directory)
                for topic in ["small", "large"] {
                    try Data().write(to: URL(fileURLWithPath: "\(directory)/\(topic).txt"))
                    try worker.configure(
                        "source-\(topic)",
                        [
                            "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "file": "\(directory)/\(topic).txt",
                            "topic": topic, "value.converter": "org.apache.kafka.connect.storage.StringConverter",
                        ])
                }
                for sink in Self.sinks {
                    try worker.configure(
                        sink.name,
                        sink.settings.merging([
                            "connector.class": "io.confluent.connect.s3.S3SinkConnector", "topics": sink.topic, "topics.dir": sink.name,
                            "storage.class": "io.confluent.connect.s3.storage.S3Storage", "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
                            "value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false",
                            "store.url": proxy.endpoint, "s3.bucket.name": bucket, "s3.region": server.region, "aws.access.key.id": server.accessKey,
                            "aws.secret.access.key": server.secret, "s3.part.size": "5242880", "s3.bucket.create": "true", "retry.backoff.ms": "100",
                        ]) { $1 })
                }
                var counts = ["small": 0, "large": 0]
                func produce(_ topic: String, _ lines: Int, padding: Int) throws {
                    let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: "\(directory)/\(topic).txt"))
                    try handle.seekToEnd()
                    let from = counts[topic]!
                    let text = (from..<from + lines).map { "{\"o\":\($0),\"k\":\"d\($0 % 5)\",\"p\":\"\(String(repeating: "x", count: padding))\"}\n" }.joined()
                    try handle.write(contentsOf: Data(text.utf8))
                    try handle.close()
                    counts[topic] = from + lines
                }

                for sink in Self.sinks {
                    for step in sink.steps {
                        met.withLock { $0 = false }
                        armed.withLock { $0 = (sink.name, step.matches, step.forwarding) }
                        if sink.topic == "large" { try produce("large", 300, padding: 20_000) } else { try produce("small", 140, padding: 20) }
                        try worker.start()
                        try await worker.wait("\(sink.name) is \(step.what)", seconds: 40) { met.withLock { $0 } }
                        if step.forwarding { try await Task.sleep(for: .milliseconds(50)) }
                        worker.kill()
                    }
                }
                armed.withLock { $0 = nil }
                // Rotations by count leave a rest in the topic that is not due.
                try produce("small", 70 - counts["small"]! % 70, padding: 20)
                try worker.start()
                let total = Self.sinks.reduce(0) { $0 + counts[$1.topic]! }
                let arguments = [server.endpoint, server.accessKey, server.secret, bucket]
                let expected = Self.sinks.map { "\($0.name) \(counts[$0.topic]!)" }.joined(separator: "\n")
                try await worker.wait("\(total) records are in the bucket", seconds: 60) {
                    try Python.run(Self.verify, arguments + [expected]).hasPrefix("exactly once")
                }
                // What is written after the last record would be a duplicate: give it the time to show.
                try await Task.sleep(for: .seconds(1))
                #expect(worker.stop() == 0)
                let verdict = try Python.run(Self.verify, arguments + [expected])
                print("s3 kill test: \(verdict)")
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
                    if '/_sluice/' in key: continue
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
