import ConnectAPI

/// Snapshot, batching and values: Debezium's group "Connector".
package struct ConnectorKeys: ConfigurationSection {
    private static let connector = "Connector"

    @Field(
        "event.processing.failure.handling.mode", default: "fail", doc: "What to do when a change cannot be decoded", group: Self.connector,
        order: 1, width: .short, displayName: "Event deserialization failure handling",
        check: .oneOfDebezium(["warn", "fail", "ignore", "skip"]))
    var eventProcessingFailureHandlingMode: String
    @Field(
        "max.batch.size", default: "2048", doc: "Most rows of one batch handed to the log, when it is larger than the default",
        group: Self.connector, order: 2, width: .short, displayName: "Change event batch size", check: .positive)
    var maxBatchSize: Int
    @Field(
        "max.queue.size", default: "8192", doc: "Size of the queue of Java Debezium; the memory budget rules here", group: Self.connector,
        order: 3, width: .short, displayName: "Change event buffer size", check: .positive)
    var maxQueueSize: Int
    @Field(
        "poll.interval.ms", default: "500", doc: "Poll interval of Java Debezium; changes are handed on at once here", group: Self.connector,
        order: 4, width: .short, displayName: "Poll interval (ms)", check: .positive)
    var pollIntervalMilliseconds: Int64
    @Field(
        "max.queue.size.in.bytes", default: "0", doc: "Most bytes buffered before the source waits; 0 leaves it to the memory budget",
        group: Self.connector, order: 5, width: .long, displayName: "Change event buffer size in bytes", check: .notNegative)
    var maxQueueSizeInBytes: Int64
    @Field(
        "provide.transaction.metadata", default: "false", importance: .low,
        doc: "Whether transaction boundaries are written to a topic and into the records", group: Self.connector, order: 6, width: .short,
        displayName: "Store transaction metadata information in a dedicated topic.")
    var provideTransactionMetadata: Bool
    @Field(
        "snapshot.delay.ms", default: "0", importance: .low, doc: "Time to wait before the snapshot, in milliseconds", group: Self.connector,
        order: 7, width: .medium, displayName: "Snapshot Delay (milliseconds)", check: .notNegative)
    var snapshotDelayMilliseconds: Int64
    @Field(
        "streaming.delay.ms", default: "0", importance: .low, doc: "Time to wait between snapshot and streaming, in milliseconds",
        group: Self.connector, order: 8, width: .medium, displayName: "Streaming Delay (milliseconds)", check: .notNegative)
    var streamingDelayMilliseconds: Int64
    @Field(
        "snapshot.include.collection.list", doc: "Tables to snapshot among those captured: regular expressions by commas",
        group: Self.connector, order: 9, width: .long, displayName: "Snapshot mode include data collection", kind: .list)
    var snapshotIncludeCollectionList: String?
    @Field(
        "snapshot.fetch.size", doc: "Rows fetched at a time in a snapshot; COPY streams them here", group: Self.connector, order: 10,
        width: .medium, displayName: "Snapshot fetch size", check: .positive)
    var snapshotFetchSize: Int?
    @Field(
        "snapshot.max.threads", default: "1",
        doc: "Connections that read a snapshot in parallel; when it is not set, as many as there are cores, up to four",
        group: Self.connector, order: 11, width: .short, displayName: "Snapshot maximum threads", check: .positive)
    var snapshotMaxThreads: Int
    @Field(
        "snapshot.mode.custom.name", doc: "Name of a custom snapshotter; has no effect here", group: Self.connector, order: 12,
        width: .medium, displayName: "Snapshot Mode Custom Name")
    var snapshotModeCustomName: String?
    @Field(
        "snapshot.mode.configuration.based.snapshot.data", default: "false", doc: "Whether mode configuration_based snapshots data",
        group: Self.connector, order: 13, width: .medium, displayName: "Snapshot mode property based snapshot data")
    var snapshotModeConfigurationBasedSnapshotData: Bool
    @Field(
        "snapshot.mode.configuration.based.snapshot.schema", default: "false",
        doc: "Whether mode configuration_based snapshots the schema", group: Self.connector, order: 14, width: .medium,
        displayName: "Snapshot mode property based snapshot schema")
    var snapshotModeConfigurationBasedSnapshotSchema: Bool
    @Field(
        "snapshot.mode.configuration.based.start.stream", default: "false", doc: "Whether mode configuration_based streams",
        group: Self.connector, order: 15, width: .medium, displayName: "Snapshot mode property based start stream")
    var snapshotModeConfigurationBasedStartStream: Bool
    @Field(
        "snapshot.mode.configuration.based.snapshot.on.schema.error", default: "false",
        doc: "Whether mode configuration_based snapshots again on a schema error", group: Self.connector, order: 16, width: .medium,
        displayName: "Snapshot mode property based snapshot on schema error")
    var snapshotModeConfigurationBasedSnapshotOnSchemaError: Bool
    @Field(
        "snapshot.mode.configuration.based.snapshot.on.data.error", default: "false",
        doc: "Whether mode configuration_based snapshots again when the offset is gone", group: Self.connector, order: 17, width: .medium,
        displayName: "Snapshot mode property based snapshot on data error")
    var snapshotModeConfigurationBasedSnapshotOnDataError: Bool
    @Field(
        "retriable.restart.connector.wait.ms", default: "10000", importance: .low,
        doc: "Time before the task starts again after an error worth retrying, in milliseconds", group: Self.connector, order: 18,
        width: .medium, displayName: "Retriable restart wait (ms)", check: .notNegative)
    var retriableRestartConnectorWaitMilliseconds: Int64
    @Field(
        "query.fetch.size", default: "0", doc: "Rows fetched at a time by other queries; has no effect here", group: Self.connector,
        order: 19, width: .medium, displayName: "Query fetch size")
    var queryFetchSize: Int
    @Field(
        "errors.max.retries", default: "-1", importance: .low,
        doc: "How often a task starts again after errors worth retrying; -1 means always", group: Self.connector, order: 20, width: .medium,
        displayName: "The maximum number of retries")
    var errorsMaxRetries: Int
    @Field(
        "incremental.snapshot.watermarking.strategy", default: "INSERT_INSERT", importance: .low,
        doc: "How an incremental snapshot marks its windows", group: Self.connector, order: 21, width: .medium,
        displayName: "Incremental snapshot watermarking strategy", check: .oneOfDebezium(["insert_delete", "insert_insert"]))
    var incrementalSnapshotWatermarkingStrategy: String
    @Field(
        "internal.log.position.check.enable", default: "true", doc: "Whether the offset is checked against the slot's position at start",
        group: Self.connector, order: 22, width: .medium, displayName: "Enable/Disable log position check")
    var internalLogPositionCheckEnable: Bool
    @Field(
        "internal.advanced.metrics.enable", default: "false", doc: "Whether Java Debezium reports advanced metrics; has no effect here",
        group: Self.connector, order: 23, width: .medium, displayName: "Enable/Disable advance metrics")
    var internalAdvancedMetricsEnable: Bool
    @Field(
        "connection.validation.timeout.ms", default: "60000", importance: .low,
        doc: "Longest time the validation of a configuration may take to connect, in milliseconds", group: Self.connector, order: 24,
        width: .short, displayName: "Connection validation timeout (ms)")
    var connectionValidationTimeoutMilliseconds: Int64
    @Field(
        "executor.shutdown.timeout.ms", default: "4000", doc: "Longest time a stop waits for threads, in milliseconds", group: Self.connector,
        order: 25, width: .medium, displayName: "Executor shutdown timeout (ms)")
    var executorShutdownTimeoutMilliseconds: Int64
    @Field(
        "openlineage.integration.enabled", default: "false", importance: .low,
        doc: "Whether lineage is reported to OpenLineage; has no effect here", group: Self.connector, order: 26, width: .short,
        displayName: "Enables OpenLineage integration")
    var openlineageIntegrationEnabled: Bool
    @Field(
        "openlineage.integration.config.file.path", default: "./openlineage.yml", importance: .low,
        doc: "OpenLineage configuration file; has no effect here", group: Self.connector, order: 27, width: .long,
        displayName: "Path to OpenLineage file configuration")
    var openlineageIntegrationConfigFilePath: String
    @Field(
        "openlineage.integration.job.namespace", importance: .low, doc: "OpenLineage job namespace; has no effect here",
        group: Self.connector, order: 28, width: .long, displayName: "Namespace used for Debezium job")
    var openlineageIntegrationJobNamespace: String?
    @Field(
        "openlineage.integration.job.description", default: "Debezium change data capture job", importance: .low,
        doc: "OpenLineage job description; has no effect here", group: Self.connector, order: 29, width: .long,
        displayName: "Description used for Debezium job")
    var openlineageIntegrationJobDescription: String
    @Field(
        "openlineage.integration.job.tags", importance: .low, doc: "OpenLineage job tags; has no effect here", group: Self.connector,
        order: 30, width: .long, displayName: "Debezium job tags")
    var openlineageIntegrationJobTags: [String]?
    @Field(
        "openlineage.integration.job.owners", importance: .low, doc: "OpenLineage job owners; has no effect here", group: Self.connector,
        order: 31, width: .long, displayName: "Debezium job owners")
    var openlineageIntegrationJobOwners: [String]?
    @Field(
        "openlineage.integration.dataset.kafka.bootstrap.servers", importance: .low,
        doc: "Kafka servers named in OpenLineage data sets; has no effect here", group: Self.connector, order: 32, width: .long,
        displayName: "Kafka bootstrap server used in Kafka Connect deployment")
    var openlineageIntegrationDatasetKafkaBootstrapServers: String?
    @Field(
        "extended.headers.enabled", default: "true", importance: .low, doc: "Whether records carry the __debezium.context headers",
        group: Self.connector, order: 33, width: .short, displayName: "Enable/Disable extended headers")
    var extendedHeadersEnabled: Bool
    @Field(
        "guardrail.collections.max", default: "0", doc: "Most tables that may be captured; 0 means no limit", group: Self.connector,
        order: 34, width: .short, displayName: "Maximum number of collections or tables")
    var guardrailCollectionsMax: Int
    @Field(
        "guardrail.collections.limit.action", default: "warn", doc: "What to do when more tables are captured: warn or fail",
        group: Self.connector, order: 35, width: .short, displayName: "Guardrail collections limit action",
        check: .oneOfDebezium(["warn", "fail"]))
    var guardrailCollectionsLimitAction: String
    @Field(
        "decimal.handling.mode", default: "precise", doc: "How NUMERIC is represented: exact Decimal, double or string",
        group: Self.connector, order: 36, width: .short, displayName: "Decimal Handling",
        check: .oneOfDebezium(["string", "double", "precise"]))
    var decimalHandlingMode: String
    @Field(
        "time.precision.mode", default: "adaptive", doc: "How dates and times are represented", group: Self.connector, order: 37,
        width: .short, displayName: "Time Precision",
        check: .oneOfDebezium(["adaptive", "adaptive_time_microseconds", "isostring", "microseconds", "nanoseconds", "connect"]))
    var timePrecisionMode: String
    @Field(
        "snapshot.lock.timeout.ms", default: "10000", doc: "Longest time to wait for table locks in a snapshot, in milliseconds",
        group: Self.connector, order: 38, width: .long, displayName: "Snapshot lock timeout (ms)")
    var snapshotLockTimeoutMilliseconds: Int64
    @Field(
        "snapshot.mode", default: "initial", doc: "When a snapshot is taken and whether streaming follows", group: Self.connector, order: 39,
        width: .short, displayName: "Snapshot mode",
        check: .oneOfDebezium(["always", "initial_only", "configuration_based", "when_needed", "initial", "custom", "no_data"], also: ["never", "exported"]))
    var snapshotMode: String
    @Field(
        "snapshot.isolation.mode", default: "serializable", importance: .low,
        doc: "Isolation of the snapshot; it is always the exported snapshot of a slot here, which is repeatable read", group: Self.connector,
        order: 40, width: .short, displayName: "Snapshot isolation mode",
        check: .oneOfDebezium(["read_uncommitted", "repeatable_read", "read_committed", "serializable"]))
    var snapshotIsolationMode: String
    @Field(
        "snapshot.query.mode", default: "select_all", importance: .low, doc: "How snapshot queries are made; select_all",
        group: Self.connector, order: 41, width: .short, displayName: "Snapshot query mode", check: .oneOfDebezium(["custom", "select_all"]))
    var snapshotQueryMode: String
    @Field(
        "snapshot.query.mode.custom.name", doc: "Name of a custom snapshot query class; has no effect here", group: Self.connector, order: 42,
        width: .medium, displayName: "Snapshot Query Mode Custom Name")
    var snapshotQueryModeCustomName: String?
    @Field(
        "snapshot.locking.mode.custom.name", doc: "Name of a custom lock class; has no effect here", group: Self.connector, order: 43,
        width: .medium, displayName: "Snapshot Locking Mode Custom Name")
    var snapshotLockingModeCustomName: String?
    @Field(
        "snapshot.locking.mode", default: "none", importance: .low,
        doc: "Whether tables are locked in ACCESS SHARE mode during the snapshot", group: Self.connector, order: 44, width: .short,
        displayName: "Snapshot locking mode", check: .oneOfDebezium(["shared", "custom", "none"]))
    var snapshotLockingMode: String
    @Field(
        "hstore.handling.mode", default: "json", importance: .low, doc: "How HSTORE is represented: JSON text or a map",
        group: Self.connector, order: 45, width: .medium, displayName: "HStore Handling", check: .oneOfDebezium(["json", "map"]))
    var hstoreHandlingMode: String
    @Field(
        "binary.handling.mode", default: "bytes", importance: .low, doc: "How BYTEA is represented", group: Self.connector, order: 46,
        width: .medium, displayName: "Binary Handling", check: .oneOfDebezium(["bytes", "base64", "hex", "base64-url-safe"]))
    var binaryHandlingMode: String
    @Field(
        "schema.name.adjustment.mode", default: "none", importance: .low, doc: "How schema names are adjusted to what Avro permits",
        group: Self.connector, order: 47, width: .medium, displayName: "Schema Name Adjustment",
        check: .oneOfDebezium(["none", "avro_unicode", "avro"]))
    var schemaNameAdjustmentMode: String
    @Field(
        "interval.handling.mode", default: "numeric", importance: .low,
        doc: "How INTERVAL is represented: microseconds or ISO 8601 text", group: Self.connector, order: 48, width: .medium,
        displayName: "Interval Handling", check: .oneOfDebezium(["string", "numeric"]))
    var intervalHandlingMode: String
    @Field(
        "schema.refresh.mode", default: "columns_diff", doc: "When the schema is read again; Relation messages decide here",
        group: Self.connector, order: 49, width: .short, displayName: "Schema refresh mode",
        check: .oneOfDebezium(["columns_diff", "columns_diff_exclude_unchanged_toast"]))
    var schemaRefreshMode: String
    @Field(
        "incremental.snapshot.chunk.size", default: "1024", doc: "Rows of one chunk of an incremental snapshot", group: Self.connector,
        order: 50, width: .medium, displayName: "Incremental snapshot chunk size", check: .positive)
    var incrementalSnapshotChunkSize: Int
    @Field(
        "unavailable.value.placeholder", default: "__debezium_unavailable_value",
        doc: "What stands for an unchanged TOAST value the server did not send; hex: starts bytes", group: Self.connector, order: 51,
        width: .medium, displayName: "Unavailable value placeholder", aliases: ["toasted.value.placeholder"])
    var unavailableValuePlaceholder: String
    @Field(
        "message.prefix.include.list", doc: "Prefixes of logical messages to capture: regular expressions by commas", group: Self.connector,
        order: 52, width: .long, displayName: "Include Logical Decoding Message Prefixes", kind: .list)
    var messagePrefixIncludeList: String?
    @Field(
        "message.prefix.exclude.list", doc: "Prefixes of logical messages to leave out: regular expressions by commas", group: Self.connector,
        order: 53, width: .long, displayName: "Exclude Logical Decoding Message Prefixes", kind: .list)
    var messagePrefixExcludeList: String?
    @Field(
        "publish.via.partition.root", default: "false",
        doc: "Whether a publication created here publishes partitions as their root table", group: Self.connector, order: 54, width: .short,
        displayName: "Publish via partition root")
    var publishViaPartitionRoot: Bool
}
