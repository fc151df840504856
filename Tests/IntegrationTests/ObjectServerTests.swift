import Foundation
import Synchronization
import TestSupport
import Testing

/// A whole worker that writes to servers which verify what they are sent: small files, a file of several parts, records that have no directory, a
/// refusal for now and an answer that was lost. pyarrow reads every record once, and `/metrics` tells of all of it.
@Suite(.serialized) struct ObjectServerTests {
    private static let servers = (try? Subprocess.run("bash", ["-c", "command -v radosgw"])) == nil ? ["swift-s3"] : ["swift-s3", "ceph-rgw"]

    @Test(arguments: servers) func aWorkerStoresEveryRecordOnceAndSaysSo(script: String) async throws {
        let server = try S3Server.start(script)
        defer { try? server.stop() }
        try await withTemporaryDirectory { directory in
            let expires = ISO8601DateFormatter().string(from: Date().addingTimeInterval(3600))
            let issuer = try FaultProxy(to: 0) { _ in
                .answer(
                    200,
                    body: "{\"AccessKeyId\":\"\(server.accessKey)\",\"SecretAccessKey\":\"\(server.secret)\",\"Token\":\"t\",\"Expiration\":\"\(expires)\"}")
            }
            let small = Mutex(0)
            let proxy = try FaultProxy(to: server.port) { request in
                guard request.method == "PUT", !request.isPart, request.target.contains("/small/events/") else { return nil }
                let count = small.withLock { count in
                    count += 1
                    return count
                }
                return count == 1 ? .answer(503, body: FaultProxy.error("SlowDown")) : count == 3 ? .loseAnswer : nil
            }
            defer {
                issuer.stop()
                proxy.stop()
            }
            let worker = try SluiceWorker(directory: directory), lines = directory + "/lines.txt", total = 1000, bad = 7
            // A few lines have no value, which the sink refuses; the others are of incompressible kilobytes.
            var random = SeededGenerator(seed: 11)
            let text = (0..<total).map { i in
                let padding = (0..<(i % 3 == 0 ? 1700 : 20)).map { _ in String(UInt64.random(in: 0...UInt64.max, using: &random), radix: 36) }.joined()
                return i % 150 == 75 ? "null\n" : "{\"o\":\(i),\"k\":\"d=\(i % 3)\",\"p\":\"\(padding)\"}\n"
            }
            try text.joined().write(toFile: lines, atomically: true, encoding: .utf8)
            try worker.configure(
                "lines",
                [
                    "connector.class": "FileStreamSource", "file": lines, "topic": "events", "batch.size": "100",
                    "value.converter": "org.apache.kafka.connect.storage.StringConverter",
                ])
            for (name, settings) in [("small", ["flush.size": "100"]), ("large", ["flush.size": "1000000"])] {
                try worker.configure(
                    name,
                    [
                        "connector.class": "io.confluent.connect.s3.S3SinkConnector", "topics": "events", "topics.dir": name, "store.url": proxy.endpoint,
                        "s3.bucket.name": "lake", "s3.bucket.create": "true", "s3.region": server.region, "s3.part.size": "5242880",
                        "s3.retry.backoff.ms": "20",
                        "retry.backoff.ms": "100", "flush.on.stop": "true", "storage.class": "io.confluent.connect.s3.storage.S3Storage",
                        "format.class": "io.confluent.connect.s3.format.parquet.ParquetFormat", "parquet.row.group.bytes": "1048576",
                        "partitioner.class": "FieldPartitioner", "partition.field.name": "k",
                        "value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false",
                        "errors.tolerance": "all", "errors.deadletterqueue.topic.name": "dead-\(name)",
                    ].merging(settings) { $1 })
            }
            try worker.start(environment: ["AWS_CONTAINER_CREDENTIALS_FULL_URI": issuer.endpoint + "/", "SHUTDOWN_TIMEOUT": "60000"])
            /// The sum of a family's samples of one sink.
            func figure(_ name: String, of sink: String = "small", _ label: String = "") throws -> Double? {
                let samples = try worker.request("GET", "/metrics").body.split(separator: "\n").filter {
                    $0.hasPrefix("sluice_object_store_\(name){") && $0.contains("connector=\"\(sink)\"") && (label.isEmpty || $0.contains(label))
                }
                return samples.isEmpty ? nil : samples.compactMap { Double($0.split(separator: " ").last ?? "") }.reduce(0, +)
            }
            try await worker.wait("all files but the last are stored", seconds: 90) {
                try ["small", "large"].allSatisfy { try figure("records_total", of: $0) == Double(total) } && figure("committed_offset") ?? 0 >= 800
            }
            // What is written every second.
            try await Task.sleep(for: .milliseconds(1200))
            _ = try await worker.wait("figures are new") { try figure("open_files", of: "large") == 3 }
            #expect(try figure("records_rejected_total") == Double(bad) && figure("records_rejected_total", of: "large") == Double(bad))
            #expect(try figure("bytes_total") ?? 0 > 1_000_000)
            #expect(try figure("files_closed_total", of: "small", "reason=\"records\"") ?? 0 >= 20)
            #expect(try figure("buffered_bytes", of: "large") ?? 0 > 0 && figure("oldest_record_age_seconds", of: "large") ?? 0 > 0)
            #expect(try figure("retries_total", of: "small", "code=\"SlowDown\"") == 1)
            #expect(try figure("conditional_conflicts_total") ?? 0 >= 1, "the answer that was lost")
            #expect(try figure("uncommitted_records", of: "large") ?? 0 == Double(total))
            #expect((1...3600).contains(try figure("credentials_expire_in_seconds") ?? 0))
            // A histogram: as many as there are files, and ever more up to each bound.
            let stored = try figure("files_stored_total") ?? 0
            #expect(try figure("upload_seconds_count") == stored && figure("upload_seconds_sum") ?? 0 > 0)
            let figures = try worker.request("GET", "/metrics").body
            #expect(figures.contains("# TYPE sluice_object_store_upload_seconds histogram"))
            let buckets = figures.split(separator: "\n").filter { $0.hasPrefix("sluice_object_store_upload_seconds_bucket{") && $0.contains("\"small\"") }
                .compactMap { Double($0.split(separator: " ").last ?? "") }
            #expect(buckets.count > 10 && buckets == buckets.sorted() && buckets.last == stored)
            #expect(worker.stop() == 0, "\(worker.log.suffix(2000))")
            let parts = proxy.requests.filter(\.request.isPart).count
            #expect(parts >= 2, "a file of several parts")
            let verdict = try Python.run(Self.read, [server.endpoint, server.accessKey, server.secret]).trimmingCharacters(in: .whitespacesAndNewlines)
            let wanted = total - bad
            #expect(verdict == "small \(wanted) \(wanted), large \(wanted) \(wanted)", "\(verdict)")
        }
    }

    private static let read = """
        import boto3, io, sys, pyarrow.parquet as pq
        from botocore.config import Config
        s3 = boto3.client('s3', endpoint_url=sys.argv[1], aws_access_key_id=sys.argv[2], aws_secret_access_key=sys.argv[3], region_name='us-east-1', config=Config(s3={'addressing_style': 'path'}))
        out = []
        for name in ('small', 'large'):
            rows = []
            for page in s3.get_paginator('list_objects_v2').paginate(Bucket='lake', Prefix=name + '/events/'):
                for o in page.get('Contents', []):
                    body = s3.get_object(Bucket='lake', Key=o['Key'])['Body'].read()
                    table = pq.read_table(io.BytesIO(body))
                    assert set(table.column('k').to_pylist()) == {o['Key'].split('/')[2].removeprefix('k=')}, o['Key']
                    rows += table.column('o').to_pylist()
            out.append(f'{name} {len(rows)} {len(set(rows))}')
        print(', '.join(out))
        """
}
