package import ConnectAPI
import JSON
import Synchronization

/// `org.apache.kafka.connect.json.JsonConverter`: JSON with the schema beside the payload, or the payload alone.
package final class JsonConverter: Converter {
    package static let className = "org.apache.kafka.connect.json.JsonConverter"

    package struct Configuration: ConnectConfiguration {
        @Field(
            "converter.type", importance: .low, doc: "What the converter is for: key, value or header",
            check: .oneOf(["key", "value", "header"]))
        var type: String
        @Field(
            "schemas.enable", default: "true", importance: .high, doc: "Write and expect the schema beside every payload", group: "Schemas",
            order: 0,
            width: .medium, displayName: "Enable Schemas")
        var schemasEnabled: Bool
        @Field(
            "schemas.cache.size", default: "1000", importance: .high, doc: "How many schemas to remember as JSON", group: "Schemas",
            order: 1,
            width: .medium, displayName: "Schema Cache Size")
        var cacheSize: Int
        @Field(
            "decimal.format", default: "BASE64", importance: .low, doc: "Decimals as base64 of their bytes, or as numbers",
            group: "Serialization",
            order: 0, width: .medium, displayName: "Decimal Format", check: .oneOfIgnoringCase(["BASE64", "NUMERIC"]))
        var decimalFormat: String
        @Field(
            "replace.null.with.default", default: "true", importance: .low, doc: "Write the default of a field instead of its null",
            group: "Serialization", order: 1, width: .medium, displayName: "Replace null with default")
        var replacesNullWithDefault: Bool
        @Field("unavailable.value.placeholder", doc: "Stands for values the source did not send", listed: false)
        var unavailablePlaceholder: String?
        package init() {}
    }

    let options: ConnectJSONOptions
    private let cacheSize: Int
    /// Schemas as JSON. Asked once a batch.
    private let schemas = Mutex<[Schema: [UInt8]]>([:])

    package init(_ configuration: Configuration) {
        var options = ConnectJSONOptions(
            schemasEnabled: configuration.schemasEnabled,
            decimalFormat: ConnectJSONOptions.DecimalFormat(rawValue: configuration.decimalFormat.uppercased()) ?? .base64,
            replacesNullWithDefault: configuration.replacesNullWithDefault)
        if let placeholder = configuration.unavailablePlaceholder { options.unavailablePlaceholder = Self.placeholder(placeholder) }
        self.options = options
        cacheSize = max(1, configuration.cacheSize)
    }

    /// Debezium's spelling: the text itself, or `hex:` and the bytes.
    static func placeholder(_ text: String) -> [UInt8] {
        guard text.hasPrefix("hex:") else { return Array(text.utf8) }
        let digits = text.dropFirst(4).compactMap(\.hexDigitValue)
        return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    package func render(_ column: Column?, count: Int, nullSchemaRows: Bitmap?, topic: String) throws -> RenderedRows {
        guard let column else { return RenderedRows.absent(count) }
        let renderer = ConnectJSONRenderer(column, options, schema: options.schemasEnabled ? json(of: column.schema) : nil)
        var out = JSONWriter(capacity: 64 * 1024), offsets: [Int32] = [0]
        offsets.reserveCapacity(count + 1)
        for row in 0..<count {
            if nullSchemaRows.map({ $0[row] }) != true {
                do throws(ConnectorError) {
                    try renderer.write(row, to: &out)
                } catch {
                    throw ConnectorError(
                        error.code, error.disposition, error.message, hint: "Row \(row) of a batch for topic \(topic)", underlying: error)
                }
            }
            guard let end = Int32(exactly: out.count) else {
                throw ConnectorError(
                    "converter.batch_too_large", .stop, "A batch of \(count) records for topic \(topic) takes more than 2 GiB as JSON")
            }
            offsets.append(end)
        }
        return RenderedRows(values: VarBytes(offsets: offsets, bytes: out.take()), present: nullSchemaRows.map { !$0 })
    }

    private func json(of schema: Schema) -> [UInt8] {
        if let known = schemas.withLock({ $0[schema] }) { return known }
        var out = JSONWriter()
        ConnectJSONSchema.write(schema, options, to: &out)
        let bytes = out.take()
        schemas.withLock {
            if $0.count >= cacheSize { $0.removeAll() }
            $0[schema] = bytes
        }
        return bytes
    }

    package func parse(_ rows: RenderedRows, topic: String) throws -> Column {
        try ParsedRun.column(try parseRuns(rows, topic: topic), count: rows.values.count, topic: topic)
    }

    /// Consecutive rows of one schema; a run without a column holds tombstones. What a reader of a Kafka topic uses.
    package func parseRuns(_ rows: RenderedRows, topic: String) throws -> [(rows: Range<Int>, column: Column?)] {
        var reader = ConnectJSONReader(options)
        return try reader.read(rows.values, present: rows.present).map { ($0.rows, $0.column) }
    }
}

extension RenderedRows {
    /// Rows of which none has bytes.
    static func absent(_ count: Int) -> RenderedRows {
        RenderedRows(values: VarBytes(offsets: Array(repeating: 0, count: count + 1)), present: Bitmap(repeating: false, count: count))
    }
}
