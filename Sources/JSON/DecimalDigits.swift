/// Decimal digits of integers, two at a time.
enum DecimalDigits {
    private static let pairs: InlineArray<200, UInt8> = {
        var table = InlineArray<200, UInt8>(repeating: 0)
        for i in 0..<100 {
            table[i * 2] = UInt8(ascii: "0") + UInt8(i / 10)
            table[i * 2 + 1] = UInt8(ascii: "0") + UInt8(i % 10)
        }
        return table
    }()

    @inline(__always) static func length(_ value: UInt64) -> Int {
        // floor(log10) from the bit length, corrected by one comparison.
        let estimate = ((64 &- (value | 1).leadingZeroBitCount) &* 1233) &>> 12
        return value < powers[estimate] ? max(estimate, 1) : estimate &+ 1
    }

    static let powers: InlineArray<20, UInt64> = {
        var table = InlineArray<20, UInt64>(repeating: 1)
        for i in 1..<20 { table[i] = table[i - 1] * 10 }
        return table
    }()

    /// Writes `value` and returns how many digits it took (1...20).
    @inline(__always) static func write(_ value: UInt64, to out: UnsafeMutablePointer<UInt8>) -> Int {
        let n = length(value)
        write(value, width: n, to: out)
        return n
    }

    /// Writes exactly `width` digits, the lowest ones, with leading zeros.
    @inline(__always) static func write(_ value: UInt64, width: Int, to out: UnsafeMutablePointer<UInt8>) {
        var rest = value, at = width
        while at >= 2 {
            let (q, r) = rest.quotientAndRemainder(dividingBy: 100)
            at &-= 2
            out[at] = pairs[Int(truncatingIfNeeded: r) &* 2]
            out[at &+ 1] = pairs[Int(truncatingIfNeeded: r) &* 2 &+ 1]
            rest = q
        }
        if at == 1 { out[0] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10) }
    }
}
