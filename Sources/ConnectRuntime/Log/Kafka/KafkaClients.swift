import ConnectAPI
package import Kafka

/// Makes the clients of connectors and of the worker, each with the settings that apply to it.
///
///     Kafka Connect's defaults, and lz4 for records  <  the worker's own bootstrap.servers, security.*, sasl.*, ssl.*  <  producer.* …  <  producer.override.* …
package struct KafkaClients: Sendable {
    private let worker: [String: String]
    /// Where the cluster is and how to log in, for every client.
    package let shared: [String: String]

    package init(worker values: [String: String]) {
        worker = values
        shared = values.filter { key, _ in
            ["bootstrap.servers", "client.rack", "reconnect.backoff.ms", "reconnect.backoff.max.ms"].contains(key)
                || ["security.", "sasl.", "ssl."].contains(where: key.hasPrefix)
        }
    }

    /// Consumers see the same records with any compression. JSON with schemas shrinks to a tenth, and the broker is what limits it otherwise.
    private static let recordDefaults = KafkaProducer.connectDefaults.merging(["compression.type": "lz4"]) { $1 }

    /// A producer of records of a connector.
    package func producer(_ id: String, config: [String: String] = [:], defaults: [String: String] = [:]) throws -> KafkaProducer {
        try KafkaProducer(try settings(.producer, Self.recordDefaults.merging(defaults) { $1 }, id, config))
    }

    package func consumer(_ id: String, group: String?, config: [String: String] = [:], defaults: [String: String] = [:]) throws -> KafkaConsumer {
        var own = KafkaConsumer.connectDefaults.merging(defaults) { $1 }
        if let group { own["group.id"] = group }
        return try KafkaConsumer(try settings(.consumer, own, id, config))
    }

    package func admin(_ id: String = "sluice-admin", config: [String: String] = [:]) throws -> KafkaAdmin {
        try KafkaAdmin(try settings(.admin, [:], id, config))
    }

    private func settings(_ role: KafkaSettings.Role, _ defaults: [String: String], _ id: String, _ config: [String: String]) throws -> KafkaSettings {
        try KafkaSettings(
            role, defaults, ["client.id": id], shared, worker.settings(prefixed: "\(role.rawValue)."),
            config.settings(prefixed: "\(role.rawValue).override."))
    }
}
