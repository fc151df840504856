import ConnectAPI
import Synchronization

extension TransformedBatch {
    /// The same rows, changed.
    func with(_ batch: RecordBatch) -> TransformedBatch {
        assert(batch.count == self.batch.count)
        var copy = self
        copy.batch = batch
        return copy
    }

    /// The rows at these positions, ascending.
    func select(_ rows: [Int]) -> TransformedBatch {
        if rows.count == batch.count { return self }
        return TransformedBatch(
            batch.select(rows), origins: rows.map { origins?[$0] ?? $0 }, partition: partition, firstOffset: firstOffset)
    }

    func slice(_ rows: Range<Int>) -> TransformedBatch {
        if rows == 0..<batch.count { return self }
        return TransformedBatch(
            batch.slice(rows), origins: rows.map { origins?[$0] ?? $0 }, partition: partition, firstOffset: firstOffset)
    }

    /// Consecutive rows with equal marks, in order.
    func runs<Mark: Equatable>(by mark: (Int) -> Mark) -> [(mark: Mark, part: TransformedBatch)] {
        var out: [(mark: Mark, part: TransformedBatch)] = [], start = 0
        guard batch.count > 0 else { return [] }
        var current = mark(0)
        for row in 1..<batch.count + 1 {
            let next = row < batch.count ? mark(row) : nil
            if next == current { continue }
            out.append((current, slice(start..<row)))
            start = row
            if let next { current = next }
        }
        return out
    }

    /// The rows grouped by topic partition, partitions in the order they first appear.
    func placed(_ partitions: [Int32?]) -> [TransformedBatch] {
        guard let first = partitions.first else { return [self] }
        if partitions.allSatisfy({ $0 == first }) { return [at(first ?? batch.partition)] }
        var rows: [Int32?: [Int]] = [:], order: [Int32?] = []
        for (row, partition) in partitions.enumerated() {
            if rows[partition] == nil { order.append(partition) }
            rows[partition, default: []].append(row)
        }
        return order.map { select(rows[$0] ?? []).at($0 ?? batch.partition) }
    }

    private func at(_ partition: Int32?) -> TransformedBatch {
        var copy = self
        copy.batch.partition = partition
        return copy
    }

    /// The rows grouped by topic, topics in the order they first appear. Rows without one keep the batch's.
    func routed(_ topics: [String?]) -> [TransformedBatch] {
        var rows: [String: [Int]] = [:], order: [String] = []
        for (row, topic) in topics.enumerated() {
            let topic = topic ?? batch.topic
            if rows[topic] == nil { order.append(topic) }
            rows[topic, default: []].append(row)
        }
        return order.map { topic in
            var part = select(rows[topic] ?? [])
            part.batch.topic = topic
            return part
        }
    }
}

extension Column {
    /// A member of a struct column that is null where the struct is, and where an object without a schema does not have it.
    func member(_ i: Int) -> Column {
        let member = schema.isSchemaless ? child(at: i).with(unavailable: nil) : child(at: i)
        guard let valid = validity, case .struct = storage else { return member }
        return member.masked(valid)
    }

    func member(_ name: String) -> Column? { schema.index(of: name).map { member($0) } }

    /// Null outside these rows.
    func masked(_ valid: Bitmap) -> Column {
        if valid.allSet { return self }
        if case .constant(.null) = storage { return self }
        return Column(
            schema, count: count, storage, validity: validity.map { $0 & valid } ?? valid, unavailable: unavailable.map { $0 & valid })
    }

    /// Nulls of a schema with a default become the default, as `Struct.get` reads them.
    func replacingNullsWithDefault() -> Column {
        guard let standard = schema.defaultValue, !standard.isNull, let valid = validRows, !valid.allSet else { return self }
        let missing = unavailable.map { !valid & !$0 } ?? !valid
        if missing.noneSet { return self }
        if missing.allSet { return .constant(standard, schema, count: count) }
        let both = Column.concatenating([self, .constant(standard, schema, count: 1)])
        return both.select((0..<count).map { missing[$0] ? count : $0 })
    }
}

/// Output schemas by input schema, so that batches of one table share one instance. A handful of entries; asked once a batch.
final class SchemaCache: Sendable {
    private struct Input: Hashable {
        let schema: Schema
        let topic: String
    }
    private let schemas = Mutex<[Input: Schema]>([:])

    /// `topic`: where the output depends on it.
    func callAsFunction(_ schema: Schema, topic: String = "", _ make: () throws -> Schema) rethrows -> Schema {
        let input = Input(schema: schema, topic: topic)
        if let known = schemas.withLock({ $0[input] }) { return known }
        let made = try make()
        schemas.withLock {
            // Tables that change their schema again and again must not pile up.
            if $0.count >= 1000 { $0.removeAll() }
            $0[input] = made
        }
        return made
    }
}
