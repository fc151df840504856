import ConnectAPI
import JavaRegex

/// Which topics a sink reads: a list, or a pattern that matches whole names.
package struct SinkSubscription: Sendable {
    private let topics: Set<String>
    private let pattern: JavaPattern?
    /// Topics that are never read, whatever the pattern: the sink's own dead letters.
    private let excluded: String?

    init(_ config: [String: String]) throws {
        topics = Set(([String](configText: config["topics"]?.trimmingSpaces() ?? "") ?? []).filter { !$0.isEmpty })
        let regex = config["topics.regex"]?.trimmingSpaces() ?? ""
        pattern = regex.isEmpty ? nil : try JavaPattern(regex)
        excluded = ErrorTolerance(config).deadLetterTopic
    }

    func includes(_ topic: String) throws -> Bool { try topic != excluded && (topics.contains(topic) || pattern?.matches(topic) == true) }
}
