import ConnectAPI

/// What a field tells of its column: the comment (`include.schema.comments`) and the type (`column.propagate.source.type`,
/// `datatype.propagate.source.type`).
struct SourceDescription: Sendable, Hashable {
    var doc: String?
    var parameters: [Schema.Parameter] = []

    init() {}

    init(of column: ColumnDefinition, _ type: TypeDefinition, comment: Bool, sourceType: Bool) {
        doc = comment ? column.comment : nil
        guard sourceType else { return }
        let prefix = "__debezium.source.column."
        let length = TypeSize.length(type.name, column.typeModifier), scale = TypeSize.scale(type.name, column.typeModifier)
        parameters = [
            .init(prefix + "type", type.name.uppercased()), .init(prefix + "length", String(length)), .init(prefix + "scale", String(scale)),
            .init(prefix + "name", column.name),
        ]
        if comment, let text = column.comment { parameters.append(.init(prefix + "comment", text)) }
    }

    func applied(to schema: Schema) -> Schema {
        let described = parameters.reduce(schema) { $0.adding($1) }
        guard let doc else { return described }
        return Schema(
            described.type, optional: described.isOptional, name: described.name, version: described.version, doc: doc,
            parameters: described.parameters, default: described.defaultValue, fields: described.fields, element: described.element,
            key: described.key)
    }
}

/// Length and scale of a type as PostgreSQL's Java driver reports them, and so as Debezium writes them.
enum TypeSize {
    private static let unlimited = 2_147_483_647

    static func length(_ type: String, _ modifier: Int32) -> Int {
        let modifier = Int(modifier)
        switch type {
        case "int2": return 5
        case "int4", "oid": return 10
        case "int8": return 19
        case "float4": return 8
        case "float8": return 17
        case "numeric": return modifier == -1 ? 0 : (modifier - 4) >> 16 & 0xFFFF
        case "bool", "char": return 1
        case "bpchar", "varchar": return modifier == -1 ? unlimited : modifier - 4
        case "bit": return modifier == -1 ? 1 : modifier
        case "varbit": return modifier == -1 ? unlimited : modifier
        case "date": return 13
        case "time": return 8 + fraction(modifier)
        case "timetz": return 14 + fraction(modifier)
        case "timestamp": return 22 + fraction(modifier)
        case "timestamptz": return 28 + fraction(modifier)
        case "interval": return 49
        default: return unlimited
        }
    }

    /// Characters of the fraction of a second, with its point.
    private static func fraction(_ modifier: Int) -> Int { modifier == -1 ? 7 : modifier == 0 ? 0 : modifier == 1 ? 3 : modifier + 1 }

    static func scale(_ type: String, _ modifier: Int32) -> Int {
        let modifier = Int(modifier)
        switch type {
        case "float4": return 8
        case "float8": return 17
        case "numeric": return modifier == -1 ? 0 : (modifier - 4) & 0xFFFF
        case "time", "timetz", "timestamp", "timestamptz": return modifier == -1 ? 6 : modifier
        case "interval": return modifier == -1 ? 6 : modifier & 0xFFFF
        default: return 0
        }
    }
}
