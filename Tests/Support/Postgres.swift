import Foundation
import Synchronization

/// A real PostgreSQL 15 on a free port of the loopback interface: user and password `postgres`, logical replication on.
public final class PostgresServer: Sendable {
    public let port: Int
    public let directory: String
    private let settings: [String]

    private init(settings: [String]) throws {
        port = try freePort()
        directory = "/tmp/sluice-test-pg-\(UUID().uuidString)"
        self.settings = settings
    }

    /// Initialises and starts a server of its own; it stops, and its files go, when this process ends.
    public static func start(settings: [String] = []) throws -> PostgresServer {
        let server = try PostgresServer(settings: ["fsync=off"] + settings)
        try server.start()
        _ = try Subprocess.start(script, ["watch", server.directory, String(ProcessInfo.processInfo.processIdentifier)])
        return server
    }

    private static let script = Checkout.root + "/scripts/servers/postgres.sh"

    /// Starts the server again after `stop`.
    public func start() throws { try Subprocess.run(Self.script, ["start", directory, String(port)] + settings) }

    /// Stops it; immediately is what a crash looks like.
    public func stop(immediately: Bool = false) throws {
        try Subprocess.run(Self.script, ["stop", directory, immediately ? "immediate" : "fast"])
    }

    /// Runs SQL through psql and returns what it prints: rows by lines, columns separated by `|`.
    @discardableResult
    public func sql(_ text: String, database: String = "postgres") throws -> String {
        try Subprocess.run(
            "psql", ["-h", "127.0.0.1", "-p", String(port), "-U", "postgres", "-d", database, "-qAtX", "-v", "ON_ERROR_STOP=1"],
            environment: ["PGPASSWORD": "postgres"], input: text
        ).trimmingCharacters(in: .newlines)
    }
}

/// A database of its own on a server shared by the tests of this process.
public struct PostgresDatabase: Sendable {
    public let server: PostgresServer
    public let name: String
    public var port: Int { server.port }

    public init(server: PostgresServer, name: String) {
        self.server = server
        self.name = name
    }

    @discardableResult
    public func sql(_ text: String) throws -> String { try server.sql(text, database: name) }

    /// The keys every connector configuration on it needs; slot and publication names are unique.
    public var connection: [String: String] {
        [
            "database.hostname": "127.0.0.1", "database.port": String(port), "database.user": "postgres", "database.password": "postgres",
            "database.dbname": name, "slot.name": "slot_\(name)", "publication.name": "pub_\(name)",
        ]
    }
}

private let shared = Mutex<PostgresServer?>(nil)

/// Gives the body an empty database; its slots and the database are dropped afterwards.
public func withPostgres<T>(_ body: (PostgresDatabase) async throws -> T) async throws -> T {
    let server = try shared.withLock { server in
        if let server { return server }
        let started = try PostgresServer.start()
        server = started
        return started
    }
    let database = PostgresDatabase(server: server, name: "t_" + UUID().uuidString.replacingOccurrences(of: "-", with: "").lowercased())
    try server.sql("create database \(database.name)")
    defer {
        // A slot stays active for a moment after its connection went.
        _ = try? server.sql(
            """
            select pg_terminate_backend(pid) from pg_stat_activity where datname = '\(database.name)';
            select pg_sleep(0.2);
            select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = '\(database.name)' and not active;
            drop database if exists \(database.name) with (force);
            """)
    }
    return try await body(database)
}
