import ConnectAPI

/// `Flatten`: members of structs inside the struct become members of the outer one, their names joined.
struct Flatten<Side: RecordSide>: Transform {
    static var className: String { Side.className("Flatten") }

    struct Configuration: ConnectConfiguration {
        @Field("delimiter", default: ".", doc: "Stands between the names") var delimiter: String
        init() {}
    }

    private let delimiter: String
    private let schemas = SchemaCache()

    init(_ configuration: Configuration) { delimiter = configuration.delimiter }

    func apply(_ batch: TransformedBatch) throws -> [TransformedBatch] {
        try Side.present(batch) { part, column in
            guard column.schema.type == .struct else { throw TransformError.notAStruct(column.schema, "flattening") }
            var columns: [Column] = [], fields: [Schema.Field] = []
            try flatten(column, prefix: "", optional: column.schema.isOptional, default: column.schema.defaultValue, &columns, &fields)
            let old = column.schema
            let schema = schemas(old) {
                Schema(.struct, name: old.name, version: old.version, doc: old.doc, parameters: old.parameters, fields: fields)
            }
            columns = zip(schema.fields, columns).map { $1.with(schema: $0.schema) }
            var out = part
            Side.set(Column(schema, count: column.count, .struct(columns), validity: column.validity), in: &out.batch)
            return out
        }
    }

    private func flatten(
        _ column: Column, prefix: String, optional: Bool, default standard: Value?, _ columns: inout [Column],
        _ fields: inout [Schema.Field]
    ) throws {
        for (i, field) in column.schema.fields.enumerated() {
            let name = prefix.isEmpty ? field.name : prefix + delimiter + field.name
            // A member's own default, else what the default of the struct around it says.
            var fallback = field.schema.defaultValue
            if fallback == nil, case .struct(let members)? = standard, i < members.count, !members[i].isNull { fallback = members[i] }
            let isOptional = optional || field.schema.isOptional
            let member = column.member(i)
            switch field.schema.type {
            case .struct: try flatten(member, prefix: name, optional: isOptional, default: fallback, &columns, &fields)
            case .map:
                throw ConnectorError(
                    "transform.unsupported_type", .stop,
                    "Flatten transformation does not support MAP for record with schemas (for field \(name)).")
            default:
                fields.append(Schema.Field(name, field.schema.with(optional: isOptional, default: .some(fallback))))
                columns.append(member)
            }
        }
    }
}
