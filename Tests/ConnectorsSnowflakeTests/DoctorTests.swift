import ConnectAPI
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import ConnectorsSnowflake

/// `sluice doctor` on an account that refuses one thing after the other.
@Suite(.serialized) struct DoctorTests {
    private final class Report: Doctor {
        let steps = Mutex<[(name: String, failure: String?)]>([])
        func step(_ name: String, _ body: () async throws -> String) async -> Bool {
            do {
                _ = try await body()
                steps.withLock { $0.append((name, nil)) }
                return true
            } catch {
                steps.withLock { $0.append((name, (error as? ConnectorError)?.description ?? "\(error)")) }
                return false
            }
        }
        func skip(_ name: String, _ reason: String) {}
        var names: [String] { steps.withLock { $0.map(\.name) } }
        var failures: [(name: String, failure: String?)] { steps.withLock { $0.filter { $0.failure != nil } } }
    }

    private func examine(_ harness: SnowflakeHarness) async throws -> Report {
        let report = Report()
        try await SnowflakeSinkConnector(SnowflakeSinkConfiguration(harness.settings)).examine(report)
        return report
    }

    @Test func aRowGoesThroughEverythingAndLeavesNothing() async throws {
        let key = try TestKey()
        defer { key.remove() }
        try await withSnowflake { server in
            try server.control("user", ["name": "DOCTOR", "key": try key.text("public")])
            let looks = ["login", "database", "schema", "warehouse", "stage's grants", "tables' grants", "table"]
            let pair = ["snowflake.user.name": "doctor", "snowflake.password": "", "snowflake.private.key": try key.text("plain")]
            for (settings, steps) in [
                ([:], ["stage", "COPY", "removal"]), (["snowflake.enable.schematization": "true", "payload.path": "after"], ["stage", "COPY", "removal"]),
                (pair.merging(["snowflake.ingestion.method": "SNOWPIPE"]) { $1 }, ["stage", "pipe", "removal"]),
                (pair.merging(["snowflake.ingestion.method": "SNOWPIPE_STREAMING"]) { $1 }, ["channel"]),
            ] {
                let report = try await examine(SnowflakeHarness(server, settings))
                #expect(report.failures.isEmpty, "\(report.failures)")
                #expect(report.names == looks + steps)
            }
            let tables = try server.sql("SELECT TABLE_NAME FROM D.INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME LIKE 'SLUICE_DOCTOR%'")
            #expect(tables.isEmpty)
        }
    }

    /// A statement that is refused for want of a privilege, the step that says so, and the grant it names.
    @Test(arguments: [
        ("^CREATE TABLE", "table", "GRANT CREATE TABLE ON SCHEMA \"D\".\"S\" TO ROLE LOADER", ""),
        ("^CREATE STAGE", "stage", "GRANT CREATE STAGE ON SCHEMA \"D\".\"S\" TO ROLE LOADER", ""),
        ("^PUT", "stage", "GRANT READ, WRITE ON STAGE \"D\".\"S\".\"MINE\" TO ROLE LOADER", "mine"),
        ("^LIST", "stage", "GRANT READ ON STAGE \"D\".\"S\".\"MINE\" TO ROLE LOADER", "mine"),
        ("^REMOVE", "removal", "GRANT READ, WRITE ON STAGE \"D\".\"S\".\"MINE\" TO ROLE LOADER", "mine"),
        ("^CREATE PIPE", "pipe", "GRANT CREATE PIPE ON SCHEMA \"D\".\"S\" TO ROLE LOADER", ""),
    ]) func theGrantThatIsMissingIsNamedByTheStepThatNeedsIt(statement: String, step: String, grant: String, stage: String) async throws {
        let key = try TestKey()
        defer { key.remove() }
        try await withSnowflake { server in
            try server.control("user", ["name": "DOCTOR", "key": try key.text("public")])
            let harness = SnowflakeHarness(
                server,
                ["snowflake.role.name": "loader", "snowflake.user.name": "doctor", "snowflake.password": "", "snowflake.private.key": try key.text("plain")])
            if step == "pipe" { harness.settings["snowflake.ingestion.method"] = "SNOWPIPE" }
            if !stage.isEmpty {
                try server.sql("CREATE STAGE IF NOT EXISTS \(stage)")
                harness.settings["snowflake.stage.name"] = stage
            }
            try server.control(
                "fault",
                ["match": statement, "code": "003001", "message": "SQL access control error:\nInsufficient privileges to operate on schema 'S'", "times": 9])
            let report = try await examine(harness)
            #expect(report.failures.map(\.name) == [step])
            #expect(report.failures.first?.failure?.contains(grant) == true, "\(report.failures)")
        }
    }

    /// What cannot be seen: the findings of `validate`, each by its step.
    @Test func whatCannotBeSeenIsNamedByItsStep() async throws {
        try await withSnowflake { server in
            try server.control("set", ["roles": [server.user: ["LOADER"]], "hidden": ["W", "D2", "D.S2", "ST"], "grants": ["SELECT"]])
            let harness = SnowflakeHarness(server, ["snowflake.role.name": "loader", "snowflake.stage.name": "st"])
            try server.sql("CREATE TABLE D.S.\(harness.table) (RECORD_CONTENT VARIANT)")
            let found = try await examine(harness).failures
            #expect(found.map(\.name) == ["warehouse", "stage's grants", "tables' grants"])
            for (failure, grant) in zip(found, ["USAGE ON WAREHOUSE", "READ, WRITE ON STAGE", "SELECT, INSERT ON TABLE"]) {
                #expect(failure.failure?.contains("GRANT \(grant)") == true, "\(failure)")
            }
            for (key, value, step) in [
                ("snowflake.schema.name", "s2", "schema"), ("snowflake.database.name", "d2", "database"), ("snowflake.role.name", "admin", "login"),
                ("snowflake.password", "wrong", "login"),
            ] {
                harness.settings[key] = value
                let failures = try await examine(harness).failures
                #expect(failures.map(\.name) == [step], "\(key): \(failures)")
            }
        }
    }

    @Test func theRealBinarySaysIt() async throws {
        try await withSnowflake { server in
            try await withTemporaryDirectory { directory in
                let file = directory + "/bank.json", harness = SnowflakeHarness(server)
                let config = harness.settings.merging(["topics": "orders"]) { $1 }
                try JSONSerialization.data(withJSONObject: ["name": "bank", "config": config]).write(to: URL(fileURLWithPath: file))
                let lines = try Subprocess.run(SluiceWorker.binary, ["doctor", file]).split(separator: "\n")
                #expect(lines.count == 12 && lines.allSatisfy { $0.hasPrefix("ok") }, "\(lines)")
                try server.control("fault", ["match": "^CREATE STAGE", "code": "003001", "message": "Insufficient privileges", "times": 9])
                let refused = #expect(throws: Subprocess.Failure.self) { try Subprocess.run(SluiceWorker.binary, ["doctor", file]) }
                #expect(refused?.status == 2 && refused?.output.contains("FAIL  stage") == true && refused?.output.contains("GRANT CREATE STAGE") == true)
                #expect(refused?.output.contains(server.password) == false)
            }
        }
    }
}
