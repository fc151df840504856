package import ConnectAPI
package import Kafka

/// Renders batches as the producer's converters write them: byte for byte what Kafka Connect and Debezium put into a topic.
package struct KafkaRendering: Sendable {
    private struct Side: Sendable {
        let converter: any Converter
        let className: String
        let stage: FailureStage

        init(_ of: Rendering.Converter, _ stage: FailureStage) throws {
            converter = try Converters.make(of, isKey: stage == .keyConverter)
            className = of.className
            self.stage = stage
        }

        func bytes(_ column: Column, _ nulls: Bitmap?, of batch: RecordBatch, headers: RecordHeaders? = nil) throws -> KafkaBatch.Bytes {
            do {
                let rows = try converter.render(column, count: batch.count, nullSchemaRows: nulls, topic: batch.topic, headers: headers)
                return KafkaBatch.Bytes(rows.values, present: rows.present)
            } catch let lookup as Lookup {
                throw lookup
            } catch {
                throw Failure(stage: stage, className: className, underlying: error)
            }
        }
    }
    private struct Failure: Error {
        let stage: FailureStage
        let className: String
        let underlying: any Error
    }

    private let key: Side
    private let value: Side
    private let header: Side
    /// Batches are rendered in pieces of about this many bytes: what is rendered and not yet sent stays small (Invariant 5), and a piece is
    /// still in the core's cache when it is copied or summed.
    package static let pieceBytes = 256 * 1024
    /// Rows of a batch's first piece, whose records have no known size yet, and the most of any piece.
    private static let firstRows = 64, maximumRows = 1024

    package init(_ rendering: Rendering) throws {
        key = try Side(rendering.key, .keyConverter)
        value = try Side(rendering.value, .valueConverter)
        header = try Side(rendering.header, .headerConverter)
    }

    /// The pieces of a batch, in order. `resolve`: how a converter's lookup is waited for. `rejected`: told each record that cannot be rendered, found by
    /// halves; nil: the first error is thrown.
    package func forEachPiece(
        of batch: RecordBatch, resolve: (Lookup) async throws -> Void = { try await $0.resolve() }, rejected: RejectedRecords? = nil,
        _ body: (KafkaBatch) throws -> Void
    ) async throws {
        var start = 0, rows = Self.firstRows
        while start < batch.count {
            let part = batch.slice(start..<min(start + rows, batch.count)), piece: KafkaBatch
            do {
                piece = try await Lookup.resolving(by: resolve) { try rendered(part) }
            } catch let failure as Failure {
                guard let rejected else { throw failure.underlying }
                if part.count == 1 {
                    try rejected(FailedRecord(stage: failure.stage, className: failure.className, error: failure.underlying, topic: batch.topic))
                    start += 1
                } else {
                    rows = part.count / 2
                }
                continue
            }
            start += part.count
            rows = min(max(1, Self.pieceBytes * part.count / max(1, piece.byteCount)), Self.maximumRows)
            try body(piece)
        }
    }

    /// Throws a `Lookup` where a converter must ask first.
    package func render(_ batch: RecordBatch) throws -> KafkaBatch {
        do { return try rendered(batch) } catch let failure as Failure { throw failure.underlying }
    }

    private func rendered(_ batch: RecordBatch) throws -> KafkaBatch {
        KafkaBatch(
            topic: batch.topic, count: batch.count,
            key: try batch.key.map { try key.bytes($0, nil, of: batch) },
            value: try batch.value.map {
                try value.bytes($0, batch.tombstones, of: batch, headers: RecordHeaders(batch.headers, header.converter))
            },
            headers: try batch.headers.map { column in
                KafkaBatch.Header(column.name, try header.bytes(column.values, column.present.map { !$0 }, of: batch), rows: column.present)
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
