package import ConnectAPI

extension RecordBatch {
    /// Batches of a frame with those of one topic and schema joined, where they are small: a thousand transactions a second of one row
    /// each become one batch a commit. The order of each topic's records is kept (Invariant 3); the order between topics is none.
    package static func joining(_ batches: [RecordBatch], below rows: Int = 2048) -> [RecordBatch] {
        guard batches.count > 1 else { return batches }
        var groups: [[RecordBatch]] = []
        var last: [TopicPartition: Int] = [:]
        for batch in batches {
            let place = TopicPartition(batch.topic, batch.partition ?? -1)
            if let i = last[place], groups[i][0].joins(batch), groups[i].reduce(batch.count, { $0 + $1.count }) <= rows {
                groups[i].append(batch)
            } else {
                last[place] = groups.count
                groups.append([batch])
            }
        }
        return groups.map { concatenating($0) }
    }

    /// Whether both have the same schemas and headers, so that their rows can stand in one batch.
    private func joins(_ other: RecordBatch) -> Bool {
        key?.schema == other.key?.schema && value?.schema == other.value?.schema && headers.count == other.headers.count
            && zip(headers, other.headers).allSatisfy { $0.name == $1.name && $0.values.schema == $1.values.schema }
    }

    /// The rows of batches that `joins` said yes to, one after the other.
    private static func concatenating(_ parts: [RecordBatch]) -> RecordBatch {
        guard parts.count > 1 else { return parts[0] }
        let first = parts[0], count = parts.reduce(0) { $0 + $1.count }
        func bitmap(_ of: (RecordBatch) -> Bitmap?, absent: Bool) -> Bitmap? {
            guard parts.contains(where: { of($0) != nil }) else { return nil }
            var out = Bitmap()
            for part in parts { if let bits = of(part) { out.append(contentsOf: bits) } else { out.append(repeating: absent, count: part.count) } }
            return out
        }
        return RecordBatch(
            topic: first.topic, count: count, key: first.key == nil ? nil : .concatenating(parts.map { $0.key! }),
            value: first.value == nil ? nil : .concatenating(parts.map { $0.value! }), tombstones: bitmap({ $0.tombstones }, absent: false),
            timestamps: .concatenating(parts.map(\.timestamps)),
            headers: first.headers.indices.map { i in
                HeaderColumn(
                    first.headers[i].name, .concatenating(parts.map { $0.headers[i].values }),
                    present: bitmap({ $0.headers[i].present }, absent: true))
            }, partition: first.partition)
    }
}
