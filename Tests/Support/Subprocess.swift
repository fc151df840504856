import Foundation

/// Runs programs for tests, by `posix_spawn`: Foundation's `Process` waits for a socket that a daemon started by its child inherits.
public enum Subprocess {
    public struct Failure: Error, CustomStringConvertible {
        public let command: String
        public let status: Int32
        public let output: String
        public var description: String { "\(command) ended with \(status): \(output)" }
    }

    /// Runs to the end and returns standard output; throws with both outputs when the status is not 0.
    @discardableResult
    public static func run(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], input: String? = nil
    ) throws -> String {
        let base = NSTemporaryDirectory() + "sluice-test-out-" + UUID().uuidString
        let (stdin, stdout, stderr) = (base + ".in", base + ".out", base + ".err")
        defer { for path in [stdin, stdout, stderr] { unlink(path) } }
        if let input { try input.write(toFile: stdin, atomically: false, encoding: .utf8) }
        let child = try start(
            program, arguments, environment: environment, input: input == nil ? "/dev/null" : stdin, output: stdout, errors: stderr)
        let status = child.wait()
        let output = try String(decoding: Data(contentsOf: URL(fileURLWithPath: stdout)), as: UTF8.self)
        guard status == 0 else {
            let errors = try String(decoding: Data(contentsOf: URL(fileURLWithPath: stderr)), as: UTF8.self)
            throw Failure(command: ([program] + arguments).joined(separator: " "), status: status, output: errors + output)
        }
        return output
    }

    /// Starts a program in a session of its own; its outputs go to files.
    public static func start(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], input: String = "/dev/null",
        output: String = "/dev/null", errors: String = "/dev/null"
    ) throws -> Child {
        var actions = posix_spawn_file_actions_t(), attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        // Threads of the test process block signals, and a child would inherit that: a server that cannot be stopped with SIGTERM.
        var unblocked = sigset_t()
        sigemptyset(&unblocked)
        posix_spawnattr_setsigmask(&attributes, &unblocked)
        // POSIX_SPAWN_SETSID, which Glibc's module hides behind _GNU_SOURCE, and POSIX_SPAWN_SETSIGMASK.
        posix_spawnattr_setflags(&attributes, 0x80 | 0x08)
        let words = ([program] + arguments).map { strdup($0) } + [nil]
        let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }.map { strdup("\($0)=\($1)") } + [nil]
        defer { for pointer in words + variables { free(pointer) } }
        var pid = pid_t()
        let failed = posix_spawnp(&pid, program, &actions, &attributes, words, variables)
        guard failed == 0 else { throw Failure(command: program, status: failed, output: String(cString: strerror(failed))) }
        return Child(pid: pid)
    }
}

/// A running program. Whoever started it waits for it.
public struct Child: Sendable {
    public let pid: Int32

    /// The exit status, or minus the signal that ended it.
    @discardableResult
    public func wait() -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        return status & 0x7F == 0 ? status >> 8 & 0xFF : -(status & 0x7F)
    }

    public func signal(_ number: Int32) { kill(pid, number) }

    public var isRunning: Bool { kill(pid, 0) == 0 && waitpid(pid, nil, WNOHANG) == 0 }
}

/// Where the checkout is.
public enum Checkout {
    public static let root: String = String(#filePath.prefix(upTo: #filePath.range(of: "/Tests/Support/")!.lowerBound))
}

/// Python with the packages of `Tests/requirements.txt`: the oracles (pyarrow, DuckDB, botocore).
public enum Python {
    public static let path = Checkout.root + "/.venv/bin/python"

    /// Runs a script with arguments; returns what it printed.
    @discardableResult
    public static func run(_ script: String, _ arguments: [String] = [], input: String? = nil) throws -> String {
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw Subprocess.Failure(command: path, status: 127, output: "no Python environment; run 'make setup'")
        }
        return try Subprocess.run(path, ["-c", script] + arguments, input: input)
    }
}

/// A directory that is removed when the body returns.
public func withTemporaryDirectory<T>(_ body: (String) async throws -> T) async throws -> T {
    let path = NSTemporaryDirectory() + "sluice-test-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try await body(path)
}

/// A port of the loopback interface nobody listens on.
public func freePort() throws -> Int {
    let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(socket) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let port = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> UInt16? in
            guard bind(socket, address, length) == 0, getsockname(socket, address, &length) == 0 else { return nil }
            return address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { UInt16(bigEndian: $0.pointee.sin_port) }
        }
    }
    guard let port else { throw Subprocess.Failure(command: "bind", status: errno, output: "no free port") }
    return Int(port)
}
