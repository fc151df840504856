import ConnectAPI
package import Kafka

/// The topics a cluster of workers keeps its own state in: made where they are missing, judged where they are there.
package struct InternalTopics: Sendable {
    package let group: String
    package let config: String
    package let offsets: String
    package let status: String
    /// Whose partitions are the slots; holds no records.
    package let assignments: String
    private let values: [String: String]

    /// Throws one error that names every key that is missing.
    package init(_ worker: WorkerConfig) throws {
        values = worker.values
        func given(_ key: String) -> String? { worker.values[key].map { $0.trimmingSpaces() }.flatMap { $0.isEmpty ? nil : $0 } }
        let keys = ["group.id", "config.storage.topic", "offset.storage.topic", "status.storage.topic"]
        let missing = keys.filter { given($0) == nil }
        guard missing.isEmpty else {
            throw ConnectorError(
                "worker.config", .stop, "With bootstrap.servers and group.id the worker is one of a cluster, and needs \(missing.joined(separator: ", "))",
                hint: "Kafka's sample file has config.storage.topic=connect-configs, offset.storage.topic=connect-offsets, status.storage.topic=connect-status")
        }
        group = given("group.id")!
        config = given("config.storage.topic")!
        offsets = given("offset.storage.topic")!
        status = given("status.storage.topic")!
        assignments = given("sluice.assignment.topic") ?? "\(group)-sluice-slots"
    }

    package func number(_ key: String, _ otherwise: Int32) -> Int32 { values[key].flatMap { Int32($0.trimmingSpaces()) } ?? otherwise }

    /// Makes what is missing, with the settings `PREFIX.storage.*` names.
    package func make(_ admin: KafkaAdmin) async throws {
        let there = try await admin.partitionCounts()
        let wanted = [
            topic(config, "config.storage.", partitions: 1), topic(offsets, "offset.storage.", partitions: 25), topic(status, "status.storage.", partitions: 5),
            KafkaAdmin.NewTopic(
                assignments, partitions: Int32(SlotPlan.grown(0, to: 16)), replicationFactor: number("config.storage.replication.factor", 3),
                config: ["cleanup.policy": "compact"]),
        ]
        try await admin.createTopics(wanted.filter { there[$0.name] == nil })
        // Known to one broker is not known to all.
        for topic in wanted where there[topic.name] == nil {
            while try await admin.partitionCounts(topic: topic.name)[topic.name] == nil { try await Task.sleep(for: .milliseconds(100)) }
        }
        if let count = there[config], count != 1 {
            throw ConnectorError(
                "worker.config", .stop,
                "Topic '\(config)' supplied via the 'config.storage.topic' property is required to have a single partition in order to guarantee consistency of connector configurations, but found \(count) partitions."
            )
        }
        for (key, name) in [("config.storage.topic", config), ("offset.storage.topic", offsets), ("status.storage.topic", status)] where there[name] != nil {
            try await check(name, key, admin)
        }
    }

    /// The topic a connector keeps its positions in when it has one of its own.
    package func makeOffsetTopic(_ name: String, _ admin: KafkaAdmin) async throws {
        guard try await admin.partitionCounts(topic: name)[name] == nil else { return }
        try await admin.createTopics([topic(name, "offset.storage.", partitions: 25)])
        while try await admin.partitionCounts(topic: name)[name] == nil { try await Task.sleep(for: .milliseconds(100)) }
    }

    private func topic(_ name: String, _ prefix: String, partitions: Int32) -> KafkaAdmin.NewTopic {
        let own = ["topic", "partitions", "replication.factor"]
        var settings = values.filter { $0.key.hasPrefix(prefix) }.reduce(into: [:]) { $0[String($1.key.dropFirst(prefix.count))] = $1.value }
        for key in own { settings[key] = nil }
        settings["cleanup.policy"] = "compact"
        return KafkaAdmin.NewTopic(
            name, partitions: name == config ? 1 : number(prefix + "partitions", partitions), replicationFactor: number(prefix + "replication.factor", 3),
            config: settings.filter { !$0.key.hasPrefix("file.") })
    }

    /// A topic that forgets by time would lose configurations and offsets. Where the broker does not tell, nothing is refused.
    private func check(_ name: String, _ key: String, _ admin: KafkaAdmin) async throws {
        let policy: String?
        do {
            policy = try await admin.describeConfig(topic: name)["cleanup.policy"]
        } catch {
            return Logger("sluice.herder").warn("Could not see whether topic \(name) is compacted: \(Trace.message(of: error))")
        }
        guard let policy, policy != "compact" else { return }
        throw ConnectorError(
            "worker.config", .stop,
            "Topic '\(name)' supplied via the '\(key)' property is required to have 'cleanup.policy=compact' to guarantee consistency and durability of what is kept in it, but found the topic currently has 'cleanup.policy=\(policy)'.",
            hint: "kafka-configs.sh --alter --entity-type topics --entity-name \(name) --add-config cleanup.policy=compact")
    }
}
