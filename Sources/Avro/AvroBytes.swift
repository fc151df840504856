import ConnectAPI

/// Avro's binary encoding of scalars, appended to a growing array.
package struct AvroBytes {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    package var count: Int { bytes.count }

    /// Zigzag, then seven bits a byte.
    @inline(__always) mutating func long(_ value: Int64) {
        var rest = UInt64(bitPattern: value << 1 ^ value >> 63)
        while rest > 127 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 128)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func float(_ value: Float) { withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) } }
    mutating func double(_ value: Double) { withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) } }
    mutating func byte(_ value: UInt8) { bytes.append(value) }
    mutating func raw(_ more: some Collection<UInt8>) { bytes.append(contentsOf: more) }
    package mutating func raw(_ more: [UInt8]) { bytes.append(contentsOf: more) }

    mutating func blob(_ value: some Collection<UInt8>) {
        long(Int64(value.count))
        bytes.append(contentsOf: value)
    }

    mutating func text(_ value: String) { blob(value.utf8) }

    /// A text of fewer than 64 bytes, written in place: its length is one byte.
    @inline(__always) mutating func shortText(_ write: (inout [UInt8]) -> Void) {
        let start = bytes.count
        bytes.append(0)
        write(&bytes)
        bytes[start] = UInt8((bytes.count - start - 1) << 1)
    }

    /// The least big-endian bytes of a number, with their length.
    mutating func unscaled(_ value: Int128) {
        // Bits a value needs besides its sign decide its length.
        let length = (128 - (value < 0 ? ~value : value).leadingZeroBitCount) / 8 + 1
        bytes.append(UInt8(length << 1))
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0[(16 - length)...]) }
    }

    mutating func truncate(to count: Int) { bytes.removeLast(bytes.count - count) }
    mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }
    package mutating func take() -> [UInt8] {
        defer { bytes = [] }
        return bytes
    }
}
