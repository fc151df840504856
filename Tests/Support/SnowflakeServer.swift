import Foundation
import Synchronization

/// fakesnow with what it lacks in front of it (scripts/servers/snowflake_server.py), on a free port of the loopback interface.
public struct SnowflakeServer: Sendable {
    public let url: String
    public let user = "TESTER"
    public let password = "secret"

    /// Steers the server: see `control` in snowflake_server.py.
    public func control(_ what: String, _ body: [String: any Sendable]) throws {
        let text = String(decoding: try JSONSerialization.data(withJSONObject: body), as: UTF8.self)
        try Subprocess.run("curl", ["-fsS", "-m", "20", "-X", "POST", "\(url)/test/\(what)", "--data-binary", text])
    }

    /// What the server remembers: `statements`, `requests`, `uploads`.
    public func state() throws -> [String: Any] {
        let text = try Subprocess.run("curl", ["-fsS", "-m", "20", "\(url)/test/state"])
        return try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] ?? [:]
    }

    /// Runs a statement in a session of its own; rows of texts.
    @discardableResult
    public func sql(_ text: String) throws -> [[String?]] {
        func post(_ path: String, _ body: [String: Any], _ token: String = "") throws -> [String: Any] {
            let data = String(decoding: try JSONSerialization.data(withJSONObject: body), as: UTF8.self)
            let answer = try Subprocess.run(
                "curl",
                [
                    "-sS", "-m", "60", "-X", "POST", "\(url)\(path)", "-H", "Content-Type: application/json", "-H",
                    "Authorization: Snowflake Token=\"\(token)\"",
                    "--data-binary", "@-",
                ], input: data)
            return try JSONSerialization.jsonObject(with: Data(answer.utf8)) as? [String: Any] ?? [:]
        }
        let login = try post(
            "/session/v1/login-request?databaseName=D&schemaName=S",
            ["data": ["LOGIN_NAME": user, "PASSWORD": password, "ACCOUNT_NAME": "acc", "SESSION_PARAMETERS": [String: String]()] as [String: Any]])
        let token = (login["data"] as? [String: Any])?["token"] as? String ?? ""
        let answer = try post("/queries/v1/query-request?requestId=\(UUID().uuidString)", ["sqlText": text], token)
        guard answer["success"] as? Bool == true else { throw Subprocess.Failure(command: text, status: 1, output: "\(answer)") }
        let rows = (answer["data"] as? [String: Any])?["rowset"] as? [[Any]] ?? []
        return rows.map { $0.map { $0 as? String } }
    }
}

private let shared = Mutex<SnowflakeServer?>(nil)

/// Gives the body the server shared by the tests of this process, with database D and schema S. Tables and connectors are named uniquely.
public func withSnowflake<T>(_ body: (SnowflakeServer) async throws -> T) async throws -> T {
    let server = try shared.withLock { server in
        if let server { return server }
        let directory = "/tmp/sluice-test-snow-\(UUID().uuidString)", port = try freePort()
        let script = Checkout.root + "/scripts/servers/snowflake.sh"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try Subprocess.run(script, ["start", directory, String(port)])
        _ = try Subprocess.start(script, ["watch", directory, String(ProcessInfo.processInfo.processIdentifier)])
        let started = SnowflakeServer(url: "http://127.0.0.1:\(port)")
        try started.control("user", ["name": started.user, "password": started.password])
        try started.sql("CREATE DATABASE IF NOT EXISTS D")
        try started.sql("CREATE SCHEMA IF NOT EXISTS D.S")
        server = started
        return started
    }
    defer { try? server.control("reset", [:]) }
    return try await body(server)
}
