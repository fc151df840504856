import ConnectAPI

/// A decimal number of any length: sign, digits without leading zeros, and how many of them stand after the point.
struct DecimalDigits {
    private var isNegative: Bool
    /// Values 0...9, most significant first; empty: zero.
    private var digits: [UInt8]
    /// May be negative: then zeros follow.
    private(set) var scale: Int

    /// From PostgreSQL's text; nil for special values and for what is no number.
    init?(_ text: UnsafeRawBufferPointer) {
        isNegative = text.first == UInt8(ascii: "-")
        digits = []
        digits.reserveCapacity(text.count)
        scale = 0
        var seenPoint = false, any = false
        for byte in text.dropFirst(isNegative || text.first == UInt8(ascii: "+") ? 1 : 0) {
            let digit = byte &- UInt8(ascii: "0")
            if digit <= 9 {
                any = true
                if digit != 0 || !digits.isEmpty { digits.append(digit) }
                if seenPoint { scale += 1 }
            } else if byte == UInt8(ascii: "."), !seenPoint {
                seenPoint = true
            } else {
                return nil
            }
        }
        guard any else { return nil }
    }

    init(_ value: Int128, scale: Int) {
        isNegative = value < 0
        digits = []
        var rest = value.magnitude
        while rest > 0 {
            digits.append(UInt8(rest % 10))
            rest /= 10
        }
        digits.reverse()
        self.scale = scale
    }

    /// The same number at another scale; nil where digits other than zero would be lost.
    func rescaled(to newScale: Int) -> DecimalDigits? {
        var out = self
        out.scale = newScale
        if digits.isEmpty { return out }
        if newScale >= scale {
            guard newScale - scale <= 20_000 else { return nil }
            out.digits.append(contentsOf: repeatElement(0, count: newScale - scale))
        } else {
            let dropped = min(scale - newScale, digits.count)
            guard dropped == scale - newScale, digits.suffix(dropped).allSatisfy({ $0 == 0 }) else { return nil }
            out.digits.removeLast(dropped)
        }
        return out
    }

    /// Without zeros at the end of the fraction.
    func strippingZeros() -> DecimalDigits {
        var out = self
        if digits.isEmpty { out.scale = 0 }
        while out.scale > 0, out.digits.last == 0 {
            out.digits.removeLast()
            out.scale -= 1
        }
        return out
    }

    /// The unscaled value; nil when it has more than 38 digits.
    var int128: Int128? {
        guard digits.count <= 38 else { return nil }
        var value: Int128 = 0
        for digit in digits { value = value * 10 + Int128(digit) }
        return isNegative ? -value : value
    }

    /// Appends the unscaled value as Java's `BigInteger.toByteArray` gives it.
    func appendTwosComplement(to out: inout [UInt8]) {
        if let value = int128 { return out.append(contentsOf: value.bigEndianTwosComplement) }
        // Magnitude in 32-bit limbs, least significant first; nine digits a step.
        var limbs: [UInt32] = [], at = 0
        while at < digits.count {
            let end = min(at + 9, digits.count)
            var carry: UInt64 = 0, factor: UInt64 = 1
            for digit in digits[at..<end] {
                carry = carry * 10 + UInt64(digit)
                factor *= 10
            }
            for i in limbs.indices {
                let product = UInt64(limbs[i]) * factor + carry
                limbs[i] = UInt32(truncatingIfNeeded: product)
                carry = product >> 32
            }
            if carry > 0 { limbs.append(UInt32(carry)) }
            at = end
        }
        limbs.append(0)
        if isNegative {
            var carry: UInt64 = 1
            for i in limbs.indices {
                let sum = UInt64(~limbs[i]) + carry
                limbs[i] = UInt32(truncatingIfNeeded: sum)
                carry = sum >> 32
            }
        }
        let bytes = limbs.reversed().flatMap { limb in withUnsafeBytes(of: limb.bigEndian) { Array($0) } }
        let sign: UInt8 = isNegative ? 0xFF : 0
        var first = 0
        while first < bytes.count - 1, bytes[first] == sign, bytes[first + 1] >> 7 == sign >> 7 { first += 1 }
        out.append(contentsOf: bytes[first...])
    }

    /// Plain notation with `scale` digits after the point.
    var plainText: [UInt8] {
        var out: [UInt8] = isNegative ? [UInt8(ascii: "-")] : []
        let padded = Array(repeatElement(UInt8(0), count: max(0, scale + 1 - digits.count))) + digits
        let integers = padded.count - max(0, scale)
        out.append(contentsOf: padded[..<integers].map { $0 + UInt8(ascii: "0") })
        if scale > 0 {
            out.append(UInt8(ascii: "."))
            out.append(contentsOf: padded[integers...].map { $0 + UInt8(ascii: "0") })
        }
        return out
    }
}
