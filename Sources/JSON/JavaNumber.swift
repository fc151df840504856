/// Floating-point numbers as `Double.toString` and `Float.toString` of Java 17 print them, which is what Kafka Connect puts into JSON.
///
/// Java before 19 does not always print the shortest digits. It takes the fewest digits that lie strictly inside half a unit in the last
/// place (at powers of two: inside the smaller, lower half gap), never fewer than two in exponent form, and for whole numbers past 2^53 it
/// prints the integer's digits. So 2^60 is 1.15292150460684698E18 there, and 4.9E-324 is not 5E-324. Plain notation is used from 1e-3 to 1e7.
package enum JavaNumber {
    /// Room that any number needs, with quotes.
    static let maximumLength = 40

    package static func string(_ value: Double) -> String {
        String(unsafeUninitializedCapacity: maximumLength) { write(value, quotingNonFinite: false, to: $0.baseAddress!) }
    }

    package static func string(_ value: Float) -> String {
        String(unsafeUninitializedCapacity: maximumLength) { write(value, quotingNonFinite: false, to: $0.baseAddress!) }
    }

    static func write(_ value: Double, quotingNonFinite: Bool, to out: UnsafeMutablePointer<UInt8>) -> Int {
        let bits = value.bitPattern
        return write(
            negative: bits >> 63 != 0, exponent: Int(bits >> 52 & 0x7FF), maximumExponent: 0x7FF, bias: 1023,
            fraction: bits & 0xF_FFFF_FFFF_FFFF, precision: 53, quotingNonFinite, to: out)
    }

    static func write(_ value: Float, quotingNonFinite: Bool, to out: UnsafeMutablePointer<UInt8>) -> Int {
        let bits = value.bitPattern
        return write(
            negative: bits >> 31 != 0, exponent: Int(bits >> 23 & 0xFF), maximumExponent: 0xFF, bias: 127,
            fraction: UInt64(bits & 0x7F_FFFF), precision: 24, quotingNonFinite, to: out)
    }

    private static func write(
        negative: Bool, exponent: Int, maximumExponent: Int, bias: Int, fraction: UInt64, precision: Int, _ quoting: Bool,
        to out: UnsafeMutablePointer<UInt8>
    ) -> Int {
        var n = 0
        func put(_ text: StaticString) {
            for i in 0..<text.utf8CodeUnitCount { out[n + i] = text.utf8Start[i] }
            n += text.utf8CodeUnitCount
        }
        if exponent == maximumExponent {
            if quoting { put("\"") }
            put(fraction != 0 ? "NaN" : negative ? "-Infinity" : "Infinity")
            if quoting { put("\"") }
            return n
        }
        if negative { put("-") }
        if exponent == 0 && fraction == 0 {
            put("0.0")
            return n
        }
        let digits: FloatingDigits
        if exponent == 0 {
            // Subnormal: value = fraction * 2^(1 - bias - (precision - 1)), with as many significant bits as the fraction has.
            let width = 64 - fraction.leadingZeroBitCount
            digits = FloatingDigits(significand: fraction, exponent: 1 - bias - (precision - 1) + width - 1, precision: width)
        } else {
            digits = FloatingDigits(significand: fraction | 1 << UInt64(precision - 1), exponent: exponent - bias, precision: precision)
        }
        return n + layOut(digits, to: out + n)
    }

    /// Places the point: `123.45`, `0.00123`, `1.2345E10`.
    private static func layOut(_ number: FloatingDigits, to out: UnsafeMutablePointer<UInt8>) -> Int {
        let count = number.count, point = number.pointAfter
        var n = 0
        func put(_ c: UInt8) {
            out[n] = c
            n += 1
        }
        func put(digits range: Range<Int>) { for i in range { put(number.digits[i]) } }
        let zero = UInt8(ascii: "0"), dot = UInt8(ascii: ".")
        if point > 0 && point < 8 {
            put(digits: 0..<min(count, point))
            for _ in min(count, point)..<point { put(zero) }
            put(dot)
            if count > point { put(digits: point..<count) } else { put(zero) }
        } else if point <= 0 && point > -3 {
            put(zero)
            put(dot)
            for _ in 0..<(-point) { put(zero) }
            put(digits: 0..<count)
        } else {
            put(digits: 0..<1)
            put(dot)
            if count > 1 { put(digits: 1..<count) } else { put(zero) }
            put(UInt8(ascii: "E"))
            if point - 1 < 0 { put(UInt8(ascii: "-")) }
            n += DecimalDigits.write(UInt64((point - 1).magnitude), to: out + n)
        }
        return n
    }
}
