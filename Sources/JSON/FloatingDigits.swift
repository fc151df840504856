/// The decimal digits Java 17 chooses for a binary floating-point number: free-format digit generation after Steele and White, with the
/// stopping rules described at `JavaNumber`. Value = 0.d1d2d3… × 10^pointAfter.
struct FloatingDigits {
    var digits = InlineArray<24, UInt8>(repeating: 0)
    var count = 0
    var pointAfter = 0

    /// `significand` has `precision` bits, the highest set; the value is significand × 2^(exponent - precision + 1).
    init(significand: UInt64, exponent: Int, precision: Int) {
        let trailing = significand.trailingZeroBitCount
        let bits = precision - trailing
        /// Bits right of the binary point.
        let fractionBits = max(0, bits - exponent - 1)
        if fractionBits == 0, exponent <= 62 {
            let shift = exponent - precision + 1
            whole(shift >= 0 ? significand << UInt64(shift) : significand >> UInt64(-shift), insignificantBits: exponent - precision - 1)
        } else {
            generate(significand >> UInt64(trailing), bits: bits, exponent: exponent, precision: precision, fractionBits: fractionBits)
        }
    }

    private mutating func append(_ digit: Int) {
        digits[count] = UInt8(ascii: "0") + UInt8(digit)
        count += 1
    }

    /// A whole number below 2^63: its own digits without trailing zeros. Past the precision, digits that cannot matter are rounded away:
    /// as many as 2^insignificantBits has, less one.
    private mutating func whole(_ value: UInt64, insignificantBits: Int) {
        var rest = value, dropped = 0
        if insignificantBits > 1 {
            let insignificant = DecimalDigits.length(1 << UInt64(insignificantBits)) - 1
            if insignificant > 0 {
                let power = DecimalDigits.powers[insignificant]
                let residue = rest % power
                rest /= power
                dropped = insignificant
                if residue >= power >> 1 { rest += 1 }
            }
        }
        while rest % 10 == 0 {
            rest /= 10
            dropped += 1
        }
        let n = DecimalDigits.length(rest)
        for i in 0..<n { append(Int(rest / DecimalDigits.powers[n - 1 - i] % 10)) }
        pointAfter = n + dropped
    }

    /// The general case. With value = B / S × 10^decimalExponent and M half a unit in the last place on the same scale, digits are the
    /// quotients of B by S until what is left, or what is missing to the next digit, is below M.
    private mutating func generate(_ significand: UInt64, bits: Int, exponent: Int, precision: Int, fractionBits: Int) {
        let decimalExponent = Self.estimate(significand, bits: bits, exponent: exponent)
        let b5 = max(0, -decimalExponent), s5 = max(0, decimalExponent)
        var b2 = b5 + fractionBits + exponent, s2 = s5 + fractionBits
        var m2 = b2 - precision
        b2 -= bits - 1
        let common = min(b2, s2)
        b2 -= common
        s2 -= common
        m2 -= common
        // At a power of two the number below is only half as far away; Java then uses the smaller gap on both sides.
        if bits == 1 { m2 -= 1 }
        if m2 < 0 {
            b2 -= m2
            s2 -= m2
            m2 = 0
        }
        let bBits = bits + b2 + Self.bitsOf5(b5), tenSBits = s2 + 1 + Self.bitsOf5(s5 + 1)
        if bBits < 64 && tenSBits < 64 {
            develop(SmallState(significand, b5: b5, b2: b2, s5: s5, s2: s2, m2: m2), decimalExponent)
        } else {
            develop(LargeState(significand, b5: b5, b2: b2, s5: s5, s2: s2, m2: m2), decimalExponent)
        }
    }

    private mutating func develop(_ initial: some DigitState, _ estimate: Int) {
        var state = initial, decimalExponent = estimate
        var (digit, low, high) = state.next()
        if digit == 0 && !high { decimalExponent -= 1 } else { append(digit) }
        // Exponent form shows at least one digit after the point, and one is always generated for it.
        if decimalExponent < -3 || decimalExponent >= 8 { (low, high) = (false, false) }
        while !low && !high {
            (digit, low, high) = state.next()
            append(digit)
        }
        pointAfter = decimalExponent + 1
        if high {
            let order = low ? state.remainderAgainstHalf : 1
            if order > 0 || (order == 0 && (digits[count - 1] & 1) != 0) { roundUp() }
        }
    }

    private mutating func roundUp() {
        var i = count - 1
        while i > 0, digits[i] == UInt8(ascii: "9") {
            digits[i] = UInt8(ascii: "0")
            i -= 1
        }
        if digits[i] == UInt8(ascii: "9") {
            digits[0] = UInt8(ascii: "1")
            pointAfter += 1
        } else {
            digits[i] += 1
        }
    }

    /// floor(log10(value)), or one too many; never too few. The first digit tells.
    private static func estimate(_ significand: UInt64, bits: Int, exponent: Int) -> Int {
        // The tangent of log10 at 1.5 for the mantissa, as Java takes it: a different estimate would still be corrected by the first digit,
        // but at the borders of exponent form it decides how many digits are shown.
        let mantissa = Double(sign: .plus, exponent: 0, significand: Double(significand << UInt64(53 - bits)) / 4_503_599_627_370_496)
        let d = (mantissa - 1.5) * 0.289529654 + 0.176091259 + Double(exponent) * 0.301029995663981
        return Int(d.rounded(.down))
    }

    private static func bitsOf5(_ power: Int) -> Int {
        // Exact up to 5^26, as far as 64 bits reach; an upper bound past it.
        guard power <= 27 else { return power * 3 }
        var value: UInt64 = 1
        for _ in 0..<power { value *= 5 }
        return power == 0 ? 0 : 64 - value.leadingZeroBitCount
    }
}

/// Remainder, divisor and half-ulp of a digit generation under way.
private protocol DigitState {
    /// The next digit; whether the rest is below half a unit (the digits so far do), and whether the next higher digits would do as well.
    mutating func next() -> (digit: Int, low: Bool, high: Bool)
    /// Sign of (rest - half a digit), once digits ended.
    var remainderAgainstHalf: Int { get }
}

/// All numbers below 2^63.
private struct SmallState: DigitState {
    private var b: Int64, m: Int64
    private let s: Int64, tens: Int64

    init(_ significand: UInt64, b5: Int, b2: Int, s5: Int, s2: Int, m2: Int) {
        func power(_ n: Int) -> Int64 { (0..<n).reduce(1) { p, _ in p &* 5 } }
        b = (Int64(significand) &* power(b5)) << Int64(b2)
        s = power(s5) << Int64(s2)
        m = power(b5) << Int64(m2)
        tens = s &* 10
    }

    mutating func next() -> (digit: Int, low: Bool, high: Bool) {
        let (q, r) = b.quotientAndRemainder(dividingBy: s)
        b = 10 &* r
        m = m &* 10
        // An overflown M is larger than any rest.
        return m > 0 ? (Int(q), b < m, b &+ m > tens) : (Int(q), true, true)
    }

    var remainderAgainstHalf: Int { Int((b &* 2 &- tens).signum()) }
}

/// Any size.
private struct LargeState: DigitState {
    private var b: BigNatural, m: BigNatural
    private let s: BigNatural, tens: BigNatural

    init(_ significand: UInt64, b5: Int, b2: Int, s5: Int, s2: Int, m2: Int) {
        b = BigNatural(significand).timesPower(of5: b5, of2: b2)
        s = BigNatural(1).timesPower(of5: s5, of2: s2)
        m = BigNatural(1).timesPower(of5: b5, of2: m2)
        tens = s.times(10)
    }

    mutating func next() -> (digit: Int, low: Bool, high: Bool) {
        var digit = 0
        while !(b < s) {
            b = b.minus(s)
            digit += 1
        }
        b = b.times(10)
        m = m.times(10)
        return (digit, b < m, !(b.plus(m) < tens))
    }

    var remainderAgainstHalf: Int {
        let twice = b.times(2)
        return twice < tens ? -1 : twice == tens ? 0 : 1
    }
}

/// A natural number of any size, in 32-bit limbs, the lowest first and the highest not zero. For numbers of a few hundred bits.
struct BigNatural: Equatable {
    private(set) var limbs: [UInt32]

    init(_ value: UInt64) {
        limbs = [UInt32(truncatingIfNeeded: value), UInt32(value >> 32)]
        trim()
    }

    private mutating func trim() { while limbs.last == 0 { limbs.removeLast() } }

    func times(_ factor: UInt32) -> BigNatural {
        var out = self, carry: UInt64 = 0
        for i in out.limbs.indices {
            let product = UInt64(out.limbs[i]) * UInt64(factor) + carry
            out.limbs[i] = UInt32(truncatingIfNeeded: product)
            carry = product >> 32
        }
        if carry != 0 { out.limbs.append(UInt32(carry)) }
        return out
    }

    func timesPower(of5 fives: Int, of2 twos: Int) -> BigNatural {
        var out = self, rest = fives
        while rest >= 13 {
            out = out.times(1_220_703_125)
            rest -= 13
        }
        for _ in 0..<rest { out = out.times(5) }
        if twos & 31 != 0 { out = out.times(1 << UInt32(twos & 31)) }
        out.limbs.insert(contentsOf: repeatElement(0, count: twos >> 5), at: 0)
        return out
    }

    func plus(_ other: BigNatural) -> BigNatural {
        var out = BigNatural(0), carry: UInt64 = 0
        for i in 0..<max(limbs.count, other.limbs.count) {
            let sum = UInt64(i < limbs.count ? limbs[i] : 0) + UInt64(i < other.limbs.count ? other.limbs[i] : 0) + carry
            out.limbs.append(UInt32(truncatingIfNeeded: sum))
            carry = sum >> 32
        }
        if carry != 0 { out.limbs.append(UInt32(carry)) }
        return out
    }

    /// `self - other`, which must not be negative.
    func minus(_ other: BigNatural) -> BigNatural {
        var out = self, borrow: Int64 = 0
        for i in out.limbs.indices {
            let difference = Int64(out.limbs[i]) - Int64(i < other.limbs.count ? other.limbs[i] : 0) + borrow
            out.limbs[i] = UInt32(truncatingIfNeeded: difference)
            borrow = difference < 0 ? -1 : 0
        }
        out.trim()
        return out
    }

    static func < (a: BigNatural, b: BigNatural) -> Bool {
        if a.limbs.count != b.limbs.count { return a.limbs.count < b.limbs.count }
        for i in a.limbs.indices.reversed() where a.limbs[i] != b.limbs[i] { return a.limbs[i] < b.limbs[i] }
        return false
    }
}
