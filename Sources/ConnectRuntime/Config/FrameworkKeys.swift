package import ConnectAPI

/// The keys every connector has, whatever its class, in the order and with the defaults Kafka Connect 4.1 reports them.
///
///     common ─▶ error handling ─▶ source: topic creation, exactly once, offsets topic
///                             └─▶ sink: topics, dead letter queue
///            ─▶ one section an alias of `transforms`, `predicates`, `topic.creation.groups`  (FrameworkKeys+Aliases.swift)
///
/// A rule's reasons are Kafka's words, because tools match them.
package enum FrameworkKeys {
    /// What the defaults depend on: the connector's version and the converters in force.
    package struct Defaults: Sendable {
        package var connectorVersion: String?
        package var keyConverter: String?, valueConverter: String?, headerConverter: String?
        package var keyConverterVersion: String?, valueConverterVersion: String?, headerConverterVersion: String?
        package init() {}
    }

    static let commonGroup = "Common", errorGroup = "Error Handling", transformsGroup = "Transforms", predicatesGroup = "Predicates"
    static let topicCreationGroup = "Topic Creation", exactlyOnceGroup = "Exactly Once Support", offsetsTopicGroup = "offsets.topic"

    package static func source(_ defaults: Defaults = Defaults()) -> [ConfigKey] { common(defaults) + sourceOnly }
    package static func sink(_ defaults: Defaults = Defaults()) -> [ConfigKey] { common(defaults) + sinkOnly }

    private static func common(_ defaults: Defaults) -> [ConfigKey] {
        [
            ConfigKey(
                "name", .string, required: true, importance: .high, doc: "Globally unique name of the connector.", group: commonGroup, order: 1,
                width: .medium, displayName: "Connector name", check: connectorName),
            ConfigKey(
                "connector.class", .string, required: true, importance: .high,
                doc: "Class of the connector: its full name, its simple name, or its simple name without the suffix Connector.",
                group: commonGroup, order: 2, width: .long, displayName: "Connector class"),
            ConfigKey(
                "connector.plugin.version", .string, default: defaults.connectorVersion, doc: "Version of the connector, or a range of versions.",
                group: commonGroup, order: 3, width: .medium, displayName: "Connector version"),
            ConfigKey(
                "tasks.max", .int, default: "1", importance: .high, doc: "How many tasks the connector may be divided into at most.",
                group: commonGroup, order: 4, width: .short, displayName: "Tasks max", check: .atLeast(1)),
            ConfigKey(
                "tasks.max.enforce", .boolean, default: "true", importance: .low,
                doc: "Whether a connector that makes more tasks than tasks.max fails.", group: commonGroup, order: 5, width: .short,
                displayName: "Enforce tasks max"),
            converter("key.converter", defaults.keyConverter, order: 6, "Key converter class", "Converter of record keys; the worker's when absent."),
            converterVersion("key.converter", defaults.keyConverterVersion, order: 7, "Key converter version"),
            converter("value.converter", defaults.valueConverter, order: 8, "Value converter class", "Converter of record values; the worker's when absent."),
            converterVersion("value.converter", defaults.valueConverterVersion, order: 9, "Value converter version"),
            converter(
                "header.converter", defaults.headerConverter, order: 10, "Header converter class", "Converter of header values; the worker's when absent."),
            converterVersion("header.converter", defaults.headerConverterVersion, order: 11, "Header converter version"),
            ConfigKey(
                "transforms", .list, default: "", importance: .low, doc: "Aliases of the transforms applied to each record, in this order.",
                group: transformsGroup, order: 12, width: .long, displayName: "Transforms", check: uniqueAliases),
            ConfigKey(
                "predicates", .list, default: "", importance: .low, doc: "Aliases of the predicates that transforms may refer to.",
                group: predicatesGroup, order: 13, width: .long, displayName: "Predicates", check: uniqueAliases),
            ConfigKey(
                "config.action.reload", .string, default: "restart", importance: .low,
                doc: "What to do when a value from a config provider changes: none or restart.", group: commonGroup, order: 14, width: .medium,
                displayName: "Reload Action", check: oneOf(["none", "restart"])),
        ] + errorHandling
    }

    private static let errorHandling: [ConfigKey] = [
        ConfigKey(
            "errors.retry.timeout", .long, default: "0", doc: "Milliseconds a failed operation is retried for; -1: without end, 0: not at all.",
            group: errorGroup, order: 1, width: .medium, displayName: "Retry Timeout for Errors"),
        ConfigKey(
            "errors.retry.delay.max.ms", .long, default: "60000", doc: "Longest wait between two retries in milliseconds.", group: errorGroup,
            order: 2, width: .medium, displayName: "Maximum Delay Between Retries for Errors"),
        ConfigKey(
            "errors.tolerance", .string, default: "none", doc: "none: a bad record fails the task; all: bad records are skipped and reported.",
            group: errorGroup, order: 3, width: .short, displayName: "Error Tolerance", check: oneOf(["none", "all"])),
        ConfigKey(
            "errors.log.enable", .boolean, default: "false", doc: "Whether each failed operation is logged.", group: errorGroup, order: 4,
            width: .short, displayName: "Log Errors"),
        ConfigKey(
            "errors.log.include.messages", .boolean, default: "false",
            doc: "Whether the log line of a failed operation names the record by topic, partition and offset.", group: errorGroup, order: 5,
            width: .short, displayName: "Log Error Details"),
    ]

    private static let sourceOnly: [ConfigKey] = [
        ConfigKey(
            "topic.creation.groups", .list, default: "", importance: .low, doc: "Groups of topics that are created with settings of their own.",
            group: topicCreationGroup, order: 1, width: .long, displayName: "Topic Creation Groups", check: uniqueAliases),
        ConfigKey(
            "exactly.once.support", .string, default: "requested", doc: "requested, or required: refuse to run without exactly-once delivery.",
            group: exactlyOnceGroup, order: 2, width: .short, displayName: "Exactly once support",
            check: oneOfIgnoringCase(["requested", "required"])),
        ConfigKey(
            "transaction.boundary", .string, default: "poll", doc: "Where transactions end: poll, interval or connector.", group: exactlyOnceGroup,
            order: 3, width: .short, displayName: "Transaction Boundary", check: oneOfIgnoringCase(["poll", "interval", "connector"])),
        ConfigKey(
            "transaction.boundary.interval.ms", .long, importance: .low, doc: "Milliseconds between two transactions with transaction.boundary=interval.",
            group: exactlyOnceGroup, order: 4, width: .short, displayName: "Transaction boundary interval", check: .atLeast(0)),
        ConfigKey(
            "offsets.storage.topic", .string, importance: .low, doc: "A topic of its own for this connector's source offsets.",
            group: offsetsTopicGroup, order: 1, width: .long, displayName: "Offsets topic", check: .nonEmpty),
    ]

    private static let sinkOnly: [ConfigKey] = [
        ConfigKey(
            "topics", .list, default: "", importance: .high, doc: "Topics to read, separated by commas.", group: commonGroup, order: 4, width: .long,
            displayName: "Topics"),
        ConfigKey(
            "topics.regex", .string, default: "", importance: .high, doc: "Java regular expression that the names of the topics to read match as a whole.",
            group: commonGroup, order: 4, width: .long, displayName: "Topics regex", check: ConfigValidator.regularExpression),
        ConfigKey(
            "errors.deadletterqueue.topic.name", .string, default: "", doc: "Topic that takes the records this sink cannot; empty: none.",
            group: errorGroup, order: 6, width: .medium, displayName: "Dead Letter Queue Topic Name"),
        ConfigKey(
            "errors.deadletterqueue.topic.replication.factor", .short, default: "3", doc: "Replication factor of the dead letter topic when it is created.",
            group: errorGroup, order: 7, width: .medium, displayName: "Dead Letter Queue Topic Replication Factor"),
        ConfigKey(
            "errors.deadletterqueue.context.headers.enable", .boolean, default: "false",
            doc: "Whether dead letters carry headers that say what went wrong and where.", group: errorGroup, order: 8, width: .medium,
            displayName: "Enable Error Context Headers"),
    ]

    private static func converter(_ name: String, _ value: String?, order: Int, _ title: String, _ doc: String) -> ConfigKey {
        ConfigKey(name, .class, default: value, importance: .low, doc: doc, group: commonGroup, order: order, width: .short, displayName: title)
    }
    private static func converterVersion(_ name: String, _ value: String?, order: Int, _ title: String) -> ConfigKey {
        ConfigKey(
            "\(name).plugin.version", .string, default: value, importance: .low, doc: "Version of \(name), or a range of versions.",
            group: commonGroup, order: order, width: .short, displayName: title)
    }

    // Framework keys have no recommended values in Kafka Connect's answer, so these checks offer none.
    private static func oneOf(_ values: [String]) -> Check { Check(Check.oneOf(values).reason) }
    private static func oneOfIgnoringCase(_ values: [String]) -> Check { Check(Check.oneOfIgnoringCase(values).reason) }

    private static let connectorName = Check { name in
        if name.isEmpty { return "String may not be empty" }
        let controls = name.unicodeScalars.filter { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }.map { String($0.value) }
        return controls.isEmpty
            ? nil : "String may not contain control sequences but had the following ASCII chars: \(controls.joined(separator: ", "))"
    }

    static let uniqueAliases = Check { text in
        let aliases = ConfigValidator.list(text)
        return Set(aliases).count == aliases.count ? nil : "Duplicate alias provided."
    }
}
