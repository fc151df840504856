import ConnectAPI
import Glibc

/// Small files read whole: configurations and secrets.
package enum WorkerFile {
    /// Larger files are taken for a mistake.
    package static let sizeLimit = 16 << 20

    package static func read(_ path: String) throws -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open", path) }
        defer { close(descriptor) }
        var out: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let n = chunk.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if n == 0 { return out }
            if n < 0 {
                if errno == EINTR { continue }
                throw failure("read", path)
            }
            out.append(contentsOf: chunk[..<n])
            guard out.count <= sizeLimit else {
                throw ConnectorError("config.file", .stop, "\(path) is larger than \(sizeLimit >> 20) MiB, which is no configuration")
            }
        }
    }

    /// Makes a directory and those above it; one that is there already is fine.
    package static func makeDirectory(_ path: String) throws {
        var prefix = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            prefix += prefix.isEmpty || prefix.hasSuffix("/") ? String(part) : "/" + part
            if mkdir(prefix, 0o777) != 0, errno != EEXIST { throw failure("make directory", prefix) }
        }
    }

    package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Names in a directory, sorted, without `.` and `..`.
    package static func names(in directory: String) throws -> [String] {
        guard let handle = unsafe opendir(directory) else { throw failure("list", directory) }
        defer { unsafe closedir(handle) }
        var names: [String] = []
        while let entry = unsafe readdir(handle) {
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Removes a directory and everything in it; a missing one is fine.
    package static func removeTree(_ path: String) {
        var status = stat()
        // lstat: a symbolic link is removed, not what it points at.
        guard lstat(path, &status) == 0 else { return }
        if status.st_mode & S_IFMT == S_IFDIR {
            for name in (try? names(in: path)) ?? [] { removeTree(path + "/" + name) }
            rmdir(path)
        } else {
            unlink(path)
        }
    }

    private static func failure(_ verb: String, _ path: String) -> ConnectorError {
        ConnectorError("config.file", .stop, "Could not \(verb) \(path): \(unsafe String(cString: strerror(errno)))")
    }
}
