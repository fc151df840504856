import ConnectAPI
import TestSupport
import Testing

@testable import ConnectorsSnowflake

@Suite(.serialized) struct PipeTests {
    private func harness(_ server: SnowflakeServer, _ key: TestKey, _ settings: [String: String] = [:]) throws -> SnowflakeHarness {
        try server.control("user", ["name": "PIPER", "key": try key.text("public")])
        let base = [
            "snowflake.ingestion.method": "SNOWPIPE", "snowflake.user.name": "piper", "snowflake.private.key": try key.text("plain"), "snowflake.password": "",
        ]
        return SnowflakeHarness(server, base.merging(settings) { $1 })
    }

    @Test(arguments: ["kafka", "seed"]) func filesAreLoadedByAPipeBeforeOffsetsAreCommitted(layout: String) async throws {
        let key = try TestKey()
        defer { key.remove() }
        try await withSnowflake { server in
            let harness = try harness(server, key, ["snowflake.table.layout": layout])
            let path = layout == "seed" ? "DATA:id" : "RECORD_CONTENT:id"
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(0..<6))
            try await harness.tick()
            #expect(harness.committed.isEmpty)
            try await harness.commit(upTo: 6)
            #expect(try harness.ids(path) == Array(0..<6))
            if layout == "kafka" {
                #expect(try server.sql("SELECT RECORD_METADATA:key::VARCHAR FROM D.S.\(harness.table) WHERE RECORD_METADATA:offset = 4") == [["k4"]])
            }
            let uploads = try server.state()["uploads"] as? [String] ?? []
            #expect(
                uploads.contains {
                    $0.hasSuffix("/0_2_1700000000002.json.gz")
                        && $0.contains("SNOWFLAKE_KAFKA_CONNECTOR_\(harness.connector.uppercased())_STAGE_\(harness.table)/")
                })
            await harness.crash()
        }
    }

    @Test func aRunAfterACrashFindsWhatThePipeLoaded() async throws {
        let key = try TestKey()
        defer { key.remove() }
        try await withSnowflake { server in
            let harness = try harness(server, key)
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(0..<6))
            while try server.rowsIfThere(harness.table) < 6 { try await harness.tick(commits: false) }
            await harness.crash()
            harness.settings["buffer.count.records"] = "2"
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(0..<8))
            try await harness.commit(upTo: 8)
            #expect(try harness.ids() == Array(0..<8))
            await harness.crash()
        }
    }

    @Test func aFileThePipeCannotLoadStopsTheTask() async throws {
        let key = try TestKey()
        defer { key.remove() }
        try await withSnowflake { server in
            let harness = try harness(server, key)
            try server.control("fault", ["match": "pipe ", "status": 500])
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(0..<3))
            let error = await #expect(throws: ConnectorError.self) { while true { try await harness.tick() } }
            #expect(error?.code == "snowflake.not_loaded" && error?.description.contains("secret value") == false)
            await harness.crash()
        }
    }

    @Test func aPasswordIsRefusedWhereSnowpipeTakesNone() throws {
        let settings = [
            "snowflake.url.name": "a.snowflakecomputing.com", "snowflake.user.name": "u", "snowflake.password": "p", "snowflake.database.name": "d",
            "snowflake.schema.name": "s", "snowflake.ingestion.method": "SNOWPIPE", "snowflake.enable.schematization": "true",
        ]
        let keys = SnowflakeSinkConfiguration.parse(settings).findings.map(\.key)
        #expect(keys == ["snowflake.password", "snowflake.enable.schematization"])
    }
}

extension SnowflakeServer {
    func rowsIfThere(_ table: String) throws -> Int { ((try? sql("SELECT COUNT(*) FROM D.S.\(table)")[0][0]) ?? nil).flatMap { Int($0) } ?? 0 }
}
