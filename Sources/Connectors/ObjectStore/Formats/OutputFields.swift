import ConnectAPI
import JSON

/// `format.output.fields`: which parts of a record a file holds, and in which shape.
///
///     with an envelope     one struct a record: {key, value, offset, timestamp, headers}, those that were asked for
///     without              the one field asked for, as it is
///     CSV                  the fields as texts: base64 of key and value, headers as base64(name):base64(value);
///
/// Follows Aiven's connectors. In an envelope a record without a value is a row like any other.
struct OutputFields: Sendable, Equatable {
    enum Field: String, Sendable, CaseIterable { case key, value, offset, timestamp, headers }

    enum Style: Sendable, Equatable {
        /// Columns of Parquet and Avro.
        case columns
        /// Members of JSON texts, in the order of Java's maps; `schemaless`: those of values too.
        case json(schemaless: Bool)
        case csv(base64: Bool)
    }

    var fields: [Field]
    var envelope: Bool
    var style: Style

    /// Every record has a row, with or without a value.
    var keepsNullValues: Bool { envelope || isCSV }
    private var isCSV: Bool { if case .csv = style { true } else { false } }

    /// Makes the columns of batches; keeps the schemas it made, so that comparing them stays cheap.
    struct Composer {
        let fields: OutputFields
        private var order = JavaHashOrder()
        private var known: [Schema: Schema] = [:]
        private var last: (parts: [Schema], schema: Schema)?

        init(_ fields: OutputFields) { self.fields = fields }

        /// The column that is written. `nulls` are rows without a value; `lastSchema` is the schema of the last value seen.
        mutating func column(_ consumed: ConsumedBatch, value: Column?, nulls: Bitmap?, lastSchema: Schema?) throws -> Column? {
            let batch = consumed.batch
            if case .csv(let base64) = fields.style { return try CSVColumns(consumed, value, nulls, base64: base64).column(fields.fields) }
            guard fields.envelope else {
                return fields.fields[0] == .value ? value.map { arranged($0) } : member(fields.fields[0], consumed, value, nulls, lastSchema)
            }
            var names = fields.fields.map(\.rawValue)
            if case .json = fields.style { names = JavaHashOrder.order(names).map { names[$0] } }
            let columns = names.map { member(Field(rawValue: $0)!, consumed, value, nulls, lastSchema) }
            return Column(schema(names, columns), count: batch.count, .struct(columns))
        }

        private mutating func schema(_ names: [String], _ columns: [Column]) -> Schema {
            let parts = columns.map(\.schema)
            if let last, zip(last.parts, parts).allSatisfy({ $0 === $1 }) { return last.schema }
            let made = Schema.struct(zip(names, parts).map { Schema.Field($0, $1) }, name: "connector_records")
            if known.count > 1000 { known.removeAll() }
            let schema = known[made] ?? made
            known[made] = schema
            last = (parts, schema)
            return schema
        }

        private mutating func arranged(_ column: Column) -> Column {
            if case .json(schemaless: true) = fields.style { return order.arranged(column) }
            return column
        }

        private mutating func member(_ field: Field, _ consumed: ConsumedBatch, _ value: Column?, _ nulls: Bitmap?, _ lastSchema: Schema?) -> Column {
            let batch = consumed.batch, count = batch.count
            switch field {
            case .key: return optional(batch.key, nil, count, nil)
            case .value: return optional(value.map { arranged($0) }, nulls, count, lastSchema)
            case .offset:
                return Column(Self.offsets, count: count, .int64((0..<count).map { consumed.offsets[$0] }))
            case .timestamp:
                guard case .json = fields.style else { return batch.timestamps.with(schema: Self.offsets) }
                return Column(Self.texts, (0..<count).map { .string(Self.instant(batch.timestamps[$0].integerValue ?? 0)) })
            case .headers:
                if case .json = fields.style { return HeaderColumns.pairs(batch) }
                return HeaderColumns.map(batch)
            }
        }

        private static let offsets = Schema(.int64)
        private static let texts = Schema(.string)

        /// As `DateTimeFormatter.ISO_INSTANT` prints milliseconds: a fraction only where there is one.
        static func instant(_ milliseconds: Int64) -> String {
            ISO8601.timestamp(micros: milliseconds &* 1000, fractionDigits: milliseconds % 1000 == 0 ? 0 : 3)
        }

        private var optionals: [Schema: Schema] = [:]

        /// Always nullable: a null that comes later must not change the schema.
        private mutating func optional(_ column: Column?, _ nulls: Bitmap?, _ count: Int, _ lastSchema: Schema?) -> Column {
            guard let column else { return .constant(.null, optionalSchema(lastSchema ?? Self.texts), count: count) }
            let nullable = column.with(schema: optionalSchema(column.schema))
            guard let nulls, !nulls.noneSet else { return nullable }
            if case .constant(.null) = nullable.storage { return nullable }
            return nullable.materialized().with(validity: nullable.validRows.map { $0 & !nulls } ?? !nulls)
        }

        private mutating func optionalSchema(_ schema: Schema) -> Schema {
            if schema.isOptional { return schema }
            if let known = optionals[schema] { return known }
            if optionals.count > 1000 { optionals.removeAll() }
            let made = schema.with(optional: true)
            optionals[schema] = made
            return made
        }
    }
}

/// Headers as columns.
enum HeaderColumns {
    /// The schema of all values, or of texts when they differ.
    private static func valueSchema(_ batch: RecordBatch) -> (schema: Schema, differ: Bool) {
        guard let first = batch.headers.first?.values.schema else { return (Schema(.string, optional: true), false) }
        let differ = batch.headers.contains { $0.values.schema.type != first.type || $0.values.schema.name != first.name }
        return (differ ? Schema(.string, optional: true) : first.with(optional: true), differ)
    }

    private static func rows(_ batch: RecordBatch, _ differ: Bool) -> (offsets: [Int32], names: [Value], values: [Value]) {
        var offsets: [Int32] = [0], names: [Value] = [], values: [Value] = []
        let texts = differ ? batch.headers.map { GroupText.column($0.values) } : batch.headers.map(\.values)
        for row in 0..<batch.count {
            for (i, header) in batch.headers.enumerated() where header.present?[row] != false {
                names.append(.string(header.name))
                values.append(texts[i][row])
            }
            offsets.append(Int32(names.count))
        }
        return (offsets, names, values)
    }

    /// A list of {key, value}.
    static func pairs(_ batch: RecordBatch) -> Column {
        let (schema, differ) = valueSchema(batch), rows = rows(batch, differ)
        let pair = Schema.struct([Schema.Field("key", Schema(.string)), Schema.Field("value", schema)])
        let items = Column(pair, count: rows.names.count, .struct([Column(Schema(.string), rows.names), Column(schema, rows.values)]))
        return Column(.array(pair), count: batch.count, .list(offsets: rows.offsets, items))
    }

    /// A map by name; of a name that occurs twice the last value counts to readers.
    static func map(_ batch: RecordBatch) -> Column {
        let (schema, differ) = valueSchema(batch), rows = rows(batch, differ)
        return Column(
            .map(Schema(.string), schema, optional: true), count: batch.count,
            .map(offsets: rows.offsets, keys: Column(Schema(.string), rows.names), values: Column(schema, rows.values)))
    }
}

/// The columns of CSV files: every one a text.
struct CSVColumns {
    private let consumed: ConsumedBatch
    private let value: Column?
    private let nulls: Bitmap?
    private let base64: Bool

    init(_ consumed: ConsumedBatch, _ value: Column?, _ nulls: Bitmap?, base64: Bool) {
        self.consumed = consumed
        self.value = value
        self.nulls = nulls
        self.base64 = base64
    }

    private static let text = Schema(.string, optional: true)
    private static let schemas = Dictionary(uniqueKeysWithValues: OutputFields.Field.allCases.map { ($0, Schema.Field($0.rawValue, text)) })

    func column(_ fields: [OutputFields.Field]) throws -> Column {
        let columns = try fields.map { field -> Column in
            switch field {
            case .key: try texts(consumed.batch.key, nil, base64: true, "key", "key.converter")
            case .value: try texts(value, nulls, base64: base64, "value", "value.converter")
            case .offset: numbers { consumed.offsets[$0] }
            case .timestamp: numbers { consumed.batch.timestamps[$0].integerValue ?? 0 }
            case .headers: try headers()
            }
        }
        return Column(.struct(fields.map { Self.schemas[$0]! }), count: consumed.batch.count, .struct(columns))
    }

    private func numbers(_ number: (Int) -> Int64) -> Column {
        var out = VarBytes()
        for row in 0..<consumed.batch.count { out.append(String(number(row)).utf8) }
        return Column(Self.text, count: consumed.batch.count, .utf8(out))
    }

    private func texts(_ column: Column?, _ nulls: Bitmap?, base64: Bool, _ what: String, _ converter: String) throws -> Column {
        let count = consumed.batch.count
        guard let column else { return .constant(.null, Self.text, count: count) }
        try Self.check(column, what, converter)
        var out = VarBytes()
        for row in 0..<count {
            if column.isNull(row) || nulls?[row] == true { out.appendEmpty() } else { append(Self.bytes(column, row), base64, to: &out) }
        }
        return Column(Self.text, count: count, .utf8(out))
    }

    private func headers() throws -> Column {
        var out = VarBytes()
        for header in consumed.batch.headers { try Self.check(header.values, "header '\(header.name)'", "header.converter") }
        for row in 0..<consumed.batch.count {
            var text: [UInt8] = []
            for header in consumed.batch.headers where header.present?[row] != false {
                text += Base64.encode(Array(header.name.utf8)).utf8
                text.append(UInt8(ascii: ":"))
                text += Base64.encode(header.values.isNull(row) ? [] : Self.bytes(header.values, row)).utf8
                text.append(UInt8(ascii: ";"))
            }
            out.append(text)
        }
        return Column(Self.text, count: consumed.batch.count, .utf8(out))
    }

    private func append(_ bytes: [UInt8], _ base64: Bool, to out: inout VarBytes) {
        if base64 { out.append(Base64.encode(bytes).utf8) } else { out.append(bytes) }
    }

    private static func check(_ column: Column, _ what: String, _ converter: String) throws {
        guard column.schema.type != .bytes && column.schema.type != .string else { return }
        throw ConnectorError(
            "objectstore.not_bytes", .stop,
            "CSV holds bytes and strings, and the record \(what) is of type \(column.schema.type.rawValue.uppercased())",
            hint:
                "Set \(converter) to org.apache.kafka.connect.converters.ByteArrayConverter or StringConverter, or format.output.type to jsonl, json, parquet or avro"
        )
    }

    private static func bytes(_ column: Column, _ row: Int) -> [UInt8] {
        switch column.storage {
        case .binary(let v) where column.schema.name == nil, .utf8(let v): Array(v[row])
        default:
            switch column[row] {
            case .bytes(let bytes): bytes
            case .string(let text): Array(text.utf8)
            default: []
            }
        }
    }
}
