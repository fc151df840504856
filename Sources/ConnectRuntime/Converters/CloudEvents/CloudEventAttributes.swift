import ConnectAPI
import JSON

/// The attributes of events, all but `data`, as columns of one struct in the order Debezium writes them.
///
/// | attribute | value |
/// |---|---|
/// | id | `name:…;lsn:…;txId:…;sequence:…` of the source, or a header |
/// | source | `/debezium/postgresql/` and the name of the source |
/// | type | `io.debezium.connector.postgresql.DataChangeEvent`, or a header |
/// | time | `source.ts_ms`, ISO 8601 in UTC with milliseconds |
/// | iodebezium… | op and every member of source; iodebeziumtx…: of transaction. INT64, which CloudEvents does not know, is text |
struct CloudEventAttributes: Sendable {
    let metadata: CloudEventMetadata
    let extensions: Bool
    let tracing: Bool

    init(_ metadata: CloudEventMetadata, extensions: Bool, tracing: Bool) {
        self.metadata = metadata
        self.extensions = extensions
        self.tracing = tracing
    }

    private static let required = Schema(.string), optional = Schema(.string, optional: true)

    func column(of group: CloudEventMetadata.Group) throws -> Column {
        let count = group.rows.count, source = group.source
        var fields: [Schema.Field] = [], columns: [Column] = []
        func add(_ name: String, _ column: Column) {
            fields.append(Schema.Field(name, column.schema))
            columns.append(column)
        }
        func constant(_ text: String) -> Column { .constant(.string(text), Self.required, count: count) }
        func textual(_ name: String, _ column: Column) throws -> Column {
            guard column.schema.type == .string else {
                throw ConnectorError("converter.type_mismatch", .reject, "`\(name)` is \(column.schema.type.rawValue.uppercased()), not text")
            }
            return column.with(schema: Self.required)
        }
        func given(_ name: String) throws -> Column? {
            guard metadata.headerFields.contains(name), let column = group.headers[name] else { return nil }
            return try textual(name, column)
        }
        let name = try member("name", source)
        add(
            "id",
            try given("id")
                ?? text(["name:", name, ";lsn:", member("lsn", source), ";txId:", member("txId", source), ";sequence:", member("sequence", source)], count))
        add("source", text(["/debezium/\(group.connector)/", name], count))
        add("specversion", constant("1.0"))
        add("type", try given("type") ?? constant("io.debezium.connector.\(group.connector).DataChangeEvent"))
        add("time", try time(member("ts_ms", source)))
        add("datacontenttype", constant("application/json"))
        if tracing, let parent = try given("traceparent") { add("traceparent", parent) }
        guard extensions else { return Column(.struct(fields), count: count, .struct(columns)) }
        add(Self.extensionName("op"), try textual("op", group.operation))
        for (field, column) in zip(source.schema.fields, source.schema.fields.indices.map { source.member($0) }) {
            add(Self.extensionName(field.name), try attribute(column, optional: field.schema.isOptional, field.name))
        }
        for name in ["id", "total_order", "data_collection_order"] {
            let column = group.transaction.flatMap { $0.schema.type == .struct ? $0.member(name) : nil }
            add(Self.extensionName("tx" + name), try column.map { try attribute($0, optional: true, name) } ?? .constant(.null, Self.optional, count: count))
        }
        return Column(.struct(fields), count: count, .struct(columns))
    }

    /// Letters and digits only, as CloudEvents names attributes.
    static func extensionName(_ name: String) -> String {
        "iodebezium"
            + String(String.UnicodeScalarView(name.unicodeScalars.filter { $0.isASCII && ($0.properties.isAlphabetic || $0.properties.numericType != nil) }))
    }

    private func member(_ name: String, _ source: Column) throws -> Column {
        guard let column = source.member(name) else {
            throw ConnectorError(
                "converter.cloudevents_metadata", .reject, "\(name) is not a valid field name", hint: "The source of a change event of PostgreSQL has it")
        }
        return column
    }

    private func time(_ milliseconds: Column) throws -> Column {
        let values: [Int64]
        switch milliseconds.materialized().storage {
        case .int64(let given) where milliseconds.validRows?.allSet ?? true: values = given
        default: throw ConnectorError("converter.cloudevents_metadata", .reject, "source.ts_ms of a change event is no time")
        }
        let micros = values.map { $0.multipliedReportingOverflow(by: 1000) }
        guard !micros.contains(where: \.overflow) else {
            throw ConnectorError("converter.cloudevents_metadata", .reject, "source.ts_ms of a change event is no time")
        }
        return Column(Self.required, count: milliseconds.count, .utcMicros(micros.map(\.partialValue), fractionDigits: 3))
    }

    /// A member of source or transaction as an attribute.
    private func attribute(_ column: Column, optional: Bool, _ name: String) throws -> Column {
        let column = column.replacingNullsWithDefault()
        switch column.schema.type {
        case .boolean: return column.with(schema: Schema(.boolean, optional: optional))
        case .int8, .int16, .int32: return column.with(schema: Schema(.int32, optional: optional))
        case .string: return column.with(schema: Schema(.string, optional: optional))
        case .int64:
            if case .constant(let value) = column.storage {
                return .constant(value.integerValue.map { .string(String($0)) } ?? .null, Schema(.string, optional: optional), count: column.count)
            }
            return Column(Schema(.string, optional: optional), count: column.count, text([column], column.count).storage, validity: column.validity)
        default:
            throw ConnectorError(
                "converter.cloudevents_metadata", .reject,
                "Source field of type \(column.schema.type.rawValue.uppercased()) cannot be converted into CloudEvents extension attribute.",
                hint: "It is \(name); extension.attributes.enable=false leaves such attributes out")
        }
    }

    /// Texts joined row by row; constants once. A null is written as `null`.
    private func text(_ parts: [any CloudEventText], _ count: Int) -> Column {
        if parts.allSatisfy(\.isConstant) {
            var out = JSONWriter()
            for part in parts { part.write(0, to: &out) }
            return .constant(.string(String(decoding: out.take(), as: UTF8.self)), Self.required, count: count)
        }
        var out = JSONWriter(capacity: count * 64), offsets: [Int32] = [0]
        offsets.reserveCapacity(count + 1)
        for row in 0..<count {
            for part in parts { part.write(row, to: &out) }
            offsets.append(Int32(out.count))
        }
        return Column(Self.required, count: count, .utf8(VarBytes(offsets: offsets, bytes: out.take())))
    }
}

/// A part of a text: the same in every row, or a column's values.
private protocol CloudEventText {
    var isConstant: Bool { get }
    func write(_ row: Int, to out: inout JSONWriter)
}

extension String: CloudEventText {
    fileprivate var isConstant: Bool { true }
    fileprivate func write(_ row: Int, to out: inout JSONWriter) { out.raw(utf8) }
}

extension Column: CloudEventText {
    fileprivate var isConstant: Bool { if case .constant = storage { true } else { false } }
    fileprivate func write(_ row: Int, to out: inout JSONWriter) {
        if isNull(row) { return out.literal("null") }
        switch storage {
        case .int64(let values): out.integer(values[row])
        case .utf8(let values): out.raw(values[row])
        default: out.raw(ConnectText.plain(self[row], schema).utf8)
        }
    }
}
