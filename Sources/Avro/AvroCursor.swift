import ConnectAPI

/// Reads Avro's scalars from bytes of outside: every step is checked.
struct AvroCursor {
    private let bytes: UnsafeRawBufferPointer
    private(set) var at: Int
    private let end: Int

    init(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        self.bytes = bytes
        at = range.lowerBound
        end = range.upperBound
    }

    var left: Int { end - at }

    static func broken(_ what: String) -> ConnectorError {
        ConnectorError("avro.data_invalid", .reject, "The bytes are no value of their Avro schema: \(what)")
    }

    @inline(__always) mutating func byte() throws(ConnectorError) -> UInt8 {
        guard at < end else { throw Self.broken("they end too soon") }
        defer { at &+= 1 }
        return bytes[at]
    }

    /// Seven bits a byte, then zigzag.
    @inline(__always) mutating func long() throws(ConnectorError) -> Int64 {
        let first = try byte()
        var value = UInt64(first & 127)
        if first > 127 {
            var shift: UInt64 = 7
            while true {
                let next = try byte()
                guard shift < 63 || next <= 1 else { throw Self.broken("a number has more than 64 bits") }
                value |= UInt64(next & 127) << shift
                if next < 128 { break }
                shift += 7
            }
        }
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    @inline(__always) mutating func int() throws(ConnectorError) -> Int32 {
        guard let value = Int32(exactly: try long()) else { throw Self.broken("an int has more than 32 bits") }
        return value
    }

    mutating func float() throws(ConnectorError) -> Float { Float(bitPattern: UInt32(littleEndian: try fixed(4).loadUnaligned(as: UInt32.self))) }
    mutating func double() throws(ConnectorError) -> Double { Double(bitPattern: UInt64(littleEndian: try fixed(8).loadUnaligned(as: UInt64.self))) }

    @inline(__always) mutating func fixed(_ count: Int) throws(ConnectorError) -> UnsafeRawBufferPointer {
        guard count <= left else { throw Self.broken("they end too soon") }
        defer { at &+= count }
        return UnsafeRawBufferPointer(rebasing: bytes[at..<at &+ count])
    }

    /// A length, then so many bytes.
    @inline(__always) mutating func blob() throws(ConnectorError) -> UnsafeRawBufferPointer {
        let length = try long()
        guard length >= 0, length <= Int64(left) else { throw Self.broken("a length of \(length) where \(left) bytes are left") }
        return try fixed(Int(length))
    }

    /// The index of one of `count` things.
    @inline(__always) mutating func index(_ count: Int, of what: StaticString) throws(ConnectorError) -> Int {
        let index = try long()
        guard index >= 0, index < Int64(count) else { throw Self.broken("\(what) \(index) of \(count)") }
        return Int(index)
    }
}
