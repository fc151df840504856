import CZlib
import CZstd
import ConnectAPI
import Glibc

/// The bytes of a file, decompressed. Blocks: used on the reader's thread.
final class FileBytes {
    enum Compression: String { case none, gzip, zstd }

    let path: String
    let compression: Compression
    private let descriptor: Int32
    private var input: [UInt8] = []
    private var inputUsed = 0
    private var isInputAtEnd = false
    private var zlib = z_stream()
    private var zstd: OpaquePointer?
    /// The compressed stream stands between two members or frames, where it may end.
    private var mayEnd = true

    /// Throws `csv.unreadable`.
    init(_ path: String, compression named: String) throws {
        self.path = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.unreadable(path, "opened") }
        var magic: [UInt8] = [0, 0, 0, 0]
        let count = pread(descriptor, &magic, 4, 0)
        switch named {
        case "gzip": compression = .gzip
        case "zstd": compression = .zstd
        case "none": compression = .none
        default: compression = count >= 2 && magic[0] == 0x1F && magic[1] == 0x8B ? .gzip : count == 4 && magic == [0x28, 0xB5, 0x2F, 0xFD] ? .zstd : .none
        }
        switch compression {
        case .none: break
        // 15 window bits, and 16 for gzip's header.
        case .gzip: precondition(inflateInit2_(&zlib, 31, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK, "zlib has no memory")
        case .zstd: zstd = ZSTD_createDStream()
        }
    }

    deinit {
        if compression == .gzip { inflateEnd(&zlib) }
        if let zstd { ZSTD_freeDStream(zstd) }
        if descriptor >= 0 { close(descriptor) }
    }

    static func unreadable(_ path: String, _ what: String, _ reason: String? = nil) -> ConnectorError {
        ConnectorError(
            "csv.unreadable", .stop, "\(path) cannot be \(what): \(reason ?? String(cString: strerror(errno)))",
            hint: "Check the path and the rights of the worker's user")
    }

    var status: stat {
        var status = stat()
        fstat(descriptor, &status)
        return status
    }

    /// Goes to a place of the decompressed bytes, from the start of the stream; false: the stream ends before.
    func skip(_ count: Int64) throws -> Bool {
        // A place behind the end can be gone to, but nothing is there.
        if compression == .none { return status.st_size >= off_t(count) && lseek(descriptor, off_t(count), SEEK_SET) == off_t(count) }
        var left = count
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        while left > 0 {
            let got = try buffer.withUnsafeMutableBytes { try read(UnsafeMutableRawBufferPointer(rebasing: $0[..<min($0.count, Int(left))])) }
            if got == 0 { return false }
            left -= Int64(got)
        }
        return true
    }

    /// Fills as much as there is; 0: the end, as it stands now.
    func read(_ target: UnsafeMutableRawBufferPointer) throws -> Int {
        if compression == .none { return try raw(target) }
        while true {
            if inputUsed == input.count, !isInputAtEnd {
                if input.isEmpty { input = [UInt8](repeating: 0, count: 1 << 16) } else { input.resize(to: 1 << 16) }
                let got = try input.withUnsafeMutableBytes { try raw($0) }
                input.resize(to: got)
                inputUsed = 0
                isInputAtEnd = got == 0
            }
            if isInputAtEnd, inputUsed == input.count {
                if mayEnd { return 0 }
                throw Self.unreadable(path, "decompressed", "it ends in the middle of a \(compression.rawValue) stream")
            }
            let made = compression == .gzip ? try inflated(target) : try decompressed(target)
            if made > 0 { return made }
        }
    }

    private func raw(_ target: UnsafeMutableRawBufferPointer) throws -> Int {
        while true {
            let got = Glibc.read(descriptor, target.baseAddress, target.count)
            if got >= 0 { return got }
            if errno != EINTR { throw Self.unreadable(path, "read") }
        }
    }

    private func inflated(_ target: UnsafeMutableRawBufferPointer) throws -> Int {
        let available = input.count - inputUsed
        return try input.withUnsafeMutableBytes { bytes in
            zlib.next_in = bytes.baseAddress!.assumingMemoryBound(to: UInt8.self) + inputUsed
            zlib.avail_in = UInt32(available)
            zlib.next_out = target.baseAddress!.assumingMemoryBound(to: UInt8.self)
            zlib.avail_out = UInt32(target.count)
            mayEnd = false
            let code = inflate(&zlib, Z_NO_FLUSH)
            inputUsed += available - Int(zlib.avail_in)
            switch code {
            case Z_OK, Z_BUF_ERROR: break
            case Z_STREAM_END:
                // Members may follow one another.
                inflateReset(&zlib)
                mayEnd = true
            default: throw Self.unreadable(path, "decompressed", "its gzip data is damaged")
            }
            return target.count - Int(zlib.avail_out)
        }
    }

    private func decompressed(_ target: UnsafeMutableRawBufferPointer) throws -> Int {
        try input.withUnsafeBytes { bytes in
            var from = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: inputUsed)
            var to = ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
            let left = ZSTD_decompressStream(zstd, &to, &from)
            guard ZSTD_isError(left) == 0 else { throw Self.unreadable(path, "decompressed", "its zstd data is damaged") }
            inputUsed = from.pos
            mayEnd = left == 0
            return to.pos
        }
    }
}

extension [UInt8] {
    /// Keeps the storage.
    fileprivate mutating func resize(to count: Int) {
        if count < self.count { removeLast(self.count - count) } else { append(contentsOf: repeatElement(0, count: count - self.count)) }
    }
}
