import Foundation

/// The real binary, run as a user runs it: a data directory, a directory of connector files, a REST port.
public final class SluiceWorker {
    public let directory: String
    public let port: Int
    private var child: Child?

    public static let binary = ProcessInfo.processInfo.environment["SLUICE_BINARY"] ?? Checkout.root + "/.build/debug/sluice"

    public init(directory: String) throws {
        self.directory = directory
        port = try freePort()
        try FileManager.default.createDirectory(atPath: directory + "/connectors.d", withIntermediateDirectories: true)
    }

    deinit { kill() }

    /// Writes `connectors.d/NAME.json`.
    public func configure(_ name: String, _ config: [String: String]) throws {
        let data = try JSONSerialization.data(withJSONObject: ["name": name, "config": config], options: [.sortedKeys, .prettyPrinted])
        try data.write(to: URL(fileURLWithPath: directory + "/connectors.d/\(name).json"), options: .atomic)
    }

    public func start(_ arguments: [String] = [], environment: [String: String] = [:]) throws {
        child = try Subprocess.start(
            Self.binary,
            ["run"] + arguments + [
                "--data-dir", directory + "/data", "--listen", "127.0.0.1:\(port)", "--connectors-dir", directory + "/connectors.d",
            ], environment: environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }, output: directory + "/out.log", errors: directory + "/err.log")
    }

    public var isRunning: Bool { child?.isRunning ?? false }

    /// Bytes of its memory that are in RAM; nil when it does not run.
    public var residentBytes: Int? {
        guard let child, let text = try? String(contentsOfFile: "/proc/\(child.pid)/statm", encoding: .utf8) else { return nil }
        return text.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * Int(getpagesize()) }
    }

    /// kill -9.
    public func kill() {
        guard let child else { return }
        child.signal(SIGKILL)
        child.wait()
        self.child = nil
    }

    /// Stops the process where it stands, as a paused virtual machine does; to everybody else it is dead.
    public func freeze() { child?.signal(SIGSTOP) }
    /// Lets it go on, knowing nothing of the time between.
    public func thaw() { child?.signal(SIGCONT) }

    /// SIGTERM; returns the exit status.
    @discardableResult
    public func stop() -> Int32 {
        guard let child else { return 0 }
        child.signal(SIGTERM)
        let status = child.wait()
        self.child = nil
        return status
    }

    /// As `stop`, and returns the most memory it ever had resident, in bytes, also while it stopped.
    public func stopAndWeigh() -> (status: Int32, peak: Int) {
        guard let child else { return (0, 0) }
        child.signal(SIGTERM)
        var peak = 0
        // Gone once the process has ended.
        while let text = try? String(contentsOfFile: "/proc/\(child.pid)/status", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") })
        {
            peak = max(peak, (line.split { !$0.isNumber }.first.flatMap { Int($0) } ?? 0) << 10)
            usleep(20_000)
        }
        return (stop(), peak)
    }

    /// What it logged so far.
    public var log: String { (try? String(contentsOfFile: directory + "/err.log", encoding: .utf8)) ?? "" }

    public struct Response: Sendable {
        public let status: Int
        public let body: String
        /// The body as JSON.
        public var json: Any? { try? JSONSerialization.jsonObject(with: Data(body.utf8), options: .fragmentsAllowed) }
    }

    /// One REST exchange, by curl.
    @discardableResult
    public func request(_ method: String, _ path: String, body: String? = nil) throws -> Response {
        var arguments = ["-sS", "-m", "20", "-X", method, "-w", "\n%{http_code}", "http://127.0.0.1:\(port)\(path)"]
        if let body { arguments += ["-H", "Content-Type: application/json", "--data-binary", body] }
        let output = try Subprocess.run("curl", arguments)
        let cut = output.lastIndex(of: "\n")!
        return Response(status: Int(output[output.index(after: cut)...]) ?? 0, body: String(output[..<cut]))
    }

    /// Asks every 50 ms until the condition holds; throws with the log's end when it does not within the time.
    public func wait(_ what: String, seconds: Double = 60, until condition: () async throws -> Bool) async throws {
        let deadline = Date().addingTimeInterval(seconds)
        while Date() < deadline {
            if (try? await condition()) == true { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw Subprocess.Failure(command: "waiting until \(what)", status: 1, output: String(log.suffix(3000)))
    }

    public func waitUntilReady() async throws {
        try await wait("the REST port answers") { try request("GET", "/health").status == 200 }
    }
}
