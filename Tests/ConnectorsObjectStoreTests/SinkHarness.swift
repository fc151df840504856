import ConnectAPI
import JSON
import Synchronization

@testable import ConnectorsObjectStore

/// A clock tests move.
final class TestClock: Sendable {
    private let value: Mutex<Int64>
    init(_ start: Int64 = 1_800_000_000_000) { value = Mutex(start) }
    var now: Int64 { value.withLock { $0 } }
    func advance(_ milliseconds: Int64) { value.withLock { $0 += milliseconds } }
}

final class CountingMetrics: MetricSink {
    private let values = Mutex<[String: Double]>([:])
    func set(_ name: String, _ labels: [String: String], _ value: Double) { values.withLock { $0[name] = value } }
    func add(_ name: String, _ labels: [String: String], _ value: Double) { values.withLock { $0[name, default: 0] += value } }
    func observe(_ name: String, _ labels: [String: String], _ seconds: Double) { add(name, labels, seconds) }
    subscript(name: String) -> Double { values.withLock { $0["sluice_object_store_" + name] ?? 0 } }
}

/// Makes sink tasks on a store, as the runtime would.
struct SinkHarness {
    var settings: [String: String]
    let store: any ObjectStore
    var clock = TestClock()
    var metrics = CountingMetrics()
    var memory = 64 << 20
    /// Smaller than the configuration allows, so that small files are sent in parts.
    var partSize: Int?
    var scratch = "/tmp"
    var rejected = Mutex64()
    /// Another face than Confluent's S3 sink.
    var plan: (([String: String]) throws -> SinkPlan)?

    /// Offsets handed to the dead letter queue; nil tolerates none.
    final class Mutex64: Sendable {
        private let list = Mutex<[Int64]?>(nil)
        func tolerate() { list.withLock { $0 = [] } }
        func add(_ offset: Int64) -> Bool {
            list.withLock { list in
                guard list != nil else { return false }
                list?.append(offset)
                return true
            }
        }
        var offsets: [Int64] { list.withLock { $0 ?? [] } }
    }

    init(_ settings: [String: String], store: any ObjectStore) {
        let base = [
            "s3.bucket.name": "b", "format.class": "io.confluent.connect.s3.format.json.JsonFormat", "flush.size": "3", "retry.backoff.ms": "0",
        ]
        self.settings = base.merging(settings) { $1 }
        self.store = store
    }

    func task() throws -> ObjectStoreSinkTask {
        let rejected = rejected
        let context = TaskContext(
            connector: "lake", task: 0, log: Logger("test"), metrics: metrics, memoryBudget: memory, scratchDirectory: scratch
        ) { record in if !rejected.add(record.offset) { throw record.error } }
        var plan = try plan?(settings) ?? S3SinkConfiguration(settings).plan
        if let partSize { plan.partSize = partSize }
        return ObjectStoreSinkTask(
            plan, store: store, pool: BlockingPool(threads: 1), metrics: SinkMetrics(metrics, connector: "lake", task: 0), context,
            clock: { [clock] in clock.now })
    }
}

/// A topic partition of records {o: offset, k: directory}.
struct TestTopic {
    static let schema = Schema.struct([Schema.Field("o", Schema(.int64)), Schema.Field("k", Schema(.string))])
    let partition: TopicPartition
    /// The directory and the time of every record.
    let records: [(key: String, time: Int64)]

    init(_ records: [(key: String, time: Int64)], partition: TopicPartition = TopicPartition("t", 0)) {
        self.records = records
        self.partition = partition
    }

    func batch(_ range: Range<Int>) -> ConsumedBatch {
        let value = Column(
            Self.schema, count: range.count,
            .struct([
                Column(Schema(.int64), count: range.count, .int64(range.map { Int64($0) })),
                Column(Schema(.string), range.map { .string(records[$0].key) }),
            ]))
        let batch = RecordBatch(
            topic: partition.topic, count: range.count, key: nil, value: value,
            timestamps: Column(RecordBatch.timestampSchema, count: range.count, .int64(range.map { records[$0].time })))
        return ConsumedBatch(batch, from: partition, offsets: .contiguous(from: Int64(range.lowerBound)), nextOffset: Int64(range.upperBound))
    }
}

/// Reads the offsets out of JSON lines.
func offsets(_ body: [UInt8]) -> [Int64] {
    String(decoding: body, as: UTF8.self).split(separator: "\n").compactMap { line in
        line.split(separator: ":").dropFirst().first.flatMap { Int64($0.prefix { $0.isNumber }) }
    }
}

/// `snappy(data)` for Python: what a stream of snappy-java's blocks holds.
let pythonSnappy = """
    import struct, pyarrow
    def snappy(data):
        assert data[:8] == b'\\x82SNAPPY\\0' and struct.unpack('>ii', data[8:16]) == (1, 1)
        at, out = 16, b''
        while at < len(data):
            size, = struct.unpack('>i', data[at:at + 4]); block = data[at + 4:at + 4 + size]; at += 4 + size
            n, shift, i = 0, 0, 0
            while True:
                n |= (block[i] & 127) << shift; shift += 7; i += 1
                if block[i - 1] < 128: break
            out += pyarrow.decompress(block, decompressed_size=n, codec='snappy', asbytes=True)
        return out

    """
