package import ConnectAPI

/// What the files of a schema have in common.
package struct ParquetLayout: Sendable {
    package let schema: Schema
    let options: ParquetOptions
    let mapping: SchemaMapping

    /// The columns are the fields of `schema`, a STRUCT. Throws when the schema has no Parquet form.
    package init(_ schema: Schema, _ options: ParquetOptions) throws(ConnectorError) {
        self.schema = schema
        self.options = options
        mapping = try SchemaMapping(schema, options)
    }
}

/// Turns columns into one Parquet file, as bytes.
///
///     Schema ──SchemaMapping──▶ the file's schema and a MappedField for each field
///
///     Column ──ColumnPreparation──▶ PreparedColumn   physical types; refuses rows, before anything is written
///            ──Shredder───────────▶ ShreddedLeaf     definition and repetition levels, positions of the values
///            ──ColumnChunkWriter──▶ pages            dictionary or plain, compressed as soon as they are full
///            ──endRowGroup────────▶ drain()          chunks side by side; then only the footer's figures stay in memory
///            ──finish─────────────▶ page index and footer
///
/// The bytes depend on the rows alone, not on how they were cut into `write` calls: pages, dictionaries and row groups end at rows that
/// follow from the values. Source: parquet-format 2.12. Not thread-safe: one owner at a time.
package final class ParquetWriter {
    /// Rows written so far.
    package private(set) var rowCount = 0

    private let layout: ParquetLayout
    private let chunks: [ColumnChunkWriter]
    private var pairs: [(key: String, value: String)]

    private var groups: [RowGroupRecord] = []
    private var groupRows = 0
    /// Of the open row group, before encoding.
    private var groupBytes = 0
    private var finished = Array("PAR1".utf8)
    /// Bytes given out so far.
    package private(set) var drainedBytes = 0
    private var isEnded = false

    /// Rows are shredded in pieces of this many, so that the working memory stays in the processor's cache.
    private static let pieceRows = 4096

    /// A file of a layout, which any number of files can share.
    package init(_ layout: ParquetLayout, metadata: [(key: String, value: String)] = []) {
        self.layout = layout
        chunks = layout.mapping.leaves.map { ColumnChunkWriter($0, layout.options) }
        pairs = metadata
    }

    /// A file whose columns are the fields of `schema`, a STRUCT. Throws when the schema has no Parquet form.
    package convenience init(
        schema: Schema, options: ParquetOptions = ParquetOptions(), metadata: [(key: String, value: String)] = []
    ) throws(ConnectorError) {
        self.init(try ParquetLayout(schema, options), metadata: metadata)
    }

    private var schema: Schema { layout.schema }
    private var options: ParquetOptions { layout.options }
    private var mapping: SchemaMapping { layout.mapping }

    /// Appends the rows of a STRUCT column whose fields are those of the file's schema.
    ///
    /// All or nothing: a row that Parquet cannot take throws an error of disposition `reject` whose `underlying` is a `RejectedRow`, and no
    /// row of `column` is in the file.
    package func write(_ column: Column) throws(ConnectorError) {
        precondition(!isEnded, "the file is finished")
        let columns = try prepare(column)
        try EncoderScratch.borrow { (scratch) throws(ConnectorError) in
            var row = 0
            while row < column.count {
                row += try writePiece(columns, from: row, atMost: column.count - row, scratch)
            }
        }
    }

    private func prepare(_ column: Column) throws(ConnectorError) -> [PreparedColumn] {
        guard column.schema.type == .struct, column.schema === schema || column.schema.fields == schema.fields else {
            throw ConnectorError(
                "parquet.schema_mismatch", .stop, "A batch of another schema was written to a Parquet file",
                hint: "This is a bug of the sink, which must start a file for every schema; please report it")
        }
        if let validity = column.validRows, let row = (!validity).setPositions.first {
            throw Unwritable(
                row: row, path: ["value"], code: "null_row",
                reason: "the record has no value (a tombstone), and a row of a file cannot be null",
                hint: "Set behavior.on.null.values=ignore to skip such records"
            ).error
        }
        let preparation = ColumnPreparation(options: options)
        var columns: [PreparedColumn] = []
        do throws(Unwritable) {
            for (i, field) in mapping.fields.enumerated() { columns.append(try preparation.prepare(field, column.child(at: i), live: nil)) }
        } catch {
            throw error.error
        }
        return columns
    }

    /// Writes up to a piece of rows, fewer where the row group ends. Returns how many.
    private func writePiece(
        _ columns: [PreparedColumn], from row: Int, atMost limit: Int, _ scratch: EncoderScratch
    ) throws(ConnectorError) -> Int {
        var rows = min(limit, Self.pieceRows, options.rowGroupRows - groupRows)
        let leaves = Shredder.shred(mapping.fields, columns, rows: row..<row + rows)
        let most = leaves.reduce(rows) { $0 + $1.mostPlainBytes }
        if groupBytes + most >= options.rowGroupBytes { rows = try rowsFitting(leaves, rows, scratch) }
        for (chunk, leaf) in zip(chunks, leaves) {
            groupBytes += try leaf.withBlock(scratch) { (block) throws(ConnectorError) in
                var cursor = BlockCursor()
                try chunk.append(block, rows: rows, from: &cursor, scratch)
                return chunk.plainBytes(block, upTo: cursor)
            }
        }
        groupBytes += rows
        groupRows += rows
        rowCount += rows
        if groupRows >= options.rowGroupRows || groupBytes >= options.rowGroupBytes { try endRowGroup(scratch) }
        return rows
    }

    /// How many rows belong to the open row group: up to the one that makes it reach its size, counting every value in PLAIN encoding
    /// and a byte a row.
    private func rowsFitting(_ leaves: [ShreddedLeaf], _ rows: Int, _ scratch: EncoderScratch) throws(ConnectorError) -> Int {
        var sizes = [Int](repeating: 1, count: rows)
        for (chunk, leaf) in zip(chunks, leaves) {
            try leaf.withBlock(scratch) { (block) throws(ConnectorError) in chunk.measure(block, rows: rows, into: &sizes) }
        }
        var bytes = groupBytes
        for (row, size) in sizes.enumerated() {
            bytes += size
            if bytes >= options.rowGroupBytes { return row + 1 }
        }
        return rows
    }

    /// Bytes of memory held, for budgets.
    package var bufferedBytes: Int {
        chunks.reduce(finished.capacity) { $0 + $1.memory } + groups.reduce(0) { $0 + $1.chunks.count * 256 + $1.pageCount * 128 }
    }

    /// The file's size so far, drained bytes included and the open row group estimated, for `file.max.bytes`.
    package var encodedBytes: Int { chunks.reduce(drainedBytes + finished.count) { $0 + $1.encodedBytes } }

    /// Bytes that `drain` would give now.
    package var drainableBytes: Int { finished.count }

    /// Ends the row group now, so that its bytes can be drained. Where it is called shows in the file.
    package func endRowGroup() throws(ConnectorError) {
        try EncoderScratch.borrow { (scratch) throws(ConnectorError) in try endRowGroup(scratch) }
    }

    private func endRowGroup(_ scratch: EncoderScratch) throws(ConnectorError) {
        guard groupRows > 0 else { return }
        finished.reserveCapacity(finished.count + chunks.reduce(0) { $0 + $1.encodedBytes })
        var records: [ColumnChunkRecord] = []
        for chunk in chunks { records.append(try chunk.finish(into: &finished, fileOffset: drainedBytes, scratch)) }
        // Behind their row group, so that nothing of it stays in memory.
        for (i, chunk) in chunks.enumerated() {
            guard let filter = chunk.takeFilter() else { continue }
            records[i].bloomFilter = (drainedBytes + finished.count, filter.count)
            finished += filter
        }
        groups.append(RowGroupRecord(rows: groupRows, chunks: records))
        groupRows = 0
        groupBytes = 0
    }

    /// Adds or replaces a key-value pair of the footer; allowed until `finish`.
    package func setMetadata(_ key: String, _ value: String) {
        pairs.removeAll { $0.key == key }
        pairs.append((key, value))
    }

    /// The bytes finished since the last call: the file's start and whole row groups.
    package func drain() -> [UInt8] {
        let out = finished
        drainedBytes += out.count
        finished = []
        return out
    }

    /// Ends the file and returns the bytes not drained yet, footer included. A file of no rows is valid and has no row group.
    package func finish() throws(ConnectorError) -> [UInt8] {
        precondition(!isEnded, "the file is finished")
        try endRowGroup()
        isEnded = true
        if options.statistics { appendIndexes() }
        var thrift = ThriftWriter()
        FileMetadata(elements: mapping.elements, leafCount: mapping.leaves.count, groups: groups, pairs: pairs).write(to: &thrift, options)
        finished += thrift.buffer.bytes
        withUnsafeBytes(of: UInt32(thrift.buffer.count).littleEndian) { finished += $0 }
        finished += Array("PAR1".utf8)
        return drain()
    }

    /// The page index: all column indexes, then all offset indexes, as the format asks.
    private func appendIndexes() {
        for g in groups.indices {
            for c in groups[g].chunks.indices where groups[g].chunks[c].hasColumnIndex {
                groups[g].chunks[c].columnIndex = append { groups[g].chunks[c].writeColumnIndex(to: &$0, options) }
            }
        }
        for g in groups.indices {
            for c in groups[g].chunks.indices {
                groups[g].chunks[c].offsetIndex = append { groups[g].chunks[c].writeOffsetIndex(to: &$0) }
            }
        }
    }

    private func append(_ body: (inout ThriftWriter) -> Void) -> (offset: Int, length: Int) {
        var thrift = ThriftWriter()
        body(&thrift)
        let offset = drainedBytes + finished.count
        finished += thrift.buffer.bytes
        return (offset, thrift.buffer.count)
    }
}

extension RowGroupRecord {
    var pageCount: Int { chunks.reduce(0) { $0 + $1.pages.count } }
}
