import ConnectAPI

/// A replacement text as `Matcher.appendReplacement` reads it: `$1`, `${name}`, and `\` before a character that stands for itself.
package struct JavaReplacement: Sendable {
    private enum Part: Sendable {
        case literal([UInt8])
        case group(Int)
    }
    private let parts: [Part]

    /// Throws `regex.replacement_invalid`, in Java's words, when it names a group the pattern does not have.
    package init(_ text: String, for pattern: JavaPattern) throws {
        func invalid(_ message: String) -> ConnectorError {
            ConnectorError(
                "regex.replacement_invalid", .stop, "Invalid replacement \"\(text)\" for \"\(pattern.pattern)\": \(message)",
                hint: "$1 and ${name} stand for groups; write \\$ for a dollar sign")
        }
        let bytes = Array(text.utf8)
        var parts: [Part] = [], literal: [UInt8] = [], i = 0
        func digit(_ i: Int) -> Int? { i < bytes.count && bytes[i] &- 48 < 10 ? Int(bytes[i] - 48) : nil }
        func flush() {
            if !literal.isEmpty { parts.append(.literal(literal)) }
            literal = []
        }
        while i < bytes.count {
            switch bytes[i] {
            case UInt8(ascii: "\\"):
                guard i + 1 < bytes.count else { throw invalid("character to be escaped is missing") }
                literal.append(bytes[i + 1])
                i += 2
            case UInt8(ascii: "$"):
                i += 1
                guard i < bytes.count else { throw invalid("Illegal group reference: group index is missing") }
                flush()
                if bytes[i] == UInt8(ascii: "{") {
                    guard let end = bytes[i...].firstIndex(of: UInt8(ascii: "}")) else {
                        throw invalid("named capturing group is missing trailing '}'")
                    }
                    let name = String(decoding: bytes[(i + 1)..<end], as: UTF8.self)
                    guard let first = name.utf8.first else { throw invalid("named capturing group has 0 length name") }
                    if first &- 48 < 10 { throw invalid("capturing group name {\(name)} starts with digit character") }
                    guard let group = pattern.group(named: name) else { throw invalid("No group with name {\(name)}") }
                    parts.append(.group(group))
                    i = end + 1
                } else {
                    guard var group = digit(i) else { throw invalid("Illegal group reference") }
                    i += 1
                    guard group <= pattern.groupCount else { throw invalid("No group \(group)") }
                    // Takes more digits as long as such a group exists.
                    while let next = digit(i), group * 10 + next <= pattern.groupCount {
                        group = group * 10 + next
                        i += 1
                    }
                    parts.append(.group(group))
                }
            default:
                literal.append(bytes[i])
                i += 1
            }
        }
        flush()
        self.parts = parts
    }

    /// A group that took no part in the match stands for nothing.
    func append(_ match: JavaMatch, to out: inout [UInt8]) {
        for part in parts {
            switch part {
            case .literal(let bytes): out.append(contentsOf: bytes)
            case .group(let group): if let range = match.ranges[group] { out.append(contentsOf: match.bytes[range]) }
            }
        }
    }
}
