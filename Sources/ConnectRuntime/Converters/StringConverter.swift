package import ConnectAPI

/// `org.apache.kafka.connect.storage.StringConverter`: the text of a value, UTF-8.
package struct StringConverter: Converter {
    package static let className = "org.apache.kafka.connect.storage.StringConverter"

    struct Configuration: ConnectConfiguration {
        @Field(
            "converter.type", importance: .low, doc: "What the converter is for: key, value or header",
            check: .oneOf(["key", "value", "header"]))
        var type: String
        @Field(
            "converter.encoding", default: "UTF-8", importance: .high, doc: "The encoding of the text; UTF-8 is the only one",
            check: Check(recommended: ["UTF-8"]) { ["UTF-8", "UTF8"].contains($0.uppercased()) ? nil : "Only UTF-8 is supported" })
        var encoding: String
        init() {}
    }

    package init() {}

    package func render(_ column: Column?, count: Int, nullSchemaRows: Bitmap?, topic: String) throws -> RenderedRows {
        .text(column, count: count, nullSchemaRows) { ConnectText.plain($0, $1) }
    }

    package func parse(_ rows: RenderedRows, topic: String) throws -> Column {
        let valid = rows.present.flatMap { $0.allSet ? nil : $0 }
        for row in 0..<rows.values.count where rows.present.map({ $0[row] }) ?? true {
            guard String(validating: rows.values[row], as: UTF8.self) != nil else {
                throw ConnectorError("converter.not_utf8", .reject, "Row \(row) of a batch from topic \(topic) is not UTF-8")
            }
        }
        return Column(Schema(.string, optional: true), count: rows.values.count, .utf8(rows.values), validity: valid)
    }
}

/// `org.apache.kafka.connect.storage.SimpleHeaderConverter`: texts as `Values.convertToString` writes them.
///
/// Reading gives text: Kafka guesses the type of every header by itself, which a column cannot hold; `HeaderLiteral` guesses where it matters.
package struct SimpleHeaderConverter: Converter {
    package static let className = "org.apache.kafka.connect.storage.SimpleHeaderConverter"
    package init() {}

    package func render(_ column: Column?, count: Int, nullSchemaRows: Bitmap?, topic: String) throws -> RenderedRows {
        .text(column, count: count, nullSchemaRows) { ConnectText.header($0, $1) }
    }

    package func parse(_ rows: RenderedRows, topic: String) throws -> Column { try StringConverter().parse(rows, topic: topic) }
}

extension RenderedRows {
    /// Text columns as they are, constants once, the rest row by row.
    static func text(_ column: Column?, count: Int, _ nullSchemaRows: Bitmap?, _ text: (Value, Schema) -> String) -> RenderedRows {
        guard let column else { return absent(count) }
        let valid = column.validRows
        let present = nullSchemaRows.map { nulls in valid.map { $0 & !nulls } ?? !nulls } ?? valid
        if column.unavailable == nil, case .utf8(let values) = column.storage { return RenderedRows(values: values, present: present) }
        var out = VarBytes()
        out.offsets.reserveCapacity(count + 1)
        if case .constant(let value) = column.storage {
            let bytes = value.isNull ? [] : Array(text(value, column.schema).utf8)
            for _ in 0..<count { out.append(bytes) }
            return RenderedRows(values: out, present: present)
        }
        for row in 0..<count {
            if column.unavailable.map({ $0[row] }) == true {
                out.append("__debezium_unavailable_value".utf8)
            } else if present.map({ $0[row] }) ?? true {
                out.append(text(column[row], column.schema).utf8)
            } else {
                out.appendEmpty()
            }
        }
        return RenderedRows(values: out, present: present)
    }
}
