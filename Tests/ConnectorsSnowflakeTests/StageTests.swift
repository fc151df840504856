import ConnectAPI
import JSON
import TestSupport
import Testing
import Transport

@testable import ConnectorsSnowflake

/// The PUT protocol on every kind of stage. The server decrypts as Snowflake's drivers do, with Python's cryptography.
@Suite(.serialized) struct StageTests {
    static let key128 = "MDEyMzQ1Njc4OWFiY2RlZg=="
    static let key256 = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

    @Test(arguments: ["presigned", "presigned-encrypted", "token", "token-encrypted", "azure", "azure-encrypted"], [key128, key256])
    func filesReachAStage(mode: String, key: String) async throws {
        try await withSnowflake { server in
            try server.control("set", ["stage": mode, "masterKey": key])
            try await load(SnowflakeHarness(server))
        }
    }

    @Test(arguments: ["s3", "s3-encrypted"]) func filesReachAStageOnS3(mode: String) async throws {
        try await withSwiftS3 { s3 in
            try await withSnowflake { server in
                let bucket = uniqueBucket("stage")
                try Python.run(
                    """
                    import boto3, sys
                    from botocore.config import Config
                    c = boto3.client("s3", endpoint_url=sys.argv[1], aws_access_key_id="test:tester", aws_secret_access_key="testing", region_name="us-east-1", config=Config(s3={"addressing_style": "path"}))
                    c.create_bucket(Bucket=sys.argv[2])
                    """, [s3.endpoint, bucket])
                let place = ["endpoint": s3.endpoint, "bucket": bucket, "region": s3.region, "key": s3.accessKey, "secret": s3.secret]
                try server.control("set", ["stage": mode, "masterKey": Self.key256, "s3": place])
                try await load(SnowflakeHarness(server))
            }
        }
    }

    /// Larger than one request takes: the object is the file, and tells its digest.
    @Test func aLargeFileGoesToS3InParts() async throws {
        try await withSwiftS3 { s3 in
            try await withSnowflake { server in
                let bucket = uniqueBucket("large"), key = "test:tester"
                func boto(_ code: String) throws {
                    try Python.run(
                        """
                        import base64, boto3, hashlib, sys
                        from botocore.config import Config
                        c = boto3.client("s3", endpoint_url=sys.argv[1], aws_access_key_id="test:tester", aws_secret_access_key="testing", region_name="us-east-1", config=Config(s3={"addressing_style": "path"}))
                        \(code)
                        """, [s3.endpoint, bucket])
                }
                try boto("c.create_bucket(Bucket=sys.argv[2])")
                #expect(s3.accessKey == key)
                let place = ["endpoint": s3.endpoint, "bucket": bucket, "region": s3.region, "key": s3.accessKey, "secret": s3.secret]
                try server.control("set", ["stage": "s3", "s3": place])
                try server.sql("CREATE STAGE IF NOT EXISTS LARGE")
                let session = try server.session(), pool = BlockingPool(threads: 4)
                let stage = InternalStage("@D.S.LARGE", session: session, transport: HTTPTransport(), pool: pool, log: Logger("test"), onRetry: { _ in })
                let body = [UInt8](repeating: 7, count: 33 << 20) + [UInt8](repeating: 9, count: 33 << 20)
                try await stage.store("c/0-9.parquet", body)
                try boto(
                    """
                    names = [o["Key"] for o in c.list_objects_v2(Bucket=sys.argv[2])["Contents"]]
                    assert len(names) == 1 and names[0].endswith("c/0-9.parquet"), names
                    found = c.get_object(Bucket=sys.argv[2], Key=names[0])
                    data = found["Body"].read()
                    assert len(data) == 66 << 20, len(data)
                    assert base64.b64encode(hashlib.sha256(data).digest()).decode() == found["Metadata"]["sfc-digest"]
                    assert "-" in found["ETag"], "not in parts"
                    """)
                await session.close()
                pool.stop()
            }
        }
    }

    @Test func expiredCredentialsAreAskedForAgain() async throws {
        try await withSnowflake { server in
            try server.control("set", ["stage": "token"])
            let harness = SnowflakeHarness(server)
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(0..<3))
            try await harness.commit(upTo: 3)
            // The token that was kept is of no use any more.
            try server.control("set", ["token": "another"])
            try await harness.write(SnowflakeHarness.batch(3..<6))
            try await harness.commit(upTo: 6)
            #expect(try harness.ids() == Array(0..<6))
            #expect(harness.metrics["retries_total"] >= 1)
            await harness.crash()
        }
    }

    private func load(_ harness: SnowflakeHarness) async throws {
        try await harness.start()
        try await harness.write(SnowflakeHarness.batch(0..<6))
        try await harness.commit(upTo: 6)
        #expect(try harness.ids() == Array(0..<6))
        await harness.crash()
    }

    /// What a PUT may answer, and what it must not make of us.
    @Test func damagedAnswersAreRefusedNotTrapped() throws {
        var random = SeededGenerator.printed()
        let good =
            #"{"stageInfo":{"locationType":"S3","location":"b/p","region":"r","endPoint":null,"creds":{"AWS_KEY_ID":"a","AWS_SECRET_KEY":"s"}},"encryptionMaterial":{"queryStageMasterKey":"MDEyMzQ1Njc4OWFiY2RlZg==","queryId":"q","smkId":1}}"#
        Fuzz.bytes(Array(good.utf8), 3000, &random) { bytes in
            guard let json = try? JSONValue.parse(bytes) else { return }
            if let target = try? StageTarget(json), let material = target.encryption { _ = try? EncryptedFile([1, 2, 3], material) }
        }
    }
}
