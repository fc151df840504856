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
    let rejected: [(row: Int, error: ConnectorError)]
}
