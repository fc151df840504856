import CZlib

/// The gzip level: -1 (zlib's default) to 9.
struct GzipLevel: Sendable, Hashable {
    let value: Int32
}

/// A gzip member with the header Java writes: no name, no time, unknown system.
final class GzipStream: CompressionStream {
    /// zlib holds about 256 KiB of its own.
    let heldBytes = 262_144

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
