import ConnectAPI

/// Every key of Debezium's PostgreSQL connector, with Debezium's types, defaults and order; the texts are ours.
///
/// Keys that make no sense here say so in their text: they are accepted, so that a configuration people have works as it is. What the keys mean
/// together is in `PostgresConfiguration+Meaning.swift`.
package struct PostgresConfiguration: ConnectConfiguration {
    private static let postgres = "Postgres"
    private static let connector = "Connector"
    private static let events = "Events"

    package init() {}

    // MARK: The database, its slot and publication

    @Field(
        "topic.prefix", importance: .high, doc: "Logical name of the server: first part of every topic name and the offset partition",
        group: Self.postgres, order: 1, width: .medium, displayName: "Topic prefix", check: .topicPrefix, aliases: ["database.server.name"],
        mandatory: true)
    var topicPrefix: String?
    @Field(
        "database.hostname", importance: .high, doc: "Host name or address of the database server; several may be listed with commas",
        group: Self.postgres, order: 2, width: .medium, displayName: "Hostname", mandatory: true)
    var databaseHostname: String?
    @Field(
        "database.port", default: "5432", importance: .high, doc: "Port of the database server", group: Self.postgres, order: 3,
        width: .short, displayName: "Port")
    var databasePort: Int
    @Field(
        "database.user", importance: .high, doc: "User to connect as; needs LOGIN and REPLICATION", group: Self.postgres, order: 4,
        width: .short, displayName: "User", mandatory: true)
    var databaseUser: String?
    @Field(
        "database.password", importance: .high, doc: "Password of the user", group: Self.postgres, order: 5, width: .short,
        displayName: "Password")
    var databasePassword: Secret?
    @Field(
        "database.dbname", importance: .high, doc: "Database to read changes from", group: Self.postgres, order: 6, width: .medium,
        displayName: "Database", mandatory: true)
    var databaseDbname: String?
    @Field(
        "database.query.timeout.ms", default: "600000", importance: .low,
        doc: "Longest time a catalog or snapshot query may take, in milliseconds; 0 means no limit", group: Self.postgres, order: 7,
        displayName: "Query timeout", check: .notNegative)
    var databaseQueryTimeoutMilliseconds: Int
    @Field(
        "plugin.name", default: "decoderbufs", doc: "Output plug-in of the slot; pgoutput is what is used", group: Self.postgres, order: 8,
        width: .medium, displayName: "Plugin", check: .oneOfDebezium(["decoderbufs", "pgoutput"]))
    var pluginName: String
    @Field(
        "slot.name", default: "debezium", doc: "Replication slot to create and read", group: Self.postgres, order: 9, width: .medium,
        displayName: "Slot", check: .slotName)
    var slotName: String
    @Field(
        "publication.name", default: "dbz_publication", doc: "Publication to read through", group: Self.postgres, order: 10, width: .medium,
        displayName: "Publication")
    var publicationName: String
    @Field(
        "publication.autocreate.mode", default: "all_tables",
        doc: "Whether and how the publication is created: for all tables, for the captured tables, without tables, or not at all",
        group: Self.postgres, order: 11, width: .medium, displayName: "Publication Auto Create Mode",
        check: .oneOfDebezium(["no_tables", "filtered", "disabled", "all_tables"]))
    var publicationAutocreateMode: String
    @Field(
        "replica.identity.autoset.values",
        doc: "Replica identities to set at start: table:FULL, table:DEFAULT, table:NOTHING or table:INDEX name, by commas",
        group: Self.postgres, order: 12, width: .long, displayName: "Replica Identity Auto Set Values")
    var replicaIdentityAutosetValues: String?
    @Field(
        "slot.drop.on.stop", default: "false",
        doc: "Whether an orderly stop drops the slot; the next start then misses what happened in between", group: Self.postgres, order: 13,
        displayName: "Drop slot on stop", aliases: ["slot.drop_on_stop"])
    var slotDropOnStop: Bool
    @Field(
        "slot.failover", default: "false", doc: "Whether the slot is created for failover (PostgreSQL 17 and later)", group: Self.postgres,
        order: 14, displayName: "Create failover slot")
    var slotFailover: Bool
    @Field(
        "slot.stream.params", importance: .low, doc: "Further options for START_REPLICATION: name=value by semicolons", group: Self.postgres,
        order: 15, width: .long, displayName: "Optional parameters to pass to the logical decoder when the stream is started.")
    var slotStreamParams: String?
    @Field(
        "database.initial.statements", importance: .low,
        doc: "SQL statements to run on every new ordinary connection, by semicolons; two semicolons stand for one", group: Self.postgres,
        order: 16, width: .long, displayName: "Initial statements")
    var databaseInitialStatements: String?
    @Field(
        "database.sslmode", default: "prefer", doc: "How TLS is used", group: Self.postgres, order: 17, width: .medium,
        displayName: "SSL mode", check: .oneOfDebezium(["allow", "prefer", "disable", "verify-ca", "require", "verify-full"]))
    var databaseSslmode: String
    @Field(
        "database.sslcert", doc: "File with the client certificate", group: Self.postgres, order: 18, width: .long,
        displayName: "SSL Client Certificate")
    var databaseSslcert: String?
    @Field(
        "database.sslpassword", doc: "Password of the client key", group: Self.postgres, order: 19, width: .medium,
        displayName: "SSL Client Key Password")
    var databaseSslpassword: Secret?
    @Field(
        "database.sslrootcert", doc: "File with the certificates to trust", group: Self.postgres, order: 20, width: .long,
        displayName: "SSL Root Certificate")
    var databaseSslrootcert: String?
    @Field("database.sslkey", doc: "File with the client key", group: Self.postgres, order: 21, width: .long, displayName: "SSL Client Key")
    var databaseSslkey: String?
    @Field(
        "slot.max.retries", default: "6", importance: .low, doc: "How often to try again when the slot is in use", group: Self.postgres,
        order: 22, displayName: "Retry count", check: .notNegative)
    var slotMaxRetries: Int
    @Field(
        "slot.retry.delay.ms", default: "10000", importance: .low, doc: "Time between those tries, in milliseconds", group: Self.postgres,
        order: 23, displayName: "Retry delay", check: .notNegative)
    var slotRetryDelayMilliseconds: Int64
    @Field(
        "database.sslfactory", doc: "Java class of a socket factory; has no effect here", group: Self.postgres, order: 24, width: .long,
        displayName: "SSL Root Certificate")
    var databaseSslfactory: String?
    @Field(
        "status.update.interval.ms", default: "10000", doc: "How often progress is reported to the server, in milliseconds",
        group: Self.postgres, order: 25, width: .short, displayName: "Status update interval (ms)", check: .positive)
    var statusUpdateIntervalMilliseconds: Int
    @Field(
        "lsn.flush.timeout.ms", default: "30000",
        doc: "Longest time one progress report may take, in milliseconds; reports never wait here", group: Self.postgres, order: 26,
        width: .short, displayName: "LSN flush timeout (ms)")
    var lsnFlushTimeoutMilliseconds: Int64
    @Field(
        "lsn.flush.timeout.action", default: "fail", doc: "What Debezium does when a report takes longer; reports never wait here",
        group: Self.postgres, order: 27, width: .medium, displayName: "LSN flush timeout action",
        check: .oneOfDebezium(["fail", "warn", "ignore"]))
    var lsnFlushTimeoutAction: String
    @Field(
        "database.tcpKeepAlive", default: "true", doc: "Whether TCP keep-alive probes are sent", group: Self.postgres, order: 28,
        width: .short, displayName: "TCP keep-alive probe")
    var tcpKeepAlive: Bool
    @Field(
        "xmin.fetch.interval.ms", default: "0", doc: "How often the slot's xmin is read, in milliseconds; 0 means never",
        group: Self.postgres, order: 29, width: .short, displayName: "Xmin fetch interval (ms)", check: .notNegative)
    var xminFetchIntervalMilliseconds: Int64
    @Field(
        "skipped.operations", default: "t", importance: .low, doc: "Operations to leave out: c, u, d, t, or none", group: Self.postgres,
        order: 30, width: .short, displayName: "Skipped Operations")
    var skippedOperations: [String]
    @Field(
        "flush.lsn.source", default: "true", importance: .low,
        doc: "Whether the slot is moved forward; false leaves that to someone else", group: Self.postgres, order: 31, width: .short,
        displayName: "Boolean to determine if Debezium should flush LSN in the source database")
    var flushLsnSource: Bool

    // MARK: Snapshot, batching and values

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

    // MARK: What is captured and how it is named

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

    // MARK: Read, but not listed by Debezium 3.3

    @Field(
        "sluice.snapshot.unit.bytes", default: "268435456",
        doc: "Size from which a table with an integer key is read, and resumed after a crash, in parts of about this size",
        check: .positive, listed: false)
    var snapshotUnitBytes: Int
    @Field(
        "snapshot.max.threads",
        doc: "Connections that read a snapshot in parallel; when it is not set, as many as there are cores, up to four",
        check: .positive, listed: false)
    var snapshotMaxThreadsGiven: Int?
    @Field("topic.heartbeat.name", doc: "Whole name of the heartbeat topic", listed: false)
    var topicHeartbeatName: String?
    @Field("topic.transaction", default: "transaction", doc: "Last part of the name of the transaction topic", listed: false)
    var topicTransaction: String
    @Field("topic.delimiter", default: ".", doc: "What stands between the parts of a topic name", listed: false)
    var topicDelimiter: String
    @Field("money.fraction.digits", default: "2", doc: "Decimal places of MONEY", check: .notNegative, listed: false)
    var moneyFractionDigits: Int
    @Field(
        "field.name.adjustment.mode", default: "none", doc: "How field names are adjusted to what Avro permits",
        check: .oneOfDebezium(["none", "avro", "avro_unicode"]), listed: false)
    var fieldNameAdjustmentMode: String
    @Field("sanitize.field.names", default: "false", doc: "Older spelling of field.name.adjustment.mode=avro", listed: false)
    var sanitizeFieldNames: Bool
    @Field(
        "lsn.flush.mode", doc: "connector, connector_and_driver or manual: who moves the slot forward",
        check: .oneOfDebezium(["connector", "connector_and_driver", "manual"]), listed: false)
    var lsnFlushMode: String?
    @Field(
        "offset.mismatch.strategy", default: "no_validation", doc: "What wins when offset and slot disagree at start",
        check: .oneOfDebezium(["no_validation", "trust_offset", "trust_slot", "trust_greater_lsn"]), listed: false)
    var offsetMismatchStrategy: String
    @Field(
        "internal.slot.seek.to.known.offset.on.start", default: "false", doc: "Older spelling of offset.mismatch.strategy=trust_offset",
        listed: false)
    var internalSlotSeekToKnownOffsetOnStart: Bool
    @Field(
        "skip.messages.without.change", default: "false", doc: "Whether updates that change no captured column are left out",
        listed: false)
    var skipMessagesWithoutChange: Bool
    @Field("event.converting.failure.handling.mode", default: "warn", doc: "What to do when a value cannot be converted", listed: false)
    var eventConvertingFailureHandlingMode: String
    @Field("read.only", default: "false", doc: "Whether nothing may be written to the database", listed: false)
    var readOnly: Bool
    @Field("signal.file", default: "file-signals.txt", doc: "File of the signal channel file: one JSON signal a line; it is emptied once read", listed: false)
    var signalFile: String
    @Field("database.connectTimeout", default: "10", doc: "Longest time to connect, in seconds", check: .notNegative, listed: false)
    var databaseConnectTimeout: Int
    @Field("database.ApplicationName", doc: "Name shown in pg_stat_activity", listed: false)
    var databaseApplicationName: String?
    @Field("database.options", doc: "Command-line options for the session", listed: false)
    var databaseOptions: String?
    @Field("snapshot.max.threads.multiplier", default: "1", doc: "Chunks per thread in Java Debezium; has no effect here", listed: false)
    var snapshotMaxThreadsMultiplier: Int
    @Field("legacy.snapshot.max.threads", default: "false", doc: "One table per thread in Java Debezium; has no effect here", listed: false)
    var legacySnapshotMaxThreads: Bool

    // MARK: Families of keys

    @FieldPrefix("snapshot.select.statement.overrides.") var selectOverrides: [String: String]
    @FieldPrefix("column.mask.hash.") var columnMaskHash: [String: String]
    @FieldPrefix("column.mask.with.") var columnMask: [String: String]
    @FieldPrefix("column.truncate.to.") var columnTruncate: [String: String]
    @FieldPrefix("driver.") var driver: [String: String]
}
