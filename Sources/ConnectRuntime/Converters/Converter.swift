package import ConnectAPI

/// Turns a column into the bytes Kafka Connect would write for each row, and back.
package protocol Converter: Sendable {
    /// One byte string a row, nil bytes (absent from `present`) for a null on the wire. `nullSchemaRows`: rows whose value is null without a schema
    /// (tombstones); a nil column is a null value without a schema in every row.
    func render(_ column: Column?, count: Int, nullSchemaRows: Bitmap?, topic: String) throws -> RenderedRows
    /// The same for a record's value, whose headers a converter may ask; nil: a key or a header itself.
    func render(_ column: Column?, count: Int, nullSchemaRows: Bitmap?, topic: String, headers: RecordHeaders?) throws -> RenderedRows
    /// Whether reading what it wrote gives a column that serves as well as the one it was given.
    var keepsColumns: Bool { get }
    /// Bytes read from a topic as a column; rows whose bytes are absent are null. Throws a `.reject` error that names the row.
    func parse(_ rows: RenderedRows, topic: String) throws -> Column
    /// The same in runs of rows that share a schema; a run without a column is null without a schema.
    func parseRuns(_ rows: RenderedRows, topic: String) throws -> [(rows: Range<Int>, column: Column?)]
}

extension Converter {
    package func render(_ column: Column?, count: Int, nullSchemaRows: Bitmap?, topic: String, headers: RecordHeaders?) throws -> RenderedRows {
        try render(column, count: count, nullSchemaRows: nullSchemaRows, topic: topic)
    }

    package var keepsColumns: Bool { true }

    /// One run: for converters of one schema.
    package func parseRuns(_ rows: RenderedRows, topic: String) throws -> [(rows: Range<Int>, column: Column?)] {
        [(0..<rows.values.count, try parse(rows, topic: topic))]
    }
}

/// Byte strings row by row, some of them null.
package struct RenderedRows: Sendable {
    package var values: VarBytes
    /// nil: every row has bytes.
    package var present: Bitmap?
    package init(values: VarBytes, present: Bitmap? = nil) {
        self.values = values
        self.present = present
    }
    package func bytes(_ row: Int) -> ArraySlice<UInt8>? { present.map { $0[row] } ?? true ? values[row] : nil }
}
