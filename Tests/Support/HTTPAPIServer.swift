import Foundation

/// An HTTP API by Python's `http.server` on a free port: exchange rates as FreeCurrencyAPI answers them, pages in every style, conditions,
/// tokens, refusals. It ends with the value.
public final class HTTPAPIServer {
    public let port: Int
    private let child: Child
    public var url: String { "http://127.0.0.1:\(port)" }

    public init() throws {
        port = try freePort()
        child = try Subprocess.start(Python.path, [Checkout.root + "/Tests/Support/http_api.py", String(port)], errors: "/tmp/sluice-test-http-\(port).log")
        let deadline = Date().addingTimeInterval(20)
        while (try? Subprocess.run("curl", ["-sf", url + "/log"])) == nil {
            guard Date() < deadline else { throw Subprocess.Failure(command: "http_api.py", status: 1, output: "it does not answer") }
            usleep(20_000)
        }
    }

    deinit {
        child.signal(SIGKILL)
        child.wait()
        unlink("/tmp/sluice-test-http-\(port).log")
    }

    /// The request lines so far, `/log` not among them.
    public func requests() throws -> [String] { try Subprocess.run("curl", ["-sf", url + "/log"]).split(separator: "\n").map(String.init) }
}
