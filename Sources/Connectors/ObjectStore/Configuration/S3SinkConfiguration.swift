public import ConnectAPI

/// The keys of the S3 sink, spelled as Confluent's connector spells them; ours are in the group `Sluice`.
public struct S3SinkConfiguration: ConnectConfiguration {
    public init() {}

    // MARK: Where
    @Field(
        "s3.bucket.name", importance: .high, doc: "The bucket to write to. Not needed when store.url names a local directory", group: "S3",
        aliases: ["aws.s3.bucket.name", "aws_s3_bucket"]) var bucket: String?
    @Field(
        "s3.region",
        doc:
            "The bucket's region; without one AWS_REGION, AWS_DEFAULT_REGION and the profile are asked, then it is us-west-2. When the service names another one, it is adopted and logged",
        group: "S3", aliases: ["aws.s3.region", "aws_s3_region"]) var region: String?
    @Field(
        "store.url", importance: .high, doc: "An endpoint other than AWS (http://minio:9000), or a local directory (file:///data/lake or /data/lake)",
        group: "Storage", aliases: ["aws.s3.endpoint", "aws_s3_endpoint"]) var storeURL: String?
    @Field("s3.path.style.access.enabled", default: "true", doc: "Put the bucket into the path of a request instead of the host name", group: "S3")
    var pathStyle: Bool
    @Field("s3.bucket.create", default: "false", doc: "Create the bucket when it does not exist", group: "Sluice") var createBucket: Bool
    @Field(
        "topics.dir", default: "topics", importance: .high, doc: "The first directory of every object name; empty leaves it out", group: "Storage",
        aliases: ["aws.s3.prefix"]) var topicsDirectory: String
    @Field("directory.delim", default: "/", doc: "What separates directories in object names", group: "Storage") var directoryDelimiter: String
    @Field("file.delim", default: "+", doc: "What separates topic, partition and offset in object names", group: "Storage") var fileDelimiter: String
    @Field("filename.offset.zero.pad.width", default: "10", doc: "Digits the start offset in an object name is padded to", group: "S3", check: .atLeast(0))
    var offsetPadWidth: Int

    // MARK: Credentials
    @Field(
        "aws.access.key.id", default: "", importance: .high, doc: "The access key; without one the environment and the shared profile are asked", group: "S3",
        aliases: ["aws_access_key_id"]) var accessKey: String
    @Field(
        "aws.secret.access.key", default: "", importance: .high, doc: "The secret that belongs to aws.access.key.id", group: "S3",
        aliases: ["aws_secret_access_key"]) var secretKey: Secret
    @Field(
        "s3.credentials.provider.class", default: "com.amazonaws.auth.DefaultAWSCredentialsProviderChain", importance: .low,
        doc:
            "The default chain (configuration, environment, web identity, profile, container, instance); AwsAssumeRoleCredentialsProvider for the role in s3.credentials.provider.sts.role.arn; a class whose name contains Anonymous for unsigned requests",
        group: "S3", aliases: ["aws.credentials.provider"])
    var credentialsProvider: ClassName
    @FieldPrefix("s3.credentials.provider.") var credentialsOptions: [String: String]
    @Field("aws.sts.role.arn", importance: .low, doc: "A role to take on, by its ARN", group: "S3") var roleARN: String?
    @Field("aws.sts.role.session.name", importance: .low, doc: "The session's name, as it appears in AWS's logs", group: "S3") var roleSessionName: String?
    @Field("aws.sts.role.external.id", importance: .low, doc: "The external id the role's trust policy asks for", group: "S3") var roleExternalID: String?
    @Field(
        "aws.sts.role.session.duration", importance: .low, doc: "Seconds a session of the role lasts", group: "S3", check: .between(900, 43_200))
    var roleDuration: Int?
    @Field("aws.sts.config.endpoint", importance: .low, doc: "An STS other than the region's", group: "S3") var stsEndpoint: String?

    // MARK: Requests
    @Field(
        "s3.part.size", default: "26214400", importance: .high, doc: "Bytes of one part of a multipart upload; smaller files are one request", group: "S3",
        check: .between(5_242_880, 2_147_483_647), aliases: ["aws.s3.part.size.bytes"]) var partSize: Int
    @Field(
        "s3.part.retries", default: "3", doc: "How often a request is tried again before the upload counts as failing", group: "S3", check: .atLeast(0),
        aliases: ["aws.s3.backoff.max.retries"]) var partRetries: Int
    @Field(
        "s3.retry.backoff.ms", default: "200", importance: .low, doc: "The first back-off of a request in milliseconds; it doubles, with full jitter",
        group: "S3", check: .atLeast(0), aliases: ["aws.s3.backoff.delay.ms"]) var retryBackoff: Int64
    @Field(
        "aws.s3.backoff.max.delay.ms", default: "20000", importance: .low, doc: "The longest back-off of a request in milliseconds", group: "S3",
        check: .atLeast(1)) var retryBackoffMaximum: Int64
    @Field(
        "retry.backoff.ms", default: "5000", importance: .low, doc: "Milliseconds between attempts to store a file once the retries of a request are used up",
        group: "Connector", check: .atLeast(0)) var taskRetryBackoff: Int64
    @Field(
        "s3.payload.signing", default: "auto", importance: .low, doc: "Sign the bytes of a request: auto (over http only), signed, unsigned", group: "Sluice",
        check: .oneOf(["auto", "signed", "unsigned"])) var payloadSigning: String
    @Field("s3.http.send.expect.continue", default: "true", importance: .low, doc: "Ask the service before a large body is sent", group: "S3")
    var expectContinue: Bool
    @Field("s3.send.digest", default: "false", importance: .low, doc: "Send Content-MD5 with every body; a CRC32C is sent anyway", group: "S3") var sendDigest:
        Bool
    @Field("s3.proxy.url", default: "", importance: .low, doc: "The proxy for requests, as http://host:port", group: "S3") var proxyURL: String
    @Field("s3.proxy.user", importance: .low, doc: "The user name for the proxy", group: "S3") var proxyUser: String?
    @Field("s3.proxy.password", default: "[hidden]", importance: .low, doc: "The password for the proxy", group: "S3") var proxyPassword: Secret
    let trust = TrustConfiguration()
    @Field("s3.ssea.name", default: "", importance: .low, doc: "Server-side encryption: AES256 or aws:kms", group: "S3", aliases: ["aws.s3.sse.algorithm"])
    var encryption: String
    @Field("s3.sse.kms.key.id", default: "", importance: .low, doc: "The KMS key when s3.ssea.name is aws:kms", group: "S3") var kmsKey: String
    @Field(
        "s3.sse.customer.key", default: "", importance: .low,
        doc: "A key of one's own for server-side encryption (SSE-C): the base64 of 32 bytes; whoever reads the objects needs it", group: "S3") var customerKey:
        Secret
    @Field(
        "s3.acl.canned", importance: .low, doc: "A canned ACL for every object, such as bucket-owner-full-control", group: "S3",
        check: .oneOf([
            "", "private", "public-read", "public-read-write", "authenticated-read", "log-delivery-write", "bucket-owner-read", "bucket-owner-full-control",
            "aws-exec-read",
        ])) var cannedACL: String?
    @Field("s3.wan.mode", default: "false", importance: .low, doc: "Use AWS's transfer acceleration, which the bucket must allow", group: "S3") var wanMode:
        Bool
    @Field(
        "s3.object.tagging", default: "false", importance: .low,
        doc: "Tag every object with startOffset, endOffset and recordCount, by a request of its own. The same facts are in its metadata anyway", group: "S3")
    var tagging: Bool
    @Field("s3.object.tagging.key.value.pairs", default: "", importance: .low, doc: "More tags, as key:value,key:value", group: "S3") var taggingPairs: [String]
    @Field(
        "s3.object.behavior.on.tagging.error", default: "ignore", importance: .low,
        doc: "When an object is stored and cannot be tagged: ignore (count and log) or fail", group: "S3", check: .oneOfIgnoringCase(["ignore", "fail"]))
    var taggingErrors: String
    @Field(
        "s3.orphan.uploads.max.age.ms", default: "86400000", importance: .low,
        doc:
            "Unfinished multipart uploads below the topic's directory (in a directory: sealed files of a ledger) that are older are dropped when a task starts; -1: never",
        group: "Sluice")
    var orphanAge: Int64

    // MARK: Rotation
    @Field(
        "flush.size", importance: .high, doc: "Records of a topic partition, over all its directories, after which its files are stored", group: "Connector",
        check: .atLeast(1), aliases: ["buffer.count.records"]) var flushSize: Int
    @Field(
        "rotate.interval.ms", default: "-1", importance: .high, doc: "Record time in milliseconds a set of files may span; needs a time partitioner",
        group: "Connector") var rotateInterval: Int64
    @Field("rotate.schedule.interval.ms", default: "-1", doc: "Wall-clock milliseconds between stores, counted from midnight in timezone", group: "Connector")
    var rotateScheduleInterval: Int64
    @Field(
        "rotate.file.on.partition.change", default: "true", importance: .low,
        doc: "With rotate.interval.ms, store all files when a record belongs to another directory than the one before", group: "Connector")
    var rotateOnDirectoryChange: Bool
    @Field(
        "watermark.interval.ms", default: "-1", importance: .low,
        doc:
            "Milliseconds between objects <topics.dir>/_watermark/<topic>/<partition>.json that say up to which offset and record time everything is stored; -1: none",
        group: "Sluice") var watermarkInterval: Int64
    @Field(
        "directory.manifest.delay.ms", default: "-1", importance: .low,
        doc:
            "With a time partitioner: this long after a directory's time has passed, <topics.dir>/_manifest/<topic>/<directory>/<partition>.json lists its files; -1: none",
        group: "Sluice") var manifestDelay: Int64
    @Field("file.max.records", default: "-1", doc: "Records after which a file is stored by itself; -1: no limit", group: "Sluice") var fileMaxRecords: Int
    @Field("file.max.bytes", default: "-1", doc: "Bytes after which a file is stored by itself; -1: no limit", group: "Sluice") var fileMaxBytes: Int64
    @Field(
        "file.max.age.ms", default: "-1", doc: "Wall-clock milliseconds after its first record after which a file is stored by itself; -1: no limit",
        group: "Sluice") var fileMaxAge: Int64
    @Field(
        "max.uncommitted.ms", default: "300000", importance: .low,
        doc: "Longest time in milliseconds that files of different directories may hold back the committed offset before all are stored together",
        group: "Sluice", check: .atLeast(1)) var maxUncommitted: Int64
    @Field(
        "flush.on.stop", default: "false", doc: "Store the records that are still buffered when the task stops; without it they are read from the topic again",
        group: "Sluice") var flushOnStop: Bool
    @Field(
        "schema.compatibility", default: "NONE", importance: .high,
        doc:
            "What a change of the record schema does: NONE stores the file and starts the next; BACKWARD, FORWARD, FULL project to the file's schema where the versions allow",
        group: "Schema", check: .oneOf(["NONE", "BACKWARD", "FORWARD", "FULL"])) var schemaCompatibility: String
    @Field(
        "partitioner.max.open.files", default: "-1", importance: .low,
        doc: "Files of a topic partition that may be open; one more stores them all. -1: no limit", group: "Partitioner") var maxOpenFiles: Int
    @Field(
        "exactly.once.mode", default: "names",
        doc:
            "How a restart tells what is stored: names (files are met again under names that follow from their records), or ledger (objects below _ledger list what is stored, all files of a partition together; names may then be of the clock or a counter)",
        group: "Sluice", check: .oneOf(["names", "ledger"])) var exactlyOnceMode: String
    let compaction = CompactionConfiguration()
    @Field("enable.conditional.writes", default: "true", doc: "Never replace an object: create it only when it does not exist", group: "S3")
    var conditionalWrites: Bool

    // MARK: Directories
    @Field(
        "partitioner.class", default: "io.confluent.connect.storage.partitioner.DefaultPartitioner", importance: .high,
        doc: "How records divide into directories: Default, Field, TimeBased, Daily or HourlyPartitioner", group: "Partitioner") var partitioner: ClassName
    @Field("partition.field.name", default: "", doc: "Fields that make the directories, for FieldPartitioner; dots reach into structs", group: "Partitioner")
    var partitionFields: [String]
    @Field("partition.duration.ms", default: "-1", doc: "Milliseconds one directory spans, for TimeBasedPartitioner", group: "Partitioner")
    var partitionDuration: Int64
    @Field(
        "path.format", default: "", doc: "The directory of an instant as a Joda-Time pattern, for TimeBasedPartitioner: 'dt'=YYYY-MM-dd/'hour'=HH",
        group: "Partitioner") var pathFormat: String
    @Field("locale", default: "", doc: "Accepted for compatibility: months and days are written in digits or English", group: "Partitioner") var locale: String
    @Field("timezone", default: "", doc: "The time zone of directories and of rotate.schedule.interval.ms: Europe/Paris, UTC, +02:00", group: "Partitioner")
    var timezone: String
    @Field(
        "timestamp.extractor", default: "Wallclock", doc: "The time of a record: Wallclock, Record, or RecordField with timestamp.field", group: "Partitioner")
    var timestampExtractor: String
    @Field("timestamp.field", default: "timestamp", doc: "The field that holds a record's time, for RecordField; dots reach into structs", group: "Partitioner")
    var timestampField: String
    @Field(
        "timestamp.fallback", default: "dlq",
        doc: "The time of a record whose timestamp.field is null or unreadable: dlq (refuse the record), record, wallclock", group: "Sluice",
        check: .oneOf(["dlq", "record", "wallclock"])) var timestampFallback: String
    @Field(
        "partition.value.escape", default: "none",
        doc: "How field values enter directory names: none (as they are), hive (percent-escaped, null as __HIVE_DEFAULT_PARTITION__)", group: "Sluice",
        check: .oneOf(["none", "hive"])) var valueEscape: String
    @Field(
        "partition.drop.field", default: "false", importance: .low,
        doc:
            "Leave columns out of files that their directories show already (year of year=2026/): Athena and BigQuery refuse a table that has a column twice",
        group: "Sluice") var dropsPartitionFields: Bool
    @Field(
        "file.name.template", default: "",
        doc: "Replaces the whole object name but topics.dir: {{topic}}, {{table}}, {{partition}}, {{start_offset}}, {{timestamp:format=...}}, {{directory}}",
        group: "Sluice") var fileNameTemplate: String

    // MARK: Contents
    @Field(
        "format.class", importance: .high, doc: "ParquetFormat, JsonFormat, AvroFormat or ByteArrayFormat", group: "Connector", aliases: ["format.output.type"])
    var format: ClassName
    @Field(
        "parquet.codec", default: "snappy", importance: .low, doc: "Compression of Parquet pages: none, snappy, gzip, zstd, lz4", group: "Connector",
        check: .oneOfIgnoringCase(["none", "uncompressed", "snappy", "gzip", "zstd", "lz4"])) var parquetCodec: String
    let parquet = ParquetConfiguration()
    @Field(
        "s3.compression.type", default: "none", importance: .low, doc: "Compression of JSON and byte files: none or gzip", group: "S3",
        check: .oneOf(["none", "gzip"])) var compressionType: String
    @Field("s3.compression.level", default: "-1", importance: .low, doc: "The gzip level, -1 to 9", group: "S3", check: .between(-1, 9)) var compressionLevel:
        Int
    @Field(
        "json.decimal.format", default: "BASE64", importance: .low, doc: "How JSON files hold decimals: BASE64 or NUMERIC", group: "Connector",
        check: .oneOfIgnoringCase(["BASE64", "NUMERIC"])) var decimalFormat: String
    @Field("format.bytearray.extension", default: ".bin", importance: .low, doc: "The extension of byte files", group: "S3") var byteArrayExtension: String
    @Field("format.bytearray.separator", importance: .low, doc: "What follows every record of a byte file; a line end when empty", group: "S3")
    var byteArraySeparator: String?
    @Field(
        "behavior.on.null.values", default: "fail", importance: .low,
        doc: "A record without a value: fail, ignore, or write (a Parquet or JSON row with the key's fields and __deleted = true)", group: "S3",
        check: .oneOfIgnoringCase(["fail", "ignore", "write"])) var nullValues: String
    @Field(
        "report.null.values.to.dlq", default: "true", importance: .low,
        doc: "With behavior.on.null.values=ignore, hand records without a value to the dead letter queue, where there is one", group: "S3")
    var reportNullValues: Bool
    @Field(
        "payload.path", default: "", doc: "Write this member of the value instead of the whole: after takes the new row out of a change event", group: "Sluice")
    var payloadPath: String

    // The framework's keys; whether values came without a schema decides the order of JSON members.
    @Field("value.converter", doc: "The converter of values", listed: false) var valueConverter: ClassName?
    @Field("value.converter.schemas.enable", default: "true", doc: "Whether values bring schemas", listed: false) var valueSchemas: Bool
    @Field("errors.tolerance", default: "none", doc: "Whether bad records are passed over", listed: false) var errorsTolerance: String
    @Field("errors.deadletterqueue.topic.name", doc: "The topic of records that cannot be written", listed: false) var deadLetterTopic: String?

    // MARK: Accepted
    @Field(
        "storage.class", default: "io.confluent.connect.s3.storage.S3Storage", importance: .high,
        doc: "Accepted for compatibility: io.confluent.connect.s3.storage.S3Storage", group: "Storage") var storageClass: ClassName
    @Field("schema.generator.class", importance: .low, doc: "Accepted for compatibility", group: "Schema") var schemaGenerator: ClassName?
    @Field("shutdown.timeout.ms", default: "3000", importance: .low, doc: "Accepted for compatibility: the worker's graceful timeout holds", group: "Connector")
    var shutdownTimeout: Int64
    @Field("append.late.data", default: "false", importance: .low, doc: "Accepted for compatibility", group: "Connector") var appendLateData: Bool
    @Field("s3.elastic.buffer.enable", default: "false", importance: .low, doc: "Accepted for compatibility: buffers always grow as needed", group: "S3")
    var elasticBuffer: Bool
    @Field("s3.elastic.buffer.init.capacity", default: "131072", importance: .low, doc: "Accepted for compatibility", group: "S3") var elasticCapacity: Int
    @Field(
        "max.files.scan.limit", default: "100", importance: .low, doc: "Accepted for compatibility: a stored file names its last offset, so nothing is scanned",
        group: "S3") var scanLimit: Int
    @Field("max.write.duration.ms", default: "9223372036854775807", importance: .low, doc: "Accepted for compatibility: uploads run beside writes", group: "S3")
    var maxWriteDuration: Int64
    @Field("avro.codec", importance: .low, doc: "Compression of Avro files: null, deflate, snappy, bzip2 or zstandard", group: "Connector") var avroCodec:
        String?
    @Field("enhanced.avro.schema.support", default: "true", importance: .low, doc: "Accepted for compatibility", group: "Connector") var enhancedAvro: Bool
    @Field("connect.meta.data", default: "true", importance: .low, doc: "Keep Connect's names, versions and parameters in Avro schemas", group: "Connector")
    var connectMetadata: Bool
    @Field("schemas.cache.config", default: "1000", importance: .low, doc: "Accepted for compatibility", group: "Connector") var schemasCache: Int
    @Field("allow.optional.map.keys", default: "false", importance: .low, doc: "Accepted for compatibility", group: "Connector") var optionalMapKeys: Bool
    @Field(
        "tombstone.encoded.partition", default: "tombstone", importance: .low,
        doc: "With store.kafka.keys and behavior.on.null.values=write, the directory of the keys of records without a value", group: "S3")
    var tombstonePartition: String
    @Field(
        "store.kafka.keys", default: "false", importance: .low, doc: "Write the keys of a file's records beside it, as ….keys.<extension>", group: "S3")
    var storeKeys: Bool
    @Field(
        "store.kafka.headers", default: "false", importance: .low, doc: "Write the headers of a file's records beside it, as ….headers.<extension>",
        group: "S3") var storeHeaders: Bool
    @Field("keys.format.class", default: "io.confluent.connect.s3.format.avro.AvroFormat", importance: .low, doc: "The format of files of keys", group: "S3")
    var keysFormat: ClassName
    @Field(
        "headers.format.class", default: "io.confluent.connect.s3.format.avro.AvroFormat", importance: .low, doc: "The format of files of headers",
        group: "S3") var headersFormat: ClassName
    @Field(
        "s3.schema.partition.affix.type", default: "NONE", importance: .low,
        doc: "A directory schema_name=<name of the value's schema>, before (PREFIX) or after (SUFFIX) the partitioner's", group: "S3",
        check: .oneOf(["NONE", "PREFIX", "SUFFIX"])) var schemaAffix: String

    /// Keys that were set and change nothing here.
    var ignoredKeys: [String] {
        [
            ("append.late.data", appendLateData), ("schema.generator.class", schemaGenerator != nil),
            ("shutdown.timeout.ms", shutdownTimeout != 3000), ("s3.elastic.buffer.enable", elasticBuffer),
            ("s3.elastic.buffer.init.capacity", elasticCapacity != 131_072), ("max.files.scan.limit", scanLimit != 100),
            ("max.write.duration.ms", maxWriteDuration != .max), ("enhanced.avro.schema.support", !enhancedAvro),
            ("schemas.cache.config", schemasCache != 1000), ("allow.optional.map.keys", optionalMapKeys),
        ].filter(\.1).map(\.0)
    }
}
