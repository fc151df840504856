import CZlib

/// The gzip level: -1 (zlib's default) to 9.
struct GzipLevel: Sendable, Hashable {
    let value: Int32
}

/// The bytes of a file that grows at its end, compressed on the way where asked for.
struct FileBytes {
    private var bytes: [UInt8] = []
    private var drainedBytes = 0
    private var gzip: GzipStream?

    init(_ level: GzipLevel?) { gzip = level.map { GzipStream($0) } }

    /// zlib holds about 256 KiB of its own.
    var bufferedBytes: Int { bytes.capacity + (gzip == nil ? 0 : 262_144) }
    var drainableBytes: Int { bytes.count }
    var totalBytes: Int { drainedBytes + bytes.count }

    mutating func append(_ more: UnsafeRawBufferPointer) {
        if let gzip { gzip.compress(more, last: false, into: &bytes) } else { bytes.append(contentsOf: more) }
    }

    mutating func drain() -> [UInt8] {
        defer { bytes = [] }
        drainedBytes += bytes.count
        return bytes
    }

    mutating func finish() -> [UInt8] {
        gzip?.compress(UnsafeRawBufferPointer(start: nil, count: 0), last: true, into: &bytes)
        gzip = nil
        return drain()
    }
}

/// A gzip member with the header Java writes: no name, no time, unknown system.
private final class GzipStream {
    // On the heap: zlib keeps a pointer to it.
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    private let header = UnsafeMutablePointer<gz_header>.allocate(capacity: 1)

    init(_ level: GzipLevel) {
        stream.initialize(to: z_stream())
        header.initialize(to: gz_header())
        header.pointee.os = 255
        // 15 bits of window, and 16 for a gzip header.
        let made = deflateInit2_(
            stream, level.value, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(made == Z_OK, "zlib has no memory")
        deflateSetHeader(stream, header)
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
        header.deallocate()
    }

    func compress(_ input: UnsafeRawBufferPointer, last: Bool, into out: inout [UInt8]) {
        stream.pointee.next_in = UnsafeMutablePointer(mutating: input.bindMemory(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = UInt32(input.count)
        let chunk = 1 << 16
        while true {
            let before = out.count
            out.reserveCapacity(before + chunk)
            var status = Z_OK
            out.append(
                contentsOf: [UInt8](unsafeUninitializedCapacity: chunk) { buffer, count in
                    stream.pointee.next_out = buffer.baseAddress
                    stream.pointee.avail_out = UInt32(chunk)
                    status = deflate(stream, last ? Z_FINISH : Z_NO_FLUSH)
                    count = chunk - Int(stream.pointee.avail_out)
                })
            if last ? status == Z_STREAM_END : stream.pointee.avail_in == 0 && stream.pointee.avail_out > 0 { return }
        }
    }
}
