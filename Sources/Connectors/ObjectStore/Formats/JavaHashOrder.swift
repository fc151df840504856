import ConnectAPI

/// The order in which Java's `HashMap` gives out the members of an object that has no schema.
///
/// JsonConverter without schemas makes a HashMap of every object, and Confluent's JsonFormat writes it as it iterates: by hash bucket, then by
/// insertion. Files that are compared byte for byte, or read by column position, depend on it.
struct JavaHashOrder {
    private var known: [Schema: (schema: Schema, order: [Int])] = [:]

    /// The same rows with every struct's members in HashMap order, at any depth.
    mutating func arranged(_ column: Column) -> Column {
        switch column.storage {
        case .struct(let children):
            let (_, order) = arranged(column.schema)
            let moved = order.map { arranged(children[$0]) }
            let fields = zip(order, moved).map { Schema.Field(column.schema.fields[$0].name, $1.schema) }
            let known = arranged(column.schema).schema
            let schema = known.fields == fields ? known : column.schema.with(fields: fields)
            return Column(schema, count: column.count, .struct(moved), validity: column.validity, unavailable: column.unavailable)
        case .list(let offsets, let values):
            let moved = arranged(values)
            return Column(
                Schema.array(moved.schema, optional: column.schema.isOptional), count: column.count, .list(offsets: offsets, moved),
                validity: column.validity, unavailable: column.unavailable)
        case .constant(.struct): return arranged(column.materialized())
        default: return column
        }
    }

    private mutating func arranged(_ schema: Schema) -> (schema: Schema, order: [Int]) {
        if let found = known[schema] { return found }
        let order = Self.order(schema.fields.map(\.name))
        let result = (schema: schema.with(fields: order.map { schema.fields[$0] }), order: order)
        if known.count > 1000 { known.removeAll() }
        known[schema] = result
        return result
    }

    /// Positions of the names in iteration order. The table has 16 buckets and doubles when three quarters are used.
    static func order(_ names: [String]) -> [Int] {
        var capacity = 16
        while names.count * 4 > capacity * 3 { capacity *= 2 }
        func bucket(_ name: String) -> UInt32 {
            let hash = name.utf16.reduce(UInt32(0)) { $0 &* 31 &+ UInt32($1) }
            return (hash ^ hash >> 16) & UInt32(capacity - 1)
        }
        return names.indices.sorted { (bucket(names[$0]), $0) < (bucket(names[$1]), $1) }
    }
}
