import Foundation

/// A schema registry on a free port that lives as long as the value: `schema_registry.py`, which answers Avro's part of the documented API and
/// counts what it is asked.
public final class SchemaRegistryServer {
    public let url: String
    private let port: Int
    private let child: Child

    /// A real registry to test against as well: Confluent's, Karapace or Apicurio's Confluent API.
    public static let real = ProcessInfo.processInfo.environment["SLUICE_SCHEMA_REGISTRY"]

    /// `failures`: requests answered with 503 first. `authorization`: the header a request must have. `certificate`, `key`: PEM files; the address is https then.
    public init(failures: Int = 0, authorization: String? = nil, certificate: String? = nil, key: String? = nil) throws {
        port = try freePort()
        var environment = ["FAIL": String(failures)]
        environment["REQUIRE"] = authorization
        environment["CERT"] = certificate
        environment["KEY"] = key
        url = (certificate == nil ? "http" : "https") + "://127.0.0.1:\(port)"
        child = try Subprocess.start(
            Python.path, [Checkout.root + "/Tests/Support/schema_registry.py", String(port)], environment: environment,
            errors: "/tmp/sluice-test-registry-\(port).log")
        let deadline = Date().addingTimeInterval(20)
        while (try? Subprocess.run("curl", ["-skf", url + "/log"])) == nil {
            guard Date() < deadline else { throw Subprocess.Failure(command: "schema_registry.py", status: 1, output: "it does not answer") }
            usleep(20_000)
        }
    }

    deinit {
        child.signal(SIGKILL)
        child.wait()
        unlink("/tmp/sluice-test-registry-\(port).log")
    }

    /// The request lines so far.
    public func requests() throws -> [String] {
        try JSONDecoder().decode([String].self, from: Data(try Subprocess.run("curl", ["-skf", url + "/log"]).utf8))
    }

    /// Puts a document to a path, as people do with curl; the answer.
    @discardableResult
    public func send(_ method: String, _ path: String, _ body: String) throws -> String {
        try Subprocess.run("curl", ["-skf", "-X", method, "-H", "Content-Type: application/vnd.schemaregistry.v1+json", "-d", body, url + path])
    }
}
