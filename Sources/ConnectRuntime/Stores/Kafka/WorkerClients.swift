package import Kafka

/// The worker's own clients: for its group and its internal topics.
package struct WorkerClients: Sendable {
    private let own: [String: String]

    package init(_ worker: WorkerConfig) { own = KafkaClients(worker: worker.values).shared }

    package func admin() throws -> KafkaAdmin { try KafkaAdmin(try KafkaSettings(.admin, own)) }

    /// Writes internal topics: in order, acknowledged by all, at once.
    package func producer(transactionalID: String? = nil) throws -> KafkaProducer {
        var settings = ["linger.ms": "0"]
        if let transactionalID { settings.merge(["transactional.id": transactionalID, "enable.idempotence": "true"]) { $1 } }
        return try KafkaProducer(try KafkaSettings(.producer, KafkaProducer.connectDefaults, own, settings))
    }

    /// Reads an internal topic, what was committed.
    package func reader() throws -> KafkaConsumer {
        try KafkaConsumer(try KafkaSettings(.consumer, KafkaConsumer.connectDefaults, own, ["isolation.level": "read_committed"]))
    }

    /// A member of the worker's group.
    package func member(_ group: String, _ worker: WorkerConfig) throws -> KafkaConsumer {
        func given(_ key: String, _ otherwise: String) -> String { worker.values[key] ?? otherwise }
        return try KafkaConsumer(
            try KafkaSettings(
                .consumer, KafkaConsumer.connectDefaults, own,
                [
                    "group.id": group, "session.timeout.ms": given("session.timeout.ms", "10000"),
                    "heartbeat.interval.ms": given("heartbeat.interval.ms", "3000"), "max.poll.interval.ms": given("rebalance.timeout.ms", "60000"),
                    // Slots are added as partitions; the group must see them soon.
                    "topic.metadata.refresh.interval.ms": "2000", "partition.assignment.strategy": "cooperative-sticky",
                ]))
    }
}
