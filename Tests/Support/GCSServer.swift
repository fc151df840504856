import Foundation
import Synchronization

/// A Google Cloud Storage stand-in on a free port of the loopback interface. It stops, and its files go, when this process ends.
public struct GCSServer: Sendable {
    public let endpoint: String
    public let directory: String
    public let bucket = "lake"

    public init(endpoint: String, directory: String = "") {
        self.endpoint = endpoint
        self.directory = directory
    }

    fileprivate static func start(_ kind: String, options: [String] = [], directory: String) throws -> GCSServer {
        let port = try freePort(), script = Checkout.root + "/scripts/servers/gcs.sh"
        try Subprocess.run(script, [kind, directory, String(port)] + options)
        _ = try Subprocess.start(script, ["watch", directory, String(ProcessInfo.processInfo.processIdentifier)])
        return GCSServer(endpoint: "http://127.0.0.1:\(port)", directory: directory)
    }

    // MARK: The stub

    public static let account = "writer@demo.iam.gserviceaccount.com"
    /// The stub's service account: a key it can verify.
    public var keyFile: String { directory + "/key.json" }

    /// Sets what the stub does from now on; see scripts/servers/gcs_stub.py.
    public func set(_ settings: [String: Any]) throws {
        let body = String(decoding: try JSONSerialization.data(withJSONObject: settings), as: UTF8.self)
        try Subprocess.run("curl", ["-sSf", "-o", "/dev/null", "--data-binary", "@-", "\(endpoint)/control/set"], input: body)
    }

    /// Ends all tokens.
    public func expireTokens() throws { try Subprocess.run("curl", ["-sSf", "-o", "/dev/null", "-X", "POST", "\(endpoint)/control/expire"]) }

    public struct Request: Decodable, Sendable {
        public let method: String
        public let path: String
        /// 0: cut off.
        public let status: Int?
        public let authorization: String
        public let range: String?
        public let agent: String?
    }

    /// All the stub was asked.
    public func log() throws -> [Request] {
        try JSONDecoder().decode([Request].self, from: Data(Subprocess.run("curl", ["-sSf", "\(endpoint)/control/log"]).utf8))
    }
}

private let emulator = Mutex<GCSServer?>(nil)
private let stub = Mutex<GCSServer?>(nil)

/// Gives the body gcp-storage-emulator, shared by the tests of this process: name objects uniquely.
public func withGCSEmulator<T>(_ body: (GCSServer) async throws -> T) async throws -> T {
    let server = try emulator.withLock { server in
        if let server { return server }
        let started = try GCSServer.start("start", directory: "/tmp/sluice-test-gcs-\(UUID().uuidString)")
        server = started
        return started
    }
    return try await body(server)
}

/// Gives the body a stub of its own that asks for no credentials.
public func withOwnGCSStub<T>(_ body: (GCSServer) async throws -> T) async throws -> T {
    let server = try GCSServer.start("stub", directory: "/tmp/sluice-test-gcs-\(UUID().uuidString)")
    defer { _ = try? Subprocess.run(Checkout.root + "/scripts/servers/gcs.sh", ["stop", server.directory]) }
    try server.set(["anonymous": true])
    return try await body(server)
}

/// Gives the body our own stub with its defaults; the tests that use it are of one serialized suite.
public func withGCSStub<T>(_ body: (GCSServer) async throws -> T) async throws -> T {
    let server = try stub.withLock { server in
        if let server { return server }
        let directory = "/tmp/sluice-test-gcs-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let key = try Subprocess.run("openssl", ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"])
        try key.write(toFile: directory + "/key.pem", atomically: true, encoding: .utf8)
        try Subprocess.run("openssl", ["pkey", "-in", directory + "/key.pem", "-pubout", "-out", directory + "/public.pem"])
        let started = try GCSServer.start(
            "stub", options: ["--public-key", directory + "/public.pem", "--account", GCSServer.account], directory: directory)
        let document = [
            "type": "service_account", "client_email": GCSServer.account, "private_key": key, "private_key_id": "k1", "project_id": "demo",
            "token_uri": started.endpoint + "/token",
        ]
        try JSONSerialization.data(withJSONObject: document).write(to: URL(fileURLWithPath: started.keyFile))
        server = started
        return started
    }
    try server.set(["token_seconds": 3600, "anonymous": false, "deny": [String](), "faults": [Any]()])
    return try await body(server)
}
