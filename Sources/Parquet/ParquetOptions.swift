/// How a Parquet file is written. The defaults are those of the field's sinks: dictionary on, page index, checksums, 1 MiB pages.
package struct ParquetOptions: Sendable, Hashable {
    /// The compression of pages. Every one is read by pyarrow, DuckDB and Spark; warehouses are surest with snappy, gzip and zstd.
    package enum Codec: String, Sendable, Hashable, CaseIterable {
        case none, snappy, gzip, zstd
        /// Written as LZ4_RAW, never as the deprecated Hadoop framing.
        case lz4
    }

    /// Where DECIMAL values lie: INT32 up to 9 digits and INT64 up to 18 (`compact`), or always big-endian fixed bytes (`legacy`).
    package enum DecimalEncoding: String, Sendable, Hashable { case compact, legacy }

    /// What timestamps become. One unit everywhere is the default, since readers guess units.
    package enum TimestampEncoding: String, Sendable, Hashable {
        case micros
        /// As `micros`, but a NanoTimestamp keeps its nanoseconds: many readers truncate or refuse them.
        case nanos
        /// ISO-8601 text, for loads that would take integers for another unit.
        case string
    }

    package enum UUIDEncoding: String, Sendable, Hashable {
        case string
        /// FIXED_LEN_BYTE_ARRAY(16) annotated UUID.
        case fixed
    }

    /// What Debezium's geometries become: their struct {wkb, srid}, the bytes alone, or text (`POINT (1 2)`).
    package enum GeometryEncoding: String, Sendable, Hashable, CaseIterable { case `struct`, wkb, wkt }

    package enum VariableScaleDecimalEncoding: String, Sendable, Hashable { case string, double }

    /// What a row becomes whose value the source did not send (an unchanged TOAST value).
    package enum Unavailable: Sendable, Hashable {
        /// This text in STRING columns and its bytes in BYTE_ARRAY columns; null in all others.
        case placeholder(String)
        case null
    }

    /// How field names are spelled in the file.
    package enum FieldNames: String, Sendable, Hashable {
        case keep, lower
        /// `[A-Za-z0-9_]`, at most 300 characters, no two alike but for case.
        case sanitize
    }

    package enum PageVersion: String, Sendable, Hashable { case v1, v2 }

    package var codec: Codec = .snappy
    /// The codec's own level; nil: zstd 3, gzip 6, lz4 fast. Levels of lz4 from 1 on mean its high-compression form.
    package var compressionLevel: Int?
    package var pageVersion: PageVersion = .v1
    /// A page ends with the row that reaches this many bytes before compression, or this many rows.
    package var pageBytes = 1 << 20
    package var pageRows = 20_000
    package var dictionary = true
    /// A column's dictionary in a row group ends with the row that reaches this size; the rest is written plain.
    package var dictionaryBytes = 1 << 20
    /// A row group ends with the row that reaches this many bytes before encoding, or this many rows.
    package var rowGroupBytes = 128 << 20
    package var rowGroupRows = 1_048_576
    /// Min, max and null counts of chunks and pages, and the column index.
    package var statistics = true
    /// Longer minima and maxima of strings and bytes are cut to bounds of this many bytes.
    package var statisticsBytes = 64
    package var checksums = true
    package var createdBy = "sluice version 0.1.0"

    package var decimalEncoding: DecimalEncoding = .compact
    /// Keep required fields required. Off by default: a NOT NULL dropped later would break the table's readers.
    package var keepRequired = false
    package var timestampEncoding: TimestampEncoding = .micros
    /// Mark timestamps without a zone as UTC, so that old readers see timestamps at all (`parquet.timestamp.local.as.utc`).
    package var timestampLocalAsUTC = true
    /// Write a ZonedTimestamp as TIMESTAMP and not as its text.
    package var parseZoned = true
    package var uuid: UUIDEncoding = .string
    /// Annotate io.debezium.data.Json as JSON instead of STRING.
    package var jsonAnnotation = false
    package var geometry: GeometryEncoding = .struct
    package var variableScaleDecimal: VariableScaleDecimalEncoding = .string
    package var unavailable: Unavailable = .placeholder("__debezium_unavailable_value")
    package var fieldNames: FieldNames = .keep
    /// Columns with a bloom filter, as dotted paths; `*` is every column. Booleans get none.
    package var bloomFilters: Set<String> = []
    package var bloomFalsePositives = 0.01

    package init() {}

    /// A list's elements are meant by the list's name.
    func wantsBloomFilter(_ leaf: Leaf) -> Bool {
        guard !bloomFilters.isEmpty, leaf.physical != .boolean else { return false }
        let named = leaf.path.filter { !["list", "element", "key_value"].contains($0) }.joined(separator: ".")
        return bloomFilters.contains("*") || bloomFilters.contains(named) || bloomFilters.contains(leaf.path.joined(separator: "."))
    }
}
