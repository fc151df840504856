import CZlib
import CZstd
import ConnectAPI
import Synchronization

/// What surrounds a batch's body on the disk: version, compression, checksum.
///
///     version u8, codec u8 (0 raw, 1 zstd), 2 zero bytes, body length u32, CRC-32 u32, payload
///
/// The checksum covers the topic's name, the header and the payload, so that a blob of another topic does not pass for this one's.
enum BatchEnvelope {
    private static let headerSize = 12
    /// zstd's frame costs more than it saves below this.
    private static let smallestCompressed = 256
    private static let level: Int32 = 1
    /// A body of more than this is refused when written and when read.
    static let largestBody = 1 << 30

    static func seal(_ body: [UInt8], topic: String) throws -> [UInt8] {
        guard body.count <= largestBody else {
            throw ConnectorError(
                "log.record_too_large", .stop, "A record of topic \(topic) takes \(body.count) bytes, the log holds at most \(largestBody)",
                hint: "Leave the large column out with column.exclude.list")
        }
        let compressed = body.count >= smallestCompressed
        let capacity = headerSize + (compressed ? ZSTD_compressBound(body.count) : body.count)
        return [UInt8](unsafeUninitializedCapacity: capacity) { buffer, initialized in
            let out = UnsafeMutableRawBufferPointer(buffer)
            var stored = 0
            let payload = UnsafeMutableRawBufferPointer(rebasing: out[headerSize...])
            if compressed {
                stored = ZstdContexts.compress(body, into: payload, level: level)
            }
            let raw = stored == 0 || stored >= body.count
            if raw {
                payload.copyBytes(from: body)
                stored = body.count
            }
            out[0] = BatchCodec.version
            out[1] = raw ? 0 : 1
            out[2] = 0
            out[3] = 0
            out.storeBytes(of: UInt32(body.count), toByteOffset: 4, as: UInt32.self)
            let used = UnsafeRawBufferPointer(rebasing: out[0..<headerSize + stored])
            out.storeBytes(of: checksum(used, topic), toByteOffset: 8, as: UInt32.self)
            initialized = headerSize + stored
        }
    }

    /// Throws `log.corrupt`.
    static func open(_ blob: [UInt8], topic: String) throws -> [UInt8] {
        try blob.withUnsafeBytes { bytes in
            guard bytes.count >= headerSize else { throw ConnectorError.corrupt("a batch of \(bytes.count) bytes") }
            guard bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self) == checksum(bytes, topic) else {
                throw ConnectorError.corrupt("a batch's checksum does not match")
            }
            guard bytes[0] == BatchCodec.version else {
                throw ConnectorError(
                    "log.version", .stop, "A batch has format \(bytes[0]), this program reads \(BatchCodec.version)",
                    hint: "Run the version that wrote the log, or a later one")
            }
            let length = Int(bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
            guard length <= largestBody else { throw ConnectorError.corrupt("a batch of \(length) bytes") }
            let payload = UnsafeRawBufferPointer(rebasing: bytes[headerSize...])
            switch bytes[1] {
            case 0:
                guard payload.count == length else { throw ConnectorError.corrupt("a batch of \(payload.count) bytes instead of \(length)") }
                return Array(payload)
            case 1:
                // The frame's own size is asked before memory is taken for what the header claims.
                guard ZSTD_getFrameContentSize(payload.baseAddress, payload.count) == UInt64(length),
                    let body = ZstdContexts.decompress(payload, length: length)
                else { throw ConnectorError.corrupt("a batch does not decompress") }
                return body
            case let codec: throw ConnectorError.corrupt("a batch compressed with codec \(codec)")
            }
        }
    }

    /// The checksum an encoded batch carries; 0 when the bytes are too few to hold one.
    static func checksum(in bytes: [UInt8]) -> UInt32 {
        bytes.count < 12 ? 0 : bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 8, as: UInt32.self) }
    }

    private static func checksum(_ bytes: UnsafeRawBufferPointer, _ topic: String) -> UInt32 {
        var sum = crc32_z(0, nil, 0)
        var topic = topic
        topic.withUTF8 { sum = crc32_z(sum, $0.baseAddress, $0.count) }
        func add(_ range: Range<Int>) {
            sum = crc32_z(sum, bytes.baseAddress?.advanced(by: range.lowerBound).assumingMemoryBound(to: UInt8.self), range.count)
        }
        add(0..<8)
        add(headerSize..<bytes.count)
        return UInt32(truncatingIfNeeded: sum)
    }
}

/// Compression contexts cost a megabyte to make; a few are kept and lent to whoever compresses.
private enum ZstdContexts {
    private struct Context: @unchecked Sendable {  // Owned by exactly one borrower, or by the list.
        let pointer: OpaquePointer
    }
    private static let compressors = Mutex<[Context]>([])
    private static let decompressors = Mutex<[Context]>([])
    private static let kept = 4

    /// The bytes written, 0 when zstd refuses.
    static func compress(_ body: [UInt8], into out: UnsafeMutableRawBufferPointer, level: Int32) -> Int {
        guard let context = compressors.withLock({ $0.popLast() }) ?? ZSTD_createCCtx().map({ Context(pointer: $0) }) else { return 0 }
        let n = body.withUnsafeBytes { ZSTD_compressCCtx(context.pointer, out.baseAddress, out.count, $0.baseAddress, $0.count, level) }
        if !give(context, back: compressors) { ZSTD_freeCCtx(context.pointer) }
        return ZSTD_isError(n) == 0 ? n : 0
    }

    static func decompress(_ payload: UnsafeRawBufferPointer, length: Int) -> [UInt8]? {
        guard let context = decompressors.withLock({ $0.popLast() }) ?? ZSTD_createDCtx().map({ Context(pointer: $0) }) else { return nil }
        defer { if !give(context, back: decompressors) { ZSTD_freeDCtx(context.pointer) } }
        var complete = false
        let body = [UInt8](unsafeUninitializedCapacity: length) { buffer, initialized in
            let n = ZSTD_decompressDCtx(context.pointer, buffer.baseAddress, length, payload.baseAddress, payload.count)
            complete = ZSTD_isError(n) == 0 && n == length
            initialized = complete ? length : 0
        }
        return complete ? body : nil
    }

    private static func give(_ context: Context, back list: borrowing Mutex<[Context]>) -> Bool {
        list.withLock { list in
            guard list.count < kept else { return false }
            list.append(context)
            return true
        }
    }
}
