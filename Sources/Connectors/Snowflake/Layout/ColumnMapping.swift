import ConnectAPI

/// A field a column, with Snowflake's type of what the field means.
///
/// Snowflake's connector knows Connect's types; the logical types of Debezium, which it would write as bare integers, become dates and times
/// here. Names are upper case unless they stand in double quotes, as there.
struct ColumnMapping: Sendable {
    var values = VendorValues()

    /// Throws `.reject` when records have no fields.
    func columns(
        _ value: Column?, nulls: Bitmap?, count: Int, topic: String, rejected: inout [Int: ConnectorError]
    ) throws -> ([TableColumn], [Column]) {
        guard let value else { return ([], []) }
        guard value.schema.type == .struct else {
            throw ConnectorError(
                "snowflake.not_fields", .reject, "Values of topic \(topic) are \(value.schema.type.rawValue), and columns are made of fields",
                hint: "Set snowflake.table.layout=kafka, or wrap the value with the HoistField transform")
        }
        var columns: [TableColumn] = [], members: [Column] = [], seen: Set<String> = []
        for (i, field) in value.schema.fields.enumerated() {
            let name = Self.name(field.name)
            guard seen.insert(name).inserted else {
                throw ConnectorError(
                    "snowflake.same_column", .reject, "Two fields of topic \(topic) would be the column \(name)",
                    hint: "Rename one (ReplaceField), or write its name in double quotes to keep its case")
            }
            let column = Self.column(name, field.schema)
            columns.append(column)
            var member = value.child(at: i)
            // A record that has no value has no fields.
            if let nulls { member = member.with(validity: (member.validRows.map { $0 & !nulls } ?? !nulls)) }
            members.append(column.content == .plain ? member : texts(member, count, &rejected))
        }
        return (columns, members)
    }

    private func texts(_ member: Column, _ count: Int, _ rejected: inout [Int: ConnectorError]) -> Column {
        let validity = member.validRows
        if member.schema.name == LogicalName.json, member.schema.type == .string {
            // It is JSON already.
            let whole = member.materialized()
            return Column(TableColumn.jsonSchema, count: count, whole.storage, validity: validity)
        }
        let texts = values.texts(member, count: count, nulls: validity.map { !$0 }, otherwise: "", rejected: &rejected)
        return Column(TableColumn.jsonSchema, count: count, .utf8(texts), validity: validity)
    }

    /// As Snowflake stores the name of a field's column.
    static func name(_ field: String) -> String {
        field.count >= 2 && field.hasPrefix("\"") && field.hasSuffix("\"") ? String(field.dropFirst().dropLast()) : field.uppercased()
    }

    static func column(_ name: String, _ schema: Schema) -> TableColumn {
        func plain(_ type: String) -> TableColumn { TableColumn(name: name, type: type, content: .plain) }
        switch schema.name {
        case LogicalName.connectDate, LogicalName.date: return plain("DATE")
        case LogicalName.connectTime, LogicalName.time, LogicalName.microTime, LogicalName.nanoTime: return plain("TIME(6)")
        case LogicalName.connectTimestamp, LogicalName.timestamp, LogicalName.microTimestamp, LogicalName.nanoTimestamp: return plain("TIMESTAMP_NTZ(6)")
        case LogicalName.zonedTimestamp: return plain("TIMESTAMP_TZ(6)")
        case LogicalName.decimal:
            let scale = schema.parameter("scale").flatMap { Int($0) } ?? 0, precision = schema.parameter("connect.decimal.precision").flatMap { Int($0) }
            guard (0...37).contains(scale), precision ?? 38 <= 38 else { return plain("VARCHAR") }
            return plain("NUMBER(\(max(precision ?? 38, scale)),\(scale))")
        case LogicalName.variableScaleDecimal: return plain("VARCHAR")
        case LogicalName.json: return .variant(name)
        default: break
        }
        switch schema.type {
        case .int8: return plain("BYTEINT")
        case .int16: return plain("SMALLINT")
        case .int32: return plain("INT")
        case .int64: return plain("BIGINT")
        case .float32: return plain("FLOAT")
        case .float64: return plain("DOUBLE")
        case .boolean: return plain("BOOLEAN")
        case .string: return plain("VARCHAR")
        case .bytes: return plain("BINARY")
        case .array: return TableColumn(name: name, type: "ARRAY", content: .array)
        case .map, .struct: return .variant(name)
        }
    }
}
