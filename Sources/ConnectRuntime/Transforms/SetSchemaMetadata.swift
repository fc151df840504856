import ConnectAPI

/// `SetSchemaMetadata`: another name or version for the schema.
struct SetSchemaMetadata<Side: RecordSide>: Transform {
    static var className: String { Side.className("SetSchemaMetadata") }

    struct Configuration: ConnectConfiguration {
        @Field("schema.name", importance: .high, doc: "The new name") var name: String?
        @Field("schema.version", importance: .high, doc: "The new version") var version: Int?
        @Field("replace.null.with.default", default: "true", doc: "Put the default of a member instead of its null") var replacesNulls: Bool
        init() {}
    }

    private let name: String?, version: Int?
    private let schemas = SchemaCache()

    init(_ configuration: Configuration) throws {
        name = configuration.name
        version = configuration.version
        guard name != nil || version != nil else { throw TransformError.config("Neither schema name nor version configured") }
    }

    func apply(_ batch: TransformedBatch) -> [TransformedBatch] {
        guard let column = Side.column(batch.batch) else { return [batch] }
        let schema = schemas(column.schema) { column.schema.with(name: name.map { .some($0) }, version: version.map { .some($0) }) }
        var out = batch
        Side.set(column.with(schema: schema), in: &out.batch)
        return [out]
    }
}
