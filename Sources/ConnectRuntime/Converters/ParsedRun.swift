import ConnectAPI

/// Consecutive rows of one schema, parsed. A row that is null without a schema is marked in `tombstones`; no column: all are.
struct ParsedRun {
    let rows: Range<Int>
    let column: Column?
    var tombstones: Bitmap?

    func slice(_ part: Range<Int>) -> ParsedRun {
        let own = part.lowerBound - rows.lowerBound..<part.upperBound - rows.lowerBound
        return ParsedRun(rows: part, column: column?.slice(own), tombstones: tombstones?.slice(own))
    }

    /// All rows as one column: those without a schema are null, and the schema of the others is optional then. Throws `.reject` where schemas differ.
    static func column(_ runs: [(rows: Range<Int>, column: Column?)], count: Int, topic: String) throws -> Column {
        let columns = runs.compactMap(\.column)
        guard let schema = columns.first?.schema else { return .constant(.null, Schema(.string, optional: true), count: count) }
        guard columns.allSatisfy({ $0.schema == schema }) else {
            throw ConnectorError(
                "converter.mixed_schemas", .reject, "The records read from topic \(topic) have different schemas", hint: "Read them in runs of one schema")
        }
        if runs.count == 1, let column = columns.first { return column }
        let optional = schema.with(optional: true)
        return Column.concatenating(
            runs.map { run in run.column.map { $0.with(schema: optional) } ?? .constant(.null, optional, count: run.rows.count) })
    }

    /// What a converter gave, with rows of no schema joined to their neighbours: a topic of deletes and tombstones in turn stays one batch.
    /// `present`: rows that have bytes.
    static func joining(_ runs: [(rows: Range<Int>, column: Column?)], present: Bitmap?) -> [ParsedRun] {
        if runs.count == 1 {
            let absent = present.flatMap { $0.allSet ? nil : !$0 }
            return [ParsedRun(rows: runs[0].rows, column: runs[0].column, tombstones: absent)]
        }
        var joined: [ParsedRun] = [], parts: [(rows: Range<Int>, column: Column?)] = []
        var schema: Schema?
        func close() {
            guard let first = parts.first, let last = parts.last else { return }
            let rows = first.rows.lowerBound..<last.rows.upperBound
            guard let schema else { return joined.append(ParsedRun(rows: rows, column: nil)) }
            var tombstones = Bitmap()
            for part in parts { tombstones.append(repeating: part.column == nil, count: part.rows.count) }
            let column = Column.concatenating(parts.map { $0.column ?? .constant(.null, schema, count: $0.rows.count) })
            joined.append(ParsedRun(rows: rows, column: column, tombstones: tombstones.noneSet ? nil : tombstones))
        }
        for run in runs {
            if let next = run.column?.schema, let schema, next != schema {
                close()
                parts = []
            }
            if let next = run.column?.schema { schema = next }
            parts.append(run)
        }
        close()
        return joined
    }
}
