import ConnectAPI

/// The numbers that batches refer to, and coding with them.
struct LogTables: Sendable {
    let schemas = SchemaTable()
    let renderings = RenderingTable()

    func encode(_ batch: RecordBatch, _ rendering: Rendering) throws -> EncodedBatch {
        var rows: [SchemaTable.Entry] = []
        let body = try BatchCodec.encode(batch) { schema in
            let (number, row) = try schemas.intern(schema)
            if let row { rows.append(row) }
            return number
        }
        let rendering = rendering.withoutSecrets
        let (number, row) = try renderings.intern(rendering)
        return EncodedBatch(
            batch: batch, blob: try BatchEnvelope.seal(body, topic: batch.topic), rendering: rendering, renderingNumber: number, schemas: rows,
            renderings: row.map { [$0] } ?? [])
    }

    /// The batches before the first damaged one; throws `log.corrupt` when that is the first.
    func decode(_ rows: [StoredBytes], _ partition: TopicPartition) throws -> [StoredBatch] {
        var batches: [StoredBatch] = []
        batches.reserveCapacity(rows.count)
        for row in rows {
            do {
                batches.append(try decode(row, partition))
            } catch let error as ConnectorError {
                if !batches.isEmpty { break }
                throw error.at(partition, row.firstOffset)
            }
        }
        return batches
    }

    private func decode(_ row: StoredBytes, _ partition: TopicPartition) throws -> StoredBatch {
        let body = try BatchEnvelope.open(row.blob, topic: partition.topic)
        let batch = try BatchCodec.decode(body, topic: partition.topic) { number in
            guard let schema = schemas.value(number) else { throw ConnectorError.corrupt("schema \(number) is missing") }
            return schema
        }
        guard batch.count == row.count else { throw ConnectorError.corrupt("a batch of \(batch.count) records instead of \(row.count)") }
        guard let rendering = renderings.value(row.rendering) else { throw ConnectorError.corrupt("rendering \(row.rendering) is missing") }
        return StoredBatch(partition: partition, firstOffset: row.firstOffset, batch: batch, rendering: rendering)
    }

    /// Reads the rows that came since the last time.
    func load(_ db: Database) throws {
        try db.rows("SELECT id, bytes FROM schemas WHERE id > ?", .integer(Int64(schemas.last))) { row in
            try schemas.load(UInt32(truncatingIfNeeded: row.integer(0)), row.blob(1))
        }
        try db.rows("SELECT id, bytes FROM renderings WHERE id > ?", .integer(Int64(renderings.last))) { row in
            try renderings.load(UInt32(truncatingIfNeeded: row.integer(0)), row.blob(1))
        }
    }

    func stored(_ transaction: LogTransaction) {
        schemas.stored(transaction.schemas)
        renderings.stored(transaction.renderings)
    }
}
