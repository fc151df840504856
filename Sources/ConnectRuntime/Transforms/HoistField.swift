import ConnectAPI

/// `HoistField`: the value as the one member of a struct.
struct HoistField<Side: RecordSide>: Transform {
    static var className: String { Side.className("HoistField") }

    struct Configuration: ConnectConfiguration {
        @Field("field", doc: "The name of the member") var field: String
        init() {}
    }

    private let field: String
    init(_ configuration: Configuration) { field = configuration.field }

    /// A null with a schema is wrapped too; a tombstone, which has none, stays what it is.
    func apply(_ batch: TransformedBatch) -> [TransformedBatch] {
        guard let column = Side.column(batch.batch) else { return [batch] }
        var out = batch
        Side.set(
            Column(
                .struct([Schema.Field(field, column.schema)], name: column.schema.isSchemaless ? LogicalName.schemalessObject : nil), count: column.count,
                .struct([column]),
                validity: Side.withoutSchema(batch.batch).map { !$0 }),
            in: &out.batch)
        return [out]
    }
}
