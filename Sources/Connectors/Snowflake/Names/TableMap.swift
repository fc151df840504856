import ConnectAPI
import JavaRegex

/// `snowflake.topic2table.map`: `topic:table,…`, where a topic may be a regular expression. Topics outside it get a table of their own name.
struct TableMap: Sendable {
    private let literal: [String: ObjectName]
    private let patterns: [(pattern: JavaPattern, table: ObjectName)]

    /// Throws a sentence about what is wrong.
    init(_ text: String) throws {
        var literal: [String: ObjectName] = [:], patterns: [(pattern: JavaPattern, table: ObjectName)] = []
        func wrong(_ what: String) -> ConnectorError { ConnectorError("config.invalid", .stop, what) }
        for entry in text.split(separator: ",", omittingEmptySubsequences: false) where !text.trimmingSpaces().isEmpty {
            let pair = entry.split(separator: ":", omittingEmptySubsequences: false).map { $0.trimmingSpaces() }
            guard pair.count == 2, !pair[0].isEmpty, let table = ObjectName(configured: pair[1]) else {
                throw wrong("'\(entry.trimmingSpaces())' is not topic:table")
            }
            guard pair[1].contains("\"") || table.parts.allSatisfy(VendorNames.isPlain) else {
                throw wrong("The table '\(pair[1])' is not a name: at least two of letters, digits, _ and $, no digit first; or put it into double quotes")
            }
            guard literal.updateValue(table, forKey: pair[0]) == nil else { throw wrong("The topic '\(pair[0])' stands there twice") }
            guard let pattern = try? JavaPattern(pair[0]) else { throw wrong("'\(pair[0])' is no regular expression") }
            for (other, _) in patterns where other.fits(pair[0]) || pattern.fits(other.pattern) {
                throw wrong("'\(pair[0])' and '\(other.pattern)' match the same topics")
            }
            patterns.append((pattern, table))
        }
        self.literal = literal
        self.patterns = patterns
    }

    /// The table of a topic.
    func table(for topic: String) -> ObjectName {
        if let table = literal[topic] { return table }
        if let found = patterns.first(where: { $0.pattern.fits(topic) }) { return found.table }
        return ObjectName([VendorNames.valid(topic).uppercased()])
    }

    /// The tables that are known before any record came.
    var tables: Set<ObjectName> { Set(literal.values) }
}

extension JavaPattern {
    /// Whether it matches a whole name; one it cannot be tried on does not match.
    fileprivate func fits(_ name: String) -> Bool { (try? matches(name)) == true }
}
