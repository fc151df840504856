import Foundation
import Synchronization

/// OpenStack Swift with its S3 API on free ports of the loopback interface: a strict S3 that verifies signatures, payload hashes, checksums and
/// conditions. It stops, and its files go, when this process ends.
public struct S3Server: Sendable {
    public let endpoint: String
    public let accessKey = "test:tester"
    public let secret = "testing"
    public let region = "us-east-1"

    public init(endpoint: String) { self.endpoint = endpoint }
}

private let shared = Mutex<S3Server?>(nil)

/// Gives the body the server shared by the tests of this process. Buckets are the caller's: name them uniquely.
public func withSwiftS3<T>(_ body: (S3Server) async throws -> T) async throws -> T {
    let server = try shared.withLock { server in
        if let server { return server }
        let directory = "/tmp/sluice-test-s3-\(UUID().uuidString)", port = try freePort()
        let script = Checkout.root + "/scripts/servers/swift-s3.sh"
        try Subprocess.run(script, ["start", directory, String(port)])
        _ = try Subprocess.start(script, ["watch", directory, String(ProcessInfo.processInfo.processIdentifier)])
        let started = S3Server(endpoint: "http://127.0.0.1:\(port)")
        server = started
        return started
    }
    return try await body(server)
}

/// A bucket name nobody else uses.
public func uniqueBucket(_ prefix: String = "t") -> String { "\(prefix)-" + UUID().uuidString.lowercased() }
