import CBzip2
import CSnappy
import CZlib
import CZstd
package import ConnectAPI

/// The compression of an object container file's blocks.
package enum AvroCodec: String, Sendable, Hashable, CaseIterable {
    case null, deflate, snappy, bzip2, zstandard

    package func compress(_ block: [UInt8]) throws(ConnectorError) -> [UInt8] {
        switch self {
        case .null: return block
        case .deflate: return try Self.deflate(block)
        case .snappy:
            var length = snappy_max_compressed_length(block.count)
            var out = [UInt8](unsafeUninitializedCapacity: length + 4) { buffer, count in
                let status = block.withUnsafeBytes { source in
                    buffer.withMemoryRebound(to: CChar.self) {
                        snappy_compress(source.assumingMemoryBound(to: CChar.self).baseAddress, source.count, $0.baseAddress, &length)
                    }
                }
                count = status == SNAPPY_OK ? length : 0
            }
            // Followed by the CRC-32 of what was compressed.
            let crc = UInt32(truncatingIfNeeded: block.withUnsafeBytes { crc32_z(0, $0.assumingMemoryBound(to: UInt8.self).baseAddress, $0.count) })
            withUnsafeBytes(of: crc.bigEndian) { out += $0 }
            return out
        case .bzip2:
            // What it needs at most, by its manual. Blocks are smaller than its smallest size.
            var length = UInt32(block.count + block.count / 100 + 601), status = BZ_OK
            let out = [UInt8](unsafeUninitializedCapacity: Int(length)) { buffer, count in
                status = block.withUnsafeBytes { source in
                    buffer.withMemoryRebound(to: CChar.self) { target in
                        BZ2_bzBuffToBuffCompress(
                            target.baseAddress, &length, UnsafeMutablePointer(mutating: source.assumingMemoryBound(to: CChar.self).baseAddress),
                            UInt32(source.count), 1, 0, 0)
                    }
                }
                count = status == BZ_OK ? Int(length) : 0
            }
            guard status == BZ_OK else { throw Self.failed(self) }
            return out
        case .zstandard:
            let bound = ZSTD_compressBound(block.count)
            var length = 0
            let out = [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
                length = block.withUnsafeBytes { ZSTD_compress(buffer.baseAddress, bound, $0.baseAddress, $0.count, 3) }
                count = ZSTD_isError(length) == 0 ? length : 0
            }
            guard ZSTD_isError(length) == 0 else { throw Self.failed(self) }
            return out
        }
    }

    /// Without a zlib header, as Avro asks.
    private static func deflate(_ block: [UInt8]) throws(ConnectorError) -> [UInt8] {
        var stream = z_stream(), status = Z_OK
        guard deflateInit2_(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { throw failed(.deflate) }
        defer { deflateEnd(&stream) }
        let bound = Int(deflateBound(&stream, UInt(block.count)))
        let out = [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
            block.withUnsafeBytes { source in
                stream.next_in = UnsafeMutablePointer(mutating: source.assumingMemoryBound(to: UInt8.self).baseAddress)
                stream.avail_in = UInt32(source.count)
                stream.next_out = buffer.baseAddress
                stream.avail_out = UInt32(bound)
                status = CZlib.deflate(&stream, Z_FINISH)
            }
            count = bound - Int(stream.avail_out)
        }
        guard status == Z_STREAM_END else { throw failed(.deflate) }
        return out
    }

    private static func failed(_ codec: AvroCodec) -> ConnectorError {
        ConnectorError("avro.compression_failed", .stop, "Compressing a block with \(codec.rawValue) failed")
    }
}
