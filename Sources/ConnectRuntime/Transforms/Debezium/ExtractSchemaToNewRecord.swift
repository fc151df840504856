import ConnectAPI

/// `io.debezium.transforms.ExtractSchemaToNewRecord`: adds `sourceSchema` to the envelope, the table's columns with their types in the database. They
/// come from the parameters that `column.propagate.source.type` adds to schemas.
struct ExtractSchemaToNewRecord: Transform {
    static let className = "io.debezium.transforms.ExtractSchemaToNewRecord"
    struct Configuration: ConnectConfiguration { init() {} }
    init(_ configuration: Configuration) {}

    private static let column = Schema.struct(
        [
            .init("name", Schema(.string)), .init("typeName", Schema(.string)), .init("length", Schema(.int32, optional: true)),
            .init("scale", Schema(.int32, optional: true)), .init("comment", Schema(.string, optional: true)),
        ], name: "io.debezium.connector.source.schema.Column", version: 1)
    private static let table = Schema.struct([.init("columns", .array(column))], name: "io.debezium.connector.source.schema.Table", version: 1)
    private static let block = Schema.struct(
        [.init("id", Schema(.string)), .init("table", table)], name: "io.debezium.connector.source.Schema", version: 1)

    private let schemas = SchemaCache()

    func apply(_ input: TransformedBatch) throws -> [TransformedBatch] {
        let batch = input.batch
        guard let envelope = batch.value, Envelope.isNamed(envelope.schema), let after = envelope.child("after"), after.schema.type == .struct else {
            return [input]
        }
        let before = envelope.child("before")
        // Tombstones and truncates pass as they are.
        return try input.runs { row in
            !batch.isTombstone(row) && !envelope.isNull(row) && !(after.isNull(row) && before.map { $0.isNull(row) } ?? true)
        }.map { isChange, part in isChange ? try described(part, after.schema) : part }
    }

    private func described(_ part: TransformedBatch, _ row: Schema) throws -> TransformedBatch {
        guard let envelope = part.batch.value else { return part }
        let columns = try row.fields.map { try Self.description(of: $0.schema) }
        let ids = envelope.child("source")?.member("table")
        let description = Column.constant(.struct([.array(columns)]), Self.table, count: envelope.count)
        let id = (ids ?? .constant("", Schema(.string), count: envelope.count)).with(schema: Schema(.string)).with(validity: nil)
        let schema = schemas(envelope.schema) {
            envelope.schema.with(fields: envelope.schema.fields + [Schema.Field("sourceSchema", Self.block)])
        }
        var out = part
        out.batch.value = Column(
            schema, count: envelope.count,
            .struct(envelope.children + [Column(Self.block, count: envelope.count, .struct([id, description]))]), validity: envelope.validity,
            unavailable: envelope.unavailable)
        return out
    }

    private static func description(of schema: Schema) throws -> Value {
        func parameter(_ name: String) -> String? { schema.parameter("__debezium.source.column." + name) }
        func number(_ name: String) -> Value { parameter(name).flatMap { Int64($0) }.map { .integer($0) } ?? .null }
        guard let name = parameter("name"), let type = parameter("type") else {
            throw ConnectorError(
                "transform.no_source_types", .stop,
                "Ensure that enable configurations \"column.propagate.source.type\" or \"datatype.propagate.source.type\" and the value is set to \".*\"")
        }
        return .struct([.string(name), .string(type), number("length"), number("scale"), parameter("comment").map { .string($0) } ?? .null])
    }
}
