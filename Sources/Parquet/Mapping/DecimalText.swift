import ConnectAPI

/// Decimals of any length in plain notation, as PostgreSQL and `BigDecimal.toPlainString` write them.
enum DecimalText {
    /// Appends the number that is `unscaled`, two's complement and big-endian, divided by ten to the power of `scale`.
    static func append(unscaled bytes: ArraySlice<UInt8>, scale: Int, to out: inout [UInt8]) {
        let negative = (bytes.first ?? 0) >> 7 == 1
        var digits = decimalDigits(magnitude(of: bytes, negative: negative))
        if negative { out.append(UInt8(ascii: "-")) }
        if scale <= 0 {
            // A scale this far below zero is no number anyone stored; it is cut rather than filling the memory with zeros.
            if digits != [UInt8(ascii: "0")] { digits.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: min(-scale, 1 << 20))) }
            out += digits
            return
        }
        let whole = digits.count - scale
        if whole <= 0 {
            out += [UInt8(ascii: "0"), UInt8(ascii: ".")]
            out.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: min(-whole, 1 << 20)))
            out += digits
        } else {
            out += digits[..<whole]
            out.append(UInt8(ascii: "."))
            out += digits[whole...]
        }
    }

    /// In limbs of 32 bits, the least significant first.
    private static func magnitude(of bytes: ArraySlice<UInt8>, negative: Bool) -> [UInt32] {
        var limbs = [UInt32](repeating: 0, count: (bytes.count + 3) / 4)
        for (i, byte) in bytes.reversed().enumerated() { limbs[i / 4] |= UInt32(negative ? ~byte : byte) << UInt32(i % 4 * 8) }
        if negative {
            // Two's complement: the inverted bits and one.
            var carry = true
            for i in limbs.indices where carry { (limbs[i], carry) = limbs[i].addingReportingOverflow(1) }
            if carry { limbs.append(1) }
        }
        while limbs.last == 0 { limbs.removeLast() }
        return limbs
    }

    private static func decimalDigits(_ magnitude: [UInt32]) -> [UInt8] {
        var limbs = magnitude, groups: [UInt32] = []
        while !limbs.isEmpty {
            var rest: UInt64 = 0
            for i in limbs.indices.reversed() {
                let value = rest << 32 | UInt64(limbs[i])
                limbs[i] = UInt32(value / 1_000_000_000)
                rest = value % 1_000_000_000
            }
            groups.append(UInt32(rest))
            while limbs.last == 0 { limbs.removeLast() }
        }
        var out: [UInt8] = []
        for (i, group) in groups.reversed().enumerated() { ISO8601.appendDigits(UInt64(group), width: i == 0 ? 1 : 9, to: &out) }
        return out.isEmpty ? [UInt8(ascii: "0")] : out
    }
}
