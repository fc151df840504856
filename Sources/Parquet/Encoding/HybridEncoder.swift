/// Parquet's RLE / bit-packing hybrid, for levels and dictionary indexes.
/// Source: parquet-format, Encodings.md, "Run Length Encoding / Bit-Packing Hybrid".
enum HybridEncoder {
    /// Bits that hold every value from 0 to `largest`.
    static func width(of largest: Int) -> Int { Int.bitWidth - largest.leadingZeroBitCount }

    /// Appends one run of `count` equal values.
    static func appendRun(_ value: UInt32, count: Int, width: Int, to out: inout ByteBuffer) {
        if count == 0 { return }
        out.append(varint: UInt64(count) << 1)
        for byte in 0..<(width + 7) / 8 { out.append(UInt8(truncatingIfNeeded: value >> UInt32(8 * byte))) }
    }

    /// Appends the values, in runs where eight or more are equal and bit-packed elsewhere.
    static func append<T: FixedWidthInteger & UnsignedInteger>(
        _ values: UnsafeBufferPointer<T>, width: Int, to out: inout ByteBuffer
    ) {
        let n = values.count
        guard n > 0 else { return }
        let v = values.baseAddress!
        var i = 0
        while i < n {
            let first = v[i]
            var end = i &+ 1
            while end < n && v[end] == first { end &+= 1 }
            if end &- i >= 8 || (end == n && i == 0) {
                appendRun(UInt32(truncatingIfNeeded: first), count: end &- i, width: width, to: &out)
                i = end
                continue
            }
            // Groups of eight, up to the first group that starts a run worth its own header. 63 groups fit a one-byte header.
            var stop = i &+ 8
            while stop < n && stop &- i < 63 * 8 && !startsRun(v, stop, n) { stop &+= 8 }
            let groups = (stop &- i) / 8
            out.append(UInt8(groups << 1 | 1))
            appendPacked(v + i, available: min(groups * 8, n &- i), groups: groups, width: width, to: &out)
            i &+= groups * 8
        }
    }

    @inline(__always) private static func startsRun<T: FixedWidthInteger>(_ v: UnsafePointer<T>, _ at: Int, _ n: Int) -> Bool {
        guard at &+ 8 <= n, v[at] == v[at &+ 7] else { return false }
        for k in 1..<7 where v[at &+ k] != v[at] { return false }
        return true
    }

    /// Packs `groups` times eight values, least significant bit first; values past `available` are zero.
    private static func appendPacked<T: FixedWidthInteger & UnsignedInteger>(
        _ v: UnsafePointer<T>, available: Int, groups: Int, width: Int, to out: inout ByteBuffer
    ) {
        let bytes = groups * width
        out.append(upTo: bytes + 8) { target in
            var accumulator: UInt64 = 0, bits = 0, at = 0
            for i in 0..<available {
                accumulator |= UInt64(truncatingIfNeeded: v[i]) &<< UInt64(bits)
                bits &+= width
                if bits >= 32 {
                    target.storeBytes(of: UInt32(truncatingIfNeeded: accumulator).littleEndian, toByteOffset: at, as: UInt32.self)
                    at &+= 4
                    accumulator &>>= 32
                    bits &-= 32
                }
            }
            while at < bytes {
                target.storeBytes(of: UInt8(truncatingIfNeeded: accumulator), toByteOffset: at, as: UInt8.self)
                accumulator &>>= 8
                at &+= 1
            }
            return bytes
        }
    }
}
