package import ConnectAPI

/// `org.apache.kafka.connect.converters.ByteArrayConverter`: bytes as they are.
package struct ByteArrayConverter: Converter {
    package static let className = "org.apache.kafka.connect.converters.ByteArrayConverter"
    package init() {}

    package func render(_ column: Column?, count: Int, nullSchemaRows: Bitmap?, topic: String) throws -> RenderedRows {
        guard let column else { return .absent(count) }
        guard column.schema.type == .bytes else {
            throw ConnectorError(
                "converter.type_mismatch", .stop, "Invalid schema type for ByteArrayConverter: \(column.schema.type.rawValue.uppercased())",
                hint: "Topic \(topic): use JsonConverter, or a transform that leaves bytes only")
        }
        let valid = column.validRows
        let present = nullSchemaRows.map { nulls in valid.map { $0 & !nulls } ?? !nulls } ?? valid
        if case .binary(let values) = column.storage { return RenderedRows(values: values, present: present) }
        var out = VarBytes()
        for row in 0..<count { if case .bytes(let bytes) = column[row] { out.append(bytes) } else { out.appendEmpty() } }
        return RenderedRows(values: out, present: present)
    }

    package func parse(_ rows: RenderedRows, topic: String) throws -> Column {
        Column(
            Schema(.bytes, optional: true), count: rows.values.count, .binary(rows.values),
            validity: rows.present.flatMap { $0.allSet ? nil : $0 })
    }
}
