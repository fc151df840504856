import ConnectAPI

/// `MaskField`: members become the zero of their type, or a fixed replacement. Null stays null.
struct MaskField<Side: RecordSide>: Transform {
    static var className: String { Side.className("MaskField") }

    struct Configuration: ConnectConfiguration {
        @Field("fields", importance: .high, doc: "Members to mask", check: .nonEmpty) var fields: [String]
        @Field("replacement", importance: .low, doc: "Stands for numbers and strings instead of the type's zero", check: .nonEmpty)
        var replacement: String?
        @Field("replace.null.with.default", default: "true", doc: "Put the default of a member instead of its null") var replacesNulls: Bool
        init() {}
    }

    private let fields: Set<String>
    private let replacement: String?
    private let replacesNulls: Bool

    init(_ configuration: Configuration) {
        fields = Set(configuration.fields)
        replacement = configuration.replacement
        replacesNulls = configuration.replacesNulls
    }

    func apply(_ batch: TransformedBatch) throws -> [TransformedBatch] {
        try Side.requireNoNull(batch.batch, purpose: "mask fields")
        return try Side.structure(batch, purpose: "mask fields", replacingNulls: replacesNulls) { members, part in
            for (i, name) in members.names.enumerated() where fields.contains(name) {
                let column = members.columns[i]
                if case .constant(.null) = column.storage { continue }
                members.columns[i] = Column(
                    column.schema, count: column.count, .constant(try mask(column.schema)), validity: column.validity)
            }
        }
    }

    private func mask(_ schema: Schema) throws -> Value {
        if let replacement {
            let value: Value? =
                switch schema.type {
                case .int8: Int8(replacement).map { .integer(Int64($0)) }
                case .int16: Int16(replacement).map { .integer(Int64($0)) }
                case .int32: Int32(replacement).map { .integer(Int64($0)) }
                case .int64: Int64(replacement).map { .integer($0) }
                case .float32: Float(replacement).map { .float($0) }
                case .float64: Double(replacement).map { .double($0) }
                case .string: .string(replacement)
                default:
                    throw ConnectorError(
                        "transform.mask", .stop, "Cannot mask value of type \(schema.type.rawValue) with custom replacement.")
                }
            guard let value else {
                throw ConnectorError("transform.mask", .stop, "Unable to convert \(replacement) to \(schema.type.rawValue)")
            }
            return value
        }
        switch schema.type {
        case .int8, .int16, .int32, .int64: return .integer(0)
        case .float32: return .float(0)
        case .float64: return .double(0)
        case .boolean: return .boolean(false)
        case .string: return .string("")
        case .bytes: return .bytes(schema.name == LogicalName.decimal ? [0] : [])
        case .array: return .array([])
        case .map: return .map([])
        case .struct: throw ConnectorError("transform.mask", .stop, "Cannot mask value of type: class org.apache.kafka.connect.data.Struct")
        }
    }
}
