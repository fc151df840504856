import ConnectAPI

/// Java's `.properties` text, as `java.util.Properties.load` reads it: `=`, `:` or blanks after the key, `#` and `!` comments, backslash
/// escapes, lines continued by a backslash at their end. UTF-8 instead of Latin-1, which is what people's editors write.
package enum JavaProperties {
    package struct Entry: Sendable, Hashable {
        package let key: String
        package let value: String
        /// Where the entry begins, from 1.
        package let line: Int
    }

    /// In the order of the text; of a repeated key all are returned, and the last one counts.
    package static func parse(_ text: [UInt8], file: String) throws -> [Entry] {
        var reader = Reader(text: text, file: file)
        var entries: [Entry] = []
        while let entry = try reader.next() { entries.append(entry) }
        return entries
    }

    private struct Reader {
        let text: [UInt8]
        let file: String
        var i = 0
        var line = 1

        init(text: [UInt8], file: String) {
            self.text = text.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(text.dropFirst(3)) : text
            self.file = file
        }

        private var byte: UInt8? { i < text.count ? text[i] : nil }

        private static func isBlank(_ b: UInt8) -> Bool { b == UInt8(ascii: " ") || b == UInt8(ascii: "\t") || b == 0x0C }
        private static func isLineEnd(_ b: UInt8) -> Bool { b == UInt8(ascii: "\n") || b == UInt8(ascii: "\r") }

        private mutating func skipBlanks() { while let b = byte, Self.isBlank(b) { i += 1 } }

        private mutating func skipLineEnd() {
            guard let b = byte, Self.isLineEnd(b) else { return }
            i += 1
            if b == UInt8(ascii: "\r"), byte == UInt8(ascii: "\n") { i += 1 }
            line += 1
        }

        /// A backslash before a line end joins the lines; blanks that begin the second are dropped.
        private mutating func skipContinuation() -> Bool {
            guard byte == UInt8(ascii: "\\"), i + 1 < text.count, Self.isLineEnd(text[i + 1]) else { return false }
            i += 1
            skipLineEnd()
            skipBlanks()
            return true
        }

        mutating func next() throws -> Entry? {
            while true {
                skipBlanks()
                guard let b = byte else { return nil }
                if Self.isLineEnd(b) {
                    skipLineEnd()
                } else if b == UInt8(ascii: "#") || b == UInt8(ascii: "!") {
                    while let b = byte, !Self.isLineEnd(b) { i += 1 }
                } else {
                    break
                }
            }
            let start = line
            let key = try word { Self.isBlank($0) || $0 == UInt8(ascii: "=") || $0 == UInt8(ascii: ":") }
            while skipContinuation() {}
            skipBlanks()
            if byte == UInt8(ascii: "=") || byte == UInt8(ascii: ":") {
                i += 1
                skipBlanks()
            }
            return Entry(key: key, value: try word { _ in false }, line: start)
        }

        /// Reads to the end of the logical line, or to an unescaped byte that ends the word.
        private mutating func word(until ends: (UInt8) -> Bool) throws -> String {
            var out: [UInt8] = []
            while let b = byte {
                if skipContinuation() { continue }
                if Self.isLineEnd(b) || ends(b) { break }
                i += 1
                if b == UInt8(ascii: "\\") { try appendEscape(to: &out) } else { out.append(b) }
            }
            return String(decoding: out, as: UTF8.self)
        }

        private mutating func appendEscape(to out: inout [UInt8]) throws {
            guard let b = byte else { return }
            i += 1
            switch b {
            case UInt8(ascii: "t"): out.append(UInt8(ascii: "\t"))
            case UInt8(ascii: "n"): out.append(UInt8(ascii: "\n"))
            case UInt8(ascii: "r"): out.append(UInt8(ascii: "\r"))
            case UInt8(ascii: "f"): out.append(0x0C)
            case UInt8(ascii: "u"):
                var unit = try hexUnit()
                // Characters outside the basic plane are written as two escapes.
                if (0xD800..<0xDC00).contains(unit), byte == UInt8(ascii: "\\"), i + 1 < text.count, text[i + 1] == UInt8(ascii: "u") {
                    i += 2
                    let low = try hexUnit()
                    if (0xDC00..<0xE000).contains(low) { unit = 0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00) }
                }
                out.append(contentsOf: String(Character(Unicode.Scalar(unit) ?? "\u{FFFD}")).utf8)
            default: out.append(b)
            }
        }

        private mutating func hexUnit() throws -> UInt32 {
            let digits = text[i..<min(i + 4, text.count)]
            guard digits.count == 4, let unit = UInt32(String(decoding: digits, as: UTF8.self), radix: 16) else {
                throw ConnectorError(
                    "config.malformed", .stop, "\(file):\(line): \\u is not followed by four hexadecimal digits", hint: "Write a backslash itself as \\\\")
            }
            i += 4
            return unit
        }
    }
}
