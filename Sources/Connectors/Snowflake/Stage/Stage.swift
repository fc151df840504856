/// A place that Snowflake loads files from.
protocol Stage: Sendable {
    /// As it stands in SQL: `@NAME`.
    var reference: String { get }
    /// Writes a file, over one that is there. The path has letters, digits and `._-=/` only.
    func store(_ path: String, _ body: [UInt8]) async throws
}

enum StagePath {
    /// A name as a part of a path that needs no quotes in SQL and none in URLs: other characters become `=XX`.
    static func part(_ name: String) -> String {
        var out = ""
        for c in name.utf8 {
            switch c {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"), UInt8(ascii: "-"): out.unicodeScalars.append(UnicodeScalar(c))
            // A dot is kept unless the part is nothing else.
            case UInt8(ascii: ".") where name.utf8.contains { $0 != UInt8(ascii: ".") }: out += "."
            default:
                out += "="
                for nibble in [c >> 4, c & 15] { out.unicodeScalars.append(UnicodeScalar(nibble < 10 ? 48 + nibble : 55 + nibble)) }
            }
        }
        return out
    }
}
