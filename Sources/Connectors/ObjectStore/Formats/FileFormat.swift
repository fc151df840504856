import Avro
import ConnectAPI
import JSON
import Parquet

/// Builds the bytes of one file. A value type with one owner; nothing in it waits.
protocol FileEncoder {
    /// Appends rows that all have a value. All or nothing.
    mutating func append(_ values: Column) throws
    /// Bytes of memory held.
    var bufferedBytes: Int { get }
    /// The file's size if it ended now, as well as it can be told.
    var encodedBytes: Int { get }
    /// Bytes not drained yet if the file ended now, as well as it can be told.
    var undrainedBytes: Int { get }
    /// Bytes that `drain` would give.
    var drainableBytes: Int { get }
    /// The bytes finished since the last call: a file can be sent in pieces.
    mutating func drain() -> [UInt8]
    /// Finishes the bytes of the rows taken so far, where that is possible before the file ends.
    mutating func endRows() throws
    /// Ends the file and returns what was not drained.
    mutating func finish(_ facts: FileFacts, topic: String, partition: Int32) throws -> [UInt8]
}

/// What files are made of: `format.class` and its options.
enum FileFormat: Sendable {
    case parquet(ParquetOptions)
    /// `schemaless`: members are written in the order of Java's maps, and rows of different shapes share a file.
    case json(ConnectJSONOptions, GzipLevel?, schemaless: Bool)
    case bytes(separator: [UInt8], fileExtension: String, GzipLevel?)
    /// Object container files; `connectMetadata`: the schema keeps what only Connect knows.
    case avro(AvroCodec, connectMetadata: Bool)
    /// Aiven's text formats.
    case text(TextLayout, ConnectJSONOptions, Compression)

    var fileExtension: String {
        switch self {
        case .parquet(let options):
            switch options.codec {
            case .none: ".parquet"
            case .snappy: ".snappy.parquet"
            case .gzip: ".gz.parquet"
            case .zstd: ".zstd.parquet"
            case .lz4: ".lz4.parquet"
            }
        case .json(_, let gzip, _): gzip == nil ? ".json" : ".json.gz"
        case .bytes(_, let fileExtension, let gzip): fileExtension + (gzip == nil ? "" : ".gz")
        case .avro: ".avro"
        case .text(_, _, let compression): compression.fileExtension
        }
    }

    var contentType: String { "application/octet-stream" }

    /// The end of the file itself says which records it holds.
    var keepsFacts: Bool { if case .parquet = self { true } else { false } }

    /// Rows of different schemas may follow each other in a file.
    var mixesSchemas: Bool {
        switch self {
        case .json(_, _, let schemaless): schemaless
        case .text: true
        case .parquet, .bytes, .avro: false
        }
    }

    func encoder(for schema: Schema, _ layouts: ParquetLayouts) throws -> any FileEncoder {
        switch self {
        case .parquet(let options): ParquetFile(try layouts.layout(for: schema, options))
        case .json(let options, let gzip, let schemaless): JSONLinesFile(options, gzip, schemaless ? JavaHashOrder() : nil)
        case .bytes(let separator, _, let gzip): try ByteArrayFile(schema, separator: separator, gzip)
        case .avro(let codec, let connectMetadata): try AvroContainer(schema, codec, connectMetadata: connectMetadata)
        case .text(let layout, let options, let compression): TextFile(layout, options, compression)
        }
    }
}

/// A Parquet file: row groups are finished bytes, the footer comes last.
struct ParquetFile: FileEncoder {
    private let writer: ParquetWriter
    /// Values that are no structs become a struct of one column.
    private let wrapper: Schema?

    init(_ layout: ParquetLayouts.Layout) {
        wrapper = layout.schema.type == .struct ? nil : layout.columns.schema
        writer = ParquetWriter(layout.columns, metadata: [("kafka-schema", layout.schemaText)])
    }

    mutating func append(_ values: Column) throws {
        guard let wrapper else { return try writer.write(values) }
        try writer.write(Column(wrapper, count: values.count, .struct([values])))
    }

    var bufferedBytes: Int { writer.bufferedBytes }
    var encodedBytes: Int { writer.encodedBytes }
    var undrainedBytes: Int { writer.encodedBytes - writer.drainedBytes }
    var drainableBytes: Int { writer.drainableBytes }
    mutating func drain() -> [UInt8] { writer.drain() }
    mutating func endRows() throws { try writer.endRowGroup() }

    mutating func finish(_ facts: FileFacts, topic: String, partition: Int32) throws -> [UInt8] {
        writer.setMetadata("kafka-topic", topic)
        writer.setMetadata("kafka-partition", String(partition))
        for (key, value) in facts.metadata.sorted(by: { $0.key < $1.key }) { writer.setMetadata(key, value) }
        return try writer.finish()
    }
}

/// One JSON text a line, as JsonConverter without schemas renders it.
struct JSONLinesFile: FileEncoder {
    private let options: ConnectJSONOptions
    private var mapOrder: JavaHashOrder?
    private var out: FileBytes

    init(_ options: ConnectJSONOptions, _ gzip: GzipLevel?, _ mapOrder: JavaHashOrder?) {
        self.options = options
        self.mapOrder = mapOrder
        out = FileBytes(gzip)
    }

    mutating func append(_ values: Column) throws {
        let renderer = ConnectJSONRenderer(mapOrder?.arranged(values) ?? values, options)
        var writer = JSONWriter(capacity: 1 << 16)
        for row in 0..<values.count {
            try renderer.write(row, to: &writer)
            writer.byte(UInt8(ascii: "\n"))
        }
        writer.withBytes { out.append($0) }
    }

    var bufferedBytes: Int { out.bufferedBytes }
    var encodedBytes: Int { out.totalBytes }
    var undrainedBytes: Int { out.drainableBytes }
    var drainableBytes: Int { out.drainableBytes }
    mutating func drain() -> [UInt8] { out.drain() }
    mutating func endRows() {}
    mutating func finish(_ facts: FileFacts, topic: String, partition: Int32) throws -> [UInt8] { out.finish() }
}

/// The bytes of each record followed by a separator.
struct ByteArrayFile: FileEncoder {
    private let separator: [UInt8]
    private var out: FileBytes

    init(_ schema: Schema, separator: [UInt8], _ gzip: GzipLevel?) throws {
        guard schema.type == .bytes else {
            throw ConnectorError(
                "objectstore.not_bytes", .stop, "ByteArrayFormat writes bytes, and the values are of type \(schema.type)",
                hint: "Set value.converter to org.apache.kafka.connect.converters.ByteArrayConverter, or another format.class")
        }
        self.separator = separator
        out = FileBytes(gzip)
    }

    mutating func append(_ values: Column) throws {
        guard case .binary(let bytes) = values.materialized().storage else { return }
        var joined: [UInt8] = []
        joined.reserveCapacity(bytes.bytes.count + values.count * separator.count)
        for row in 0..<values.count {
            joined.append(contentsOf: bytes[row])
            joined.append(contentsOf: separator)
        }
        joined.withUnsafeBytes { out.append($0) }
    }

    var bufferedBytes: Int { out.bufferedBytes }
    var encodedBytes: Int { out.totalBytes }
    var undrainedBytes: Int { out.drainableBytes }
    var drainableBytes: Int { out.drainableBytes }
    mutating func drain() -> [UInt8] { out.drain() }
    mutating func endRows() {}
    mutating func finish(_ facts: FileFacts, topic: String, partition: Int32) throws -> [UInt8] { out.finish() }
}

/// An Avro object container file.
struct AvroContainer: FileEncoder {
    private var file: AvroFile

    init(_ schema: Schema, _ codec: AvroCodec, connectMetadata: Bool) throws {
        var options = AvroOptions()
        options.connectMetadata = connectMetadata
        let text = AvroSchema.text(schema, options)
        file = try AvroFile(schemaText: text, codec: codec, marker: Digest.md5(text))
    }

    mutating func append(_ values: Column) throws { try file.append(values) }
    var bufferedBytes: Int { file.bufferedBytes }
    var encodedBytes: Int { file.encodedBytes }
    var undrainedBytes: Int { file.drainableBytes }
    var drainableBytes: Int { file.drainableBytes }
    mutating func drain() -> [UInt8] { file.drain() }
    mutating func endRows() {}
    mutating func finish(_ facts: FileFacts, topic: String, partition: Int32) throws -> [UInt8] { try file.finish() }
}
