import ConnectAPI
import JSON
import Parquet
import Synchronization

/// The layouts of the schemas that a sink's files had lately: ten thousand open files of one schema hold it once.
final class ParquetLayouts: Sendable {
    struct Layout: Sendable {
        /// Of the values.
        let schema: Schema
        let columns: ParquetLayout
        /// The schema as Kafka Connect's JSON spells it.
        let schemaText: String
    }

    private struct Entry {
        let options: ParquetOptions
        let layout: Layout
    }
    /// The one used last stands last.
    private let entries = Mutex<[Entry]>([])
    private static let kept = 16

    /// Throws when the schema has no Parquet form.
    func layout(for schema: Schema, _ options: ParquetOptions) throws -> Layout {
        try entries.withLock { entries in
            let known = entries.lastIndex { ($0.layout.schema === schema || $0.layout.schema == schema) && $0.options == options }
            let entry = try known.map { entries.remove(at: $0) } ?? Entry(options: options, layout: Self.make(schema, options))
            if entries.count == Self.kept { entries.removeFirst() }
            entries.append(entry)
            return entry.layout
        }
    }

    private static func make(_ schema: Schema, _ options: ParquetOptions) throws -> Layout {
        var text = JSONWriter()
        ConnectJSONSchema.write(schema, ConnectJSONOptions(), to: &text)
        let columns = schema.type == .struct ? schema : .struct([Schema.Field("value", schema)])
        return Layout(schema: schema, columns: try ParquetLayout(columns, options), schemaText: String(decoding: text.take(), as: UTF8.self))
    }
}
