/// The statements that read one collection by chunks of its key.
struct ChunkQuery {
    let schema: TableSchema
    let collection: IncrementalProgress.Collection

    /// The columns to go by: the surrogate key, else the record's key; empty: the table has none.
    var keyColumns: [String] { collection.surrogateKey.map { [$0] } ?? schema.keyColumns.map { schema.columns[$0].name } }

    private var relation: String { "\(quoted(collection.schema)).\(quoted(collection.name))" }
    /// With the table's name: without it ORDER BY would mean the texts selected.
    private func column(_ name: String) -> String { "\(quoted(collection.name)).\(quoted(name))" }
    private var keyList: String { keyColumns.map(column).joined(separator: ", ") }
    private var keyTexts: String { keyColumns.map { "\(column($0))::text" }.joined(separator: ", ") }

    /// The greatest key there is now.
    var maximum: String {
        let order = keyColumns.map { "\(column($0)) DESC" }.joined(separator: ", ")
        return "SELECT \(keyTexts) FROM \(relation)\(condition([])) ORDER BY \(order) LIMIT 1"
    }

    /// The key of the last row of a chunk; no row: there are fewer rows than that.
    func end(after last: [String]?, upTo maximum: [String], size: Int) -> String {
        "SELECT \(keyTexts) FROM \(relation)\(condition(range(last, maximum))) ORDER BY \(keyList) OFFSET \(size - 1) LIMIT 1"
    }

    /// The rows of a chunk in the order of their keys, as `SnapshotBatchBuilder` expects them.
    func rows(after last: [String]?, upTo end: [String]) -> String {
        let columns = schema.snapshotColumns.map { $0.castsToText ? "\(quoted($0.name))::text" : quoted($0.name) }.joined(separator: ", ")
        return "COPY (SELECT \(columns) FROM \(relation)\(condition(range(last, end))) ORDER BY \(keyList)) TO STDOUT (FORMAT binary)"
    }

    /// Comparing rows uses the key's index; PostgreSQL gives the literals the types of their columns.
    private func range(_ last: [String]?, _ end: [String]) -> [String] {
        func row(_ key: [String]) -> String { "(" + key.map(literal).joined(separator: ", ") + ")" }
        return (last.map { ["(\(keyList)) > \(row($0))"] } ?? []) + ["(\(keyList)) <= \(row(end))"]
    }

    private func condition(_ range: [String]) -> String {
        // Rows without a surrogate key have no place in its order.
        let present = collection.surrogateKey.map { ["\(column($0)) IS NOT NULL"] } ?? []
        let all = range + present + (collection.condition.map { ["(\($0))"] } ?? [])
        return all.isEmpty ? "" : " WHERE " + all.joined(separator: " AND ")
    }
}
