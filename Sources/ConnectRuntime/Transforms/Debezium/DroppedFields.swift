import ConnectAPI

/// The `drop.fields.*` keys of ExtractNewRecordState: takes members away that a header lists for each record. Rows are cut where the list changes,
/// since their schemas differ.
struct DroppedFields: Sendable {
    private let header: String
    private let fromKey: Bool
    private let keepsRequired: Bool

    /// nil: no header is named.
    init?(header: String?, fromKey: Bool, keepsRequired: Bool) {
        guard let header, !header.trimmingSpaces().isEmpty else { return nil }
        self.header = header
        self.fromKey = fromKey
        self.keepsRequired = keepsRequired
    }

    func apply(_ input: TransformedBatch) throws -> [TransformedBatch] {
        // As Kafka's headers are searched: the first of the name.
        guard let lists = input.batch.headers.first(where: { $0.name == header }), lists.values.schema.type == .array else { return [input] }
        return try input.runs { row in lists.present.map { $0[row] } ?? true ? lists.values[row] : .null }.map { list, part in
            guard case .array(let items) = list, !items.isEmpty else { return part }
            let names = Set(items.compactMap(\.stringValue))
            var out = part
            if fromKey { out.batch.key = try out.batch.key.map { try without(names, $0) } }
            out.batch.value = try out.batch.value.map { try without(names, $0) }
            return out
        }
    }

    private func without(_ names: Set<String>, _ column: Column) throws -> Column {
        guard column.schema.type == .struct else { return column }
        let dropped = Set(column.schema.fields.lazy.filter { names.contains($0.name) && (!keepsRequired || $0.schema.isOptional) }.map(\.name))
        guard !dropped.isEmpty else { return column }
        // A null of the whole value keeps its schema, as ReplaceField leaves it.
        if case .constant(.null) = column.storage { return column }
        var members = StructColumns(column, replacingNulls: false)
        members.keep { !dropped.contains($0) }
        return members.column(like: column)
    }
}
