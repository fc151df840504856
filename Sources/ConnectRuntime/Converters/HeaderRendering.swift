package import ConnectAPI

/// Headers as bytes, for whoever reads records from outside.
package struct HeaderRendering: Sendable {
    private let columns: [(name: String, rows: RenderedRows, present: Bitmap?)]

    package init(_ batch: RecordBatch, _ converter: any Converter) throws {
        columns = try batch.headers.map {
            (
                $0.name, try converter.render($0.values, count: batch.count, nullSchemaRows: $0.present.map { !$0 }, topic: batch.topic),
                $0.present
            )
        }
    }

    /// The headers of a row, in order; nil bytes are a null header.
    package func headers(_ row: Int) -> [(name: String, value: ArraySlice<UInt8>?)] {
        columns.compactMap { column in column.present.map { $0[row] } ?? true ? (column.name, column.rows.bytes(row)) : nil }
    }
}
