/// COPY INTO a table from staged Parquet files of one shape.
///
/// FORCE is never set: a file that was loaded before is passed over, which is what makes a repeated COPY harmless. JSON texts go through
/// PARSE_JSON, since a string of JSON would land as a string inside the VARIANT.
enum CopyStatement {
    /// The most files one statement names.
    static let maximumFiles = 1000

    static func sql(table: ObjectName, columns: [TableColumn], types: [String: String], stage: String, directory: String, files: [String]) -> String {
        let names = columns.map { SQL.identifier($0.name) }.joined(separator: ", ")
        let values = columns.map { value($0, type: types[$0.name] ?? $0.type) }.joined(separator: ", ")
        return """
            COPY INTO \(table.sql) (\(names)) FROM (SELECT \(values) FROM \(stage)/\(directory)/) \
            FILES=(\(files.map(SQL.literal).joined(separator: ", "))) \
            FILE_FORMAT=(TYPE=PARQUET USE_LOGICAL_TYPE=TRUE BINARY_AS_TEXT=FALSE) ON_ERROR=ABORT_STATEMENT
            """
    }

    private static func value(_ column: TableColumn, type: String) -> String {
        let field = "$1:\(SQL.identifier(column.name))"
        return switch column.content {
        case .variant: type == "VARIANT" ? "PARSE_JSON(\(field))" : "PARSE_JSON(\(field))::\(type)"
        case .array: type == "VARIANT" ? "PARSE_JSON(\(field))" : "PARSE_JSON(\(field))::\(type)"
        // The width of a BINARY is for DDL.
        case .plain: "\(field)::\(type.hasPrefix("BINARY") ? "BINARY" : type)"
        }
    }
}
