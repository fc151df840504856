import ConnectAPI

/// numeric and money.
extension ColumnDecoder {
    func decodeNumeric(_ view: CellView, _ schema: Schema, filler: Value?, _ context: inout DecodeContext) -> Column {
        switch self {
        case .decimal128(let scale):
            let zero = filler?.bytes.flatMap { Int128(bigEndianTwosComplement: $0) } ?? 0
            return fixed(view, schema, filler: zero, filler != nil, &context, Column.Storage.decimal128) { bytes, isBinary in
                if isBinary { return NumericBinary.unscaled(bytes, scale: scale) }
                return NumericText.unscaled(bytes, scale: scale)
            }
        case .decimalBytes(let scale):
            return variable(view, schema, filler: filler, &context, Column.Storage.binary) { bytes, isBinary, out in
                NumericText.withText(bytes, isBinary) { text in
                    guard let digits = DecimalDigits(text)?.rescaled(to: scale) else { return false }
                    digits.appendTwosComplement(to: &out)
                    return true
                }
            }
        case .variableDecimal: return decodeVariable(view, schema, filler: filler, &context)
        case .decimalDouble:
            return fixed(view, schema, filler: filler?.doubleValue ?? 0, filler != nil, &context, Column.Storage.float64) { bytes, isBinary in
                NumericText.withText(bytes, isBinary) { FloatText.double($0) }
            }
        case .decimalText:
            return variable(view, schema, filler: filler, &context, Column.Storage.utf8) { bytes, isBinary, out in
                NumericText.withText(bytes, isBinary) { text in
                    switch NumericText.special(text) {
                    case .nan: out.append(contentsOf: "NAN".utf8)
                    case .infinity: out.append(contentsOf: "POSITIVE_INFINITY".utf8)
                    case .negativeInfinity: out.append(contentsOf: "NEGATIVE_INFINITY".utf8)
                    case nil: out.append(contentsOf: text)
                    }
                    return true
                }
            }
        case .money(let mode, let scale): return decodeMoney(mode, scale, view, schema, filler: filler, &context)
        default: preconditionFailure("\(self) is not a number of varying precision")
        }
    }

    /// `{scale, value}` without trailing zeros, the scale never negative.
    private func decodeVariable(_ view: CellView, _ schema: Schema, filler: Value?, _ context: inout DecodeContext) -> Column {
        var marks = RowMarks(count: view.count, isRequired: filler != nil)
        var scales: [Int32] = [], values = VarBytes()
        scales.reserveCapacity(view.count)
        values.offsets.reserveCapacity(view.count + 1)
        for row in 0..<view.count {
            let cell = view[row]
            var digits: DecimalDigits?
            if cell.length >= 0 {
                digits = NumericText.withText(view.value(cell), cell.isBinary) { DecimalDigits($0)?.strippingZeros() }
                if digits == nil {
                    context.failures += 1
                    marks.markNull(row)
                }
            } else {
                marks.mark(row, cell)
            }
            if let digits {
                digits.appendTwosComplement(to: &values.bytes)
                scales.append(Int32(truncatingIfNeeded: digits.scale))
            } else {
                values.bytes.append(0)
                scales.append(0)
            }
            values.offsets.append(Int32(truncatingIfNeeded: values.bytes.count))
        }
        return Column(
            schema, count: view.count,
            .struct([
                Column(schema.fields[0].schema, count: view.count, .int32(scales)),
                Column(schema.fields[1].schema, count: view.count, .binary(values)),
            ]), validity: marks.validity, unavailable: marks.unavailable)
    }

    private func decodeMoney(
        _ mode: ValueConversion.DecimalMode, _ scale: Int, _ view: CellView, _ schema: Schema, filler: Value?, _ context: inout DecodeContext
    ) -> Column {
        switch mode {
        case .precise:
            let zero = filler?.bytes.flatMap { Int128(bigEndianTwosComplement: $0) } ?? 0
            return fixed(view, schema, filler: zero, filler != nil, &context, Column.Storage.decimal128) { bytes, _ in
                MoneyText.unscaled(bytes, scale: scale)
            }
        case .double:
            return fixed(view, schema, filler: filler?.doubleValue ?? 0, filler != nil, &context, Column.Storage.float64) { bytes, _ in
                guard let value = MoneyText.unscaled(bytes, scale: scale) else { return nil }
                let text = DecimalDigits(value, scale: scale).plainText
                return text.withUnsafeBytes { FloatText.double($0) }
            }
        case .string:
            return variable(view, schema, filler: filler, &context, Column.Storage.utf8) { bytes, _, out in
                guard let value = MoneyText.unscaled(bytes, scale: scale) else { return false }
                out.append(contentsOf: DecimalDigits(value, scale: scale).plainText)
                return true
            }
        }
    }
}

/// numeric in text form: a sign, digits, at most one point; or a special value.
enum NumericText {
    enum Special { case nan, infinity, negativeInfinity }

    static func special(_ text: UnsafeRawBufferPointer) -> Special? {
        guard let first = text.first else { return nil }
        if first == UInt8(ascii: "N") { return .nan }
        if first == UInt8(ascii: "I") { return .infinity }
        return text.count > 1 && first == UInt8(ascii: "-") && text[1] == UInt8(ascii: "I") ? .negativeInfinity : nil
    }

    /// The number times 10^scale; nil: a special value, a fraction longer than the scale, or more than 38 digits.
    @inline(__always)
    static func unscaled(_ text: UnsafeRawBufferPointer, scale: Int) -> Int128? {
        let n = text.count
        guard n > 0, scale >= 0, n <= 19 else { return longUnscaled(text, scale: scale) }
        let negative = text[0] == UInt8(ascii: "-")
        var i = negative ? 1 : 0, value: UInt64 = 0, fraction = -1, digits = 0
        while i < n {
            let digit = text[i] &- UInt8(ascii: "0")
            if digit <= 9 {
                value = value &* 10 &+ UInt64(digit)
                digits &+= 1
                if fraction >= 0 { fraction &+= 1 }
            } else if text[i] == UInt8(ascii: "."), fraction < 0 {
                fraction = 0
            } else {
                return nil
            }
            i &+= 1
        }
        guard digits > 0 else { return nil }
        guard max(0, fraction) == scale else { return longUnscaled(text, scale: scale) }
        return negative ? -Int128(value) : Int128(value)
    }

    private static func longUnscaled(_ text: UnsafeRawBufferPointer, scale: Int) -> Int128? {
        DecimalDigits(text)?.rescaled(to: scale)?.int128
    }

    /// Calls `body` with the text form, made from the binary form first where that is what was sent.
    @inline(__always)
    static func withText<T>(_ bytes: UnsafeRawBufferPointer, _ isBinary: Bool, _ body: (UnsafeRawBufferPointer) -> T) -> T {
        if !isBinary { return body(bytes) }
        return NumericBinary.text(bytes).withUnsafeBytes(body)
    }
}

/// numeric in binary form: counts, weight, sign and display scale, then digits to base 10,000.
enum NumericBinary {
    private static let powers: [Int128] = (0...38).map { (0..<$0).reduce(Int128(1)) { value, _ in value * 10 } }

    /// The number times 10^scale; nil as for `NumericText.unscaled`.
    static func unscaled(_ bytes: UnsafeRawBufferPointer, scale: Int) -> Int128? {
        guard let header = Header(bytes), !header.isSpecial else { return nil }
        if header.count == 0 { return 0 }
        // The last digit stands for 10^(4 * (weight - count + 1)).
        let exponent = 4 * (header.weight - header.count + 1) + scale
        guard header.count <= 9, (-4...36).contains(exponent) else { return slow(bytes, scale: scale) }
        var value: Int128 = 0
        for i in 0..<header.count { value = value &* 10_000 &+ Int128(header.digit(i)) }
        if exponent < 0 {
            let divisor = powers[-exponent]
            let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
            guard remainder == 0 else { return nil }
            value = quotient
        } else {
            let (product, overflow) = value.multipliedReportingOverflow(by: powers[exponent])
            guard !overflow else { return nil }
            value = product
        }
        guard value < powers[38] else { return nil }
        return header.isNegative ? -value : value
    }

    private static func slow(_ bytes: UnsafeRawBufferPointer, scale: Int) -> Int128? {
        text(bytes).withUnsafeBytes { DecimalDigits($0)?.rescaled(to: scale)?.int128 }
    }

    /// The text PostgreSQL writes for the same value; empty for bytes that are no numeric.
    static func text(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        guard let header = Header(bytes) else { return [] }
        switch header.sign {
        case 0xC000: return Array("NaN".utf8)
        case 0xD000: return Array("Infinity".utf8)
        case 0xF000: return Array("-Infinity".utf8)
        default: break
        }
        var out: [UInt8] = []
        if header.isNegative { out.append(UInt8(ascii: "-")) }
        func digit(_ position: Int) -> UInt64 {
            let i = header.weight - position
            return (0..<header.count).contains(i) ? UInt64(header.digit(i)) : 0
        }
        if header.weight < 0 {
            out.append(UInt8(ascii: "0"))
        } else {
            ISO8601.appendDigits(digit(header.weight), width: 1, to: &out)
            for position in stride(from: header.weight - 1, through: 0, by: -1) { ISO8601.appendDigits(digit(position), width: 4, to: &out) }
        }
        guard header.displayScale > 0 else { return out }
        out.append(UInt8(ascii: "."))
        let end = out.count + header.displayScale
        var position = -1
        while out.count < end {
            ISO8601.appendDigits(digit(position), width: 4, to: &out)
            position -= 1
        }
        out.removeSubrange(end...)
        return out
    }

    private struct Header {
        let bytes: UnsafeRawBufferPointer
        let count: Int
        let weight: Int
        let sign: UInt16
        let displayScale: Int
        var isNegative: Bool { sign == 0x4000 }
        var isSpecial: Bool { sign >= 0xC000 }

        @inline(__always) init?(_ bytes: UnsafeRawBufferPointer) {
            guard bytes.count >= 8 else { return nil }
            self.bytes = bytes
            count = Int(UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt16.self)))
            weight = Int(Int16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: Int16.self)))
            sign = UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt16.self))
            displayScale = Int(UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 6, as: UInt16.self)))
            guard bytes.count == 8 + 2 * count else { return nil }
        }

        @inline(__always) func digit(_ i: Int) -> UInt16 { UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 8 + 2 * i, as: UInt16.self)) }
    }
}

/// money as PostgreSQL writes it: `$1,234.56`, `-$92.10`, `($92.10)`, and other locales' separators.
enum MoneyText {
    static func unscaled(_ text: UnsafeRawBufferPointer, scale: Int) -> Int128? {
        var digits: [UInt8] = [], negative = false, separator = -1
        for byte in text {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digits.append(byte)
            case UInt8(ascii: "-"), UInt8(ascii: "("): negative = true
            case UInt8(ascii: "."), UInt8(ascii: ","): separator = digits.count
            default: break
            }
        }
        // An int64 of cents has at most 19 digits; more of scale than that has no meaning.
        guard (1...20).contains(digits.count), scale <= 18 else { return nil }
        // Three digits after the last separator make it a thousands separator: money has two digits of cents, or none.
        var fraction = separator < 0 ? 0 : digits.count - separator
        if fraction == 3 { fraction = 0 }
        var value: Int128 = 0
        for digit in digits { value = value * 10 + Int128(digit - UInt8(ascii: "0")) }
        while fraction < scale {
            value *= 10
            fraction += 1
        }
        var half = false
        while fraction > scale {
            half = value % 10 >= 5
            value /= 10
            fraction -= 1
        }
        if half { value += 1 }
        return negative ? -value : value
    }
}
