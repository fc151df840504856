import CLZ4
import CSnappy
import CZlib
import CZstd
import ConnectAPI
import Glibc

/// The codecs of pages, and their checksum. Holds the codecs' working memory, so it is shared through `EncoderScratch` and not one a file.
struct Compressor: ~Copyable {
    private var zstd: OpaquePointer?
    private var deflater: UnsafeMutablePointer<z_stream>?
    private var deflaterLevel: Int32 = 0

    init() {}

    deinit {
        ZSTD_freeCCtx(zstd)
        if let deflater {
            deflateEnd(deflater)
            deflater.deallocate()
        }
    }

    /// Replaces the contents of `out` by the compressed bytes. `codec` must not be `none`.
    mutating func compress(
        _ input: UnsafeRawBufferPointer, _ codec: ParquetOptions.Codec, level: Int?, to out: inout ByteBuffer
    ) throws(ConnectorError) {
        out.removeAll()
        let n = input.count
        let source = input.baseAddress ?? UnsafeRawPointer(out.base)
        switch codec {
        case .none: preconditionFailure("nothing to compress")
        case .snappy:
            try out.append(upTo: snappy_max_compressed_length(n)) { target throws(ConnectorError) in
                var length = snappy_max_compressed_length(n)
                let status = snappy_compress(
                    source.assumingMemoryBound(to: CChar.self), n, target.assumingMemoryBound(to: CChar.self), &length)
                guard status == SNAPPY_OK else { throw Self.failure(codec, n, "status \(status.rawValue)") }
                return length
            }
        case .zstd:
            if zstd == nil { zstd = ZSTD_createCCtx() }
            let context = zstd, bound = ZSTD_compressBound(n)
            try out.append(upTo: bound) { target throws(ConnectorError) in
                let length = ZSTD_compressCCtx(context, target, bound, source, n, Int32(level ?? 3))
                guard ZSTD_isError(length) == 0 else { throw Self.failure(codec, n, String(cString: ZSTD_getErrorName(length))) }
                return length
            }
        case .lz4:
            let bound = LZ4_compressBound(Int32(clamping: n))
            try out.append(upTo: Int(bound)) { target throws(ConnectorError) in
                let from = source.assumingMemoryBound(to: CChar.self), to = target.assumingMemoryBound(to: CChar.self)
                let length =
                    if let level, level > 0 { LZ4_compress_HC(from, to, Int32(clamping: n), bound, Int32(level)) } else {
                        LZ4_compress_default(from, to, Int32(clamping: n), bound)
                    }
                guard length > 0 else { throw Self.failure(codec, n, "no output") }
                return Int(length)
            }
        case .gzip:
            let stream = try deflater(level: Int32(level ?? 6))
            let bound = Int(deflateBound(stream, UInt(n)))
            try out.append(upTo: bound) { target throws(ConnectorError) in
                stream.pointee.next_in = UnsafeMutablePointer(mutating: source.assumingMemoryBound(to: UInt8.self))
                stream.pointee.avail_in = UInt32(n)
                stream.pointee.next_out = target.assumingMemoryBound(to: UInt8.self)
                stream.pointee.avail_out = UInt32(bound)
                let status = deflate(stream, Z_FINISH)
                guard status == Z_STREAM_END else { throw Self.failure(codec, n, "status \(status)") }
                return bound - Int(stream.pointee.avail_out)
            }
        }
    }

    /// A stream ready for a new member in gzip framing; its header carries no time, so equal input gives equal bytes.
    private mutating func deflater(level: Int32) throws(ConnectorError) -> UnsafeMutablePointer<z_stream> {
        if let deflater, deflaterLevel == level {
            deflateReset(deflater)
            return deflater
        }
        if let deflater {
            deflateEnd(deflater)
            deflater.deallocate()
            self.deflater = nil
        }
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let status = deflateInit2_(
            stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard status == Z_OK else {
            stream.deallocate()
            throw Self.failure(.gzip, 0, "level \(level): status \(status)")
        }
        deflater = stream
        deflaterLevel = level
        return stream
    }

    private static func failure(_ codec: ParquetOptions.Codec, _ bytes: Int, _ reason: String) -> ConnectorError {
        ConnectorError("parquet.compression_failed", .stop, "Compressing a page of \(bytes) bytes with \(codec.rawValue) failed: \(reason)")
    }
}

/// The CRC-32 that Parquet's page headers carry: of the page as stored, without its header.
func pageChecksum(_ bytes: UnsafeRawBufferPointer, continuing crc: UInt = 0) -> UInt {
    crc32_z(crc, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count)
}
