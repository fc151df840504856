import ConnectAPI

/// Reads big-endian fields from bytes of the network. Every read is checked; a short message throws, nothing traps.
///
/// Valid only inside the scope that provided the buffer.
struct ByteCursor {
    let bytes: UnsafeRawBufferPointer
    private(set) var position: Int

    @inline(__always) init(_ bytes: UnsafeRawBufferPointer, at position: Int = 0) {
        self.bytes = bytes
        self.position = position
    }

    @inline(__always) var remaining: Int { bytes.count &- position }

    @inline(__always) private mutating func advance(_ n: Int) throws(MalformedMessage) -> Int {
        guard n >= 0, n <= remaining else { throw MalformedMessage(at: position, of: bytes.count) }
        defer { position &+= n }
        return position
    }

    @inline(__always) mutating func uint8() throws(MalformedMessage) -> UInt8 { bytes[try advance(1)] }

    @inline(__always) mutating func int16() throws(MalformedMessage) -> Int16 {
        Int16(bigEndian: bytes.loadUnaligned(fromByteOffset: try advance(2), as: Int16.self))
    }

    @inline(__always) mutating func int32() throws(MalformedMessage) -> Int32 {
        Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: try advance(4), as: Int32.self))
    }

    @inline(__always) mutating func uint32() throws(MalformedMessage) -> UInt32 { UInt32(bitPattern: try int32()) }

    @inline(__always) mutating func int64() throws(MalformedMessage) -> Int64 {
        Int64(bigEndian: bytes.loadUnaligned(fromByteOffset: try advance(8), as: Int64.self))
    }

    @inline(__always) mutating func uint64() throws(MalformedMessage) -> UInt64 { UInt64(bitPattern: try int64()) }

    @inline(__always) mutating func skip(_ n: Int) throws(MalformedMessage) { _ = try advance(n) }

    mutating func take(_ n: Int) throws(MalformedMessage) -> UnsafeRawBufferPointer {
        let start = try advance(n)
        return UnsafeRawBufferPointer(rebasing: bytes[start..<start + n])
    }

    /// Text up to a zero byte; ill-formed UTF-8 is repaired.
    mutating func cString() throws(MalformedMessage) -> String {
        guard let end = bytes[position...].firstIndex(of: 0) else { throw MalformedMessage(at: position, of: bytes.count) }
        defer { position = end + 1 }
        return String(decoding: bytes[position..<end], as: UTF8.self)
    }
}

/// A message of the server that is shorter or other than its format says. Becomes a `ConnectorError` where the place in the stream is known.
struct MalformedMessage: Error {
    let position: Int
    let length: Int
    init(at position: Int, of length: Int) {
        self.position = position
        self.length = length
    }

    func located(in what: String) -> ConnectorError {
        ConnectorError(
            "postgres.malformed_message", .stop, "The server's \(what) breaks off or is malformed at byte \(position) of \(length)",
            hint: "Check that the server is PostgreSQL 10 or later and that no proxy alters the replication stream")
    }
}
