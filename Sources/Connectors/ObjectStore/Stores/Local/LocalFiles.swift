import CXattr
import ConnectAPI
import Glibc

/// An error of the file system in words.
func LocalError(_ number: Int32, _ action: String, _ path: String) -> ConnectorError {
    let what = "Cannot \(action) \(path): \(String(cString: strerror(number)))"
    switch number {
    case ENOSPC, EDQUOT: return ConnectorError("local.disk_full", .retry, what, hint: "Free space on this file system; nothing is lost meanwhile")
    case EACCES, EPERM, EROFS:
        return ConnectorError("local.permission", .stop, what, hint: "Let this user write there, or point store.url at another directory")
    case ENAMETOOLONG: return ConnectorError("local.name_too_long", .stop, what, hint: "Partition by a field with shorter values")
    case ENOTDIR: return ConnectorError("local.not_a_directory", .stop, what, hint: "Point store.url at a directory")
    default: return ConnectorError("local.io", .retry, what)
    }
}

/// A file that is not visible under its final name yet. Closing it without publishing removes it.
struct TemporaryFile {
    let path: String
    let fd: Int32

    init(_ path: String) throws {
        fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard fd >= 0 else { throw LocalError(errno, "create", path) }
        self.path = path
    }

    /// One that is open already.
    init(_ path: String, open fd: Int32) {
        self.path = path
        self.fd = fd
    }

    func keepOpen() -> Int32 { fd }

    func write(_ bytes: [UInt8], at offset: Int64) throws {
        try bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let n = pwrite(fd, buffer.baseAddress! + done, buffer.count - done, off_t(offset) + done)
                if n < 0 {
                    if errno == EINTR { continue }
                    throw LocalError(errno, "write", path)
                }
                done += n
            }
        }
    }

    func sync() throws {
        guard fsync(fd) == 0 else { throw LocalError(errno, "write", path) }
    }

    func inode() throws -> ino_t {
        var status = stat()
        guard fstat(fd, &status) == 0 else { throw LocalError(errno, "read", path) }
        return status.st_ino
    }

    /// Closes it, and removes its temporary name if it still has one.
    func close() {
        unlink(path)
        Glibc.close(fd)
    }
}

/// How keys become paths.
enum LocalPath {
    /// Throws for a key that no file can have.
    static func file(_ key: String, root: String) throws -> String {
        let parts = key.split(separator: "/", omittingEmptySubsequences: false).map { escaped(String($0)) }
        guard !key.isEmpty, parts.allSatisfy({ $0.utf8.count <= 255 }) else {
            throw ConnectorError(
                "local.name_too_long", .stop, "A part of the object name '\(key.prefix(80))…' has more than 255 bytes or none",
                hint: "Partition by a field with shorter values")
        }
        return (root == "/" ? "" : root) + "/" + parts.joined(separator: "/")
    }

    /// Parts that mean something to the file system are written otherwise, so that no key leaves the root.
    private static func escaped(_ part: String) -> String {
        switch part {
        case "": "%"
        case ".": "%2E"
        case "..": "%2E%2E"
        default:
            part.hasPrefix(".sluice") || part.utf8.contains(0)
                ? PercentCoding.encode(part).split(separator: ".", omittingEmptySubsequences: false).joined(separator: "%2E") : part
        }
    }

    /// The part of a key a file name stands for.
    static func component(_ name: String) -> String {
        switch name {
        case "%": ""
        case "%2E": "."
        case "%2E%2E": ".."
        default: name
        }
    }

    static func directory(_ path: String) -> String { path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "." }

    static func sidecar(_ path: String, inode: ino_t) -> String {
        let slash = path.lastIndex(of: "/")!
        // Names are cut so that the inode still fits; it alone is unique in the directory.
        let name = String(decoding: Array(path[path.index(after: slash)...].utf8.prefix(200)), as: UTF8.self)
        return "\(path[..<slash])/.sluice/\(name).\(inode)"
    }
}

enum DirectoryListing {
    struct Entry {
        let name: String
        let isDirectory: Bool
    }

    static func names(_ path: String) throws -> [String] { try entries(path).map(\.name) }

    /// Empty when there is no such directory.
    static func entries(_ path: String) throws -> [Entry] {
        guard let directory = opendir(path) else {
            if errno == ENOENT || errno == ENOTDIR { return [] }
            throw LocalError(errno, "list", path)
        }
        defer { closedir(directory) }
        var found: [Entry] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) } }
            if name == "." || name == ".." { continue }
            var isDirectory = entry.pointee.d_type == UInt8(DT_DIR)
            if entry.pointee.d_type == UInt8(DT_UNKNOWN) {
                var status = stat()
                isDirectory = lstat("\(path)/\(name)", &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
            }
            found.append(Entry(name: name, isDirectory: isDirectory))
        }
        return found
    }

    /// Makes the names in a directory durable.
    static func sync(_ path: String) throws {
        let fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard fd >= 0 else { throw LocalError(errno, "open", path) }
        defer { close(fd) }
        // Some network file systems cannot sync directories; they are durable by themselves.
        guard fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP else { throw LocalError(errno, "write", path) }
    }
}

/// `user.sluice`.
enum ExtendedAttribute {
    private static let name = "user.sluice"

    static func set(_ fd: Int32, _ value: [UInt8]) -> Bool { value.withUnsafeBytes { fsetxattr(fd, name, $0.baseAddress, $0.count, 0) == 0 } }

    static func get(_ fd: Int32) -> [UInt8]? {
        let size = fgetxattr(fd, name, nil, 0)
        guard size >= 0 else { return nil }
        var read = -1
        let value = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            read = fgetxattr(fd, name, buffer.baseAddress, size)
            count = max(0, read)
        }
        return read >= 0 ? value : nil
    }
}

/// One `name=value` a line, both percent-encoded.
enum MetadataText {
    static func render(_ metadata: [String: String]) -> [UInt8] {
        Array(metadata.sorted { $0.key < $1.key }.map { "\(PercentCoding.encode($0.key))=\(PercentCoding.encode($0.value))\n" }.joined().utf8)
    }

    static func parse(_ text: [UInt8]) -> [String: String] {
        var metadata: [String: String] = [:]
        for line in String(decoding: text, as: UTF8.self).split(separator: "\n") {
            guard let equals = line.firstIndex(of: "=") else { continue }
            metadata[PercentCoding.decode(String(line[..<equals]))] = PercentCoding.decode(String(line[line.index(after: equals)...]))
        }
        return metadata
    }
}
