import ConnectAPI
import Glibc

/// Keeps a second worker out of a data directory: an advisory lock on `sluice.lock`, which the kernel gives back when the process ends
/// however it ends.
struct DirectoryLock: ~Copyable {
    private let descriptor: Int32

    /// Throws `log.locked`, or `log.open_failed` when the directory cannot be written.
    init(_ directory: String) throws { descriptor = try Self.acquire(directory) }

    private static func acquire(_ directory: String) throws -> Int32 {
        try makeDirectory(directory)
        let descriptor = open("\(directory)/sluice.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure(directory, errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let owner = owner(descriptor)
            Glibc.close(descriptor)
            throw ConnectorError(
                "log.locked", .stop, "The data directory \(directory) is in use by another worker\(owner)",
                hint: "Stop that worker, or give this one a directory of its own with --data-dir")
        }
        ftruncate(descriptor, 0)
        let text = "\(getpid())\n"
        _ = unsafe text.withCString { pwrite(descriptor, $0, strlen($0), 0) }
        return descriptor
    }

    deinit { Glibc.close(descriptor) }

    private static func owner(_ descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 20)
        let n = unsafe pread(descriptor, &bytes, bytes.count, 0)
        let digits = bytes.prefix(max(n, 0)).prefix { $0 >= 0x30 && $0 <= 0x39 }
        return digits.isEmpty ? "" : " (process \(String(decoding: digits, as: UTF8.self)))"
    }

    private static func makeDirectory(_ path: String) throws {
        var prefix = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") {
            prefix += "/\(part)"
            if mkdir(prefix, 0o755) != 0 {
                let reason = errno
                if reason != EEXIST && reason != EISDIR { throw failure(path, reason) }
            }
        }
    }

    private static func failure(_ directory: String, _ reason: Int32) -> ConnectorError {
        ConnectorError(
            "log.open_failed", .stop, "The data directory \(directory) cannot be used: \(String(cString: strerror(reason)))",
            hint: "Check that it can be made and written by the user of the worker")
    }
}
