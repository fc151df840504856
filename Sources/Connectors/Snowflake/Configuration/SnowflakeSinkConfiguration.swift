public import ConnectAPI

/// The keys of the Snowflake sink, spelled as Snowflake's own connector spells them; ours are in the group `Sluice`.
public struct SnowflakeSinkConfiguration: ConnectConfiguration {
    public init() {}

    // MARK: Login
    @Field(
        "snowflake.url.name", importance: .high, doc: "The account's URL: account.snowflakecomputing.com, with or without scheme and port",
        group: "Snowflake Login Info") var url: String
    @Field("snowflake.user.name", importance: .high, doc: "The user to log in as", group: "Snowflake Login Info") var user: String
    @Field(
        "snowflake.private.key", default: "", importance: .high,
        doc: "The user's private key for key-pair authentication: PKCS#8 as PEM or as base64 on one line", group: "Snowflake Login Info") var privateKey: Secret
    @Field("snowflake.private.key.passphrase", default: "", doc: "The passphrase of an encrypted private key", group: "Snowflake Login Info")
    var passphrase: Secret
    @Field("snowflake.password", default: "", doc: "The user's password, instead of a private key", group: "Sluice") var password: Secret
    @Field(
        "snowflake.authenticator", default: "", doc: "snowflake_jwt (key pair), oauth or snowflake (password); by default what was given",
        group: "Snowflake Login Info", check: .oneOfIgnoringCase(["", "snowflake_jwt", "oauth", "snowflake"])) var authenticator: String
    @Field("snowflake.oauth.client.id", default: "", doc: "The client of the OAuth server", group: "Snowflake Login Info") var oauthClient: String
    @Field("snowflake.oauth.client.secret", default: "", doc: "The secret of the OAuth client", group: "Snowflake Login Info") var oauthSecret: Secret
    @Field(
        "snowflake.oauth.refresh.token", default: "", doc: "The refresh token; without one the client's own credentials are used",
        group: "Snowflake Login Info") var oauthRefresh: Secret
    @Field(
        "snowflake.oauth.token.endpoint", default: "", doc: "Where tokens come from; by default the account's own /oauth/token-request",
        group: "Snowflake Login Info") var oauthEndpoint: String
    @Field("snowflake.oauth.scope", default: "", importance: .low, doc: "The scope asked for with OAuth", group: "Snowflake Login Info") var oauthScope: String
    @Field(
        "snowflake.oauth.include.scope", default: "true", importance: .low, doc: "Ask with snowflake.oauth.scope, where one is given",
        group: "Snowflake Login Info")
    var oauthIncludesScope: Bool
    @Field("snowflake.role.name", importance: .high, doc: "The role to use; by default the user's", group: "Snowflake Login Info") var role: String?
    @Field("snowflake.warehouse.name", importance: .high, doc: "The warehouse that runs COPY; by default the user's", group: "Sluice") var warehouse: String?
    @Field("snowflake.database.name", importance: .high, doc: "The database of the tables", group: "Snowflake Login Info") var database: String
    @Field("snowflake.schema.name", importance: .high, doc: "The schema of the tables", group: "Snowflake Login Info") var schema: String
    @Field("snowflake.account.name", doc: "The account, where it is not the first part of the URL's host", group: "Sluice") var account: String?

    // MARK: Tables
    @Field(
        "snowflake.topic2table.map", default: "", doc: "topic:table,… where a topic may be a regular expression; other topics get a table of their name",
        group: "Connector Config") var topicMap: String
    @Field(
        "snowflake.table.layout", default: "",
        doc:
            "seed (DATA, INGESTED_AT), kafka (RECORD_METADATA, RECORD_CONTENT) or columns (a column a field); by default columns with snowflake.enable.schematization, seed for connector.class SnowflakeSink, otherwise kafka",
        group: "Sluice", check: .oneOfIgnoringCase(["", "seed", "kafka", "columns"])) var layoutName: String
    @Field(
        "snowflake.enable.schematization", default: "false", doc: "Write a column a field, and add columns as records have new fields",
        group: "Connector Config") var schematization: Bool
    @Field("snowflake.schema.evolution", default: "true", doc: "Let schematization add columns and drop NOT NULL", group: "Sluice") var evolution: Bool
    @Field("snowflake.table.create", default: "true", doc: "Create tables that do not exist", group: "Sluice") var createTables: Bool
    @Field(
        "snowflake.position.columns", default: "false", doc: "Seed layout: add _TOPIC, _PARTITION and _OFFSET as columns", group: "Sluice")
    var positionColumns: Bool
    @Field(
        "payload.path", default: "", doc: "Write this member of the value instead of the whole: after takes the new row out of a change event", group: "Sluice")
    var payloadPath: String
    @Field(
        "behavior.on.null.values", default: "default", doc: "A record without a value: default (a row with an empty object) or ignore",
        group: "Connector Config",
        check: .oneOfIgnoringCase(["default", "ignore"])) var nullValues: String
    @Field("snowflake.metadata.all", default: "true", doc: "Write RECORD_METADATA", group: "Snowflake Metadata Flags") var metadata: Bool
    @Field("snowflake.metadata.topic", default: "true", doc: "The topic in RECORD_METADATA", group: "Snowflake Metadata Flags") var metadataTopic: Bool
    @Field("snowflake.metadata.offset.and.partition", default: "true", doc: "Offset and partition in RECORD_METADATA", group: "Snowflake Metadata Flags")
    var metadataOffset: Bool
    @Field("snowflake.metadata.createtime", default: "true", doc: "The record's time in RECORD_METADATA", group: "Snowflake Metadata Flags")
    var metadataTime: Bool
    @Field(
        "snowflake.streaming.metadata.connectorPushTime", default: "true", doc: "Streaming: the time of sending in RECORD_METADATA",
        group: "Snowflake Metadata Flags") var metadataPushTime: Bool
    @Field(
        "snowflake.variant.max.bytes", default: "16777216", importance: .low, doc: "The largest JSON text a VARIANT takes; larger records are refused",
        group: "Sluice", check: .between(1024, 134_217_728)) var variantBytes: Int

    // MARK: Loading
    @Field(
        "snowflake.ingestion.method", default: "",
        doc:
            "COPY (files, COPY INTO with a warehouse), SNOWPIPE (files, a pipe) or SNOWPIPE_STREAMING (channels); by default COPY, SNOWPIPE_STREAMING for SnowflakeStreamingSinkConnector",
        group: "Connector Config", check: .oneOfIgnoringCase(["", "copy", "snowpipe", "snowpipe_streaming"])) var method: String
    @Field(
        "buffer.count.records", default: "10000", doc: "Records of a partition after which files are cut", group: "Connector Config", check: .atLeast(1),
        aliases: ["flush.size"]) var bufferRecords: Int64
    @Field(
        "buffer.size.bytes", default: "5000000", doc: "Bytes of a partition after which files are cut", group: "Connector Config", check: .atLeast(1),
        aliases: ["file.max.bytes"]) var bufferBytes: Int64
    @Field("buffer.flush.time", default: "120", doc: "Seconds after the first record after which files are cut", group: "Connector Config", check: .atLeast(1))
    var bufferSeconds: Int64
    @Field(
        "snowflake.copy.interval.seconds", default: "60",
        doc: "Least time between two COPY INTO one table: a warehouse that was suspended is paid for a minute each time it starts", group: "Sluice",
        check: .atLeast(0)) var copyInterval: Int64
    @Field(
        "snowflake.stage.name",
        doc: "A stage of your own; by default an internal one is created for each table. External ones need snowflake.stage.url", group: "Sluice")
    var stageName: String?
    @Field("snowflake.stage.url", doc: "The URL of an external stage, s3://bucket/prefix or gcs://bucket/prefix: files are written there", group: "Sluice")
    var stageURL: String?
    @Field("snowflake.stage.remove.files", default: "true", doc: "Take files off the stage once their offsets are committed", group: "Sluice")
    var removeFiles: Bool
    @Field(
        "snowflake.streaming.max.client.lag", default: "1", importance: .low, doc: "Streaming: seconds rows wait for a request to fill",
        group: "Connector Config",
        check: .between(1, 600)) var maxClientLag: Int64
    @Field("flush.on.stop", default: "false", doc: "Load what is buffered when the task stops; without it these records are read again", group: "Sluice")
    var flushOnStop: Bool
    @Field("s3.region", default: "us-west-2", doc: "External stage: the bucket's region", group: "Sluice", aliases: ["aws.s3.region"]) var s3Region: String
    @Field("store.url", doc: "External stage: an endpoint other than AWS", group: "Sluice") var storeURL: String?
    @Field("aws.access.key.id", default: "", doc: "External stage: the access key; by default environment and profile", group: "Sluice") var accessKey: String
    @Field("aws.secret.access.key", default: "", doc: "External stage: the secret of the access key", group: "Sluice") var secretKey: Secret
    @Field("gcs.endpoint", doc: "External stage: an endpoint other than Google's", group: "Sluice") var gcsEndpoint: String?
    @Field(
        "gcs.credentials.path", doc: "External stage: the key file of a service account; by default Application Default Credentials", group: "Sluice")
    var gcsCredentialsPath: String?
    @Field("gcs.credentials.json", default: "", doc: "External stage: the key of a service account as text", group: "Sluice") var gcsCredentialsJSON: Secret

    // MARK: Requests
    @Field("snowflake.request.retries", default: "6", importance: .low, doc: "How often a request is tried again", group: "Sluice", check: .between(0, 20))
    var requestRetries: Int
    @Field(
        "snowflake.sql.interface", default: "session",
        doc:
            "How statements reach Snowflake: session (a login, as drivers do) or sql_api (the SQL API: no login, a token a request; files then go to an external stage, as it has no PUT)",
        group: "Sluice", check: .oneOfIgnoringCase(["session", "sql_api"])) var sqlInterface: String
    @Field("snowflake.query.tag", doc: "The tag of this connector's statements in the query history", group: "Sluice") var queryTag: String?
    @Field("jvm.proxy.host", doc: "The proxy for requests", group: "Proxy Info") var proxyHost: String?
    @Field("jvm.proxy.port", doc: "The proxy's port", group: "Proxy Info") var proxyPort: String?
    @Field("jvm.proxy.username", doc: "The proxy's user", group: "Proxy Info") var proxyUser: String?
    @Field("jvm.proxy.password", default: "", doc: "The proxy's password", group: "Proxy Info") var proxyPassword: Secret
    @Field("connector.class", doc: "The name this connector was asked for by", listed: false) var connectorClass: String?
    @Field("name", doc: "The connector's name", listed: false) var connectorName: String?

    // MARK: Accepted
    @Field("provider", importance: .low, doc: "Accepted for compatibility: where Kafka comes from", group: "Connector Config") var provider: String?
    @Field("jmx", default: "true", importance: .low, doc: "Accepted for compatibility: metrics are at /metrics", group: "Connector Config") var jmx: Bool
    @Field("enable.mdc.logging", default: "false", importance: .low, doc: "Accepted for compatibility", group: "Connector Config") var mdcLogging: Bool
    @Field(
        "enable.task.fail.on.authorization.errors", default: "false", importance: .low,
        doc: "Accepted for compatibility: a task fails when it is not authorized, and says which grant is missing", group: "Connector Config")
    var failOnAuthorization: Bool
    @Field(
        "jvm.nonProxy.hosts", importance: .low, doc: "Hosts that are asked without the proxy, separated by |; *.example.com is a domain", group: "Proxy Info")
    var nonProxyHosts: String?
    @FieldPrefix("snowflake.jdbc.") var jdbc: [String: String]
    @FieldPrefix("snowflake.snowpipe.") var snowpipe: [String: String]
    @FieldPrefix("enable.streaming.") var streamingSwitches: [String: String]
    @FieldPrefix("snowflake.streaming.") var streaming: [String: String]

    // MARK: Refused unless off
    @Field("snowflake.autocreate.table.type", doc: "Tables other than standard ones: not supported", group: "Connector Config") var tableType: String?
    @Field("snowflake.iceberg.create.table.options", doc: "Iceberg tables: not supported", group: "Connector Config") var icebergOptions: String?
    @Field(
        "snowflake.validation", default: "server_side", importance: .low, doc: "Accepted: records are checked here for size and shape, by Snowflake for types",
        group: "Connector Config", check: .oneOfIgnoringCase(["server_side", "client_side"])) var validation: String
}
