import ConnectAPI

/// `ValueToKey`: a new key from members of the value.
struct ValueToKey: Transform {
    static let className = "org.apache.kafka.connect.transforms.ValueToKey"

    struct Configuration: ConnectConfiguration {
        @Field("fields", importance: .high, doc: "Members of the value that make the key", check: .nonEmpty) var fields: [String]
        @Field("replace.null.with.default", default: "true", doc: "Put the default of a member instead of its null") var replacesNulls: Bool
        init() {}
    }

    private let fields: [String]
    private let replacesNulls: Bool

    init(_ configuration: Configuration) {
        fields = configuration.fields
        replacesNulls = configuration.replacesNulls
    }

    func apply(_ batch: TransformedBatch) throws -> [TransformedBatch] {
        let purpose = "copying fields from value to key"
        try ValueSide.requireNoNull(batch.batch, purpose: purpose)
        guard let value = batch.batch.value, value.schema.type == .struct else {
            throw TransformError.notAStruct(batch.batch.value?.schema ?? Schema(.string), purpose)
        }
        let members = try fields.map { field in
            guard let member = value.member(field) else {
                throw ConnectorError("transform.unknown_field", .stop, "Field does not exist: \(field)")
            }
            return replacesNulls ? member.replacingNullsWithDefault() : member
        }
        var out = batch
        let schema = Schema.struct(
            zip(fields, members).map { Schema.Field($0, $1.schema) }, name: value.schema.isSchemaless ? LogicalName.schemalessObject : nil)
        out.batch.key = Column(schema, count: value.count, .struct(members))
        return [out]
    }
}
