import ConnectAPI
import JSON
import Synchronization

/// The columns of a topic whose values come without schemas: the union of what was seen, over batches, files and restarts.
///
/// Files of one table then have the same columns, and a record without a member that others have cuts no file. A member seen for the first time
/// does, as Parquet fixes columns when a file begins; numbers widen, and a member of types that do not meet becomes JSON text. One file a topic in the
/// task's directory keeps it.
final class SchemaMemory: Sendable {
    private struct State {
        var unions: [String: Schema] = [:]
        /// Schemas that the union holds already.
        var known: [String: Set<Schema>] = [:]
    }
    private let state = Mutex(State())
    private let directory: String

    init(directory: String) { self.directory = directory }

    /// The values in the shape of the topic's union.
    func shaped(_ values: Column, topic: String) -> Column {
        guard values.schema.type == .struct else { return values }
        let (union, grew) = state.withLock { state -> (Schema, Bool) in
            let stored = state.unions[topic] ?? load(topic)
            if let stored, state.known[topic]?.contains(values.schema) == true { return (stored, false) }
            let union = stored.map { Self.union($0, values.schema) } ?? Self.optional(values.schema)
            // One instance as long as nothing changes, so that comparing stays cheap.
            let grew = union != stored
            state.unions[topic] = grew ? union : stored
            if grew || state.known[topic]?.count ?? 0 > 1000 { state.known[topic] = [] }
            state.known[topic, default: []].insert(values.schema)
            return (state.unions[topic]!, grew)
        }
        if grew { save(union, topic) }
        return Self.shape(values, union)
    }

    // MARK: Union

    private static func optional(_ schema: Schema) -> Schema {
        switch schema.type {
        case .struct:
            return Schema(.struct, optional: true, fields: schema.fields.map { Schema.Field($0.name, optional($0.schema)) })
        case .array: return Schema(.array, optional: true, element: optional(schema.element!))
        default: return schema.with(optional: true)
        }
    }

    /// A schema both fit into; every member optional, in the order they were first seen.
    static func union(_ a: Schema, _ b: Schema) -> Schema {
        if a == b { return a }
        switch (a.type, b.type) {
        case (.struct, .struct):
            var fields = a.fields
            for field in b.fields {
                if let i = fields.firstIndex(where: { $0.name == field.name }) {
                    fields[i] = Schema.Field(field.name, union(fields[i].schema, field.schema))
                } else {
                    fields.append(Schema.Field(field.name, optional(field.schema)))
                }
            }
            return Schema(.struct, optional: true, fields: fields)
        case (.array, .array): return Schema(.array, optional: true, element: union(a.element!, b.element!))
        case (let x, let y) where x == y && a.name == b.name: return a.with(optional: true)
        default:
            let numbers: [SchemaType] = [.int8, .int16, .int32, .int64, .float32, .float64]
            guard a.name == nil, b.name == nil, let x = numbers.firstIndex(of: a.type), let y = numbers.firstIndex(of: b.type) else {
                return Schema(.string, optional: true)
            }
            // A float does not hold every integer.
            let wider = max(x, y)
            return Schema(min(x, y) < 4 && wider >= 4 ? .float64 : numbers[wider], optional: true)
        }
    }

    /// Values in the shape of a schema that is a union with theirs.
    static func shape(_ column: Column, _ to: Schema) -> Column {
        if column.schema == to { return column }
        switch (column.schema.type, to.type) {
        case (.struct, .struct):
            let children = to.fields.map { field -> Column in
                guard let child = column.child(field.name) else { return .constant(.null, field.schema, count: column.count) }
                // A member that an object does not have is null in a column; it is not a value that the source could not tell.
                return shape(column.schema.isSchemaless ? child.with(unavailable: nil) : child, field.schema)
            }
            return Column(to, count: column.count, .struct(children), validity: column.validRows, unavailable: column.unavailable)
        case (.array, .array):
            guard case .list(let offsets, let elements) = column.materialized().storage else { return column.with(schema: to) }
            return Column(to, count: column.count, .list(offsets: offsets, shape(elements, to.element!)), validity: column.validRows)
        case (let from, .string) where from != .string:
            var texts = VarBytes()
            for row in 0..<column.count {
                if column.isNull(row) {
                    texts.appendEmpty()
                } else {
                    var out = JSONWriter()
                    ConnectJSONValue.write(column[row], column.schema, ConnectJSONOptions(schemasEnabled: false), to: &out)
                    texts.append(out.take())
                }
            }
            return Column(to, count: column.count, .utf8(texts), validity: column.validRows)
        default: return SchemaCompatibility.project(column, to: to)
        }
    }

    // MARK: Keeping

    private func path(_ topic: String) -> String { "\(directory)/\(PercentCoding.encode(topic)).schema.json" }

    private func load(_ topic: String) -> Schema? {
        guard let bytes = SmallFile.read(path(topic), limit: 16 << 20), let json = try? JSONValue.parse(bytes) else { return nil }
        return try? ConnectJSONSchema.parse(json)
    }

    /// What cannot be kept is learned again after a restart.
    private func save(_ schema: Schema, _ topic: String) {
        var out = JSONWriter()
        ConnectJSONSchema.write(schema, ConnectJSONOptions(), to: &out)
        SmallFile.replace(path(topic), with: out.take())
    }
}
