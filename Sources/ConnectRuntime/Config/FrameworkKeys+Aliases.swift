import ConnectAPI

/// The keys that exist once for every alias the configuration names.
extension FrameworkKeys {
    /// `transforms.A.…`: class and version, the transform's own keys, then the predicate it depends on.
    static func transform(_ alias: String, ownKeys: [ConfigKey], version: String?) -> [ConfigKey] {
        let prefix = "transforms.\(alias).", group = "Transforms: \(alias)"
        var keys = [
            ConfigKey(
                prefix + "type", .class, required: true, importance: .high, doc: "Class of the transform \(alias).", group: group, order: 0, width: .long,
                displayName: "Transformation type for \(alias)"),
            ConfigKey(
                prefix + "plugin.version", .string, default: version, importance: .high, doc: "Version of the transform \(alias).", group: group, order: 1,
                width: .long, displayName: "Transformation version for \(alias)"),
        ]
        guard version != nil else { return keys }
        keys += ownKeys.enumerated().map { embed($1, prefix, group, order: $0 + 2) }
        keys.append(
            ConfigKey(
                prefix + "negate", .boolean, default: "false", doc: "Whether the transform applies where the predicate does not hold.", group: group,
                order: keys.count, displayName: "negate"))
        keys.append(
            ConfigKey(
                prefix + "predicate", .string, doc: "Alias of the predicate that decides which records are transformed.", group: group, order: keys.count,
                displayName: "predicate"))
        return keys
    }

    static func predicate(_ alias: String, ownKeys: [ConfigKey], version: String?) -> [ConfigKey] {
        let prefix = "predicates.\(alias).", group = "Predicates: \(alias)"
        return [
            ConfigKey(
                prefix + "type", .class, required: true, importance: .high, doc: "Class of the predicate \(alias).", group: group, order: 0, width: .long,
                displayName: "Predicate type for \(alias)"),
            ConfigKey(
                prefix + "plugin.version", .string, default: version, importance: .high, doc: "Version of the predicate \(alias).", group: group, order: 1,
                width: .long, displayName: "Predicate version for \(alias)"),
        ] + ownKeys.enumerated().map { embed($1, prefix, group, order: $0 + 2) }
    }

    /// `topic.creation.G.…`; the group `default` has no include and exclude lists, and needs its two figures.
    static func topicCreation(_ group: String) -> [ConfigKey] {
        let prefix = "topic.creation.\(group).", title = "\(topicCreationGroup): \(group)", isDefault = group == "default"
        var keys: [ConfigKey] = []
        if !isDefault {
            keys = [
                ConfigKey(
                    prefix + "include", .list, default: "", importance: .high, doc: "Regular expressions of the topics in this group.", group: title, order: 1,
                    width: .long, displayName: "Inclusion Topic Pattern for \(group)", check: ConfigValidator.regularExpressions),
                ConfigKey(
                    prefix + "exclude", .list, default: "", importance: .high, doc: "Regular expressions of the topics not in this group.", group: title,
                    order: 2,
                    width: .long, displayName: "Exclusion Topic Pattern for \(group)", check: ConfigValidator.regularExpressions),
            ]
        }
        return keys + [
            ConfigKey(
                prefix + "replication.factor", .short, required: isDefault, importance: .high,
                doc: "Replication factor of new topics; -1: the broker's default.",
                group: title, order: 3, width: .long, displayName: "Replication Factor for Topics in \(group)",
                check: positiveOrDefault(
                    "Replication factor must be positive and not larger than the number of brokers in the Kafka cluster, or -1 to use the broker's default")),
            ConfigKey(
                prefix + "partitions", .int, required: isDefault, importance: .high, doc: "Partitions of new topics; -1: the broker's default.", group: title,
                order: 4, width: .long, displayName: "Partition Count for Topics in \(group)",
                check: positiveOrDefault("Number of partitions must be positive, or -1 to use the broker's default")),
        ]
    }

    /// A plugin's own key under the alias that uses the plugin.
    static func embed(_ key: ConfigKey, _ prefix: String, _ group: String?, order: Int) -> ConfigKey {
        ConfigKey(
            prefix + key.name, key.kind, required: key.isRequired, default: key.defaultValue, importance: key.importance, doc: key.documentation,
            group: group, order: order, width: key.width, displayName: key.displayName, check: key.check, aliases: key.aliases.map { prefix + $0 })
    }

    private static func positiveOrDefault(_ reason: String) -> Check {
        Check { text in Int64(text).map { $0 > 0 || $0 == -1 } == false ? reason : nil }
    }
}
