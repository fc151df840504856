import Glibc

/// A configuration file of the system, read whole.
package enum SmallFile {
    /// nil when it is not there, cannot be read or is larger than `limit`.
    package static func read(_ path: String, limit: Int) -> [UInt8]? {
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
    @discardableResult package static func replace(_ path: String, with bytes: [UInt8]) -> Bool {
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
