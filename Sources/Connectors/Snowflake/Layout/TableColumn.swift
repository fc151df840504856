import ConnectAPI

/// A column of the destination table, and how a value for it stands in a staged file.
struct TableColumn: Sendable, Hashable {
    enum Content: Sendable, Hashable {
        /// JSON text, of which Snowflake makes a VARIANT.
        case variant
        /// JSON text of an array.
        case array
        /// A value of the file's own type.
        case plain
    }
    /// As Snowflake stores it.
    let name: String
    /// For CREATE and ALTER TABLE.
    let type: String
    let content: Content

    static func variant(_ name: String) -> TableColumn { TableColumn(name: name, type: "VARIANT", content: .variant) }

    /// JSON texts are STRING columns of this meaning until the edge.
    static let jsonSchema = Schema(.string, optional: true, name: LogicalName.json)
}

/// Rows for a table: a struct column with a member a table column.
struct TableRows: Sendable {
    let columns: [TableColumn]
    let values: Column
    /// Rows that cannot be written, ascending. Their values are null.
    var rejected: [(row: Int, error: ConnectorError)]

    /// Rejects also the rows whose values are too long or too large for the table's columns.
    mutating func rejectMisfits(_ types: [String: String], _ consumed: ConsumedBatch) {
        var known = Set(rejected.map(\.row))
        for misfit in ColumnFit.misfits(self, types: types) where known.insert(misfit.row).inserted {
            let error = ConnectorError(
                "snowflake.does_not_fit", .reject,
                "The record of \(consumed.partition) at offset \(consumed.offsets[misfit.row]) has a value that is too long or too large for the column \(misfit.column) \(misfit.type)",
                hint: "ALTER TABLE … ALTER COLUMN \(SQL.identifier(misfit.column)) SET DATA TYPE … to a wider type")
            rejected.append((misfit.row, error))
        }
        rejected.sort { $0.row < $1.row }
    }
}
