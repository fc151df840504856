import ConnectAPI
import JavaRegex

/// A list of regular expressions as Debezium's filters write it: separated by commas (`\,` is a comma), matched against the whole subject,
/// without regard to case.
struct PatternList: Sendable {
    private let patterns: [JavaPattern]
    /// The expressions as written.
    let texts: [String]

    init(_ list: String) throws {
        texts = Self.split(list)
        patterns = try texts.map { try JavaPattern($0, caseInsensitive: true) }
    }

    /// The position of the first expression that matches; nil: none does.
    ///
    /// An expression that gives up on a subject (catastrophic backtracking) does not match it.
    func firstMatch(_ subject: String) -> Int? { patterns.firstIndex { (try? $0.matches(subject)) ?? false } }

    func matches(_ subject: String) -> Bool { firstMatch(subject) != nil }

    static func split(_ list: String) -> [String] {
        var parts: [String] = [], current = "", escaped = false
        for character in list {
            if escaped {
                if character != "," { current += "\\" }
                current.append(character)
                escaped = false
            } else if character == "\\" {
                escaped = true
            } else if character == "," {
                parts.append(current)
                current = ""
            } else {
                current.append(character)
            }
        }
        if escaped { current += "\\" }
        parts.append(current)
        return parts.map { $0.trimmingSpaces() }.filter { !$0.isEmpty }
    }
}
