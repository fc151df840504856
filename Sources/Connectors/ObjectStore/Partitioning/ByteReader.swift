import Glibc

/// Reads bytes from the front; every step is checked against the end.
struct ByteReader {
    private let bytes: [UInt8]
    private var position = 0
    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var rest: ArraySlice<UInt8> { bytes[position...] }

    mutating func next() -> UInt8? {
        guard position < bytes.count else { return nil }
        position += 1
        return bytes[position - 1]
    }

    mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count >= 0, bytes.count - position >= count else { return nil }
        position += count
        return bytes[position - count..<position]
    }

    mutating func skip(_ count: Int) -> Bool { take(count) != nil }

    /// A signed big-endian integer of 4 or 8 bytes.
    mutating func bigEndian(_ width: Int) -> Int64? {
        guard let field = take(width) else { return nil }
        let value = field.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return width == 4 ? Int64(Int32(truncatingIfNeeded: value)) : Int64(bitPattern: value)
    }
}

/// A configuration file of the system, read whole.
enum SmallFile {
    /// nil when it is not there, cannot be read or is larger than `limit`.
    static func read(_ path: String, limit: Int) -> [UInt8]? {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var status = stat()
        guard fstat(fd, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= limit else { return nil }
        let size = Int(status.st_size)
        var complete = false
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            while count < size {
                let n = Glibc.read(fd, buffer.baseAddress! + count, size - count)
                if n <= 0 { break }
                count += n
            }
            complete = count == size
        }
        return complete ? bytes : nil
    }

    /// Replaces a file in one step; false when that is not possible.
    @discardableResult static func replace(_ path: String, with bytes: [UInt8]) -> Bool {
        let temporary = path + ".new", fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard fd >= 0 else { return false }
        var done = 0
        bytes.withUnsafeBytes { buffer in
            while done < buffer.count, case let n = Glibc.write(fd, buffer.baseAddress! + done, buffer.count - done), n > 0 { done += n }
        }
        close(fd)
        guard done == bytes.count, rename(temporary, path) == 0 else {
            unlink(temporary)
            return false
        }
        return true
    }
}
