/// Finds where the lexical parts of JSON end, and refuses what is not JSON. Every read is bounded by `count`.
struct JSONScanner {
    let bytes: UnsafeRawBufferPointer
    let count: Int

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        count = bytes.count
    }

    @inline(__always) func skipSpace(_ start: Int) -> Int {
        var i = start
        while i < count, case let c = bytes[i], c == 32 || c == 10 || c == 13 || c == 9 { i += 1 }
        return i
    }

    /// From the byte after the opening quote: the position of the closing one, and whether a backslash stands between.
    @inline(__always) func string(_ start: Int) throws(JSONError) -> (end: Int, hasEscapes: Bool) {
        var i = start, hasEscapes = false, high: UInt64 = 0
        while true {
            // Eight bytes at a time, up to the next quote, backslash or control character.
            while i + 8 <= count {
                let word = bytes.loadUnaligned(fromByteOffset: i, as: UInt64.self)
                let hits = JSONScanner.special(word)
                if hits != 0 {
                    let ahead = hits.trailingZeroBitCount >> 3
                    if ahead != 0 { high |= word << UInt64(64 - ahead * 8) }
                    i += ahead
                    break
                }
                high |= word
                i += 8
            }
            guard i < count else { throw JSONError("Unexpected end-of-input in a String value", bytes, at: count) }
            let c = bytes[i]
            if c == UInt8(ascii: "\"") { break }
            if c == UInt8(ascii: "\\") {
                hasEscapes = true
                i = try escape(i)
            } else if c < 32 {
                throw JSONError(
                    "Illegal unquoted character (\(JSONError.named(c))): has to be escaped using backslash to be included in string value",
                    bytes, at: i)
            } else {
                high |= UInt64(c)
                i += 1
            }
        }
        if high & 0x8080_8080_8080_8080 != 0 { try validateUTF8(start, i) }
        return (i, hasEscapes)
    }

    /// High bit of every byte that is a quote, a backslash or below 32 (and, harmlessly, of some bytes after such a one).
    @inline(__always) static func special(_ word: UInt64) -> UInt64 {
        let quote = word ^ 0x2222_2222_2222_2222, slash = word ^ 0x5C5C_5C5C_5C5C_5C5C
        let ones: UInt64 = 0x0101_0101_0101_0101
        return (((quote &- ones) & ~quote) | ((slash &- ones) & ~slash) | ((word &- 0x2020_2020_2020_2020) & ~word)) & 0x8080_8080_8080_8080
    }

    /// From a backslash: the position after the escape.
    private func escape(_ i: Int) throws(JSONError) -> Int {
        guard i + 1 < count else { throw JSONError("Unexpected end-of-input in character escape sequence", bytes, at: count) }
        switch bytes[i + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"),
            UInt8(ascii: "r"), UInt8(ascii: "t"):
            return i + 2
        case UInt8(ascii: "u"):
            for k in i + 2..<i + 6 {
                guard k < count else { throw JSONError("Unexpected end-of-input in character escape sequence", bytes, at: count) }
                guard JSONScanner.hexDigit(bytes[k]) != nil else {
                    throw JSONError(
                        "Unexpected character (\(JSONError.named(bytes[k]))): expected a hex-digit for character escape sequence", bytes,
                        at: k)
                }
            }
            return i + 6
        default:
            throw JSONError("Unrecognized character escape \(JSONError.named(bytes[i + 1]))", bytes, at: i + 1)
        }
    }

    static func hexDigit(_ c: UInt8) -> UInt32? {
        switch c {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(c - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(c - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(c - UInt8(ascii: "A") + 10)
        default: nil
        }
    }

    private func validateUTF8(_ start: Int, _ end: Int) throws(JSONError) {
        var i = start
        while i < end {
            let c = bytes[i]
            if c < 0x80 {
                i += 1
                continue
            }
            let length: Int, low: UInt8, highest: UInt8
            switch c {
            case 0xC2...0xDF: (length, low, highest) = (2, 0x80, 0xBF)
            case 0xE0: (length, low, highest) = (3, 0xA0, 0xBF)
            case 0xED: (length, low, highest) = (3, 0x80, 0x9F)
            case 0xE1...0xEF: (length, low, highest) = (3, 0x80, 0xBF)
            case 0xF0: (length, low, highest) = (4, 0x90, 0xBF)
            case 0xF1...0xF3: (length, low, highest) = (4, 0x80, 0xBF)
            case 0xF4: (length, low, highest) = (4, 0x80, 0x8F)
            default: throw JSONError("Invalid UTF-8 start byte 0x\(JSONError.hex(c))", bytes, at: i)
            }
            for k in 1..<length {
                guard i + k < end, case let d = bytes[i + k], d >= (k == 1 ? low : 0x80), d <= (k == 1 ? highest : 0xBF) else {
                    throw JSONError(
                        "Invalid UTF-8 middle byte 0x\(JSONError.hex(bytes[min(i + k, count - 1)]))", bytes, at: min(i + k, end))
                }
            }
            i += length
        }
    }

    /// The position after a number, and whether it is written without fraction and exponent.
    @inline(__always) func number(_ start: Int) throws(JSONError) -> (end: Int, isInteger: Bool) {
        var i = start
        if bytes[i] == UInt8(ascii: "-") { i += 1 }
        guard i < count, isDigit(i) else {
            if i > start {
                guard i < count else { throw JSONError("Unexpected end-of-input: was expecting a digit after minus sign", bytes, at: i) }
                throw unexpected(i, "in numeric value: Expected digit (0-9) to follow minus sign, for valid numeric value")
            }
            throw unrecognized(start)
        }
        if bytes[i] == UInt8(ascii: "0"), i + 1 < count, isDigit(i + 1) {
            throw JSONError("Invalid numeric value: Leading zeroes not allowed", bytes, at: i + 1)
        }
        while i < count, isDigit(i) { i += 1 }
        var isInteger = true
        if i < count, bytes[i] == UInt8(ascii: ".") {
            isInteger = false
            i = try digits(after: i, "Decimal point not followed by a digit")
        }
        if i < count, bytes[i] | 32 == UInt8(ascii: "e") {
            isInteger = false
            if i + 1 < count, bytes[i + 1] == UInt8(ascii: "+") || bytes[i + 1] == UInt8(ascii: "-") { i += 1 }
            i = try digits(after: i, "Exponent indicator not followed by a digit")
        }
        if i < count, isWordByte(bytes[i]) { throw unexpected(i, "Expected space separating root-level values") }
        return (i, isInteger)
    }

    private func digits(after point: Int, _ complaint: String) throws(JSONError) -> Int {
        var i = point + 1
        guard i < count, isDigit(i) else { throw JSONError(complaint, bytes, at: min(i, count)) }
        while i < count, isDigit(i) { i += 1 }
        return i
    }

    @inline(__always) private func isDigit(_ i: Int) -> Bool { bytes[i] &- 48 < 10 }

    private func isWordByte(_ c: UInt8) -> Bool {
        switch c {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "_"), UInt8(ascii: "$"), 0x80...:
            true
        default: false
        }
    }

    func word(_ text: StaticString, _ start: Int) throws(JSONError) -> Int {
        let end = start + text.utf8CodeUnitCount
        guard end <= count, (0..<text.utf8CodeUnitCount).allSatisfy({ bytes[start + $0] == text.utf8Start[$0] }),
            end == count || !isWordByte(bytes[end])
        else { throw unrecognized(start) }
        return end
    }

    // MARK: - What is wrong, in Jackson's words

    func unrecognized(_ start: Int) -> JSONError {
        var end = start
        while end < count, end < start + 256, isWordByte(bytes[end]) { end += 1 }
        if end == start {
            return unexpected(start, "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')")
        }
        let token = String(decoding: bytes[start..<end], as: UTF8.self)
        return JSONError(
            "Unrecognized token '\(token)': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')", bytes,
            at: end < count ? end + 1 : end)
    }

    func unexpected(_ i: Int, _ expectation: String) -> JSONError {
        JSONError("Unexpected character (\(JSONError.named(bytes[i]))): \(expectation)", bytes, at: i)
    }

    func endInside(_ isObject: Bool, start: Int) -> JSONError {
        let at = JSONError.location(JSONError.position(of: start, in: bytes))
        return JSONError(
            "Unexpected end-of-input: expected close marker for \(isObject ? "Object" : "Array") (start marker at \(at))", bytes, at: count)
    }
}
