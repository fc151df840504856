import ConnectAPI
import JavaRegex
import Kafka
import Synchronization

/// Makes sure that a topic is there before records are sent to it.
package protocol TopicCreator: Sendable {
    /// `config`: the configuration of the connector that writes.
    func ensure(_ topic: String, config: [String: String]) async throws
}

/// The groups of `topic.creation.*` (KIP-158): what a source's topics are made with. Without any of these keys the broker makes topics by its
/// own rules (`auto.create.topics.enable`).
struct TopicCreationRules {
    private struct Group {
        let name: String
        let include: [JavaPattern]
        let exclude: [JavaPattern]
    }
    private static let prefix = "topic.creation."
    private let groups: [Group]
    private let config: [String: String]

    /// nil: the connector does not say how topics are made. Throws `topic_creation.invalid`.
    init?(_ config: [String: String]) throws {
        guard config.keys.contains(where: { $0.hasPrefix(Self.prefix) }) else { return nil }
        self.config = config
        let names = ([String](configText: config["topic.creation.groups"] ?? "") ?? []).filter { !$0.isEmpty && $0 != "default" }
        func patterns(_ key: String) throws -> [JavaPattern] {
            try ([String](configText: config[key] ?? "") ?? []).filter { !$0.isEmpty }.map { try JavaPattern($0) }
        }
        groups = try names.map {
            Group(name: $0, include: try patterns("\(Self.prefix)\($0).include"), exclude: try patterns("\(Self.prefix)\($0).exclude"))
        }
    }

    /// The first group that includes the topic and does not exclude it decides; keys it does not have are the default group's.
    func topic(_ name: String) throws -> KafkaAdmin.NewTopic {
        let group = try groups.first { group in
            try group.include.contains { try $0.matches(name) } && !group.exclude.contains { try $0.matches(name) }
        }?.name
        func settings(_ group: String) -> [String: String] { config.settings(prefixed: "\(Self.prefix)\(group).") }
        let own = group.map(settings) ?? [:], otherwise = settings("default")
        func number(_ key: String) throws -> Int32 {
            let text = (own[key] ?? otherwise[key] ?? "-1").trimmingSpaces()
            guard let number = Int32(text), number == -1 || number > 0 else {
                throw ConnectorError("topic_creation.invalid", .stop, "Invalid value \(text) for \(Self.prefix)\(group ?? "default").\(key): -1 or 1 and more")
            }
            return number
        }
        let special: Set = ["partitions", "replication.factor", "include", "exclude"]
        // As in Kafka Connect, a group's other keys are its topics' settings; the default's do not add to them.
        let settingsOfTopic = (group == nil ? otherwise : own).filter { !special.contains($0.key) }
        return KafkaAdmin.NewTopic(
            name, partitions: try number("partitions"), replicationFactor: try number("replication.factor"), config: settingsOfTopic)
    }
}

/// Creates topics by a connector's rules, where it has some and the worker allows it.
package final class KafkaTopicCreator: TopicCreator {
    private let clients: KafkaClients
    private let isEnabled: Bool
    private let known = Mutex<Set<String>>([])
    private let report = Logger("sluice.topics")

    package init(_ clients: KafkaClients, isEnabled: Bool) {
        self.clients = clients
        self.isEnabled = isEnabled
    }

    package func ensure(_ topic: String, config: [String: String]) async throws {
        if known.withLock({ $0.contains(topic) }) { return }
        guard isEnabled, let rules = try TopicCreationRules(config) else { return known.withLock { _ = $0.insert(topic) } }
        let admin = try clients.admin(config: config)
        if try await admin.partitionCounts(topic: topic)[topic] == nil {
            let new = try rules.topic(topic)
            do {
                if try await !admin.createTopics([new]).isEmpty { report.info("Created topic \(topic)") }
            } catch let error as ConnectorError {
                throw ConnectorError(
                    error.code, error.disposition,
                    "Task failed to create new topic (name=\(topic), numPartitions=\(new.partitions), replicationFactor=\(new.replicationFactor)): \(error.message)",
                    hint: error.hint ?? "Check the topic.creation keys and the user's rights", underlying: error)
            }
        }
        known.withLock { _ = $0.insert(topic) }
    }
}
