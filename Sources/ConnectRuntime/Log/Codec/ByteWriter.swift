/// Appends little-endian numbers, varints and whole arrays to bytes: the writing half of the log's formats.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    mutating func u8(_ value: UInt8) { bytes.append(value) }
    mutating func u32(_ value: UInt32) { raw([value]) }
    mutating func u64(_ value: UInt64) { raw([value]) }

    /// Seven bits a byte, the low ones first.
    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest > 0x7F {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func count(_ value: Int) { varint(UInt64(value)) }

    /// Zigzag: small magnitudes are short whatever their sign.
    mutating func signed(_ value: Int64) { varint(UInt64(bitPattern: value << 1 ^ value >> 63)) }

    mutating func string(_ value: String) {
        var value = value
        value.withUTF8 { utf8 in
            count(utf8.count)
            unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(utf8))
        }
    }

    mutating func optional(_ value: String?) {
        u8(value == nil ? 0 : 1)
        if let value { string(value) }
    }

    mutating func blob(_ value: [UInt8]) {
        count(value.count)
        bytes.append(contentsOf: value)
    }

    /// The array as it lies in memory. Only for numbers.
    mutating func raw<T: BitwiseCopyable>(_ values: [T]) {
        values.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    }

    /// The first `count` bytes of an array.
    mutating func prefix(_ values: [UInt8], count: Int) {
        values.withUnsafeBytes { unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: $0[0..<count])) }
    }
}
