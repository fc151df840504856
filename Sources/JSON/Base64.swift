/// Base64 of RFC 4648 section 4: padded, no line breaks, as Jackson writes and reads binary values.
package enum Base64 {
    private static let alphabet: InlineArray<64, UInt8> = {
        var table = InlineArray<64, UInt8>(repeating: 0)
        for (i, c) in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8.enumerated() { table[i] = c }
        return table
    }()

    /// Writes the text of `bytes` and returns its length, `(count + 2) / 3 * 4`.
    static func write(_ bytes: UnsafeRawBufferPointer, to out: UnsafeMutablePointer<UInt8>) -> Int {
        var o = 0, i = 0
        while i &+ 3 <= bytes.count {
            let word = UInt32(bytes[i]) << 16 | UInt32(bytes[i &+ 1]) << 8 | UInt32(bytes[i &+ 2])
            out[o] = alphabet[Int(word >> 18)]
            out[o &+ 1] = alphabet[Int(word >> 12 & 63)]
            out[o &+ 2] = alphabet[Int(word >> 6 & 63)]
            out[o &+ 3] = alphabet[Int(word & 63)]
            i &+= 3
            o &+= 4
        }
        let rest = bytes.count &- i
        if rest == 0 { return o }
        let word = UInt32(bytes[i]) << 16 | (rest == 2 ? UInt32(bytes[i &+ 1]) << 8 : 0)
        out[o] = alphabet[Int(word >> 18)]
        out[o &+ 1] = alphabet[Int(word >> 12 & 63)]
        out[o &+ 2] = rest == 2 ? alphabet[Int(word >> 6 & 63)] : UInt8(ascii: "=")
        out[o &+ 3] = UInt8(ascii: "=")
        return o &+ 4
    }

    package static func encode(_ bytes: [UInt8]) -> String {
        String(unsafeUninitializedCapacity: (bytes.count + 2) / 3 * 4) { out in
            guard let base = out.baseAddress else { return 0 }
            return bytes.withUnsafeBytes { write($0, to: base) }
        }
    }

    /// The bytes a text stands for; nil when it is not base64. Padding may be absent.
    package static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        var out: [UInt8] = [], word: UInt32 = 0, bits = 0, padding = 0, digits = 0
        out.reserveCapacity(text.count / 4 * 3 + 3)
        for c in text {
            if c == UInt8(ascii: "=") {
                padding += 1
                continue
            }
            guard padding == 0, let digit = value(c) else { return nil }
            word = word << 6 | digit
            bits += 6
            digits += 1
            if bits >= 8 {
                bits -= 8
                out.append(UInt8(truncatingIfNeeded: word >> UInt32(bits)))
            }
        }
        guard digits % 4 != 1, padding == 0 || (padding <= 2 && (digits + padding) % 4 == 0) else { return nil }
        return out
    }

    private static func value(_ c: UInt8) -> UInt32? {
        switch c {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(c - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(c - UInt8(ascii: "a") + 26)
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(c - UInt8(ascii: "0") + 52)
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
