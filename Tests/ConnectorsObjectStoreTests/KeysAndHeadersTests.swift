import ConnectAPI
import Testing

@testable import ConnectorsObjectStore

/// `store.kafka.keys`, `store.kafka.headers`, and tombstones written as keys.
@Suite struct KeysAndHeadersTests {
    private let partition = TopicPartition("t", 0)

    /// Records k0, k1, …; those in `tombstones` have no value, those in `keyless` no key.
    private func batch(_ count: Int, tombstones: Set<Int> = [], keyless: Set<Int> = []) -> ConsumedBatch {
        let schema = Schema.struct([.init("o", Schema(.int64))], optional: true)
        let value = Column(schema, (0..<count).map { tombstones.contains($0) ? .null : .struct([.integer(Int64($0))]) })
        let key = Column(Schema(.string, optional: true), (0..<count).map { keyless.contains($0) ? .null : .string("k\($0)") })
        let batch = RecordBatch(
            topic: "t", count: count, key: key, value: value, tombstones: Bitmap((0..<count).map { tombstones.contains($0) }),
            timestamps: .constant(1_800_000_000_000, RecordBatch.timestampSchema, count: count),
            headers: [
                HeaderColumn("h", Column(Schema(.string), (0..<count).map { .string("v\($0)") }), present: Bitmap((0..<count).map { $0 % 2 == 0 })),
                HeaderColumn("n", .constant(7, Schema(.int32), count: count)),
            ])
        return ConsumedBatch(batch, from: partition, offsets: .contiguous(from: 0), nextOffset: Int64(count))
    }

    private func written(_ settings: [String: String], _ batch: ConsumedBatch, tolerate: Bool = false) async throws -> (
        objects: [String: String], rejected: [Int64], offset: Int64?
    ) {
        let store = MemoryStore()
        let base = ["flush.size": "100", "flush.on.stop": "true", "keys.format.class": "JsonFormat", "headers.format.class": "JsonFormat"]
        let harness = SinkHarness(base.merging(settings) { $1 }, store: store)
        if tolerate { harness.rejected.tolerate() }
        var task = try harness.task()
        _ = try await task.open([partition])
        try await task.write(batch)
        let offset = try await task.flush(.closing)[partition]
        await task.close([partition])
        return (store.objects.mapValues { String(decoding: $0.body, as: UTF8.self) }, harness.rejected.offsets, offset)
    }

    @Test func keysAndHeadersStandBesideTheFile() async throws {
        let result = try await written(["store.kafka.keys": "true", "store.kafka.headers": "true"], batch(3))
        #expect(
            result.objects == [
                "topics/t/partition=0/t+0+0000000000.json": "{\"o\":0}\n{\"o\":1}\n{\"o\":2}\n",
                "topics/t/partition=0/t+0+0000000000.keys.json": "\"k0\"\n\"k1\"\n\"k2\"\n",
                "topics/t/partition=0/t+0+0000000000.headers.json":
                    "[{\"key\":\"h\",\"value\":\"v0\"},{\"key\":\"n\",\"value\":\"7\"}]\n[{\"key\":\"n\",\"value\":\"7\"}]\n[{\"key\":\"h\",\"value\":\"v2\"},{\"key\":\"n\",\"value\":\"7\"}]\n",
            ])
    }

    @Test func formatsDecideTheExtensions() async throws {
        let result = try await written(
            ["format.class": "ParquetFormat", "store.kafka.keys": "true", "keys.format.class": "AvroFormat"], batch(3))
        #expect(result.objects.keys.sorted() == ["topics/t/partition=0/t+0+0000000000.keys.avro", "topics/t/partition=0/t+0+0000000000.snappy.parquet"])
    }

    @Test func tombstonesAreKeysInADirectoryOfTheirOwn() async throws {
        let settings = ["store.kafka.keys": "true", "behavior.on.null.values": "write", "tombstone.encoded.partition": "gone"]
        let result = try await written(settings, batch(5, tombstones: [1, 4]))
        #expect(
            result.objects == [
                "topics/t/partition=0/t+0+0000000000.json": "{\"o\":0}\n{\"o\":2}\n{\"o\":3}\n",
                "topics/t/partition=0/t+0+0000000000.keys.json": "\"k0\"\n\"k2\"\n\"k3\"\n",
                "topics/t/gone/t+0+0000000001.keys.json": "\"k1\"\n\"k4\"\n",
            ])
        #expect(result.offset == 5)
        let only = try await written(settings, batch(2, tombstones: [0, 1]))
        #expect(only.objects == ["topics/t/gone/t+0+0000000000.keys.json": "\"k0\"\n\"k1\"\n"] && only.offset == 2)
    }

    @Test func recordsWithoutAKeyAreRefused() async throws {
        let result = try await written(["store.kafka.keys": "true"], batch(3, keyless: [1]), tolerate: true)
        #expect(result.rejected == [1] && result.objects["topics/t/partition=0/t+0+0000000000.keys.json"] == "\"k0\"\n\"k2\"\n")
        await #expect(throws: ConnectorError.self) { try await written(["store.kafka.keys": "true"], batch(3, keyless: [1])) }
    }

    @Test func aRestartMeetsTombstonesAgain() async throws {
        let store = MemoryStore()
        let harness = SinkHarness(
            [
                "flush.size": "2", "store.kafka.keys": "true", "behavior.on.null.values": "write", "keys.format.class": "JsonFormat",
            ], store: store)
        for _ in 0..<2 {
            var task = try harness.task()
            _ = try await task.open([partition])
            try await task.write(batch(6, tombstones: [1, 2, 5]))
            _ = try await task.flush(.closing)
            await task.close([partition])
        }
        let keys = store.objects.filter { $0.key.hasSuffix(".keys.json") }.map { String(decoding: $0.value.body, as: UTF8.self) }.joined()
        #expect(keys.split(separator: "\n").sorted() == (0..<6).map { "\"k\($0)\"" }, "each key once")
        #expect(harness.metrics["records_already_stored_total"] == 6)
    }
}
