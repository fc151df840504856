import ConnectAPI

/// A full name in its two parts.
struct AvroName {
    let space: String?
    let name: String

    init(_ full: String) {
        let dot = full.lastIndex(of: ".")
        space = dot.map { String(full[..<$0]) }
        name = dot.map { String(full[full.index(after: $0)...]) } ?? full
    }

    var full: String { space.map { "\($0).\(name)" } ?? name }

    /// Letters, digits and `_`, no digit first; of any alphabet, as Java's library takes them.
    static func isValid(_ name: String) -> Bool {
        guard let first = name.unicodeScalars.first, first == "_" || first.properties.isAlphabetic else { return false }
        return name.unicodeScalars.allSatisfy { $0 == "_" || $0.properties.isAlphabetic || $0.properties.numericType == .decimal }
    }

    /// `scrub.invalid.names`: what is no letter, digit or `_` of ASCII becomes `_`, escaped as in a URL first; a digit at the start gets an `x`.
    static func scrubbed(_ name: String) -> String {
        func isPlain(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
            default: false
            }
        }
        let startsWithDigit = name.utf8.first.map { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") } ?? false
        if name.utf8.allSatisfy(isPlain), !startsWithDigit { return name }
        var out = startsWithDigit ? "x" : ""
        for byte in name.utf8 {
            if isPlain(byte) {
                out.unicodeScalars.append(Unicode.Scalar(byte))
            } else if " .-*".utf8.contains(byte) {
                // Not escaped in a URL's form encoding, or as `+`: one character.
                out += "_"
            } else {
                let hex = String(byte, radix: 16, uppercase: true)
                out += "_" + (hex.count == 1 ? "0" : "") + hex
            }
        }
        return out
    }

    /// Every part of a full name, scrubbed.
    static func scrubbedFull(_ name: String) -> String {
        name.split(separator: ".", omittingEmptySubsequences: false).map { scrubbed(String($0)) }.joined(separator: ".")
    }
}
