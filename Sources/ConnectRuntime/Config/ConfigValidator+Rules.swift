import ConnectAPI

/// Rules between keys, and the worker's policy on client settings.
extension ConfigValidator {
    /// Exactly one of `topics` and `topics.regex`; the dead letter topic is not among them.
    func sinkFindings(_ values: [String: String]) -> [Diagnostic] {
        let topics = values["topics"]?.trimmingSpaces() ?? "", regex = values["topics.regex"]?.trimmingSpaces() ?? ""
        if topics.isEmpty, regex.isEmpty {
            return ["topics", "topics.regex"].map { Diagnostic($0, "Must configure one of topics or topics.regex") }
        }
        if !topics.isEmpty, !regex.isEmpty {
            return ["topics", "topics.regex"].map {
                Diagnostic($0, "topics and topics.regex are mutually exclusive options, but both are set.")
            }
        }
        guard let deadLetters = values["errors.deadletterqueue.topic.name"]?.trimmingSpaces(), !deadLetters.isEmpty else { return [] }
        let list = Self.list(topics)
        if list.contains(deadLetters) {
            return [
                Diagnostic(
                    "topics",
                    "The DLQ topic '\(deadLetters)' may not be included in the list of topics ('topics=[\(list.joined(separator: ", "))]') "
                        + "consumed by the connector")
            ]
        }
        if !regex.isEmpty, Self.matches(regex, deadLetters) {
            return [
                Diagnostic(
                    "topics.regex",
                    "The DLQ topic '\(deadLetters)' may not be included in the regex matching the list of topics ('topics.regex=\(regex)') "
                        + "consumed by the connector")
            ]
        }
        return []
    }

    /// `producer.override.*` and its like, where the worker's `connector.client.config.override.policy` refuses them.
    func clientOverrides(_ connector: PluginRegistry.Plugin, _ config: [ConfigEntry], into sheet: inout Sheet) {
        let policy = workerValues["connector.client.config.override.policy"]?.trimmingSpaces() ?? "All"
        let name = policy.split(separator: ".").last.map(String.init) ?? policy
        let principal: Set<String> = ["sasl.jaas.config", "sasl.mechanism", "security.protocol"]
        for entry in config {
            guard let prefix = Self.clientPrefixes.first(where: { entry.key.hasPrefix($0) }) else { continue }
            let setting = String(entry.key.dropFirst(prefix.count))
            let refused = name.hasPrefix("None") || name.hasPrefix("Principal") && !principal.contains(setting)
            guard refused else { continue }
            let shownName = name.hasPrefix("None") ? "None" : "Principal"
            sheet.entries.append(
                ConfigInfos.Entry(
                    definition: nil, name: entry.key, value: Self.looksSecret(setting) ? "[hidden]" : entry.value,
                    errors: ["The '\(shownName)' policy does not allow '\(setting)' to be overridden in the connector configuration."]))
        }
    }

    static let clientPrefixes = ["producer.override.", "consumer.override.", "admin.override."]

    /// Client settings that hold credentials (Invariant 10).
    private static func looksSecret(_ setting: String) -> Bool { setting.contains("password") || setting.contains("jaas") || setting.hasSuffix(".key") }
}
