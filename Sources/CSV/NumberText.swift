import Glibc

/// Numbers as texts spell them. nil: the text is no such number, or it does not fit.
enum NumberText {
    /// Without the blanks around it.
    @inline(__always) static func trimmed(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var start = 0, end = bytes.count
        while start < end, bytes[start] == 32 || bytes[start] == 9 { start &+= 1 }
        while end > start, bytes[end &- 1] == 32 || bytes[end &- 1] == 9 { end &-= 1 }
        return start == 0 && end == bytes.count ? bytes : UnsafeRawBufferPointer(rebasing: bytes[start..<end])
    }

    @inline(__always) static func int64(_ bytes: UnsafeRawBufferPointer) -> Int64? {
        var i = 0
        let count = bytes.count
        guard count > 0 else { return nil }
        let isNegative = bytes[0] == UInt8(ascii: "-")
        if isNegative || bytes[0] == UInt8(ascii: "+") { i = 1 }
        guard i < count, count &- i <= 19 else { return nil }
        // 19 digits fit 64 bits without a sign.
        var value: UInt64 = 0
        while i < count {
            let digit = bytes[i] &- 48
            guard digit < 10 else { return nil }
            value = value &* 10 &+ UInt64(digit)
            i &+= 1
        }
        if isNegative { return value <= UInt64(Int64.max) + 1 ? Int64(truncatingIfNeeded: 0 &- value) : nil }
        return Int64(exactly: value)
    }

    /// A number split into its digits and a power of ten; `isExact`: all digits are in `digits`.
    private struct Parts {
        var isNegative = false
        var digits: UInt64 = 0
        var exponent = 0
        var isExact = true
    }

    private static func parts(_ bytes: UnsafeRawBufferPointer) -> Parts? {
        var parts = Parts(), i = 0, seen = 0, significant = 0, isFraction = false
        let count = bytes.count
        guard count > 0 else { return nil }
        if bytes[0] == UInt8(ascii: "-") || bytes[0] == UInt8(ascii: "+") {
            parts.isNegative = bytes[0] == UInt8(ascii: "-")
            i = 1
        }
        while i < count {
            let digit = bytes[i] &- 48
            if digit < 10 {
                seen &+= 1
                if significant > 0 || digit != 0 { significant &+= 1 }
                if significant <= 19 {
                    parts.digits = parts.digits &* 10 &+ UInt64(digit)
                    if isFraction { parts.exponent &-= 1 }
                } else {
                    parts.isExact = parts.isExact && digit == 0
                    if !isFraction { parts.exponent &+= 1 }
                }
            } else if bytes[i] == UInt8(ascii: "."), !isFraction {
                isFraction = true
            } else {
                break
            }
            i &+= 1
        }
        guard seen > 0 else { return nil }
        if i < count {
            guard bytes[i] | 0x20 == UInt8(ascii: "e"), let exponent = int64(UnsafeRawBufferPointer(rebasing: bytes[(i + 1)...])),
                abs(exponent) < 100_000
            else { return nil }
            parts.exponent += Int(exponent)
        }
        return parts
    }

    private static let powers: InlineArray<23, Double> = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    ]

    @inline(__always) static func double(_ bytes: UnsafeRawBufferPointer) -> Double? {
        guard let parts = parts(bytes) else { return named(bytes) }
        // Digits and power both exact in a double: so is one rounding of their product or quotient (Clinger).
        if parts.isExact, parts.digits <= 1 << 53, parts.exponent >= -22, parts.exponent <= 22 {
            let digits = Double(parts.digits)
            let value = parts.exponent < 0 ? digits / powers[-parts.exponent] : digits * powers[parts.exponent]
            return parts.isNegative ? -value : value
        }
        return correctlyRounded(bytes)
    }

    /// By the C library; the text is known to be a number.
    private static func correctlyRounded(_ bytes: UnsafeRawBufferPointer) -> Double? {
        guard bytes.count < 64 else { return Double(String(decoding: bytes, as: UTF8.self)) }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
            for i in 0..<bytes.count { buffer[i] = CChar(bitPattern: bytes[i]) }
            buffer[bytes.count] = 0
            return strtod(buffer.baseAddress!, nil)
        }
    }

    private static func named(_ bytes: UnsafeRawBufferPointer) -> Double? {
        guard bytes.count <= 9 else { return nil }
        switch String(decoding: bytes, as: UTF8.self).lowercased() {
        case "nan": return .nan
        case "inf", "+inf", "infinity", "+infinity": return .infinity
        case "-inf", "-infinity": return -.infinity
        default: return nil
        }
    }

    /// The unscaled value; digits past the scale must be zeros, and the value must be below `limit`.
    static func decimal(_ bytes: UnsafeRawBufferPointer, limit: Int128, scale: Int) -> Int128? {
        var i = 0, value: Int128 = 0, fraction = 0, seen = 0, isFraction = false, isNegative = false
        if let first = bytes.first, first == UInt8(ascii: "-") || first == UInt8(ascii: "+") {
            isNegative = first == UInt8(ascii: "-")
            i = 1
        }
        while i < bytes.count {
            let digit = bytes[i] &- 48
            if digit < 10 {
                seen += 1
                if isFraction, fraction == scale {
                    guard digit == 0 else { return nil }
                } else {
                    guard value < tenToThe37 else { return nil }
                    value = value * 10 + Int128(digit)
                    if isFraction { fraction += 1 }
                }
            } else if bytes[i] == UInt8(ascii: "."), !isFraction {
                isFraction = true
            } else {
                return nil
            }
            i += 1
        }
        guard seen > 0 else { return nil }
        while fraction < scale {
            guard value < tenToThe37 else { return nil }
            value *= 10
            fraction += 1
        }
        guard value < limit else { return nil }
        return isNegative ? -value : value
    }

    private static let tenToThe37 = power(37)
    static func power(_ n: Int) -> Int128 { (0..<n).reduce(Int128(1)) { power, _ in power * 10 } }

    static func boolean(_ bytes: UnsafeRawBufferPointer) -> UInt8? {
        func lower(_ i: Int) -> UInt8 { bytes[i] | 0x20 }
        switch bytes.count {
        case 1:
            switch lower(0) {
            case UInt8(ascii: "1"), UInt8(ascii: "t"), UInt8(ascii: "y"): return 1
            case UInt8(ascii: "0"), UInt8(ascii: "f"), UInt8(ascii: "n"): return 0
            default: return nil
            }
        case 2...5:
            switch String(decoding: bytes, as: UTF8.self).lowercased() {
            case "true", "yes", "on": return 1
            case "false", "no", "off": return 0
            default: return nil
            }
        default: return nil
        }
    }
}
