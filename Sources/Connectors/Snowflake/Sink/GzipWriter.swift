import CZlib

/// A gzip member that grows at its end.
final class GzipWriter {
    // On the heap: zlib keeps a pointer to it.
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    private var out: [UInt8] = []

    init() {
        stream.initialize(to: z_stream())
        // 15 bits of window, and 16 for a gzip header.
        let made = deflateInit2_(stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(made == Z_OK, "zlib has no memory")
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    /// zlib holds about 256 KiB of its own.
    var bufferedBytes: Int { out.count + 262_144 }

    func append(_ bytes: UnsafeRawBufferPointer) { compress(bytes, Z_NO_FLUSH) }

    func finish() -> [UInt8] {
        compress(UnsafeRawBufferPointer(start: nil, count: 0), Z_FINISH)
        return out
    }

    private func compress(_ input: UnsafeRawBufferPointer, _ flush: Int32) {
        stream.pointee.next_in = UnsafeMutablePointer(mutating: input.bindMemory(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = UInt32(input.count)
        let chunk = 1 << 16
        repeat {
            out.append(
                contentsOf: [UInt8](unsafeUninitializedCapacity: chunk) { buffer, count in
                    stream.pointee.next_out = buffer.baseAddress
                    stream.pointee.avail_out = UInt32(chunk)
                    deflate(stream, flush)
                    count = chunk - Int(stream.pointee.avail_out)
                })
        } while stream.pointee.avail_out == 0
    }
}
