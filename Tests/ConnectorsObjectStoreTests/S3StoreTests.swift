import ConnectAPI
import Foundation
import Testing
import TestSupport

@testable import ConnectorsObjectStore

/// Against servers that verify what they are sent: OpenStack Swift's S3 API, and Ceph's where it is installed.
@Suite(.serialized) struct S3StoreTests {
    func store(
        _ server: S3Server, _ bucket: String, create: Bool = true, secret: String? = nil, region: String? = nil,
        signing: S3Client.Settings.PayloadSigning = .auto
    ) throws -> (S3Store, BlockingPool) {
        let pool = BlockingPool(threads: 4)
        var chain = CredentialChain()
        chain.configured = Credentials(accessKey: server.accessKey, secretKey: Secret(secret ?? server.secret), sessionToken: nil)
        let client = S3Client(
            S3Client.Settings(
                endpoint: try S3Endpoint(url: server.endpoint, bucket: bucket, pathStyle: true), region: region ?? server.region, credentials: chain,
                retry: RetryPolicy(retries: 2, base: 10), payloadSigning: signing), pool: pool, log: Logger("test"))
        return (S3Store(client, S3Store.Options(createBucket: create), log: Logger("test")), pool)
    }

    @Test(arguments: strictS3Servers) func objectsComeBackUnderNastyKeys(script: String) async throws {
        try await withS3(script) { server in
            let (store, pool) = try store(server, uniqueBucket())
            defer { pool.stop() }
            try await store.prepare()
            let keys = SigV4Tests.nasty
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (i, key) in keys.enumerated() {
                    group.addTask {
                        let body = Array("\(i) \(key)".utf8)
                        let outcome = try await store.put(key, body, ObjectAttributes(metadata: ["kafka-start": "\(i)"]), ifAbsent: false)
                        let found = try await store.head(key)
                        #expect(outcome == .stored && found == ObjectInfo(size: Int64(body.count), metadata: ["kafka-start": "\(i)"]), "\(key)")
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await Set(store.list("", limit: 1000)) == Set(keys))
            try await store.delete("a b")
            #expect(try await store.head("a b") == nil)
        }
    }

    @Test(arguments: strictS3Servers) func createsOnlyWhatIsAbsent(script: String) async throws {
        try await withS3(script) { server in
            let (store, pool) = try store(server, uniqueBucket())
            defer { pool.stop() }
            try await store.prepare()
            #expect(try await store.put("k", [1], ObjectAttributes(metadata: ["n": "1"]), ifAbsent: true) == .stored)
            #expect(try await store.put("k", [2, 3], ObjectAttributes(metadata: ["n": "2"]), ifAbsent: true) == .exists)
            #expect(try await store.head("k") == ObjectInfo(size: 1, metadata: ["n": "1"]))
            #expect(try await store.put("k", [2, 3], ObjectAttributes(), ifAbsent: false) == .stored)
            #expect(try await store.put("empty", [], ObjectAttributes(), ifAbsent: true) == .stored)
        }
    }

    @Test(arguments: strictS3Servers) func uploadsInParts(script: String) async throws {
        try await withS3(script) { server in
            for signing in [S3Client.Settings.PayloadSigning.signed, .unsigned] {
                let (store, pool) = try store(server, uniqueBucket(), signing: signing)
                defer { pool.stop() }
                try await store.prepare()
                let part = (0..<(5 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
                let attributes = ObjectAttributes(metadata: ["kafka-end": "9"])
                func upload() async throws -> PutOutcome {
                    let upload = try await store.beginUpload("dir=1/a+b", attributes)
                    let last = try await store.uploadPart(upload, number: 2, offset: Int64(part.count), [7, 8])
                    let first = try await store.uploadPart(upload, number: 1, offset: 0, part)
                    return try await store.complete(upload, [last, first], attributes, ifAbsent: true)
                }
                #expect(try await upload() == .stored)
                #expect(try await store.head("dir=1/a+b") == ObjectInfo(size: Int64(part.count + 2), metadata: ["kafka-end": "9"]))
                #expect(try await upload() == .exists)
                let dropped = try await store.beginUpload("x", attributes)
                await store.abort(dropped)
                await store.abort(dropped)
            }
        }
    }

    private func failure(_ body: () async throws -> Void) async -> ConnectorError? {
        do {
            try await body()
            return nil
        } catch { return error as? ConnectorError }
    }

    @Test(arguments: strictS3Servers) func refusalsSayWhatToDo(script: String) async throws {
        try await withS3(script) { server in
            let bucket = uniqueBucket()
            var (store, pool) = try store(server, bucket, create: false)
            let missing = await failure { try await store.prepare() }
            #expect(missing?.code == "s3.bucket_missing" && missing?.disposition == .stop && missing?.message.contains(bucket) == true)
            #expect(missing?.hint?.contains("s3.bucket.create") == true)
            pool.stop()

            (store, pool) = try self.store(server, bucket, secret: "wrong")
            let wrong = await failure { try await store.prepare() }
            #expect(wrong?.code == "s3.credentials_refused" && wrong?.message.contains("request id") == true, "\(wrong.map { "\($0)" } ?? "")")
            #expect(wrong?.description.contains("wrong") == false)
            pool.stop()

            (store, pool) = try self.store(server, bucket, region: "eu-west-3")
            if script == "swift-s3" {
                try await store.prepare()  // creates it, in the region learned
                #expect(store.place.contains("us-east-1"), "the region was learned")
            } else {
                // Ceph takes signatures of any region, and makes buckets only in those it has.
                let foreign = await failure { try await store.prepare() }
                #expect(foreign?.description.contains("InvalidLocationConstraint") == true)
            }
            pool.stop()

            let nobody = S3Server.away
            (store, pool) = try self.store(nobody, bucket)
            let away = await failure { try await store.prepare() }
            #expect(away?.code == "s3.unreachable" && away?.disposition == .retry, "\(away.map { "\($0)" } ?? "")")
            pool.stop()
        }
    }

    @Test(arguments: strictS3Servers) func aSinkRunsAgainstTheServerOnce(script: String) async throws {
        try await withS3(script) { server in
            let bucket = uniqueBucket()
            let (store, pool) = try store(server, bucket)
            defer { pool.stop() }
            let topic = TestTopic((0..<20).map { ("k\($0 % 3)", 1_800_000_000_000 + Int64($0)) })
            for crash in [7, 20] {
                let harness = SinkHarness(["partitioner.class": "FieldPartitioner", "partition.field.name": "k", "flush.on.stop": "true"], store: store)
                var task = try harness.task()
                _ = try await task.open([topic.partition])
                try await task.write(topic.batch(0..<crash))
                _ = try await task.flush(.closing)
                await task.close([topic.partition])
            }
            let keys = try await store.list("topics/", limit: 1000)
            let script = """
                import boto3, json, sys
                from botocore.config import Config
                s3 = boto3.client('s3', endpoint_url=sys.argv[1], aws_access_key_id=sys.argv[2], aws_secret_access_key=sys.argv[3], region_name='us-east-1', config=Config(s3={'addressing_style': 'path'}))
                rows = []
                for key in json.loads(sys.argv[5]):
                    rows += [json.loads(l)['o'] for l in s3.get_object(Bucket=sys.argv[4], Key=key)['Body'].read().splitlines()]
                print(json.dumps(sorted(rows)))
                """
            let list = String(decoding: try JSONEncoder().encode(keys), as: UTF8.self)
            let rows = try JSONDecoder().decode(
                [Int].self, from: Data(Python.run(script, [server.endpoint, server.accessKey, server.secret, bucket, list]).utf8))
            #expect(rows == Array(0..<20))
        }
    }
}

/// What verifies signatures, payload hashes and conditions on this machine: Swift everywhere, Ceph where Debian's packages of it are installed.
private let strictS3Servers = (try? Subprocess.run("bash", ["-c", "command -v radosgw"])) == nil ? ["swift-s3"] : ["swift-s3", "ceph-rgw"]

/// Started with the first test that wants it: that takes Ceph a quarter of a minute.
private let ceph = Result { try S3Server.start("ceph-rgw") }

private func withS3<T>(_ script: String, _ body: (S3Server) async throws -> T) async throws -> T {
    script == "ceph-rgw" ? try await body(ceph.get()) : try await withSwiftS3(body)
}

extension S3Server {
    /// An address nobody listens on.
    static var away: S3Server { S3Server(endpoint: "http://127.0.0.1:1") }
}
