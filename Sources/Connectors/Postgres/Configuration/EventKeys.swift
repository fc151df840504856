import ConnectAPI

/// What is captured and how it is named: Debezium's group "Events".
package struct EventKeys: ConfigurationSection {
    private static let events = "Events"

    @Field(
        "converters", importance: .low, doc: "Symbolic names of custom converters; has no effect here", group: Self.events, order: 1,
        width: .medium, displayName: "List of prefixes defining custom values converters.")
    var converters: String?
    @Field(
        "post.processors", importance: .low, doc: "Symbolic names of post processors; has no effect here", group: Self.events, order: 2,
        width: .medium, displayName: "List of change event post processors.")
    var postProcessors: String?
    @Field(
        "tombstones.on.delete", default: "true", doc: "Whether a delete is followed by a tombstone", group: Self.events, order: 3,
        width: .short, displayName: "Change the behaviour of Debezium with regards to delete operations")
    var tombstonesOnDelete: Bool
    @Field(
        "heartbeat.interval.ms", default: "0", doc: "How often heartbeat records are written, in milliseconds; 0 means never",
        group: Self.events, order: 4, width: .medium, displayName: "Connector heartbeat interval (milli-seconds)", check: .notNegative)
    var heartbeatIntervalMilliseconds: Int
    @Field(
        "heartbeat.topics.prefix", default: "__debezium-heartbeat", importance: .low, doc: "First part of the heartbeat topic name",
        group: Self.events, order: 5, width: .medium, displayName: "A prefix used for naming of heartbeat topics",
        aliases: ["topic.heartbeat.prefix"])
    var heartbeatTopicsPrefix: String
    @Field(
        "signal.data.collection", doc: "Table that signals are inserted into", group: Self.events, order: 6, width: .medium,
        displayName: "Signaling data collection")
    var signalDataCollection: String?
    @Field(
        "signal.poll.interval.ms", default: "5000", doc: "How often signal channels are read, in milliseconds", group: Self.events, order: 7,
        width: .short, displayName: "Signal processor poll interval")
    var signalPollIntervalMilliseconds: Int64
    @Field(
        "signal.enabled.channels", default: "source", doc: "Channels signals are taken from", group: Self.events, order: 8, width: .long,
        displayName: "Enabled channels names")
    var signalEnabledChannels: [String]
    @Field(
        "topic.naming.strategy", default: "io.debezium.schema.SchemaTopicNamingStrategy", doc: "How topics are named after tables",
        group: Self.events, order: 9, width: .medium, displayName: "Topic naming strategy class")
    var topicNamingStrategy: ClassName
    @Field(
        "notification.enabled.channels", doc: "Channels notifications are sent to", group: Self.events, order: 10, width: .long,
        displayName: "Enabled notification channels names")
    var notificationEnabledChannels: [String]?
    @Field(
        "notification.sink.topic.name", importance: .high, doc: "Topic of the notification channel sink", group: Self.events, order: 11,
        width: .long, displayName: "Notification topic name")
    var notificationSinkTopicName: String?
    @Field(
        "transaction.metadata.factory", default: "io.debezium.pipeline.txmetadata.DefaultTransactionMetadataFactory", importance: .low,
        doc: "Java class that makes transaction metadata; has no effect here", group: Self.events, order: 12, width: .medium,
        displayName: "Factory class to create transaction context & transaction struct maker classes")
    var transactionMetadataFactory: ClassName
    @Field(
        "custom.metric.tags", importance: .low, doc: "Labels added to metrics: name=value by commas", group: Self.events, order: 13,
        width: .medium, displayName: "Customize metric tags")
    var customMetricTags: [String]?
    @Field(
        "column.include.list", doc: "Columns whose values are captured: regular expressions of schema.table.column by commas",
        group: Self.events, order: 14, width: .long, displayName: "Include Columns", kind: .list, aliases: ["column.whitelist"])
    var columnIncludeList: String?
    @Field(
        "column.exclude.list", doc: "Columns whose values are left out: regular expressions of schema.table.column by commas",
        group: Self.events, order: 15, width: .long, displayName: "Exclude Columns", kind: .list, aliases: ["column.blacklist"])
    var columnExcludeList: String?
    @Field(
        "table.include.list", importance: .high, doc: "Tables to capture: regular expressions of schema.table by commas", group: Self.events,
        order: 16, width: .long, displayName: "Include Tables", kind: .list, aliases: ["table.whitelist"])
    var tableIncludeList: String?
    @Field(
        "table.exclude.list", doc: "Tables to leave out: regular expressions of schema.table by commas", group: Self.events, order: 17,
        width: .long, displayName: "Exclude Tables", kind: .list, aliases: ["table.blacklist"])
    var tableExcludeList: String?
    @Field(
        "table.ignore.builtin", default: "true", importance: .low, doc: "Whether system tables are left out", group: Self.events, order: 18,
        width: .short, displayName: "Ignore system databases")
    var tableIgnoreBuiltin: Bool
    @Field(
        "schema.include.list", importance: .high, doc: "Schemas to capture: regular expressions by commas", group: Self.events, order: 19,
        width: .long, displayName: "Include Schemas", kind: .list, aliases: ["schema.whitelist"], dependents: ["table.include.list"])
    var schemaIncludeList: String?
    @Field(
        "schema.exclude.list", doc: "Schemas to leave out: regular expressions by commas", group: Self.events, order: 20, width: .long,
        displayName: "Exclude Schemas", kind: .list, aliases: ["schema.blacklist"])
    var schemaExcludeList: String?
    @Field(
        "message.key.columns", doc: "Columns of the record key by table: tableRegex:column,column by semicolons", group: Self.events,
        order: 21, width: .long, displayName: "Columns PK mapping")
    var messageKeyColumns: String?
    @Field(
        "snapshot.select.statement.overrides",
        doc: "Tables whose snapshot uses a statement of its own, given under this key and the table name", group: Self.events, order: 22,
        width: .long, displayName: "List of tables where the default select statement used during snapshotting should be overridden.")
    var snapshotSelectStatementOverrides: String?
    @Field(
        "column.mask.hash.([^.]+).with.salt.(.+)", doc: "Columns replaced by a salted hash of their value", group: Self.events, order: 23,
        width: .long, displayName: "Mask Columns Using Hash and Salt")
    var columnMaskHashPattern: String?
    @Field(
        "column.mask.with.(d+).chars", doc: "Columns replaced by that many asterisks", group: Self.events, order: 24,
        displayName: "Mask Columns With n Asterisks")
    var columnMaskPattern: String?
    @Field(
        "column.truncate.to.(d+).chars", doc: "Columns cut to that many characters", group: Self.events, order: 25,
        displayName: "Truncate Columns To n Characters")
    var columnTruncatePattern: Int?
    @Field(
        "include.schema.comments", default: "false", doc: "Whether comments of tables and columns become documentation of schemas",
        group: Self.events, order: 26, width: .short, displayName: "Include Table and Column Comments")
    var includeSchemaComments: Bool
    @Field(
        "column.propagate.source.type", doc: "Columns whose schema carries the source type: regular expressions by commas",
        group: Self.events, order: 27, displayName: "Propagate Source Types by Columns", kind: .list)
    var columnPropagateSourceType: String?
    @Field(
        "datatype.propagate.source.type", doc: "Types whose columns carry the source type: regular expressions by commas", group: Self.events,
        order: 28, displayName: "Propagate Source Types by Data Type", kind: .list)
    var datatypePropagateSourceType: String?
    @Field(
        "internal.snapshot.scan.all.columns.force", default: "false", importance: .low,
        doc: "Whether Java Debezium scans the columns of all tables; has no effect here", group: Self.events, order: 29, width: .short,
        displayName: "Snapshot force scan all columns of all tables")
    var internalSnapshotScanAllColumnsForce: Bool
    @Field(
        "snapshot.tables.order.by.row.count", default: "disabled", doc: "Whether the snapshot takes tables by their row count",
        group: Self.events, order: 30, displayName: "Initial snapshot tables order by row count",
        check: .oneOfDebezium(["disabled", "ascending", "descending"]))
    var snapshotTablesOrderByRowCount: String
    @Field(
        "heartbeat.action.query", importance: .low, doc: "Statement to run with every heartbeat", group: Self.events, order: 31,
        width: .medium, displayName: "An optional query to execute with every heartbeat")
    var heartbeatActionQuery: String?
    @Field(
        "include.unknown.datatypes", default: "false", doc: "Whether columns of unknown types are captured as opaque bytes",
        group: Self.events, order: 32, width: .short, displayName: "Include unknown datatypes")
    var includeUnknownDatatypes: Bool
    @Field(
        "sourceinfo.struct.maker", default: "io.debezium.connector.postgresql.PostgresSourceInfoStructMaker", importance: .low,
        doc: "Java class that makes the source block; has no effect here", group: Self.events, order: 33, width: .medium,
        displayName: "Source info struct maker class")
    var sourceinfoStructMaker: ClassName
}
