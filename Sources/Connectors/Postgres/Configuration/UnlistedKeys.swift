import ConnectAPI

/// Keys that are read, but not listed by Debezium 3.3.1, and families of keys.
package struct UnlistedKeys: ConfigurationSection {
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
    @Field(
        "event.converting.failure.handling.mode", default: "warn",
        doc: "What to do when a value cannot be converted: write null and say so once a table (warn, skip), or stop (fail)",
        check: .oneOfDebezium(["warn", "fail", "skip"]), listed: false)
    var eventConvertingFailureHandlingMode: String
    @Field("read.only", default: "false", doc: "Whether nothing may be written to the database", listed: false)
    var readOnly: Bool
    @Field(
        "sluice.schema.settle.ms", default: "500",
        doc: "How long after a commit the catalog is read for a table new to the stream, so that a burst of DDL is over, in milliseconds; 0: at once",
        check: .notNegative, listed: false)
    var schemaSettleMilliseconds: Int64
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

    @FieldPrefix("snapshot.select.statement.overrides.") var selectOverrides: [String: String]
    @FieldPrefix("column.mask.hash.") var columnMaskHash: [String: String]
    @FieldPrefix("column.mask.with.") var columnMask: [String: String]
    @FieldPrefix("column.truncate.to.") var columnTruncate: [String: String]
    @FieldPrefix("driver.") var driver: [String: String]
}
