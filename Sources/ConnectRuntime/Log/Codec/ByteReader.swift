import ConnectAPI
import Glibc

/// A cursor over bytes from the disk: the reading half of `ByteWriter`. Every read checks its bounds and throws `log.corrupt`; none traps.
///
/// Lives inside one `withUnsafeBytes`; it must not outlive it.
struct ByteReader {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    static func reading<R>(_ bytes: [UInt8], _ body: (inout ByteReader) throws -> R) throws -> R {
        try bytes.withUnsafeBytes { buffer in
            var reader = ByteReader(buffer)
            return try body(&reader)
        }
    }

    var remaining: Int { bytes.count - position }

    /// The next `n` bytes.
    mutating func take(_ n: Int) throws -> UnsafeRawBufferPointer {
        guard n >= 0, n <= remaining else { throw ConnectorError.corrupt("\(n) bytes are expected, \(remaining) are left") }
        defer { position += n }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<position + n])
    }

    mutating func u8() throws -> UInt8 { try take(1)[0] }
    mutating func u32() throws -> UInt32 { try take(4).loadUnaligned(as: UInt32.self) }
    mutating func u64() throws -> UInt64 { try take(8).loadUnaligned(as: UInt64.self) }

    mutating func varint() throws -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            let byte = try u8()
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw ConnectorError.corrupt("a varint does not end")
    }

    mutating func signed() throws -> Int64 {
        let value = try varint()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    /// A count of something; Int32's range bounds what the formats hold.
    mutating func count() throws -> Int {
        let value = try varint()
        guard value <= UInt64(Int32.max) else { throw ConnectorError.corrupt("a count of \(value)") }
        return Int(value)
    }

    mutating func string() throws -> String {
        let bytes = try take(count())
        return String(decoding: bytes, as: UTF8.self)
    }

    mutating func optionalString() throws -> String? { try flag() ? string() : nil }

    mutating func flag() throws -> Bool {
        switch try u8() {
        case 0: false
        case 1: true
        case let other: throw ConnectorError.corrupt("a flag of \(other)")
        }
    }

    mutating func blob() throws -> [UInt8] { try array(count(), of: UInt8.self) }

    /// `n` numbers as they lie in memory.
    mutating func array<T: BitwiseCopyable>(_ n: Int, of type: T.Type) throws -> [T] {
        let source = try take(n * MemoryLayout<T>.stride)
        return [T](unsafeUninitializedCapacity: n) { buffer, initialized in
            if n > 0 { unsafe memcpy(buffer.baseAddress!, source.baseAddress!, source.count) }
            initialized = n
        }
    }

    func expectEnd() throws {
        guard remaining == 0 else { throw ConnectorError.corrupt("\(remaining) bytes too many") }
    }
}

extension ConnectorError {
    /// Bytes of the log that cannot be what was written. The place is added where it is known.
    static func corrupt(_ what: String) -> ConnectorError { ConnectorError("log.corrupt", .stop, "The log holds damaged bytes: \(what)") }
}
