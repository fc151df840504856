import Foundation
import Synchronization

/// OpenStack Swift with its S3 API on free ports of the loopback interface: a strict S3 that verifies signatures, payload hashes, checksums and
/// conditions. It stops, and its files go, when this process ends.
public struct S3Server: Sendable {
    public let endpoint: String
    public let accessKey = "test:tester"
    public let secret = "testing"
    public let region = "us-east-1"
    /// Empty for a server that is not ours to stop.
    private let directory: String

    public init(endpoint: String, directory: String = "") {
        self.endpoint = endpoint
        self.directory = directory
    }

    private static let script = Checkout.root + "/scripts/servers/swift-s3.sh"

    /// Starts a server of its own, for tests that stop it.
    public static func start() throws -> S3Server {
        let directory = "/tmp/sluice-test-s3-\(UUID().uuidString)", port = try freePort()
        try Subprocess.run(script, ["start", directory, String(port)])
        _ = try Subprocess.start(script, ["watch", directory, String(ProcessInfo.processInfo.processIdentifier)])
        return S3Server(endpoint: "http://127.0.0.1:\(port)", directory: directory)
    }

    /// Connections are refused from now on.
    public func stop() throws { try Subprocess.run(Self.script, ["stop", directory]) }

    /// Starts it again after `stop`, on the same port and with what it held.
    public func restart() throws { try Subprocess.run(Self.script, ["start", directory, String(endpoint.split(separator: ":").last!)]) }
}

private let shared = Mutex<S3Server?>(nil)

/// Gives the body the server shared by the tests of this process. Buckets are the caller's: name them uniquely.
public func withSwiftS3<T>(_ body: (S3Server) async throws -> T) async throws -> T {
    let server = try shared.withLock { server in
        if let server { return server }
        let started = try S3Server.start()
        server = started
        return started
    }
    return try await body(server)
}

/// A bucket name nobody else uses.
public func uniqueBucket(_ prefix: String = "t") -> String { "\(prefix)-" + UUID().uuidString.lowercased() }
