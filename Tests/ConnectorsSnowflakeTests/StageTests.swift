import ConnectAPI
import JSON
import TestSupport
import Testing

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
        var random = SeededGenerator(seed: Seed.current)
        let good =
            #"{"stageInfo":{"locationType":"S3","location":"b/p","region":"r","endPoint":null,"creds":{"AWS_KEY_ID":"a","AWS_SECRET_KEY":"s"}},"encryptionMaterial":{"queryStageMasterKey":"MDEyMzQ1Njc4OWFiY2RlZg==","queryId":"q","smkId":1}}"#
        Fuzz.bytes(Array(good.utf8), 3000, &random) { bytes in
            guard let json = try? JSONValue.parse(bytes) else { return }
            if let target = try? StageTarget(json), let material = target.encryption { _ = try? EncryptedFile([1, 2, 3], material) }
        }
    }
}
