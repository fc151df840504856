import ConnectAPI

/// One unit of a snapshot: a table, read under one database snapshot, staged out of sight and published whole.
///
/// A crash drops what an unfinished unit staged; the unit is then read again under a new snapshot and remembers that one's LSN.
struct SnapshotTable: Sendable {
    let schema: TableSchema
    /// A statement of the user's in place of the whole table.
    let override: String?
    /// Bytes of the table's main fork.
    let bytes: Int64
    /// Blocks can be read apart: an ordinary table on PostgreSQL 14 or later.
    let divides: Bool

    /// `schema.table`: the unit's name in the log and in the ledger.
    var name: String { "\(schema.definition.schema).\(schema.definition.name)" }
    private var relation: String { "\(quoted(schema.definition.schema)).\(quoted(schema.definition.name))" }

    private static let blockBytes: Int64 = 8192

    /// The COPY statements that together read every row once, for this many parallel readers.
    ///
    /// Ranges of blocks by `ctid`; the last has no end, so that children of an inheritance tree larger than their parent are whole too.
    func statements(readers: Int) -> [String] {
        let columns = schema.snapshotColumns.map { $0.castsToText ? "\(quoted($0.name))::text" : quoted($0.name) }.joined(separator: ", ")
        func copy(_ source: String) -> String { "COPY (SELECT \(columns) FROM \(source)) TO STDOUT (FORMAT binary)" }
        if let override { return [copy("(\(override)) AS overridden")] }
        guard divides, readers > 1 else { return [copy(relation)] }
        let chunk = min(max(bytes / Int64(readers * 4), 1 << 20), 64 << 20) / Self.blockBytes
        let blocks = bytes / Self.blockBytes
        guard blocks > chunk else { return [copy(relation)] }
        return stride(from: 0, to: blocks, by: Int(chunk)).map { start in
            let end = start + chunk
            return copy("\(relation) WHERE ctid >= '(\(start),0)'" + (end < blocks ? " AND ctid < '(\(end),0)'" : ""))
        }
    }

    /// Whether there is a row at all.
    var existsQuery: String { "SELECT EXISTS (SELECT 1 FROM \(override.map { "(\($0)) AS overridden" } ?? relation))" }
    var lockStatement: String { "LOCK TABLE \(relation) IN ACCESS SHARE MODE" }
}
