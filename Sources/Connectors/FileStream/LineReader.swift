import ConnectAPI
import Glibc

/// Reads a file, or standard input, on a thread of its own.
actor LineReader {
    private let path: String?
    private let thread: ThreadExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
    private var descriptor: Int32 = -1
    private var buffer = [UInt8](repeating: 0, count: 256 * 1024)

    init(path: String?) {
        self.path = path
        thread = ThreadExecutor("filestream-reader")
    }

    deinit { if descriptor > 2 { close(descriptor) } }

    /// Lets the thread end. Nothing may be called afterwards.
    nonisolated func stop() { thread.stop() }

    /// False: the file does not exist. Throws `filestream.unreadable`.
    func open(at position: Int64) throws -> Bool {
        guard let path else {
            descriptor = 0
            return true
        }
        let opened = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard opened >= 0 else {
            if errno == ENOENT { return false }
            throw unreadable(path, "opened")
        }
        descriptor = opened
        // A pipe cannot be positioned; it begins where it begins.
        if position > 0, lseek(opened, off_t(position), SEEK_SET) < 0, errno != ESPIPE { throw unreadable(path, "positioned at \(position)") }
        return true
    }

    /// The next bytes; empty when there are none yet; nil when standard input has ended.
    func read() throws -> ArraySlice<UInt8>? {
        if path == nil {
            // Wakes often enough for a stopped task to end in time.
            var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&ready, 1, 200) > 0 else { return [] }
        }
        let count = buffer.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
        if count < 0 {
            if errno == EINTR || errno == EAGAIN { return [] }
            throw unreadable(path ?? "standard input", "read")
        }
        if count == 0, path == nil { return nil }
        return buffer[..<count]
    }

    private func unreadable(_ path: String, _ what: String) -> ConnectorError {
        ConnectorError(
            "filestream.unreadable", .stop, "\(path) cannot be \(what): \(String(cString: strerror(errno)))",
            hint: "Check the key 'file' and the rights of the worker's user")
    }
}
