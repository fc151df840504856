package import ConnectAPI

/// An Avro object container file: a header with the schema, then blocks of rows, each followed by the file's sync marker.
///
///     Obj 1 | {avro.schema, avro.codec} | sync ‖ count, size, rows (compressed), sync ‖ …
///
/// The bytes depend on the rows alone, not on how they were cut into `append` calls; the marker comes from the schema, so that a file written
/// again is the same. Source: Apache Avro 1.11, Object Container Files.
package struct AvroFile {
    /// A block ends with the row that reaches this many bytes, as Java's writer ends it.
    private static let blockBytes = 64_000

    private let codec: AvroCodec
    private let type: AvroType
    private let sync: [UInt8]
    private var block = AvroBytes()
    private var blockRows = 0
    private var finished = AvroBytes()
    private var drained = 0

    /// `schemaText`: of the columns' schema (`AvroSchema.text`). `marker`: 16 bytes that are unlikely in data.
    package init(schemaText: [UInt8], codec: AvroCodec, marker: [UInt8]) throws(ConnectorError) {
        precondition(marker.count == 16)
        type = try AvroType.parse(schemaText)
        self.codec = codec
        sync = marker
        finished.raw(Array("Obj".utf8) + [1])
        finished.long(2)
        finished.text("avro.schema")
        finished.blob(schemaText)
        finished.text("avro.codec")
        finished.text(codec.rawValue)
        finished.byte(0)
        finished.raw(marker)
    }

    /// Appends the rows of a column of the file's schema. All or nothing: a row that is refused leaves the file as it was.
    package mutating func append(_ column: Column) throws(ConnectorError) {
        let rows = try AvroRows(column, type)
        var added = AvroBytes(), ends: [Int] = []
        ends.reserveCapacity(column.count)
        for row in 0..<column.count {
            try rows.write(row, to: &added)
            ends.append(added.count)
        }
        var from = 0, start = 0
        for (row, end) in ends.enumerated() where block.count + end - from >= Self.blockBytes {
            block.raw(added.bytes[from..<end])
            blockRows += row + 1 - start
            try endBlock()
            (from, start) = (end, row + 1)
        }
        block.raw(added.bytes[from...])
        blockRows += column.count - start
    }

    private mutating func endBlock() throws(ConnectorError) {
        guard blockRows > 0 else { return }
        let bytes = try codec.compress(block.bytes)
        finished.long(Int64(blockRows))
        finished.blob(bytes)
        finished.raw(sync)
        block.removeAll()
        blockRows = 0
    }

    package var bufferedBytes: Int { block.bytes.capacity + finished.bytes.capacity }
    /// Bytes so far, those of the open block before compression.
    package var encodedBytes: Int { drained + finished.count + block.count }
    package var drainableBytes: Int { finished.count }

    package mutating func drain() -> [UInt8] {
        let out = finished.bytes
        drained += out.count
        finished = AvroBytes()
        return out
    }

    package mutating func finish() throws(ConnectorError) -> [UInt8] {
        try endBlock()
        return drain()
    }
}
