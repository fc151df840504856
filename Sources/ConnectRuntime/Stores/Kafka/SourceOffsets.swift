package import ConnectAPI

/// What an offset topic says of every connector, record by record.
///
/// A record may bear the epoch of the task that wrote it (a header Kafka Connect does not look at). A record of an older epoch than the one
/// held is a zombie's: a worker that lost its task and had not noticed yet. It is passed over, so that a position never goes back to what a
/// task that was replaced thought (Invariant 2). Records without an epoch are Kafka Connect's, or a person's, and always count.
package struct SourceOffsets: Sendable {
    private struct Held: Sendable {
        let partition: OffsetMap
        var offset: OffsetMap?
        var epoch: Int64
    }
    /// By connector, in the order its partitions were first seen; keys are the bytes of the record's.
    private var order: [String: [[UInt8]]] = [:]
    private var held: [[UInt8]: Held] = [:]

    package init() {}

    package mutating func apply(_ record: InternalRecord, epoch: Int64?) throws {
        let parsed = try OffsetRecord(record)
        if let before = held[record.key] {
            if let epoch, epoch < before.epoch { return }
            held[record.key]?.offset = parsed.offset
            held[record.key]?.epoch = epoch ?? before.epoch
        } else {
            held[record.key] = Held(partition: parsed.partition, offset: parsed.offset, epoch: epoch ?? 0)
            order[parsed.connector, default: []].append(record.key)
        }
    }

    package func positions(of connector: String) -> [SourcePosition] {
        (order[connector] ?? []).compactMap { key in
            held[key].flatMap { held in held.offset.map { SourcePosition(partition: held.partition, offset: $0) } }
        }
    }

    /// The bytes of the key a position of the connector already has: another order of its map is the same partition.
    package func key(of partition: OffsetMap, connector: String) -> [UInt8]? {
        (order[connector] ?? []).first { key in
            held[key].map { $0.partition.entries.count == partition.entries.count && Set($0.partition.entries) == Set(partition.entries) } ?? false
        }
    }

    /// The highest epoch that wrote a position of the connector.
    package func epoch(of connector: String) -> Int64 {
        (order[connector] ?? []).reduce(0) { max($0, held[$1]?.epoch ?? 0) }
    }
}
