import ConnectAPI

/// A batch ready to be written: encoded and compressed on its producer's side, so that the writer only copies bytes.
struct EncodedBatch: Sendable {
    let batch: RecordBatch
    let blob: [UInt8]
    let rendering: Rendering
    let renderingNumber: UInt32
    /// Rows of the intern tables that may not be durable yet.
    let schemas: [SchemaTable.Entry]
    let renderings: [RenderingTable.Entry]

    /// A topic has one partition, unless a transform places records.
    var place: TopicPartition { TopicPartition(batch.topic, batch.partition ?? 0) }
}

/// One commit under way: what the jobs of a group do to the database, and what becomes known when it is durable.
struct LogTransaction {
    let db: Database
    let index: LogIndex
    let now: Int64
    private(set) var partitions: [TopicPartition: LogIndex.Partition] = [:]
    private(set) var appended: [StoredBatch] = []
    private(set) var schemas: Set<UInt32> = []
    private(set) var renderings: Set<UInt32> = []
    /// Blobs were left for housekeeping.
    var leavesGarbage = false

    init(_ db: Database, _ index: LogIndex) {
        self.db = db
        self.index = index
        now = WallClock.milliseconds
    }

    mutating func append(_ encoded: EncodedBatch) throws {
        try intern(encoded)
        let name = encoded.place
        var partition = try self.partition(name)
        let blob = try db.insert("INSERT INTO blobs (bytes) VALUES (?)", blob: encoded.blob)
        try index(
            partition, count: encoded.batch.count, blob: blob, memory: StoredBatch.memory(of: encoded.batch), stored: encoded.blob.count,
            rendering: Int64(encoded.renderingNumber), checksum: BatchEnvelope.checksum(in: encoded.blob))
        appended.append(StoredBatch(partition: name, firstOffset: partition.end, batch: encoded.batch, rendering: encoded.rendering))
        partition.end += Int64(encoded.batch.count)
        partitions[name] = partition
    }

    private func index(
        _ partition: LogIndex.Partition, count: Int, blob: Int64, memory: Int, stored: Int, rendering: Int64, checksum: UInt32
    ) throws {
        let seal = BatchSeal.make(partition: partition.id, firstOffset: partition.end, count: Int64(count), checksum: checksum)
        try db.run(
            """
            INSERT INTO batches (partition, first_offset, count, blob, memory, stored, rendering, written, seal)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            .integer(partition.id), .integer(partition.end), .integer(Int64(count)), .integer(blob), .integer(Int64(memory)),
            .integer(Int64(stored)), .integer(rendering), .integer(now), .integer(seal))
    }

    // MARK: Units

    mutating func stage(_ batches: [EncodedBatch], unit: String, connector: String) throws {
        var sequence =
            try db.integer("SELECT max(sequence) + 1 FROM staged WHERE connector = ? AND unit = ?", .text(connector), .text(unit)) ?? 0
        for encoded in batches {
            try intern(encoded)
            let partition = try self.partition(encoded.place)
            let blob = try db.insert("INSERT INTO blobs (bytes) VALUES (?)", blob: encoded.blob)
            try db.run(
                """
                INSERT INTO staged (connector, unit, sequence, partition, count, blob, memory, stored, rendering, checksum)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
                .text(connector), .text(unit), .integer(sequence), .integer(partition.id), .integer(Int64(encoded.batch.count)),
                .integer(blob), .integer(Int64(StoredBatch.memory(of: encoded.batch))), .integer(Int64(encoded.blob.count)),
                .integer(Int64(encoded.renderingNumber)), .integer(Int64(BatchEnvelope.checksum(in: encoded.blob))))
            sequence += 1
        }
    }

    /// Gives a unit's batches their offsets: index rows move, blobs stay where they are.
    mutating func publish(unit: String, connector: String) throws {
        struct Staged { let partition, blob, rendering: Int64, count, memory, stored: Int, checksum: UInt32 }
        var staged: [Staged] = [], names: [Int64: TopicPartition] = [:]
        try db.rows(
            """
            SELECT partition, count, blob, memory, stored, rendering, checksum FROM staged WHERE connector = ? AND unit = ? ORDER BY sequence
            """, .text(connector), .text(unit)
        ) { row in
            staged.append(
                Staged(
                    partition: row.integer(0), blob: row.integer(2), rendering: row.integer(5), count: Int(row.integer(1)),
                    memory: Int(row.integer(3)), stored: Int(row.integer(4)), checksum: UInt32(truncatingIfNeeded: row.integer(6))))
        }
        for id in Set(staged.map(\.partition)) {
            try db.rows("SELECT topic, partition FROM partitions WHERE id = ?", .integer(id)) { row in
                names[id] = TopicPartition(row.text(0), Int32(row.integer(1)))
            }
        }
        for batch in staged {
            guard let name = names[batch.partition] else { throw ConnectorError.corrupt("unit \(unit) has rows of an unknown partition") }
            var partition = try self.partition(name)
            try index(
                partition, count: batch.count, blob: batch.blob, memory: batch.memory, stored: batch.stored, rendering: batch.rendering,
                checksum: batch.checksum)
            partition.end += Int64(batch.count)
            partitions[name] = partition
        }
        try db.run("DELETE FROM staged WHERE connector = ? AND unit = ?", .text(connector), .text(unit))
    }

    /// Forgets staged rows: of a unit, of a connector, or all; their blobs are freed later in small steps.
    mutating func discard(unit: String?, connector: String?) throws {
        leavesGarbage = true
        let condition = connector == nil ? "1" : unit == nil ? "connector = ?" : "connector = ? AND unit = ?"
        for sql in ["INSERT INTO garbage SELECT blob, stored FROM staged WHERE \(condition)", "DELETE FROM staged WHERE \(condition)"] {
            switch (connector, unit) {
            case (nil, _): try db.run(sql)
            case (let connector?, nil): try db.run(sql, .text(connector))
            case (let connector?, let unit?): try db.run(sql, .text(connector), .text(unit))
            }
        }
    }

    // MARK: Positions

    func move(to position: SourcePosition, connector: String) throws {
        try db.run(
            """
            INSERT INTO source_positions (connector, identity, partition, position) VALUES (?, ?, ?, ?)
            ON CONFLICT (connector, identity) DO UPDATE SET position = excluded.position
            """,
            .text(connector), .blob(position.partition.identity), .blob(position.partition.encoded), .blob(position.offset.encoded))
    }

    // MARK: Partitions

    /// A partition as this commit leaves it so far; made when it is new.
    mutating func partition(_ name: TopicPartition) throws -> LogIndex.Partition {
        if let known = partitions[name] ?? index.partition(name) { return known }
        try db.run(
            "INSERT INTO partitions (topic, partition, first_offset, end_offset) VALUES (?, ?, 0, 0)", .text(name.topic),
            .integer(Int64(name.partition)))
        guard let id = try db.integer("SELECT id FROM partitions WHERE topic = ? AND partition = ?", .text(name.topic), .integer(Int64(name.partition)))
        else { throw ConnectorError.corrupt("partition \(name) cannot be made") }
        let made = LogIndex.Partition(id: id, start: 0, end: 0)
        partitions[name] = made
        return made
    }

    mutating func setStart(_ name: TopicPartition, _ start: Int64) throws {
        var partition = try self.partition(name)
        partition.start = start
        partitions[name] = partition
    }

    private mutating func intern(_ encoded: EncodedBatch) throws {
        for entry in encoded.schemas where schemas.insert(entry.number).inserted {
            try db.run("INSERT OR IGNORE INTO schemas (id, bytes) VALUES (?, ?)", .integer(Int64(entry.number)), .blob(entry.bytes))
        }
        for entry in encoded.renderings where renderings.insert(entry.number).inserted {
            try db.run("INSERT OR IGNORE INTO renderings (id, bytes) VALUES (?, ?)", .integer(Int64(entry.number)), .blob(entry.bytes))
        }
    }

    /// The last thing before COMMIT.
    func writePartitions() throws {
        for partition in partitions.values {
            try db.run(
                "UPDATE partitions SET first_offset = ?, end_offset = ? WHERE id = ?", .integer(partition.start), .integer(partition.end),
                .integer(partition.id))
        }
    }
}
