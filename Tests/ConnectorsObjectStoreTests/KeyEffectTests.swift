import ConnectAPI
import Foundation
import Parquet
import Synchronization
import TestSupport
import Testing

@testable import ConnectorsObjectStore

/// What single keys do, where no other suite is about it.
@Suite struct KeyEffectTests {
    private let partition = TopicPartition("t", 0)
    private static let s3 = [
        "s3.bucket.name": "b", "format.class": "JsonFormat", "flush.size": "3", "aws.access.key.id": "a", "aws.secret.access.key": "s",
    ]

    // MARK: Files

    /// Stores records {o, k, at} and returns the objects.
    private func store(
        _ settings: [String: String], _ rows: [(k: String, at: Int64?)], times: [Int64]? = nil, step: Int = 1, schema name: String? = nil,
        tolerating: Bool = false
    ) async throws -> (objects: [String: MemoryStore.Object], rejected: [Int64], metrics: CountingMetrics) {
        let schema = Schema(
            .struct, name: name, version: name == nil ? nil : 3,
            fields: [
                Schema.Field("o", Schema(.int64)), Schema.Field("k", Schema(.string)), Schema.Field("at", Schema(.int64, optional: true)),
            ])
        let base = MemoryStore(), harness = SinkHarness(["flush.size": "1000", "flush.on.stop": "true"].merging(settings) { $1 }, store: base)
        if tolerating { harness.rejected.tolerate() }
        var task = try harness.task()
        _ = try await task.open([partition])
        for start in stride(from: 0, to: rows.count, by: step) {
            let range = start..<min(rows.count, start + step)
            let values = range.map { Value.struct([.integer(Int64($0)), .string(rows[$0].k), rows[$0].at.map { .integer($0) } ?? .null]) }
            let batch = RecordBatch(
                topic: "t", count: range.count, key: nil, value: Column(schema, values),
                timestamps: Column(RecordBatch.timestampSchema, count: range.count, .int64(range.map { times?[$0] ?? 1_714_979_289_000 })))
            try await task.write(
                ConsumedBatch(batch, from: partition, offsets: .contiguous(from: Int64(range.lowerBound)), nextOffset: Int64(range.upperBound)))
        }
        #expect(try await task.flush(.closing)[partition] == Int64(rows.count))
        await task.close([partition])
        return (base.objects, harness.rejected.offsets, harness.metrics)
    }

    private func names(_ settings: [String: String], _ rows: [(k: String, at: Int64?)], times: [Int64]? = nil, schema: String? = nil) async throws -> [String] {
        try await store(settings, rows, times: times, schema: schema).objects.keys.map { String($0.dropFirst("topics/t/".count)) }.sorted()
    }

    @Test func directoriesAreCutTogetherOnlyWhenAsked() async throws {
        let hourly = ["partitioner.class": "HourlyPartitioner", "timezone": "UTC", "timestamp.extractor": "Record", "rotate.interval.ms": "86400000"]
        let rows = (0..<4).map { _ in (k: "x", at: Int64?.none) }, times: [Int64] = [0, 3_600_000, 0, 3_600_000]
        #expect(try await names(hourly, rows, times: times).count == 4)
        #expect(try await names(hourly.merging(["rotate.file.on.partition.change": "false"]) { $1 }, rows, times: times).count == 2)
        let byField = ["partitioner.class": "FieldPartitioner", "partition.field.name": "k"],
            three = ["a", "b", "c", "a", "b", "c"].map { (k: $0, at: Int64?.none) }
        #expect(try await names(byField, three).count == 3)
        #expect(try await names(byField.merging(["partitioner.max.open.files": "2"]) { $1 }, three).count == 6)
    }

    @Test func veryManyDirectoriesAreToldOfOnce() async throws {
        let many = ManyDirectories(), lanes = (0..<2).map { Lane.Identity(partition: TopicPartition("t", $0), topic: "t") }
        #expect((1...ManyDirectories.many).allSatisfy { many.warning($0, of: lanes[0]) == nil })
        #expect(many.warning(101, of: lanes[0])?.contains("t-0") == true && many.warning(101, of: lanes[1]) == nil && many.warning(102, of: lanes[0]) == nil)
        let other = Lane.Identity(partition: TopicPartition("u", 0), topic: "u")
        #expect(many.warning(101, of: other) != nil)
    }

    @Test func filesAreCutByTheirOwnRecords() async throws {
        let rows = (0..<10).map { (k: $0 % 5 == 0 ? "b" : "a", at: Int64?.none) }
        let settings = ["partitioner.class": "FieldPartitioner", "partition.field.name": "k", "file.max.records": "3"]
        for step in [1, 4, 10] {
            let counts = try await store(settings, rows, step: step).objects.mapValues { FileFacts($0.metadata)?.count }
            #expect(counts.filter { $0.key.contains("k=a") }.map { $0.value ?? 0 }.sorted() == [2, 3, 3], "in batches of \(step)")
            #expect(counts.filter { $0.key.contains("k=b") }.map(\.value) == [2], "in batches of \(step)")
        }
    }

    @Test func everyFileMayHaveAnUUID() async throws {
        let rows = (0..<5).map { _ in (k: "x", at: Int64?.none) }
        var seen: [String] = []
        for _ in 0..<2 {
            let stored = try await store(["flush.size": "1", "file.name.template": "{{uuid}}.json"], rows)
            seen += stored.objects.keys.map { String($0.dropFirst("topics/".count).dropLast(".json".count)) }
        }
        #expect(Set(seen).count == 10 && seen.allSatisfy { UUID(uuidString: $0) != nil && Array($0)[14] == "4" && "89ab".contains(Array($0)[19]) }, "\(seen)")
    }

    @Test func aTimeThatIsMissingHasAFallback() async throws {
        let settings = [
            "partitioner.class": "DailyPartitioner", "timezone": "UTC", "timestamp.extractor": "RecordField", "timestamp.field": "at", "path.format": "",
        ]
        let rows: [(k: String, at: Int64?)] = [("x", 0), ("x", nil)]
        func directories(_ fallback: String) async throws -> Set<String> {
            Set(try await names(settings.merging(["timestamp.fallback": fallback]) { $1 }, rows).map { String($0.prefix(27)) })
        }
        #expect(try await directories("record") == ["year=1970/month=01/day=01/t", "year=2024/month=05/day=06/t"])
        #expect(try await directories("wallclock") == ["year=1970/month=01/day=01/t", "year=2027/month=01/day=15/t"])
        let refused = try await store(settings.merging(["timestamp.fallback": "dlq"]) { $1 }, rows, tolerating: true)
        #expect(refused.rejected == [1] && refused.objects.count == 1)
    }

    @Test func valuesInPathsAreEscapedForHiveWhenAsked() async throws {
        let byField = ["partitioner.class": "FieldPartitioner", "partition.field.name": "k,at"], rows: [(k: String, at: Int64?)] = [("a/../b=c", nil)]
        #expect(try await names(byField, rows) == ["k=a/../b=c/at=null/t+0+0000000000.json"])
        let hive = try await names(byField.merging(["partition.value.escape": "hive"]) { $1 }, rows)
        #expect(hive == ["k=a%2F..%2Fb%3Dc/at=__HIVE_DEFAULT_PARTITION__/t+0+0000000000.json"])
    }

    @Test func theSchemasNameMayBeADirectory() async throws {
        let rows: [(k: String, at: Int64?)] = [("x", nil), ("y", nil)]
        for (affix, name, directory) in [
            ("NONE", "shop.Order", "partition=0"), ("PREFIX", "shop.Order", "schema_name=shop.Order/partition=0"),
            ("SUFFIX", "shop.Order", "partition=0/schema_name=shop.Order"), ("SUFFIX", nil, "partition=0/schema_name=null"),
        ] {
            let stored = try await names(["s3.schema.partition.affix.type": affix], rows, schema: name)
            #expect(stored == ["\(directory)/t+0+0000000000.json"], "\(affix) \(name ?? "none")")
        }
        let byField = ["partitioner.class": "FieldPartitioner", "partition.field.name": "k", "s3.schema.partition.affix.type": "PREFIX"]
        #expect(try await names(byField, rows, schema: "o").map { $0.prefix(18) } == ["schema_name=o/k=x/", "schema_name=o/k=y/"])
    }

    @Test func formatsHaveTheirKeys() async throws {
        let rows = (0..<400).map { (k: "customer \($0 * 7919 % 400)", at: Int64?.some(Int64($0))) }
        func size(_ level: String) async throws -> Int {
            let objects = try await store(["s3.compression.type": "gzip", "s3.compression.level": level], rows).objects
            #expect(objects.keys.allSatisfy { $0.hasSuffix(".json.gz") } && objects.count == 1)
            return objects.values.first?.body.count ?? 0
        }
        let (stored, fast, best) = (try await size("0"), try await size("1"), try await size("9"))
        #expect(stored > fast && fast > best)
        func avro(_ settings: [String: String]) async throws -> String {
            let objects = try await store(["format.class": "AvroFormat"].merging(settings) { $1 }, rows, schema: "shop.Order").objects
            return String(decoding: objects.values.first?.body.prefix(700) ?? [], as: UTF8.self)
        }
        #expect(try await avro([:]).contains("connect.version"))
        #expect(try await !avro(["connect.meta.data": "false"]).contains("connect.version"))
        #expect(try await avro(["avro.codec": "bzip2"]).contains("bzip2"))

        let bytes = Column(Schema(.bytes, optional: true), [.bytes(Array("a".utf8)), .bytes(Array("b".utf8))])
        let base = MemoryStore()
        let harness = SinkHarness(
            ["format.class": "ByteArrayFormat", "flush.size": "2", "format.bytearray.extension": ".raw", "format.bytearray.separator": "|"], store: base)
        var task = try harness.task()
        _ = try await task.open([partition])
        let batch = RecordBatch(topic: "t", count: 2, key: nil, value: bytes, timestamps: .constant(1, RecordBatch.timestampSchema, count: 2))
        try await task.write(ConsumedBatch(batch, from: partition, offsets: .contiguous(from: 0), nextOffset: 2))
        _ = try await task.flush(.closing)
        await task.close([partition])
        #expect(base.objects.mapValues { String(decoding: $0.body, as: UTF8.self) } == ["topics/t/partition=0/t+0+0000000000.raw": "a|b|"])
    }

    // MARK: Requests

    /// Gives the body a service that answers as told, and what it was asked.
    private func withService(
        _ answer: @escaping @Sendable (FaultProxy.Request) -> FaultProxy.Fault = { _ in .answer(200) }, _ body: (FaultProxy) async throws -> Void
    ) async throws {
        let service = try FaultProxy(to: 0, decide: answer)
        defer { service.stop() }
        try await body(service)
    }

    private func store(_ settings: [String: String], pool: BlockingPool) throws -> S3Store {
        let configuration = try S3SinkConfiguration(Self.s3.merging(settings) { $1 })
        guard case .bucket(let endpoint) = try configuration.location else { throw CancellationError() }
        return S3Store(S3Client(configuration.clientSettings(endpoint), pool: pool, log: Logger("test")), configuration.storeOptions, log: Logger("test"))
    }

    /// The headers of one PUT.
    private func headers(_ settings: [String: String], bytes: Int = 10) async throws -> [String: String] {
        let pool = BlockingPool(threads: 2)
        defer { pool.stop() }
        var seen: [String: String] = [:]
        try await withService { service in
            let store = try store(["store.url": service.endpoint].merging(settings) { $1 }, pool: pool)
            _ = try await store.put("k", [UInt8](repeating: 1, count: bytes), ObjectAttributes(), ifAbsent: true)
            seen = service.requests.last?.request.headers ?? [:]
        }
        return seen
    }

    @Test func requestsAreAsConfigured() async throws {
        let plain = try await headers([:])
        #expect(plain["content-md5"] == nil && plain["x-amz-content-sha256"]?.count == 64 && plain["if-none-match"] == "*")
        #expect(plain["authorization"]?.contains("Credential=a/") == true)
        #expect(try await headers(["s3.send.digest": "true"])["content-md5"] == "SExWJJEOYoj61p5XKgY39w==")
        #expect(try await headers(["s3.payload.signing": "unsigned"])["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD")
        #expect(try await headers(["s3.region": "eu-west-3"])["authorization"]?.contains("/eu-west-3/s3/") == true)
        #expect(try await headers(["s3.ssea.name": "aws:kms", "s3.sse.kms.key.id": "key"])["x-amz-server-side-encryption-aws-kms-key-id"] == "key")
        #expect(try await headers(["s3.acl.canned": "private"])["x-amz-acl"] == "private")
        #expect(try await headers([:], bytes: 2 << 20)["expect"] == "100-continue")
        #expect(try await headers(["s3.http.send.expect.continue": "false"], bytes: 2 << 20)["expect"] == nil)
        #expect(try await headers(["s3.credentials.provider.class": "com.amazonaws.auth.AnonymousAWSCredentials"])["authorization"] == nil)
    }

    @Test func requestsGoThroughTheProxyThatIsNamed() async throws {
        let pool = BlockingPool(threads: 2)
        defer { pool.stop() }
        try await withService { service in
            let settings = [
                "store.url": "http://store.invalid", "s3.proxy.url": service.endpoint, "s3.proxy.user": "u", "s3.proxy.password": "p",
                "s3.path.style.access.enabled": "true",
            ]
            _ = try await store(settings, pool: pool).put("k", [1], ObjectAttributes(), ifAbsent: true)
            let request = try #require(service.requests.last?.request)
            #expect(request.target == "http://store.invalid/b/k" && request.headers["proxy-authorization"] == "Basic dTpw")
        }
    }

    @Test func requestsAreTriedAsOftenAsConfigured() async throws {
        let pool = BlockingPool(threads: 2)
        defer { pool.stop() }
        try await withService({ _ in .answer(500, body: FaultProxy.error("InternalError")) }) { service in
            for retries in [0, 2] {
                let before = service.requests.count
                let store = try store(
                    ["store.url": service.endpoint, "s3.part.retries": String(retries), "s3.retry.backoff.ms": "1", "aws.s3.backoff.max.delay.ms": "2"],
                    pool: pool)
                await #expect(throws: ConnectorError.self) { try await store.put("k", [1], ObjectAttributes(), ifAbsent: true) }
                #expect(service.requests.count - before == retries + 1)
            }
        }
    }

    /// A tag that cannot be set is counted, or fails the task when it must be there.
    @Test func tagsMayBeRequired() async throws {
        let answer: @Sendable (FaultProxy.Request) -> FaultProxy.Fault = {
            $0.target.contains("tagging")
                ? .answer(403, body: FaultProxy.error("AccessDenied")) : $0.method == "HEAD" && $0.target.contains("/t+") ? .answer(404) : .answer(200)
        }
        for behavior in ["ignore", "fail"] {
            let pool = BlockingPool(threads: 2)
            defer { pool.stop() }
            try await withService(answer) { service in
                let settings = [
                    "store.url": service.endpoint, "s3.object.tagging": "true", "s3.object.behavior.on.tagging.error": behavior, "retry.backoff.ms": "1",
                ]
                let harness = SinkHarness(settings, store: try store(settings, pool: pool)), topic = TestTopic((0..<3).map { ("k", Int64($0)) })
                var task = try harness.task(), failure: ConnectorError?
                _ = try await task.open([topic.partition])
                do {
                    try await task.write(topic.batch(0..<3))
                    _ = try await task.flush(.closing)
                } catch let error as ConnectorError { failure = error }
                await task.close([topic.partition])
                #expect(failure?.code == (behavior == "fail" ? "s3.access_denied" : nil), "\(behavior)")
                #expect(harness.metrics["tagging_failures_total"] == (behavior == "fail" ? 0 : 1))
            }
        }
    }

    @Test func connectionsAreAsConfigured() throws {
        func settings(_ more: [String: String]) throws -> S3Client.Settings {
            let configuration = try S3SinkConfiguration(Self.s3.merging(more) { $1 })
            guard case .bucket(let endpoint) = try configuration.location else { throw CancellationError() }
            return configuration.clientSettings(endpoint)
        }
        let role = try settings([
            "s3.credentials.provider.class": "io.confluent.connect.s3.auth.AwsAssumeRoleCredentialsProvider", "s3.credentials.provider.sts.role.arn": "arn:x",
            "s3.credentials.provider.sts.role.session.name": "lake", "s3.credentials.provider.sts.role.external.id": "id",
        ]).credentials.role
        #expect(role?.arn == "arn:x" && role?.sessionName == "lake" && role?.externalID == "id" && role?.duration == nil)
        #expect(try settings(["s3.wan.mode": "true"]).endpoint.host(region: "r") == "b.s3-accelerate.amazonaws.com")
        // A configuration of Aiven's whose class was changed, in Confluent's names or its own.
        let aws = [
            "aws.s3.endpoint": "http://minio:9000", "aws.s3.region": "eu-north-1", "aws.sts.role.arn": "arn:y", "aws.sts.role.external.id": "e",
            "aws.sts.role.session.name": "n", "aws.sts.role.session.duration": "900", "aws.sts.config.endpoint": "https://sts.example",
            "aws.s3.backoff.delay.ms": "7", "aws.s3.backoff.max.delay.ms": "70", "aws.s3.backoff.max.retries": "5", "aws.s3.sse.algorithm": "AES256",
            "aws.credentials.provider": "software.amazon.awssdk.auth.credentials.AnonymousCredentialsProvider", "aws.s3.bucket.name": "b",
            "aws.s3.part.size.bytes": "6000000", "aws.s3.prefix": "p",
        ]
        let own = try AivenS3SinkConfiguration(aws)
        for client in [try settings(aws), try own.clientSettings] {
            let role = client.credentials.role
            #expect(client.region == "eu-north-1" && client.endpoint.host(region: "r") == "minio:9000" && client.credentials.anonymous)
            #expect(role?.arn == "arn:y" && role?.externalID == "e" && role?.sessionName == "n" && role?.duration == 900)
            #expect(client.credentials.stsEndpoint == "https://sts.example")
            #expect(client.retry.base == 7 && client.retry.cap == 70 && client.retry.retries == 5)
        }
        let renamed = try S3SinkConfiguration(Self.s3.merging(aws) { $1 })
        for (options, plan, prefix) in [(own.storeOptions, try own.plan, "p"), (renamed.storeOptions, try renamed.plan, "p/")] {
            #expect(options.encryption == "AES256" && plan.partSize == 6_000_000)
            #expect(plan.naming.names(topic: "t", partition: 0, directory: "d", start: 0, time: 0)[0].hasPrefix(prefix + "t"))
        }

        let gcs = try GCSSinkConfiguration([
            "gcs.bucket.name": "b", "gcs.credentials.json": "{}", "gcs.user.agent": "lake/1", "gcs.retry.backoff.initial.delay.ms": "1",
            "gcs.retry.backoff.delay.multiplier": "3.0", "gcs.retry.backoff.max.delay.ms": "9", "gcs.retry.backoff.total.timeout.ms": "99",
            "gcs.retry.backoff.max.attempts": "4", "gcs.object.content.encoding": "gzip",
        ]).clientSettings
        #expect(gcs.userAgent == "lake/1" && gcs.credentials.json?.value == "{}")
        let retry = gcs.retry
        #expect(retry.initialDelay == 1 && retry.multiplier == 3 && retry.maxDelay == 9 && retry.totalTimeout == 99 && retry.maxAttempts == 4)
    }

    // MARK: Parquet

    @Test func keysOfParquetReachTheWriter() throws {
        let keys: [(String, String, @Sendable (ParquetOptions) -> Bool)] = [
            ("parquet.decimal.encoding", "legacy", { $0.decimalEncoding == .legacy }), ("parquet.timestamp.local.as.utc", "false", { !$0.timestampLocalAsUTC }),
            ("parquet.keep.required", "true", { $0.keepRequired }), ("parquet.parse.zoned", "false", { !$0.parseZoned }),
            ("parquet.timestamp.as", "string", { $0.timestampEncoding == .string }), ("parquet.timestamp.as", "nanos", { $0.timestampEncoding == .nanos }),
            ("parquet.variable.scale.decimal", "double", { $0.variableScaleDecimal == .double }),
            ("parquet.field.names", "sanitize", { $0.fieldNames == .sanitize }),
            ("parquet.uuid", "fixed", { $0.uuid == .fixed }), ("parquet.json.annotation", "true", { $0.jsonAnnotation }),
            ("parquet.geometry", "wkb", { $0.geometry == .wkb }), ("parquet.compression.level", "9", { $0.compressionLevel == 9 }),
            ("parquet.page.version", "v2", { $0.pageVersion == .v2 }), ("parquet.row.group.rows", "77", { $0.rowGroupRows == 77 }),
            ("parquet.row.group.bytes", "70000", { $0.rowGroupBytes == 70_000 }), ("parquet.bloom.filter.columns", "a", { $0.bloomFilters == ["a"] }),
            ("parquet.bloom.filter.fpp", "0.5", { $0.bloomFalsePositives == 0.5 }),
        ]
        func options(_ plan: SinkPlan) throws -> ParquetOptions {
            guard case .parquet(let options) = plan.formats.values else { throw CancellationError() }
            return options
        }
        for (key, value, holds) in keys {
            let s3 = try S3SinkConfiguration(Self.s3.merging(["format.class": "ParquetFormat", key: value]) { $1 }).plan
            let aiven = ["format.output.type": "parquet", "format.output.envelope": "false", key: value]
            let gcs = try GCSSinkConfiguration(aiven.merging(["gcs.bucket.name": "b"]) { $1 }).plan
            let aivenS3 = try AivenS3SinkConfiguration(aiven.merging(["aws.s3.bucket.name": "b"]) { $1 }).plan
            for plan in [s3, gcs, aivenS3] { #expect(try holds(options(plan)), "\(key)=\(value)") }
            #expect(!holds(ParquetOptions()), "\(key)=\(value) is not the default")
        }
    }
}
