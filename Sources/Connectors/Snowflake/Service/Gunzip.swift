import CZlib

/// Whole gzip bodies, as cloud storage hands out parts of results.
enum Gunzip {
    /// Throws when the bytes are no gzip member or grow past `limit`.
    static func inflate(_ bytes: [UInt8], limit: Int) throws -> [UInt8] {
        // On the heap: zlib keeps a pointer to it.
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        defer { stream.deallocate() }
        guard inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw QueryAnswer.unreadable("zlib has no memory")
        }
        defer { inflateEnd(stream) }
        var out: [UInt8] = []
        var input = bytes
        let ended = input.withUnsafeMutableBufferPointer { input in
            stream.pointee.next_in = input.baseAddress
            stream.pointee.avail_in = UInt32(input.count)
            var chunk = [UInt8](repeating: 0, count: 1 << 16)
            while out.count <= limit {
                let status = chunk.withUnsafeMutableBufferPointer { buffer in
                    stream.pointee.next_out = buffer.baseAddress
                    stream.pointee.avail_out = UInt32(buffer.count)
                    return CZlib.inflate(stream, Z_NO_FLUSH)
                }
                out.append(contentsOf: chunk[..<(chunk.count - Int(stream.pointee.avail_out))])
                if status == Z_STREAM_END { return true }
                if status != Z_OK { return false }
            }
            return false
        }
        guard ended else { throw QueryAnswer.unreadable("a compressed part is damaged") }
        return out
    }
}
