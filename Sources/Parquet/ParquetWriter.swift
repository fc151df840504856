package import ConnectAPI

/// Turns columns into one Parquet file, as bytes.
package final class ParquetWriter {
    /// Rows written so far.
    package private(set) var rowCount = 0

    /// A file whose columns are the fields of `schema`, a STRUCT. Throws when the schema has no Parquet form.
    package init(schema: Schema, options: ParquetOptions = ParquetOptions(), metadata: [(key: String, value: String)] = []) throws {
        throw ConnectorError("parquet.unfinished", .stop, "The Parquet writer is being built")
    }

    /// Appends the rows of a STRUCT column. All or nothing: after an error no row of `column` is in the file.
    package func write(_ column: Column) throws {}

    /// Bytes of memory held, for budgets.
    package var bufferedBytes: Int { 0 }

    /// The file's size so far, drained bytes included and the open row group estimated, for `file.max.bytes`.
    package var encodedBytes: Int { 0 }

    /// Ends the row group now, so that its bytes can be drained.
    package func endRowGroup() throws {}

    /// Adds or replaces a key-value pair of the footer; allowed until `finish`.
    package func setMetadata(_ key: String, _ value: String) {}

    /// The bytes finished since the last call: whole row groups.
    package func drain() -> [UInt8] { [] }

    /// Ends the file and returns the bytes not drained yet, footer included.
    package func finish() throws -> [UInt8] { [] }
}
