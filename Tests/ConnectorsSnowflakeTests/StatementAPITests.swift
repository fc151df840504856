import ConnectAPI
import Foundation
import JSON
import TestSupport
import Testing
import Transport

@testable import ConnectorsSnowflake

/// The SQL API, by key pairs that the server verifies: no session is opened by the connector.
@Suite(.serialized) struct StatementAPITests {
    private func withKey<T>(_ server: SnowflakeServer, _ body: ([String: String]) async throws -> T) async throws -> T {
        let key = try TestKey()
        defer { key.remove() }
        try server.control("user", ["name": "APIUSER", "key": try key.text("public")])
        return try await body([
            "snowflake.user.name": "apiuser", "snowflake.private.key": try key.text("plain"), "snowflake.password": "", "snowflake.sql.interface": "SQL_API",
        ])
    }

    private func api(_ server: SnowflakeServer, _ settings: [String: String]) throws -> (statements: any Statements, pool: BlockingPool) {
        let harness = SnowflakeHarness(server, settings.merging(["snowflake.ingestion.method": "SNOWPIPE_STREAMING"]) { $1 })
        let configuration = try SnowflakeSinkConfiguration(harness.settings), pool = BlockingPool(threads: 2)
        let client = ServiceClient(
            url: try configuration.accountURL, settings: .init(retries: 3, baseDelay: 10), transport: HTTPTransport(), pool: pool, onRetry: { _ in })
        return (try configuration.statements(connector: "api", try configuration.credential(client), client, log: Logger("test")), pool)
    }

    private func submitted(_ server: SnowflakeServer) throws -> [[String: Any]] { try server.state()["submitted"] as? [[String: Any]] ?? [] }

    @Test func copyFromAnExternalStageNeedsNoSession() async throws {
        try await withGCSEmulator { gcs in
            try await withSnowflake { server in
                try await withKey(server) { login in
                    let harness = SnowflakeHarness(server, login)
                    let stage = "A\(harness.table)"
                    try server.sql("CREATE STAGE \(stage)")
                    try server.control("set", ["gcs": ["endpoint": gcs.endpoint, "bucket": gcs.bucket, "prefix": "api/"]])
                    setenv("STORAGE_EMULATOR_HOST", gcs.endpoint, 1)
                    defer { unsetenv("STORAGE_EMULATOR_HOST") }
                    harness.settings.merge(
                        ["snowflake.stage.name": stage, "snowflake.stage.url": "gcs://\(gcs.bucket)/api", "gcs.endpoint": gcs.endpoint]
                    ) { $1 }
                    #expect(await harness.check().isEmpty)
                    try await harness.start()
                    try await harness.write(SnowflakeHarness.batch(0..<6))
                    try await harness.commit(upTo: 6)
                    #expect(try harness.ids() == Array(0..<6))
                    await harness.crash()
                    let statements = try submitted(server).filter { ($0["tag"] as? String) == "sluice:\(harness.connector)" }.compactMap {
                        $0["sql"] as? String
                    }
                    for start in ["DESCRIBE TABLE", "CREATE TABLE", "LIST @", "COPY INTO"] { #expect(statements.contains { $0.hasPrefix(start) }, "\(start)") }
                    let inSessions = (try server.state()["requests"] as? [[String: Any]] ?? []).compactMap { $0["sql"] as? String }
                    #expect(!inSessions.contains { $0.contains("COPY INTO") && $0.contains(harness.table) })
                }
            }
        }
    }

    @Test func streamingNeedsNoSession() async throws {
        try await withSnowflake { server in
            try await withKey(server) { login in
                let harness = SnowflakeHarness(server, login.merging(["snowflake.ingestion.method": "SNOWPIPE_STREAMING"]) { $1 })
                try await harness.start()
                try await harness.write(SnowflakeHarness.batch(0..<5))
                for _ in 0..<100 where harness.committed.isEmpty {
                    harness.clock.advance(2_000)
                    try await harness.tick()
                }
                #expect(try harness.ids() == Array(0..<5))
                await harness.crash()
            }
        }
    }

    @Test(arguments: ["before", "after"]) func aStatementWhoseAnswerIsLostRunsOnce(when: String) async throws {
        try await withSnowflake { server in
            try await withKey(server) { login in
                let (api, pool) = try api(server, login), table = "API_\(UUID().uuidString.prefix(8).uppercased())"
                defer { pool.stop() }
                try await api.query("CREATE TABLE \(table) (A INT)", "a table")
                try server.control("fault", ["match": "INSERT INTO \(table)", "status": 503, "times": 2, "when": when])
                try await api.query("INSERT INTO \(table) VALUES (1)", "a row")
                #expect(try await api.query("SELECT COUNT(*) AS N FROM \(table)", "a count").values("n") == ["1"])
                let inserts = try submitted(server).filter { ($0["sql"] as? String)?.hasPrefix("INSERT INTO \(table)") == true }
                #expect(Set(inserts.compactMap { $0["id"] as? String }).count == 1)
                #expect(inserts.map { $0["retry"] as? String } == [nil, "true", "true"])
            }
        }
    }

    @Test func longStatementsAndLargeResultsAreWaitedFor() async throws {
        try await withSnowflake { server in
            try await withKey(server) { login in
                let (api, pool) = try api(server, login)
                defer { pool.stop() }
                try server.control("set", ["slow": 4, "part": 3])
                let answer = try await api.query("SELECT * FROM (VALUES (1), (2), (3), (4), (5), (6), (7)) AS T(N) ORDER BY 1", "numbers")
                #expect(answer.values("n") == (1...7).map(String.init))
            }
        }
    }

    @Test func refusalsAreSnowflakesOwn() async throws {
        try await withSnowflake { server in
            try await withKey(server) { login in
                let (api, pool) = try api(server, login)
                defer { pool.stop() }
                guard case .failure(let missing) = try await api.run("DESCRIBE TABLE D.S.NOBODY", "a look") else {
                    throw NotCommitted(wanted: 0, committed: [:])
                }
                #expect(missing.code == "002003" && missing.sqlState == "42S02")
                guard case .failure(let unsupported) = try await api.run("USE SCHEMA S", "a look") else { throw NotCommitted(wanted: 0, committed: [:]) }
                #expect(unsupported.code == "391911")
                // The server knows another key of the user.
                let other = try TestKey()
                defer { other.remove() }
                try server.control("user", ["name": "APIUSER", "key": try other.text("public")])
                let refused = await #expect(throws: ConnectorError.self) { try await api.query("SELECT 1", "a look") }
                #expect(refused?.code == "snowflake.key_refused" && refused?.message.contains("JWT token is invalid") == true, "\(String(describing: refused))")
            }
        }
    }

    @Test func doctorAsksWithoutASession() async throws {
        try await withSnowflake { server in
            try await withKey(server) { login in
                try server.control("set", ["hidden": ["D.S2"]])
                let harness = SnowflakeHarness(server, login.merging(["snowflake.ingestion.method": "SNOWPIPE_STREAMING"]) { $1 })
                #expect(await harness.check().isEmpty)
                harness.settings["snowflake.schema.name"] = "s2"
                #expect(await harness.check().map(\.key) == ["snowflake.schema.name"])
                try server.control("set", ["hidden": [String]()])
            }
        }
    }

    @Test func whatItCannotDoIsSaid() {
        func keys(_ settings: [String: String]) -> [String] {
            let base = KeyTests.base.merging(["snowflake.sql.interface": "sql_api"]) { $1 }
            return SnowflakeSinkConfiguration.parse(base.merging(settings) { $1 }).findings.map(\.key)
        }
        #expect(keys([:]) == ["snowflake.password", "snowflake.sql.interface"])
        #expect(keys(KeyTests.oauth) == ["snowflake.sql.interface"])
        #expect(keys(KeyTests.oauth.merging(["snowflake.stage.name": "s", "snowflake.stage.url": "s3://b/p"]) { $1 }).isEmpty)
        #expect(keys(KeyTests.oauth.merging(["snowflake.ingestion.method": "SNOWPIPE_STREAMING"]) { $1 }).isEmpty)
    }

    @Test func damagedAnswersAreRefusedNotTrapped() {
        var random = SeededGenerator.printed()
        let good =
            #"{"code":"090001","statementHandle":"h","statementStatusUrl":"/api/v2/statements/h","sqlState":"00000","message":"m","resultSetMetaData":{"rowType":[{"name":"A"}],"partitionInfo":[{"rowCount":1},{"rowCount":2}]},"data":[["1"],[null]]}"#
        for status in [200, 202, 422, 500] {
            Fuzz.bytes(Array(good.utf8), 1000, &random) { bytes in
                let answer = ServiceAnswer(status: status, headers: [:], body: bytes)
                if case .done(let result)? = try? StatementAPI.parse(answer, "a test") { _ = (result.named, StatementAPI.parts(result.data)) }
                _ = try? StatementAPI.rows(StatementAPI.part(answer))
            }
        }
    }
}
