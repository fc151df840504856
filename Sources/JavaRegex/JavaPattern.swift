import CPCRE2
import ConnectAPI

/// A regular expression as `java.util.regex` reads it, run by PCRE2.
///
///     Java pattern ──JavaSyntax──▶ PCRE2 pattern ──compiled once──▶ JavaPattern (immutable, shared by threads)
///     input ──matches / find──▶ JavaMatch ──┐
///     replacement ──JavaReplacement─────────┴──▶ text
///
/// The two dialects agree on nearly everything people write: groups, named groups, lookaround, possessive and lazy quantifiers, `\Q…\E`, back
/// references, inline flags. `JavaSyntax` rewrites what differs and refuses, in words, what has no counterpart. Like Java by default, `\d`, `\w`,
/// `\s` and `\b` know ASCII only; unlike it, ignoring case also folds letters outside ASCII.
package final class JavaPattern: Sendable {
    /// As given.
    package let pattern: String
    package let isCaseInsensitive: Bool
    /// Capturing groups, group 0 not counted.
    package let groupCount: Int
    private let namedGroups: [String: Int]
    private let code: Code

    /// Throws `regex.invalid` with the place of the error.
    package init(_ pattern: String, caseInsensitive: Bool = false) throws {
        self.pattern = pattern
        isCaseInsensitive = caseInsensitive
        code = try Code(JavaSyntax.translate(pattern), caseInsensitive: caseInsensitive, original: pattern)
        groupCount = code.groupCount
        namedGroups = code.namedGroups
    }

    /// Whether the whole of `text` matches: `Matcher.matches()`.
    package func matches(_ text: String) throws -> Bool { try match(text, from: 0, options: PCRE2_ANCHORED | PCRE2_ENDANCHORED) != nil }

    /// The match of the whole of `text`, with its groups; nil when it does not match.
    package func wholeMatch(_ text: String) throws -> JavaMatch? { try match(text, from: 0, options: PCRE2_ANCHORED | PCRE2_ENDANCHORED) }

    /// Whether some part of `text` matches: `Matcher.find()`.
    package func find(_ text: String) throws -> Bool { try match(text, from: 0, options: 0) != nil }

    /// The first match at or after a UTF-8 offset.
    package func firstMatch(_ text: String, from offset: Int = 0) throws -> JavaMatch? { try match(text, from: offset, options: 0) }

    package func replaceFirst(_ text: String, _ replacement: String) throws -> String {
        try replace(text, with: JavaReplacement(replacement, for: self), all: false)
    }

    package func replaceAll(_ text: String, _ replacement: String) throws -> String {
        try replace(text, with: JavaReplacement(replacement, for: self), all: true)
    }

    /// Replaces one or every match; a replacement parsed once serves many calls.
    package func replace(_ text: String, with replacement: JavaReplacement, all: Bool) throws -> String {
        let bytes = Array(text.utf8)
        var out: [UInt8] = [], copied = 0, from = 0
        while from <= bytes.count, let match = try match(bytes, from: from, options: 0), let range = match.ranges[0] {
            out.append(contentsOf: bytes[copied..<range.lowerBound])
            replacement.append(match, to: &out)
            copied = range.upperBound
            // After an empty match the search goes on behind the next character.
            from = range.isEmpty ? Self.afterCharacter(bytes, range.upperBound) : range.upperBound
            if !all { break }
        }
        out.append(contentsOf: bytes[copied...])
        return String(decoding: out, as: UTF8.self)
    }

    func group(named name: String) -> Int? { namedGroups[name] }

    private static func afterCharacter(_ bytes: [UInt8], _ i: Int) -> Int {
        var next = i + 1
        while next < bytes.count, bytes[next] & 0xC0 == 0x80 { next += 1 }
        return next
    }

    private func match(_ text: String, from offset: Int, options: UInt32) throws -> JavaMatch? {
        try match(Array(text.utf8), from: offset, options: options)
    }

    private func match(_ bytes: [UInt8], from offset: Int, options: UInt32) throws -> JavaMatch? {
        guard let found = try code.match(bytes, from: offset, options: options, pattern: pattern) else { return nil }
        return JavaMatch(bytes: bytes, ranges: found, names: namedGroups)
    }
}

/// Where a pattern matched.
package struct JavaMatch: Sendable {
    let bytes: [UInt8]
    /// UTF-8 offsets of group 0 (the match) and of every group; nil where a group took no part.
    package let ranges: [Range<Int>?]
    private let names: [String: Int]

    init(bytes: [UInt8], ranges: [Range<Int>?], names: [String: Int]) {
        self.bytes = bytes
        self.ranges = ranges
        self.names = names
    }

    /// The text of a group; nil when it took no part or does not exist.
    package func group(_ i: Int) -> String? {
        guard ranges.indices.contains(i), let range = ranges[i] else { return nil }
        return String(decoding: bytes[range], as: UTF8.self)
    }

    package func group(_ name: String) -> String? { names[name].flatMap { group($0) } }
}
