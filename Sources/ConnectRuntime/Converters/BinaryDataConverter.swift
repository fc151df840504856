import ConnectAPI

/// `io.debezium.converters.BinaryDataConverter`, formerly `ByteArrayConverter`: bytes as they are, everything else through another converter, so that
/// outbox events with a binary payload can share a connector with heartbeats.
struct BinaryDataConverter: Converter {
    struct Configuration: ConnectConfiguration {
        @Field(
            "converter.type", importance: .low, doc: "What the converter is for: key, value or header", check: .oneOf(["key", "value", "header"]))
        var type: String
        @Field("delegate.converter.type", importance: .low, doc: "The class of the converter for what is no bytes") var delegate: String?
        @FieldPrefix("delegate.converter.type.") var delegateSettings: [String: String]
        init() {}
    }

    let delegate: (any Converter)?
    let className: String

    func render(_ column: Column?, count: Int, nullSchemaRows: Bitmap?, topic: String) throws -> RenderedRows {
        guard let column, column.schema.type != .bytes else {
            return try ByteArrayConverter().render(column, count: count, nullSchemaRows: nullSchemaRows, topic: topic)
        }
        guard let delegate else {
            throw ConnectorError(
                "converter.type_mismatch", .stop, "A \(topic) of type '\(column.schema.type.rawValue)' requires a delegate.converter.type to be configured",
                hint: "\(className) takes bytes; set delegate.converter.type for records that hold something else")
        }
        return try delegate.render(column, count: count, nullSchemaRows: nullSchemaRows, topic: topic)
    }

    func parse(_ rows: RenderedRows, topic: String) throws -> Column { try ByteArrayConverter().parse(rows, topic: topic) }
}
