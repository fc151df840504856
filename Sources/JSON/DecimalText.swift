import ConnectAPI

/// Decimals as `java.math.BigDecimal.toString` prints them.
package enum DecimalText {
    /// An unscaled two's-complement big-endian value of any size.
    package static func bytes(unscaled: [UInt8], scale: Int) -> [UInt8] {
        if let value = Int128(bigEndianTwosComplement: unscaled) { return bytes(unscaled: value, scale: scale) }
        let negative = unscaled[0] >> 7 == 1
        var magnitude = unscaled
        if negative {
            // Two's complement: invert and add one.
            var carry: UInt16 = 1
            for i in magnitude.indices.reversed() {
                let sum = UInt16(~magnitude[i]) + carry
                magnitude[i] = UInt8(truncatingIfNeeded: sum)
                carry = sum >> 8
            }
        }
        return place(digits(ofMagnitude: magnitude), negative: negative, scale: scale)
    }

    package static func bytes(unscaled: Int128, scale: Int) -> [UInt8] {
        place(Array(String(unscaled.magnitude).utf8), negative: unscaled < 0, scale: scale)
    }

    /// Decimal digits of a big-endian magnitude, by repeated division by 10^9.
    private static func digits(ofMagnitude bytes: [UInt8]) -> [UInt8] {
        var limbs = bytes.drop { $0 == 0 }.map { UInt64($0) }, groups: [UInt64] = []
        while !limbs.isEmpty {
            var remainder: UInt64 = 0
            for i in limbs.indices {
                let dividend = remainder << 8 | limbs[i]
                limbs[i] = dividend / 1_000_000_000
                remainder = dividend % 1_000_000_000
            }
            groups.append(remainder)
            limbs = Array(limbs.drop { $0 == 0 })
        }
        var out = Array(String(groups.last ?? 0).utf8)
        for group in groups.dropLast().reversed() {
            let text = String(group).utf8
            out += Array(repeating: UInt8(ascii: "0"), count: 9 - text.count) + Array(text)
        }
        return out
    }

    /// Plain notation while the scale is not negative and the first digit stands no lower than 10^-6; else an exponent.
    private static func place(_ digits: [UInt8], negative: Bool, scale: Int) -> [UInt8] {
        var out: [UInt8] = negative ? [UInt8(ascii: "-")] : []
        let exponent = digits.count - 1 - scale
        if scale == 0 {
            out += digits
        } else if scale > 0, exponent >= -6 {
            if digits.count > scale {
                out += digits[..<(digits.count - scale)]
            } else {
                out.append(UInt8(ascii: "0"))
            }
            out.append(UInt8(ascii: "."))
            for _ in digits.count..<max(scale, digits.count) { out.append(UInt8(ascii: "0")) }
            out += digits[max(0, digits.count - scale)...]
        } else {
            out.append(digits[0])
            if digits.count > 1 {
                out.append(UInt8(ascii: "."))
                out += digits[1...]
            }
            if exponent != 0 {
                out.append(UInt8(ascii: "E"))
                if exponent > 0 { out.append(UInt8(ascii: "+")) }
                out += Array(String(exponent).utf8)
            }
        }
        return out
    }

    /// The unscaled value, big-endian and of minimal length, of a decimal number's text brought to this scale; nil when the text is not a
    /// number or has more digits after the point than the scale.
    package static func unscaled(_ text: some Collection<UInt8>, scale: Int) -> [UInt8]? {
        var digits: [UInt8] = [], fraction = 0, seenPoint = false, negative = false, exponent = 0
        var i = text.startIndex
        while i < text.endIndex {
            let c = text[i]
            switch c {
            case UInt8(ascii: "-") where i == text.startIndex: negative = true
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                digits.append(c &- 48)
                if seenPoint { fraction += 1 }
            case UInt8(ascii: ".") where !seenPoint: seenPoint = true
            case UInt8(ascii: "e"), UInt8(ascii: "E"):
                guard let value = Int(String(decoding: text[text.index(after: i)...], as: UTF8.self)), abs(value) < 10_000 else {
                    return nil
                }
                exponent = value
                i = text.endIndex
                continue
            default: return nil
            }
            i = text.index(after: i)
        }
        guard !digits.isEmpty else { return nil }
        var shift = scale - fraction + exponent
        while shift < 0 {
            guard digits.count > 1 ? digits.last == 0 : digits == [0] else { return nil }
            if digits.count > 1 { digits.removeLast() }
            shift += 1
        }
        guard shift < 10_000 else { return nil }
        digits += repeatElement(0, count: shift)
        // Base 256, lowest byte first.
        var bytes: [UInt8] = [0]
        for digit in digits {
            var carry = UInt16(digit)
            for k in bytes.indices {
                let product = UInt16(bytes[k]) * 10 + carry
                bytes[k] = UInt8(truncatingIfNeeded: product)
                carry = product >> 8
            }
            if carry != 0 { bytes.append(UInt8(carry)) }
        }
        if negative {
            var carry: UInt16 = 1
            bytes.append(0)
            for k in bytes.indices {
                let sum = UInt16(~bytes[k]) + carry
                bytes[k] = UInt8(truncatingIfNeeded: sum)
                carry = sum >> 8
            }
        } else if bytes.last! & 0x80 != 0 {
            bytes.append(0)
        }
        var out = Array(bytes.reversed())
        while out.count > 1, out[0] == (out[1] & 0x80 != 0 ? 0xFF : 0) { out.removeFirst() }
        return out
    }
}
