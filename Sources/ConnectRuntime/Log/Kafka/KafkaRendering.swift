package import ConnectAPI
package import Kafka

/// Renders batches as the producer's converters write them: byte for byte what Kafka Connect and Debezium put into a topic.
package struct KafkaRendering: Sendable {
    private let key: any Converter
    private let value: any Converter
    private let header: any Converter
    /// Batches are rendered in pieces of this many rows, so that what is rendered and not yet sent stays small (Invariant 5).
    package static let pieceRows = 1024

    package init(_ rendering: Rendering) throws {
        key = try Converters.make(rendering.key, isKey: true)
        value = try Converters.make(rendering.value, isKey: false)
        header = try Converters.make(rendering.header, isKey: false)
    }

    /// The pieces of a batch, in order.
    package func forEachPiece(of batch: RecordBatch, _ body: (KafkaBatch) throws -> Void) throws {
        for start in stride(from: 0, to: batch.count, by: Self.pieceRows) {
            try body(try render(batch.slice(start..<min(start + Self.pieceRows, batch.count))))
        }
    }

    package func render(_ batch: RecordBatch) throws -> KafkaBatch {
        func bytes(_ rows: RenderedRows) -> KafkaBatch.Bytes { KafkaBatch.Bytes(rows.values, present: rows.present) }
        return KafkaBatch(
            topic: batch.topic, count: batch.count,
            key: try batch.key.map { bytes(try key.render($0, count: batch.count, nullSchemaRows: nil, topic: batch.topic)) },
            value: try batch.value.map { bytes(try value.render($0, count: batch.count, nullSchemaRows: batch.tombstones, topic: batch.topic)) },
            headers: try batch.headers.map { column in
                KafkaBatch.Header(
                    column.name,
                    bytes(try header.render(column.values, count: batch.count, nullSchemaRows: column.present.map { !$0 }, topic: batch.topic)),
                    rows: column.present)
            },
            timestamps: batch.timestamps)
    }
}

extension Rendering {
    /// Records as bytes, whoever wrote them: what a topic of Kafka holds.
    package static let bytes: Rendering = {
        let bytes = Converter(ByteArrayConverter.className)
        return Rendering(key: bytes, value: bytes, header: bytes)
    }()
}

extension FetchedRecords {
    private static let bytesSchema = Schema(.bytes, optional: true)

    private func column(_ bytes: KafkaBatch.Bytes) -> Column {
        Column(Self.bytesSchema, count: count, .binary(bytes.values), validity: bytes.present.flatMap { $0.allSet ? nil : $0 })
    }

    /// The records as a batch of byte columns; converters make more of them where somebody wants to know.
    package var stored: StoredBatch {
        let batch = RecordBatch(
            topic: partition.topic, count: count, key: key.map(column), value: value.map(column), tombstones: value?.present.map { !$0 },
            timestamps: Column(RecordBatch.timestampSchema, count: count, .int64(timestamps)),
            headers: headers.map { HeaderColumn($0.name, column($0.bytes), present: $0.rows) })
        return StoredBatch(partition: partition, firstOffset: firstOffset, batch: batch, rendering: .bytes)
    }
}
