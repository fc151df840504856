import ConnectAPI

/// The keys that Aiven's GCS and S3 sinks have in common, spelled as theirs; ours are in the group `Sluice`.
struct AivenFileConfiguration: ConfigurationSection {
    // MARK: Files
    @Field(
        "file.name.template",
        doc:
            "The name of files: {{topic}}, {{partition:padding=true}}, {{start_offset:padding=true}}, {{timestamp:unit=yyyy}}, {{key}}; also {{table}}, {{date}}, {{timestamp:format=yyyy-MM-dd}}, {{field:path}}, {{counter}}, {{uuid}}. Default: {{topic}}-{{partition}}-{{start_offset}} and the extension of the compression",
        group: "File") var nameTemplate: String?
    @Field(
        "file.max.records", default: "0", doc: "Records of a file after which it is stored; 0: no limit", group: "File",
        check: Check { Int($0).map { $0 < 0 } == true ? "must be a non-negative integer number" : nil }) var maxRecords: Int
    @Field("file.max.bytes", default: "0", doc: "Bytes of a file after which it is stored; 0: no limit", group: "File", check: .atLeast(0)) var maxBytes: Int64
    @Field(
        "file.name.timestamp.timezone", default: "Z", importance: .low, doc: "The time zone of timestamps in names: UTC, Europe/Berlin, +02:00", group: "File",
        aliases: ["timestamp.timezone"])
    var timezone: String
    @Field(
        "file.name.timestamp.source", default: "EVENT", importance: .low,
        doc:
            "The time in names: EVENT (of the record), WALLCLOCK, or FIELD with file.name.timestamp.field. Unlike Aiven's, the default is EVENT: a file is then found under its name after a crash",
        group: "File", check: .oneOfIgnoringCase(["EVENT", "RECORD", "WALLCLOCK", "FIELD"]), aliases: ["timestamp.source"]) var timestampSource: String
    @Field("file.name.timestamp.field", importance: .low, doc: "The field of the value that holds the time in names; dots reach into structs", group: "Sluice")
    var timestampField: String?
    @Field(
        "file.max.age.ms", default: "60000",
        doc:
            "Wall-clock milliseconds after its first record after which a file is stored; -1: no limit. Aiven's sinks store with the worker's offset.flush.interval.ms",
        group: "Sluice") var maxAge: Int64
    @Field(
        "batch.boundary.header",
        doc: "Store the files of a partition after a record with this header: the HTTP source can give it to the last record of every poll", group: "Sluice")
    var boundaryHeader: String?
    @Field(
        "exactly.once.mode", default: "names",
        doc:
            "How a restart tells what is stored: names (files are met again under names that follow from their records), or ledger (objects below _ledger list what is stored, all files of a partition together; names may then be of the clock or a counter)",
        group: "Sluice", check: .oneOf(["names", "ledger"])) var exactlyOnceMode: String
    @Field(
        "max.uncommitted.ms", default: "300000", importance: .low,
        doc: "Longest time in milliseconds that files of different groups may hold back the committed offset before all are stored together", group: "Sluice",
        check: .atLeast(1)) var maxUncommitted: Int64
    @Field("flush.on.stop", default: "true", doc: "Store the records that are still buffered when the task stops", group: "Sluice") var flushOnStop: Bool

    let compaction = CompactionConfiguration()

    // MARK: Contents
    @Field(
        "format.output.type", default: "csv", doc: "What files are: csv, json (one array a file), jsonl (one record a line), parquet or avro", group: "Format",
        check: Check(recommended: ["avro", "csv", "json", "jsonl", "parquet"]) {
            ["avro", "csv", "json", "jsonl", "parquet"].contains($0.lowercased()) ? nil : "supported values are: 'avro', 'csv', 'json', 'jsonl', 'parquet'"
        }) var type: String
    @Field(
        "format.output.fields.value.encoding", default: "base64", doc: "How values stand in CSV: base64 or none", group: "Format",
        check: .oneOfIgnoringCase(["none", "base64"])) var valueEncoding: String
    @Field(
        "format.output.envelope", default: "true",
        doc: "Put the fields into a record of their own, also when it is only one; false: the one field as it is", group: "Format") var envelope: Bool
    @Field("avro.codec", default: "null", importance: .low, doc: "Compression of Avro blocks: null, deflate, snappy, bzip2, zstandard", group: "Avro")
    var avroCodec: String
    @Field(
        "behavior.on.null.values", default: "ignore", importance: .low,
        doc:
            "Without an envelope, a record without a value: ignore, fail, or write (a row with the key's fields and __deleted = true). In an envelope its value is null",
        group: "Sluice", check: .oneOfIgnoringCase(["fail", "ignore", "write"])) var nullValues: String
    @Field(
        "payload.path", default: "", doc: "Write this member of the value instead of the whole: after takes the new row out of a change event", group: "Sluice")
    var payloadPath: String
    @Field(
        "partition.drop.field", default: "false", importance: .low,
        doc:
            "Leave columns out of files that their directories show already (year of year=2026/): Athena and BigQuery refuse a table that has a column twice",
        group: "Sluice") var dropsPartitionFields: Bool
    let parquet = ParquetConfiguration()

    // MARK: The task
    @Field(
        "kafka.retry.backoff.ms", doc: "Milliseconds between attempts to store a file once the retries of a request are used up; unset: 5000",
        group: "Kafka", check: .between(0, 86_400_000)) var kafkaRetryBackoff: Int64?

    // The framework's keys; whether values came without a schema decides the order of JSON members.
    @Field("value.converter", doc: "The converter of values", listed: false) var valueConverter: ClassName?
    @Field("value.converter.schemas.enable", default: "true", doc: "Whether values bring schemas", listed: false) var valueSchemas: Bool
}
