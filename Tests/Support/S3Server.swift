import Foundation
import Synchronization

/// A server with S3's API on free ports of the loopback interface. It stops, and its files go, when this process ends.
///
/// OpenStack Swift is the strict one: it verifies signatures, payload hashes, checksums and conditions. moto knows tags, encryption headers and roles.
public struct S3Server: Sendable {
    public let endpoint: String
    public let accessKey = "test:tester"
    public let secret = "testing"
    public let region = "us-east-1"
    /// Empty for a server that is not ours to stop.
    private let directory: String
    private let script: String

    public init(endpoint: String, directory: String = "", script: String = "swift-s3") {
        self.endpoint = endpoint
        self.directory = directory
        self.script = Checkout.root + "/scripts/servers/\(script).sh"
    }

    public var port: Int { endpoint.split(separator: ":").last.flatMap { Int($0) } ?? 0 }

    /// Starts a server of its own, for tests that stop it; `script` is one of `scripts/servers`.
    public static func start(_ script: String = "swift-s3") throws -> S3Server {
        let directory = "/tmp/sluice-test-\(script)-\(UUID().uuidString)"
        let server = S3Server(endpoint: "http://127.0.0.1:\(try freePort())", directory: directory, script: script)
        try server.restart()
        _ = try Subprocess.start(server.script, ["watch", directory, String(ProcessInfo.processInfo.processIdentifier)])
        return server
    }

    /// Connections are refused from now on.
    public func stop() throws { try Subprocess.run(script, ["stop", directory]) }

    /// Starts it again after `stop`, on the same port and with what it held.
    public func restart() throws { try Subprocess.run(script, ["start", directory, String(port)]) }
}

private let shared = Mutex<[String: S3Server]>([:])

private func sharedServer(_ script: String) throws -> S3Server {
    try shared.withLock { servers in
        if let server = servers[script] { return server }
        let started = try S3Server.start(script)
        servers[script] = started
        return started
    }
}

/// Gives the body the Swift server shared by the tests of this process. Buckets are the caller's: name them uniquely.
public func withSwiftS3<T>(_ body: (S3Server) async throws -> T) async throws -> T { try await body(sharedServer("swift-s3")) }

/// Gives the body the moto server shared by the tests of this process. It verifies no signature.
public func withMoto<T>(_ body: (S3Server) async throws -> T) async throws -> T { try await body(sharedServer("moto")) }

/// A bucket name nobody else uses.
public func uniqueBucket(_ prefix: String = "t") -> String { "\(prefix)-" + UUID().uuidString.lowercased() }
