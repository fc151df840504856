import ConnectAPI
import JSON

/// `io.debezium.transforms.VectorToJsonConverter`: vectors as JSON text, for those who know no vectors.
struct VectorToJsonConverter: Transform {
    static let className = "io.debezium.transforms.VectorToJsonConverter"
    struct Configuration: ConnectConfiguration { init() {} }
    init(_ configuration: Configuration) {}

    func apply(_ input: TransformedBatch) throws -> [TransformedBatch] {
        guard let value = input.batch.value else { return [input] }
        guard value.schema.type == .struct else { throw TransformError.notAStruct(value.schema, "Value should be a struct") }
        guard Self.holdsVector(value.schema) else { return [input] }
        var out = input
        out.batch.value = converted(value)
        return [out]
    }

    private static func isVector(_ schema: Schema) -> Bool {
        switch schema.name {
        case "io.debezium.data.DoubleVector", "io.debezium.data.FloatVector": schema.type == .array
        case "io.debezium.data.SparseDoubleVector": schema.type == .struct
        default: false
        }
    }

    private static func holdsVector(_ schema: Schema) -> Bool { isVector(schema) || schema.fields.contains { holdsVector($0.schema) } }

    private func converted(_ column: Column) -> Column {
        if Self.isVector(column.schema) { return Self.text(column) }
        guard column.schema.type == .struct, Self.holdsVector(column.schema) else { return column }
        var members = StructColumns(column, replacingNulls: false)
        members.columns = members.columns.map(converted)
        return members.column(keeping: column)
    }

    private static func text(_ column: Column) -> Column {
        let schema = Schema(.string, optional: column.schema.isOptional, name: LogicalName.json, version: 1)
        let values = (0..<column.count).map { row -> Value in
            switch column[row] {
            case .array(let items): .string("{ \"values\": [" + items.map(number).joined(separator: ", ") + "] }")
            case .struct(let members): sparse(members, column.schema).map { .string($0) } ?? .null
            default: .null
            }
        }
        return Column(schema, values)
    }

    private static func sparse(_ members: [Value], _ schema: Schema) -> String? {
        guard let dimensions = schema.index(of: "dimensions").flatMap({ members[$0].integerValue }), let place = schema.index(of: "vector"),
            case .map(let entries) = members[place]
        else { return nil }
        let sorted = entries.sorted { ($0.key.integerValue ?? 0) < ($1.key.integerValue ?? 0) }
        let items = sorted.map { "\"\($0.key.integerValue ?? 0)\": \(number($0.value))" }.joined(separator: ", ")
        return "{ \"dimensions\": \(dimensions), \"vector\": { \(items) } }"
    }

    /// As Java prints it.
    private static func number(_ value: Value) -> String {
        switch value {
        case .float(let number): JavaNumber.string(number)
        case .double(let number): JavaNumber.string(number)
        case .integer(let number): String(number)
        default: "null"
        }
    }
}
