import ConnectAPI
import Foundation
import TestSupport
import Testing

@testable import ConnectorsSnowflake

@Suite(.serialized) struct CopyTests {
    @Test func rowsOfTheKafkaLayoutArriveOnce() async throws {
        try await withSnowflake { server in
            let harness = SnowflakeHarness(server)
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(0..<7))
            try await harness.commit(upTo: 6)
            #expect(try harness.ids() == Array(0..<6))
            // The seventh waits for its file to be full or old.
            harness.clock.advance(121_000)
            try await harness.commit(upTo: 7)
            #expect(try harness.ids() == Array(0..<7))
            let metadata = try server.sql(
                "SELECT RECORD_METADATA:topic::VARCHAR, RECORD_METADATA:offset::INT, RECORD_METADATA:key::VARCHAR FROM D.S.\(harness.table) ORDER BY 2")
            #expect(metadata[6] == ["orders", "6", "k6"])
            await harness.crash()
        }
    }

    @Test func rowsOfTheSeedLayoutHaveTheTimeOfTheRecord() async throws {
        try await withSnowflake { server in
            let harness = SnowflakeHarness(server, ["snowflake.table.layout": "seed", "snowflake.position.columns": "true"])
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(0..<3))
            try await harness.commit(upTo: 3)
            let rows = try server.sql("SELECT DATA:name::VARCHAR, INGESTED_AT::VARCHAR, _TOPIC, _PARTITION, _OFFSET FROM D.S.\(harness.table) ORDER BY _OFFSET")
            #expect(rows.map { $0[0] } == ["n0", "n1", "n2"])
            #expect(rows[2][1]?.hasPrefix("2023-11-14 22:13:20.002") == true)
            #expect(Array(rows[1][2...]) == ["orders", "0", "1"])
            await harness.crash()
        }
    }

    @Test func filesLeaveTheStageOnceTheirOffsetIsCommitted() async throws {
        try await withSnowflake { server in
            let harness = SnowflakeHarness(server)
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(0..<6))
            while try harness.count() < 6 { try await harness.tick(commits: false) }
            #expect(try harness.staged().count == 2)
            await harness.crash()
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(0..<6))
            try await harness.commit(upTo: 6)
            while try !harness.staged().isEmpty { try await harness.tick() }
            #expect(try harness.ids() == Array(0..<6))
            await harness.crash()
        }
    }

    /// A crash after each step, and a run that cuts its files elsewhere.
    @Test(arguments: ["PUT ", "upload ", "COPY INTO", "REMOVE"], [3, 2, 5])
    func aCrashLeavesNoGapAndNoDuplicate(step: String, cut: Int) async throws {
        try await withSnowflake { server in
            let harness = SnowflakeHarness(server)
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(0..<4))
            // The answer is lost, so the step was done and nobody knows; or it was not done.
            try server.control("fault", ["match": step, "status": 503, "times": 1000, "when": step == "COPY INTO" || step == "REMOVE" ? "after" : "before"])
            for _ in 0..<6 { try await harness.tick() }
            try await harness.write(SnowflakeHarness.batch(4..<8))
            for _ in 0..<20 {
                try await harness.tick()
                try await Task.sleep(for: .milliseconds(10))
            }
            await harness.crash()
            try server.control("set", ["faults": [[String: String]]()])
            harness.settings["buffer.count.records"] = String(cut)
            let from = harness.committed[SnowflakeHarness.partition] ?? 0
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(from..<11))
            harness.clock.advance(121_000)
            try await harness.commit(upTo: 11)
            #expect(try harness.ids() == Array(0..<11), "step \(step), cut \(cut)")
            await harness.crash()
        }
    }

    /// Files of two shapes stand on the stage, and neither is loaded: each is loaded with its own columns.
    @Test func filesOfEarlierColumnsAreLoadedWithTheirColumns() async throws {
        try await withSnowflake { server in
            let harness = SnowflakeHarness(server, ["snowflake.table.layout": "columns", "snowflake.metadata.all": "false"])
            try server.control("fault", ["match": "COPY INTO", "status": 503, "times": 1000])
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(0..<2, onlyID: true))
            try await harness.write(SnowflakeHarness.batch(2..<4))
            harness.clock.advance(121_000)
            while harness.metrics["files_staged_total"] < 2 { try await harness.tick() }
            await harness.crash()
            try server.control("set", ["faults": [[String: String]](), "copies": 3])
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(0..<2, onlyID: true))
            try await harness.write(SnowflakeHarness.batch(2..<6))
            harness.clock.advance(121_000)
            try await harness.commit(upTo: 6)
            let rows = try server.sql("SELECT ID, NAME FROM D.S.\(harness.table) ORDER BY ID")
            #expect(rows == [["0", nil], ["1", nil], ["2", "n2"], ["3", "n3"], ["4", "n4"], ["5", "n5"]])
            // COPY waited until those of the run before were over.
            let statements = (try server.state()["statements"] as? [String] ?? []).filter {
                $0.hasPrefix("SELECT COUNT(*) AS RUNNING") || $0.contains("COPY INTO")
            }
            #expect(statements.prefix(3).allSatisfy { $0.hasPrefix("SELECT") })
            await harness.crash()
        }
    }

    @Test func filesWhoseColumnsNeverComeStopTheTask() async throws {
        try await withSnowflake { server in
            let harness = SnowflakeHarness(server, ["snowflake.table.layout": "columns"])
            try server.control("fault", ["match": "COPY INTO", "status": 503, "times": 1000])
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(0..<3))
            while harness.metrics["files_staged_total"] < 1 { try await harness.tick() }
            await harness.crash()
            try server.control("set", ["faults": [[String: String]]()])
            harness.settings["snowflake.metadata.all"] = "false"
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(0..<3))
            let error = await #expect(throws: ConnectorError.self) { try await harness.write(SnowflakeHarness.batch(3..<4)) }
            #expect(error?.code == "snowflake.staged_otherwise")
            await harness.crash()
        }
    }

    /// A rebalance: what is under way for a partition that goes ends before another worker looks at the stage.
    @Test func aPartitionThatIsGivenUpLeavesNothingUnderWay() async throws {
        try await withSnowflake { server in
            let harness = SnowflakeHarness(server), next = SnowflakeHarness(server)
            next.take(identityOf: harness)
            let other = TopicPartition("orders", 1)
            try await harness.start([SnowflakeHarness.partition, other])
            try server.control("fault", ["match": "upload .*/orders/0/", "status": 503, "times": 1000])
            try await harness.write(SnowflakeHarness.batch(0..<6))
            try await harness.write(SnowflakeHarness.batch(0..<3, partition: other))
            try await harness.commit(other, upTo: 3)
            await harness.giveUp(SnowflakeHarness.partition)
            try server.control("set", ["faults": [[String: String]]()])
            try await next.start()
            try await next.write(SnowflakeHarness.batch(0..<6))
            try await next.commit(upTo: 6)
            try await harness.write(SnowflakeHarness.batch(3..<6, partition: other))
            try await harness.commit(other, upTo: 6)
            #expect(try harness.ids() == (0..<6).flatMap { [$0, $0] })
            await next.crash()
            await harness.crash()
        }
    }

    @Test func aRefusedLoadNamesTheFileAndKeepsValuesOut() async throws {
        try await withSnowflake { server in
            let harness = SnowflakeHarness(server)
            try await harness.start()
            try server.control(
                "fault",
                [
                    "match": "COPY INTO", "code": "100038", "sqlState": "22018",
                    "message": "Numeric value 'secret' is not recognized\n  File 'a/0-2.parquet', line 1", "times": 9,
                ])
            try await harness.write(SnowflakeHarness.batch(0..<3))
            let error = await #expect(throws: ConnectorError.self) { while true { try await harness.tick() } }
            #expect(error?.code == "snowflake.bad_value")
            #expect(error?.description.contains("a/0-2.parquet") == true)
            #expect(error?.description.contains("secret") == false)
            await harness.crash()
        }
    }

    @Test func recordsWithoutAValueAreAnEmptyObjectOrLeftOut() async throws {
        try await withSnowflake { server in
            for (behavior, expected) in [("default", 3), ("ignore", 2)] {
                let harness = SnowflakeHarness(server, ["behavior.on.null.values": behavior])
                try await harness.start()
                try await harness.write(SnowflakeHarness.batch(0..<3, tombstones: [1]))
                harness.clock.advance(121_000)
                try await harness.commit(upTo: 3)
                #expect(try harness.count() == expected)
                #expect(try harness.ids() == [0, 2])
                await harness.crash()
            }
        }
    }

    @Test func recordsTooLargeForAVariantAreRejectedOneByOne() async throws {
        try await withSnowflake { server in
            let harness = SnowflakeHarness(server, ["snowflake.variant.max.bytes": "1024"])
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(0..<4, large: [2]))
            harness.clock.advance(121_000)
            try await harness.commit(upTo: 4)
            #expect(harness.rejected.offsets == [2])
            #expect(try harness.ids() == [0, 1, 3])
            await harness.crash()
        }
    }

    @Test func topicsShareATableAndTransformsMayRenameThem() async throws {
        try await withSnowflake { server in
            let harness = SnowflakeHarness(server)
            harness.settings["snowflake.topic2table.map"] = "orders:\(harness.table),more\\..*:\(harness.table)"
            let other = TopicPartition("more.orders", 0)
            try await harness.start([SnowflakeHarness.partition, other])
            try await harness.write(SnowflakeHarness.batch(0..<3))
            try await harness.write(SnowflakeHarness.batch(0..<3, partition: other))
            // One partition, two tables: both hold its offset.
            try await harness.write(SnowflakeHarness.batch(3..<5, topic: "routed"))
            try await harness.write(SnowflakeHarness.batch(5..<6))
            try await harness.commit(upTo: 6)
            try await harness.commit(other, upTo: 3)
            #expect(try harness.ids() == [0, 0, 1, 1, 2, 2, 5])
            #expect(try server.sql("SELECT COUNT(*) FROM D.S.ROUTED WHERE RECORD_METADATA:topic::VARCHAR = 'orders'")[0][0] == "2")
            try server.sql("DROP TABLE D.S.ROUTED")
            await harness.crash()
        }
    }

    @Test func memoryIsBoundedByCuttingEarly() async throws {
        try await withSnowflake { server in
            let harness = SnowflakeHarness(server, ["buffer.count.records": "1000000", "buffer.size.bytes": "100000000"])
            harness.memory = 1 << 20
            try await harness.start()
            for i in 0..<6 as Range<Int64> { try await harness.write(SnowflakeHarness.batch(i * 4..<(i + 1) * 4, large: Set(0..<24), bytes: 200_000)) }
            harness.clock.advance(121_000)
            try await harness.commit(upTo: 24)
            #expect(try harness.count() == 24)
            #expect(harness.metrics["files_staged_total"] > 1)
            await harness.crash()
        }
    }

    @Test func anExternalStageIsReadByItsOwnBucket() async throws {
        try await withSwiftS3 { s3 in
            try await withSnowflake { server in
                let bucket = uniqueBucket("snow")
                try Python.run(
                    """
                    import boto3, sys
                    from botocore.config import Config
                    c = boto3.client("s3", endpoint_url=sys.argv[1], aws_access_key_id="test:tester", aws_secret_access_key="testing", region_name="us-east-1", config=Config(s3={"addressing_style": "path"}))
                    c.create_bucket(Bucket=sys.argv[2])
                    """, [s3.endpoint, bucket])
                let harness = SnowflakeHarness(
                    server,
                    [
                        "snowflake.stage.url": "s3://\(bucket)/in/", "store.url": s3.endpoint, "s3.region": s3.region, "aws.access.key.id": s3.accessKey,
                        "aws.secret.access.key": s3.secret,
                    ])
                let stage = "X\(harness.table)"
                harness.settings["snowflake.stage.name"] = stage
                let host = s3.endpoint.dropFirst("http://".count)
                try server.sql(
                    "create secret s3sec (type s3, endpoint '\(host)', key_id '\(s3.accessKey)', secret '\(s3.secret)', url_style 'path', use_ssl false, region 'us-east-1')"
                )
                try server.sql("CREATE STAGE \(stage) URL='s3://\(bucket)/in/'")
                try server.control(
                    "set",
                    ["external": [stage], "s3": ["endpoint": s3.endpoint, "bucket": bucket, "region": s3.region, "key": s3.accessKey, "secret": s3.secret]])
                try await harness.start()
                try await harness.write(SnowflakeHarness.batch(0..<3))
                try await harness.commit(upTo: 3)
                #expect(try harness.ids() == [0, 1, 2])
                await harness.crash()
            }
        }
    }

    @Test func anExternalStageMayBeOnGoogleCloudStorage() async throws {
        try await withGCSEmulator { gcs in
            try await withSnowflake { server in
                let harness = SnowflakeHarness(server, ["gcs.endpoint": gcs.endpoint, "snowflake.stage.url": "gcs://\(gcs.bucket)/snow/in"])
                let stage = "G\(harness.table)"
                harness.settings["snowflake.stage.name"] = stage
                setenv("STORAGE_EMULATOR_HOST", gcs.endpoint, 1)
                defer { unsetenv("STORAGE_EMULATOR_HOST") }
                try server.sql("CREATE STAGE \(stage)")
                try server.control("set", ["gcs": ["endpoint": gcs.endpoint, "bucket": gcs.bucket, "prefix": "snow/in/"]])
                try await harness.start()
                try await harness.write(SnowflakeHarness.batch(0..<3))
                try await harness.commit(upTo: 3)
                #expect(try harness.ids() == [0, 1, 2])
                await harness.crash()
            }
        }
    }
}
