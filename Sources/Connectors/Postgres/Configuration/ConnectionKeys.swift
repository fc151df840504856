import ConnectAPI

/// The database, its slot and publication: Debezium's group "Postgres".
package struct ConnectionKeys: ConfigurationSection {
    private static let postgres = "Postgres"

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
}
