import ConnectAPI

/// Rewrites what `java.util.regex` spells differently from PCRE2: `\uXXXX`, octal `\0n`, quoted text, Java's property names, the flags `u`, `d`
/// and `U`, character classes inside character classes. Everything else is passed on as it is.
enum JavaSyntax {
    static func translate(_ pattern: String) throws -> String {
        var parser = Parser(scalars: Array(pattern.unicodeScalars), original: pattern)
        try parser.run()
        return String(String.UnicodeScalarView(parser.out))
    }

    private struct Parser {
        let scalars: [UnicodeScalar]
        let original: String
        var i = 0
        var out: [UnicodeScalar] = []

        init(scalars: [UnicodeScalar], original: String) {
            self.scalars = scalars
            self.original = original
        }

        func peek(_ ahead: Int = 0) -> UnicodeScalar? { i + ahead < scalars.count ? scalars[i + ahead] : nil }
        mutating func emit(_ text: String) { out.append(contentsOf: text.unicodeScalars) }

        func unsupported(_ what: String) -> ConnectorError {
            ConnectorError(
                "regex.unsupported", .stop, "The regular expression \"\(original)\" uses \(what), which is not supported (index \(i))",
                hint: "Rewrite the pattern without it; a lookahead such as (?!x) often says the same")
        }

        mutating func run() throws {
            while let c = peek() {
                switch c {
                case "\\": try escape(inClass: false)
                case "[": try characterClass()
                case "(" where peek(1) == "?": flags()
                default:
                    out.append(c)
                    i += 1
                }
            }
        }

        /// `(?iu)` and `(?d:…)`: Java's flags `u`, `d` and `U` have no letter in PCRE2; `u` and `U` are about case and classes outside ASCII.
        private mutating func flags() {
            var k = i + 2, kept: [UnicodeScalar] = []
            while k < scalars.count, "idmsuxU-".unicodeScalars.contains(scalars[k]) {
                if "imsx-".unicodeScalars.contains(scalars[k]) { kept.append(scalars[k]) }
                k += 1
            }
            guard k > i + 2, k < scalars.count, scalars[k] == ")" || scalars[k] == ":" else {
                emit("(?")
                i += 2
                return
            }
            if kept == ["-"] { kept = [] }
            emit("(?")
            out.append(contentsOf: kept)
            out.append(scalars[k])
            i = k + 1
        }

        private mutating func escape(inClass: Bool) throws {
            guard let c = peek(1) else {
                out.append("\\")
                i += 1
                return
            }
            switch c {
            case "Q":
                // Quoted text is written out escaped, so that what follows need not care.
                i += 2
                while i < scalars.count, !(scalars[i] == "\\" && peek(1) == "E") {
                    let isWord = scalars[i].properties.isAlphabetic || scalars[i].properties.numericType != nil || scalars[i].value > 127
                    if !isWord { out.append("\\") }
                    out.append(scalars[i])
                    i += 1
                }
                i = min(i + 2, scalars.count)
            case "u":
                guard let value = hex(i + 2, 4) else { throw unsupported("\\u without four hexadecimal digits") }
                i += 6
                emit("\\x{\(String(value, radix: 16))}")
            case "0":
                var value: UInt32 = 0, k = i + 2
                while k < min(scalars.count, i + 5), case let d = scalars[k].value &- 48, d < 8, value * 8 + d <= 0o377 {
                    value = value * 8 + d
                    k += 1
                }
                guard k > i + 2 else { throw unsupported("\\0 without octal digits") }
                i = k
                emit("\\x{\(String(value, radix: 16))}")
            case "p", "P": try property(negated: c == "P", inClass: inClass)
            case "k", "g":
                emit("\\")
                out.append(c)
                i += 2
            default:
                out.append("\\")
                out.append(c)
                i += 2
            }
        }

        private func hex(_ start: Int, _ count: Int) -> UInt32? {
            guard start + count <= scalars.count else { return nil }
            return UInt32(String(String.UnicodeScalarView(scalars[start..<start + count])), radix: 16)
        }

        private static let properties: [String: String] = [
            "Lower": "a-z", "Upper": "A-Z", "ASCII": "\\x00-\\x7F", "Alpha": "a-zA-Z", "Digit": "0-9", "Alnum": "a-zA-Z0-9",
            "Punct": "!-\\/:-@\\[-`{-~", "Graph": "!-~", "Print": " -~", "Blank": " \\t", "Cntrl": "\\x00-\\x1F\\x7F",
            "XDigit": "0-9a-fA-F",
            "Space": " \\t\\n\\x0B\\f\\r", "javaLowerCase": "\\p{Ll}", "javaUpperCase": "\\p{Lu}",
            "javaWhitespace": "\\p{Z}\\t\\n\\x0B\\f\\r",
            "IsAlphabetic": "\\p{L}\\p{Nl}", "IsLetter": "\\p{L}", "IsDigit": "\\p{Nd}", "IsLowercase": "\\p{Ll}", "IsUppercase": "\\p{Lu}",
            "IsPunctuation": "\\p{P}", "IsWhite_Space": "\\p{Z}\\t\\n\\x0B\\f\\r\\x{85}", "javaLetter": "\\p{L}", "javaDigit": "\\p{Nd}",
            "javaLetterOrDigit": "\\p{L}\\p{Nd}", "javaAlphabetic": "\\p{L}\\p{Nl}",
        ]

        private mutating func property(negated: Bool, inClass: Bool) throws {
            var name = "", k = i + 2
            if k < scalars.count, scalars[k] == "{" {
                k += 1
                while k < scalars.count, scalars[k] != "}" {
                    name.unicodeScalars.append(scalars[k])
                    k += 1
                }
            } else if k < scalars.count {
                name.unicodeScalars.append(scalars[k])
            }
            i = min(k + 1, scalars.count)
            if let members = Self.properties[name] {
                if inClass, negated { throw unsupported("\\P{\(name)} inside a character class") }
                emit(inClass ? members : negated ? "[^\(members)]" : "[\(members)]")
                return
            }
            for prefix in ["script=", "sc=", "general_category=", "gc=", "Is"] where name.hasPrefix(prefix) {
                name = String(name.dropFirst(prefix.count))
            }
            if name.hasPrefix("In") || name.hasPrefix("block=") || name.hasPrefix("blk=") { throw unsupported("the Unicode block \(name)") }
            emit(negated ? "\\P{\(name)}" : "\\p{\(name)}")
        }

        /// `[…]`. A class inside a class is a union; `&&` is refused but for `[a&&[^b]]` and `[a&&[b]]`, which a lookahead expresses.
        private mutating func characterClass() throws {
            let start = out.count
            out.append("[")
            i += 1
            if peek() == "^" {
                out.append("^")
                i += 1
            }
            let isNegated = out.last == "^"
            // Java takes a `]` in the first place as a literal only where PCRE2 does too.
            if peek() == "]" {
                emit("\\]")
                i += 1
            }
            while let c = peek() {
                switch c {
                case "]":
                    out.append("]")
                    i += 1
                    return
                case "\\": try escape(inClass: true)
                case "[":
                    if peek(1) == "^" { throw unsupported("a negated class inside a character class") }
                    var inner = Parser(scalars: scalars, original: original)
                    inner.i = i
                    try inner.characterClass()
                    i = inner.i
                    guard inner.out.first == "[", inner.out.last == "]" else { throw unsupported("an intersection inside a nested class") }
                    out.append(contentsOf: inner.out.dropFirst().dropLast())
                case "&" where peek(1) == "&":
                    guard !isNegated, peek(2) == "[" else { throw unsupported("an intersection of this form") }
                    i += 2
                    var inner = Parser(scalars: scalars, original: original)
                    inner.i = i
                    try inner.characterClass()
                    i = inner.i
                    guard peek() == "]" else { throw unsupported("an intersection of this form") }
                    i += 1
                    out.append("]")
                    // Both must match the same character: (?=[b])[a].
                    let outer = Array(out[start...])
                    out.removeSubrange(start...)
                    emit("(?:(?=")
                    out.append(contentsOf: inner.out)
                    emit(")")
                    out.append(contentsOf: outer)
                    emit(")")
                    return
                default:
                    out.append(c)
                    i += 1
                }
            }
        }
    }
}
