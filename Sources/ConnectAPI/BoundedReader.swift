/// Reads bytes from the front; every step is checked against the end.
package struct BoundedReader {
    private let bytes: [UInt8]
    private var position = 0
    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    package var rest: ArraySlice<UInt8> { bytes[position...] }

    package mutating func next() -> UInt8? {
        guard position < bytes.count else { return nil }
        position += 1
        return bytes[position - 1]
    }

    package mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count >= 0, bytes.count - position >= count else { return nil }
        position += count
        return bytes[position - count..<position]
    }

    package mutating func skip(_ count: Int) -> Bool { take(count) != nil }

    /// A signed big-endian integer of 4 or 8 bytes.
    package mutating func bigEndian(_ width: Int) -> Int64? {
        guard let field = take(width) else { return nil }
        let value = field.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return width == 4 ? Int64(Int32(truncatingIfNeeded: value)) : Int64(bitPattern: value)
    }
}
