import ConnectAPI
import TestSupport
import Testing

@testable import ConnectorsSnowflake

@Suite(.serialized) struct StreamingTests {
    private func harness(_ server: SnowflakeServer, _ key: TestKey, _ settings: [String: String] = [:]) throws -> SnowflakeHarness {
        try server.control("user", ["name": "STREAMER", "key": try key.text("public")])
        let base = [
            "connector.class": "com.snowflake.kafka.connector.SnowflakeStreamingSinkConnector", "snowflake.user.name": "streamer",
            "snowflake.private.key": try key.text("plain"), "snowflake.password": "",
        ]
        return SnowflakeHarness(server, base.merging(settings) { $1 })
    }

    /// Past the time rows wait for a chunk to fill.
    private func commit(_ harness: SnowflakeHarness, upTo offset: Int64) async throws {
        for _ in 0..<100 {
            harness.clock.advance(2_000)
            try await harness.tick()
            if harness.committed[SnowflakeHarness.partition] ?? 0 >= offset { return }
        }
        throw NotCommitted(wanted: offset, committed: harness.committed)
    }

    @Test(arguments: ["kafka", "seed", "columns"]) func rowsAreCommittedWithTheirOffsets(layout: String) async throws {
        let key = try TestKey()
        defer { key.remove() }
        try await withSnowflake { server in
            let harness = try harness(server, key, ["snowflake.table.layout": layout])
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(0..<5))
            try await harness.tick()
            #expect(harness.committed.isEmpty)
            try await commit(harness, upTo: 5)
            let path = ["kafka": "RECORD_CONTENT:id", "seed": "DATA:id", "columns": "ID"][layout]!
            #expect(try harness.ids(path) == Array(0..<5))
            if layout != "seed" {
                let push = try server.sql(
                    "SELECT RECORD_METADATA:SnowflakeConnectorPushTime::INT, RECORD_METADATA:key::VARCHAR FROM D.S.\(harness.table) ORDER BY 2")
                #expect(push[4][1] == "k4" && push[4][0] != nil)
            }
            await harness.crash()
        }
    }

    @Test func aRunAfterACrashPassesOverWhatIsCommitted() async throws {
        let key = try TestKey()
        defer { key.remove() }
        try await withSnowflake { server in
            let harness = try harness(server, key)
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(0..<5))
            while try harness.count() < 5 {
                harness.clock.advance(2_000)
                try await harness.tick(commits: false)
            }
            // Sent, and not asked about: the channel forgets it when it is opened again.
            try await harness.write(SnowflakeHarness.batch(5..<8))
            await harness.crash()
            try await harness.start()
            // Gaps are legal.
            try await harness.write(SnowflakeHarness.batch(2..<6))
            try await harness.write(SnowflakeHarness.batch(8..<10))
            try await commit(harness, upTo: 10)
            #expect(try harness.ids() == [0, 1, 2, 3, 4, 5, 8, 9])
            await harness.crash()
        }
    }

    @Test(arguments: ["before", "after"]) func rowsWhoseAnswerIsLostArriveOnce(when: String) async throws {
        let key = try TestKey()
        defer { key.remove() }
        try await withSnowflake { server in
            let harness = try harness(server, key)
            try await harness.start()
            try server.control("fault", ["match": "rows", "status": 503, "times": 2, "when": when])
            for i in 0..<4 as Range<Int64> {
                try await harness.write(SnowflakeHarness.batch(i * 3..<(i + 1) * 3))
                harness.clock.advance(2_000)
                try await harness.tick()
            }
            try await commit(harness, upTo: 12)
            #expect(try harness.ids() == Array(0..<12))
            await harness.crash()
        }
    }

    @Test func aZombieIsShutOut() async throws {
        let key = try TestKey()
        defer { key.remove() }
        try await withSnowflake { server in
            let zombie = try harness(server, key), owner = try harness(server, key)
            owner.take(identityOf: zombie)
            try await zombie.start()
            try await zombie.write(SnowflakeHarness.batch(0..<3))
            try await owner.start()
            try await owner.write(SnowflakeHarness.batch(0..<6))
            try await commit(owner, upTo: 6)
            // It opens the channel again, learns that its rows are there, and has nothing to send.
            try await commit(zombie, upTo: 3)
            #expect(try owner.ids() == Array(0..<6))
            await zombie.crash()
            await owner.crash()
        }
    }

    @Test func largeBatchesGoInRequestsOfFourMegabytes() async throws {
        let key = try TestKey()
        defer { key.remove() }
        try await withSnowflake { server in
            let harness = try harness(server, key)
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(0..<9, large: Set(0..<9), bytes: 900_000))
            try await commit(harness, upTo: 9)
            #expect(try harness.ids() == Array(0..<9))
            await harness.crash()
        }
    }

    @Test func rowsSnowflakeRefusesAreReported() async throws {
        let key = try TestKey()
        defer { key.remove() }
        try await withSnowflake { server in
            let harness = try harness(server, key, ["snowflake.table.layout": "columns", "snowflake.metadata.all": "false"])
            try server.sql("CREATE TABLE D.S.\(harness.table) (ID INT, NAME INT)")
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(0..<2))
            try await commit(harness, upTo: 2)
            #expect(harness.rejected.offsets == [1])
            #expect(harness.rejected.messages.first?.contains("2 rows") == true)
            #expect(harness.rejected.messages.first?.contains("secret") == false)
            await harness.crash()
        }
    }
}
