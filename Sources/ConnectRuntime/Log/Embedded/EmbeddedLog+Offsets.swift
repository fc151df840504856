package import ConnectAPI

/// Source positions and consumer offsets.
extension EmbeddedLog {
    package func sourcePositions(of connector: String) async throws -> [SourcePosition] {
        try await readers.run { db in
            var positions: [SourcePosition] = []
            try db.rows("SELECT partition, position FROM source_positions WHERE connector = ? ORDER BY id", .text(connector)) { row in
                positions.append(SourcePosition(partition: try OffsetMap(encoded: row.blob(0)), offset: try OffsetMap(encoded: row.blob(1))))
            }
            return positions
        }
    }

    package func alterSourcePositions(of connector: String, _ positions: [SourcePosition]?) async throws {
        try await writer.write { transaction in
            guard let positions else {
                return try transaction.db.run("DELETE FROM source_positions WHERE connector = ?", .text(connector))
            }
            for position in positions {
                if position.offset.entries.isEmpty {
                    try transaction.db.run(
                        "DELETE FROM source_positions WHERE connector = ? AND identity = ?", .text(connector),
                        .blob(position.partition.identity))
                } else {
                    try transaction.move(to: position, connector: connector)
                }
            }
        }
    }

    package func consumerOffsets(of group: String) async throws -> [TopicPartition: Int64] {
        try await readers.run { db in
            var offsets: [TopicPartition: Int64] = [:]
            try db.rows("SELECT topic, partition, next_offset FROM consumer_offsets WHERE name = ?", .text(group)) { row in
                offsets[TopicPartition(row.text(0), Int32(truncatingIfNeeded: row.integer(1)))] = row.integer(2)
            }
            return offsets
        }
    }

    package func commit(_ offsets: [TopicPartition: Int64], group: String) async throws {
        try await alterConsumerOffsets(of: group, offsets.mapValues { $0 })
    }

    package func alterConsumerOffsets(of group: String, _ offsets: [TopicPartition: Int64?]?) async throws {
        try await writer.write { transaction in
            guard let offsets else { return try transaction.db.run("DELETE FROM consumer_offsets WHERE name = ?", .text(group)) }
            for (partition, offset) in offsets {
                let topic = Database.Value.text(partition.topic), number = Database.Value.integer(Int64(partition.partition))
                if let offset {
                    try transaction.db.run(
                        """
                        INSERT INTO consumer_offsets (name, topic, partition, next_offset) VALUES (?, ?, ?, ?)
                        ON CONFLICT (name, topic, partition) DO UPDATE SET next_offset = excluded.next_offset
                        """, .text(group), topic, number, .integer(offset))
                } else {
                    try transaction.db.run(
                        "DELETE FROM consumer_offsets WHERE name = ? AND topic = ? AND partition = ?", .text(group), topic, number)
                }
            }
        }
    }
}
