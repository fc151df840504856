/// Records of one topic as columns. One batch has one key schema and one value schema; batch boundaries carry no meaning.
///
///     key         nil: null keys without a schema
///     value       nil: null values without a schema
///     tombstones  rows whose value is null without a schema (`null` on the wire even with schemas enabled); nil: none
///     timestamps  milliseconds since 1970, INT64 and never null; a constant where rows share it
///     headers     in the order they are written
///     partition   where a transform placed the rows; nil: the log decides (the embedded one: partition 0, Kafka: by the key)
public struct RecordBatch: Sendable {
    public var topic: String
    public let count: Int
    public var key: Column?
    public var value: Column?
    public var tombstones: Bitmap?
    public var timestamps: Column
    public var headers: [HeaderColumn]
    public var partition: Int32?

    public init(
        topic: String, count: Int, key: Column?, value: Column?, tombstones: Bitmap? = nil, timestamps: Column, headers: [HeaderColumn] = [],
        partition: Int32? = nil
    ) {
        precondition(key.map { $0.count == count } ?? true, "\(topic): the key has \(key?.count ?? 0) rows, not \(count)")
        precondition(value.map { $0.count == count } ?? true, "\(topic): the value has \(value?.count ?? 0) rows, not \(count)")
        precondition(timestamps.count == count && tombstones.map { $0.count == count } ?? true, "\(topic): a column is not of \(count) rows")
        self.topic = topic
        self.count = count
        self.key = key
        self.value = value
        self.tombstones = tombstones
        self.timestamps = timestamps
        self.headers = headers
        self.partition = partition
    }

    public static let timestampSchema = Schema(.int64)

    /// Whether the row is a tombstone: a null value without a schema.
    public func isTombstone(_ row: Int) -> Bool { value == nil || tombstones.map { $0[row] } ?? false }

    public var byteCount: Int {
        (key?.byteCount ?? 0) + (value?.byteCount ?? 0) + timestamps.byteCount + (tombstones?.words.count ?? 0) * 8
            + headers.reduce(0) { $0 + $1.values.byteCount + ($1.present?.words.count ?? 0) * 8 }
    }

    public func slice(_ rows: Range<Int>) -> RecordBatch {
        if rows == 0..<count { return self }
        return RecordBatch(
            topic: topic, count: rows.count, key: key?.slice(rows), value: value?.slice(rows), tombstones: tombstones?.slice(rows),
            timestamps: timestamps.slice(rows), headers: headers.map { $0.slice(rows) }, partition: partition)
    }

    /// The rows at these positions, in the order given.
    public func select(_ rows: [Int]) -> RecordBatch {
        RecordBatch(
            topic: topic, count: rows.count, key: key?.select(rows), value: value?.select(rows), tombstones: tombstones?.select(rows),
            timestamps: timestamps.select(rows), headers: headers.map { $0.select(rows) }, partition: partition)
    }
}

/// One header of a batch; rows outside `present` do not have it.
public struct HeaderColumn: Sendable {
    public let name: String
    public let values: Column
    /// nil: every row has the header.
    public let present: Bitmap?

    public init(_ name: String, _ values: Column, present: Bitmap? = nil) {
        self.name = name
        self.values = values
        self.present = present
    }

    func slice(_ rows: Range<Int>) -> HeaderColumn { HeaderColumn(name, values.slice(rows), present: present?.slice(rows)) }
    func select(_ rows: [Int]) -> HeaderColumn { HeaderColumn(name, values.select(rows), present: present?.select(rows)) }
}

public struct TopicPartition: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let topic: String
    public let partition: Int32
    public init(_ topic: String, _ partition: Int32) {
        self.topic = topic
        self.partition = partition
    }
    public var description: String { "\(topic)-\(partition)" }
    public static func < (a: Self, b: Self) -> Bool { (a.topic, a.partition) < (b.topic, b.partition) }
}

/// A batch as a sink sees it: where its rows stand in the log. Rows that a transform dropped leave gaps.
public struct ConsumedBatch: Sendable {
    public let partition: TopicPartition
    public let batch: RecordBatch
    /// The offset of every row, ascending.
    public let offsets: Offsets
    /// The offset after the last record read from the log for this batch, dropped ones included.
    public let nextOffset: Int64

    public enum Offsets: Sendable {
        case contiguous(from: Int64)
        case each([Int64])
        @inlinable public subscript(row: Int) -> Int64 {
            switch self {
            case .contiguous(let first): first + Int64(row)
            case .each(let all): all[row]
            }
        }
    }

    public init(_ batch: RecordBatch, from partition: TopicPartition, offsets: Offsets, nextOffset: Int64) {
        self.partition = partition
        self.batch = batch
        self.offsets = offsets
        self.nextOffset = nextOffset
    }
}
