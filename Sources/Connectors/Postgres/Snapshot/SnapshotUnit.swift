import ConnectAPI

/// One unit of a snapshot: a table, or a range of a large one's key; read under one database snapshot, staged out of sight and published whole.
///
/// A crash drops what an unfinished unit staged; the unit is then read again under a new snapshot and remembers that one's LSN.
struct SnapshotUnit: Sendable {
    let schema: TableSchema
    /// A statement of the user's in place of the whole table.
    let override: String?
    /// Bytes of the unit, about.
    let bytes: Int64
    /// Blocks can be read apart: an ordinary table on PostgreSQL 14 or later.
    let divides: Bool
    /// nil: the whole table.
    var range: KeyRange?
    /// Where readers share a range.
    var cuts: [Int64] = []
    /// Whether the table's first and last row are in this unit.
    var beginsTable = true
    var endsTable = true

    /// `schema.table`
    var table: String { "\(schema.definition.schema).\(schema.definition.name)" }
    /// The unit's name in the log and in the ledger.
    var name: String { SnapshotUnitName.make(table, range) }

    private var relation: String { "\(quoted(schema.definition.schema)).\(quoted(schema.definition.name))" }
    private var keyColumn: String { quoted(schema.definition.columns[schema.definition.keyColumns[0]].name) }
    private var source: String { override.map { "(\($0)) AS overridden" } ?? relation }

    private static let blockBytes: Int64 = 8192

    /// The COPY statements that together read every row once, for this many parallel readers.
    ///
    /// Ranges of the key, else of blocks by `ctid`; the last has no end, so that children of an inheritance tree larger than their parent are whole too.
    func statements(readers: Int) -> [String] {
        let columns = schema.snapshotColumns.map { $0.castsToText ? "\(quoted($0.name))::text" : quoted($0.name) }.joined(separator: ", ")
        func copy(_ condition: String?) -> String {
            "COPY (SELECT \(columns) FROM \(source)\(condition.map { " WHERE \($0)" } ?? "")) TO STDOUT (FORMAT binary)"
        }
        if let range { return range.divided(at: readers > 1 ? cuts : []).map { copy($0.condition(keyColumn)) } }
        guard override == nil, divides, readers > 1 else { return [copy(nil)] }
        let chunk = min(max(bytes / Int64(readers * 4), 1 << 20), 64 << 20) / Self.blockBytes
        let blocks = bytes / Self.blockBytes
        guard blocks > chunk else { return [copy(nil)] }
        return stride(from: 0, to: blocks, by: Int(chunk)).map { start in
            let end = start + chunk
            return copy("ctid >= '(\(start),0)'" + (end < blocks ? " AND ctid < '(\(end),0)'" : ""))
        }
    }

    /// Whether there is a row at all.
    var existsQuery: String { "SELECT EXISTS (SELECT 1 FROM \(source)\(range.map { " WHERE \($0.condition(keyColumn))" } ?? ""))" }
    var lockStatement: String { "LOCK TABLE \(relation) IN ACCESS SHARE MODE" }
}
