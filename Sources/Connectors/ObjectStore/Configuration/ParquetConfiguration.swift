import ConnectAPI
import Parquet

/// The keys of Parquet files, which the faces of the sink have in common: what readers trip over has a key.
struct ParquetConfiguration: ConfigurationSection {
    @Field("parquet.row.group.rows", default: "1048576", importance: .low, doc: "Rows of one Parquet row group", group: "Sluice", check: .atLeast(1))
    var rowGroupRows: Int
    @Field(
        "parquet.row.group.bytes", default: "134217728", importance: .low, doc: "Bytes of one Parquet row group before compression", group: "Sluice",
        check: .atLeast(65_536)) var rowGroupBytes: Int64
    @Field(
        "parquet.compression.level", importance: .low, doc: "The codec's level; without one zstd 3, gzip 6", group: "Sluice", check: .between(-7, 22))
    var level: Int?
    @Field(
        "parquet.page.version", default: "v1", importance: .low, doc: "The version of data pages", group: "Sluice", check: .oneOf(["v1", "v2"]))
    var pages: String
    @Field(
        "parquet.timestamp.as", default: "micros", importance: .low,
        doc: "What timestamps become: micros, nanos (NanoTimestamp keeps its digits), string (ISO text)", group: "Sluice",
        check: .oneOf(["micros", "nanos", "string"]), aliases: ["timestamp.as"]) var timestamps: String
    @Field(
        "parquet.timestamp.local.as.utc", default: "true", importance: .low,
        doc: "Mark timestamps without a zone as UTC, so that readers without logical types see timestamps", group: "Sluice") var localAsUTC: Bool
    @Field(
        "parquet.parse.zoned", default: "true", importance: .low, doc: "Write a ZonedTimestamp as a timestamp and not as text", group: "Sluice",
        aliases: ["parse.zoned"]) var parsesZoned: Bool
    @Field(
        "parquet.decimal.encoding", default: "compact", importance: .low,
        doc: "Decimals in INT32 and INT64 where they fit (compact), or always in bytes (legacy)",
        group: "Sluice", check: .oneOf(["compact", "legacy"])) var decimals: String
    @Field(
        "parquet.variable.scale.decimal", default: "string", importance: .low, doc: "What decimals without a fixed scale become: string or double",
        group: "Sluice", check: .oneOf(["string", "double"])) var variableDecimals: String
    @Field(
        "parquet.keep.required", default: "false", importance: .low, doc: "Keep required fields required; off, since a NOT NULL dropped later breaks readers",
        group: "Sluice") var keepsRequired: Bool
    @Field(
        "parquet.uuid", default: "string", importance: .low, doc: "UUIDs as text (string) or as 16 bytes (fixed)", group: "Sluice",
        check: .oneOf(["string", "fixed"])) var uuids: String
    @Field(
        "parquet.geometry", default: "struct", importance: .low,
        doc: "What geometries become: struct (wkb and srid, as Debezium has them), wkb (bytes), wkt (text)", group: "Sluice",
        check: .oneOf(["struct", "wkb", "wkt"])) var geometry: String
    @Field("parquet.json.annotation", default: "false", importance: .low, doc: "Annotate JSON text as JSON instead of STRING", group: "Sluice")
    var annotatesJSON: Bool
    @Field(
        "parquet.field.names", default: "keep", importance: .low, doc: "Names of columns: keep, lower, or sanitize ([A-Za-z0-9_], no two alike but for case)",
        group: "Sluice", check: .oneOf(["keep", "lower", "sanitize"])) var names: String
    @Field(
        "parquet.bloom.filter.columns", default: "", importance: .low,
        doc: "Columns that get a bloom filter, with which readers pass over row groups that do not have a value; dots reach into structs, * is every column",
        group: "Sluice") var bloomColumns: [String]
    @Field(
        "parquet.bloom.filter.fpp", default: "0.01", importance: .low, doc: "How often a bloom filter says yes to a value that is not there", group: "Sluice",
        check: Check { Double($0).map { $0 > 0 && $0 < 1 } == false ? "Value must be greater than 0 and less than 1" : nil }) var bloomFalsePositives: Double
    @Field(
        "parquet.schemaless", default: "columns", importance: .low,
        doc: "What values without schemas become: columns (the union of the members seen), or json (one column value of JSON text)", group: "Sluice",
        check: .oneOf(["columns", "json"])) var schemaless: String

    /// Values without schemas are one column of text.
    var schemalessIsText: Bool { schemaless == "json" }

    func options(_ codec: ParquetOptions.Codec) -> ParquetOptions {
        var options = ParquetOptions()
        options.codec = codec
        options.rowGroupRows = rowGroupRows
        options.rowGroupBytes = Int(rowGroupBytes)
        options.compressionLevel = level
        options.pageVersion = .init(rawValue: pages) ?? .v1
        options.timestampEncoding = .init(rawValue: timestamps) ?? .micros
        options.timestampLocalAsUTC = localAsUTC
        options.parseZoned = parsesZoned
        options.decimalEncoding = .init(rawValue: decimals) ?? .compact
        options.variableScaleDecimal = .init(rawValue: variableDecimals) ?? .string
        options.keepRequired = keepsRequired
        options.uuid = .init(rawValue: uuids) ?? .string
        options.jsonAnnotation = annotatesJSON
        options.geometry = .init(rawValue: geometry) ?? .struct
        options.fieldNames = .init(rawValue: names) ?? .keep
        options.bloomFilters = Set(bloomColumns.filter { !$0.isEmpty })
        options.bloomFalsePositives = bloomFalsePositives
        return options
    }
}
