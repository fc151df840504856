import ConnectAPI
import Foundation
import Testing
import TestSupport

@testable import ConnectorsObjectStore

@Suite struct SinkTaskTests {
    private let topic = TestTopic((0..<10).map { ("k\($0 % 2)", 1_800_000_000_000 + Int64($0)) })

    @Test func parquetFilesAreReadByPyarrow() async throws {
        try await withTemporaryDirectory { root in
            let pool = BlockingPool(threads: 2)
            defer { pool.stop() }
            let store = LocalStore(root: root, owner: "lake-0", pool: pool)
            let harness = SinkHarness(
                ["format.class": "io.confluent.connect.s3.format.parquet.ParquetFormat", "flush.size": "4", "flush.on.stop": "true"], store: store)
            var task = try harness.task()
            _ = try await task.open([topic.partition])
            for at in 0..<10 { try await task.write(topic.batch(at..<at + 1)) }
            #expect(try await task.flush(.closing) == [topic.partition: 10])
            await task.close([topic.partition])
            let script = """
                import sys, json, glob, pyarrow.parquet as pq
                out = []
                for f in sorted(glob.glob(sys.argv[1] + '/topics/t/partition=0/*.parquet')):
                    p = pq.ParquetFile(f)
                    m = p.metadata.metadata
                    out.append([f.split('/')[-1], p.read().to_pydict()['o'], m[b'kafka-start'].decode(), m[b'kafka-end'].decode()])
                print(json.dumps(out))
                """
            let read = try JSONSerialization.jsonObject(with: Data(Python.run(script, [root]).utf8)) as! [[Any]]
            #expect(read.map { $0[0] as! String } == ["t+0+0000000000.snappy.parquet", "t+0+0000000004.snappy.parquet", "t+0+0000000008.snappy.parquet"])
            #expect(read.map { $0[1] as! [Int] } == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]])
            #expect(read.map { $0[3] as! String } == ["3", "7", "9"])
        }
    }

    private func envelope(_ rows: [(before: Int64?, after: Int64?, tombstone: Bool)]) -> ConsumedBatch {
        let row = Schema.struct([.init("id", Schema(.int64))], optional: true, name: "row")
        let schema = Schema.struct([.init("before", row), .init("after", row), .init("op", Schema(.string))], optional: true, name: "Envelope")
        let value = Column(
            schema,
            rows.map { r in
                r.tombstone ? nil : .struct([r.before.map { .struct([.integer($0)]) } ?? .null, r.after.map { .struct([.integer($0)]) } ?? .null, "u"])
            })
        let keySchema = Schema.struct([.init("id", Schema(.int64))])
        let key = Column(keySchema, rows.map { .struct([.integer($0.after ?? $0.before ?? 7)]) })
        let batch = RecordBatch(
            topic: "t", count: rows.count, key: key, value: value, tombstones: Bitmap(rows.map(\.tombstone)),
            timestamps: .constant(1_800_000_000_000, RecordBatch.timestampSchema, count: rows.count))
        return ConsumedBatch(batch, from: topic.partition, offsets: .contiguous(from: 0), nextOffset: Int64(rows.count))
    }

    private func written(_ settings: [String: String], _ batch: ConsumedBatch, tolerate: Bool = false) async throws -> (text: String, rejected: [Int64]) {
        let store = MemoryStore()
        let harness = SinkHarness(["flush.size": "100", "flush.on.stop": "true"].merging(settings) { $1 }, store: store)
        if tolerate { harness.rejected.tolerate() }
        var task = try harness.task()
        _ = try await task.open([topic.partition])
        try await task.write(batch)
        _ = try await task.flush(.closing)
        await task.close([topic.partition])
        return (store.objects.values.map { String(decoding: $0.body, as: UTF8.self) }.joined(), harness.rejected.offsets)
    }

    @Test func payloadPathTakesTheNewRowAndDeletesFollowTheNullRule() async throws {
        let batch = envelope([(nil, 1, false), (1, 2, false), (2, nil, false), (2, nil, true), (nil, 3, false)])
        let ignore = try await written(["payload.path": "after", "behavior.on.null.values": "ignore"], batch)
        #expect(ignore.text == "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n")
        let write = try await written(["payload.path": "after", "behavior.on.null.values": "write"], batch)
        #expect(
            write.text
                == "{\"id\":1,\"__deleted\":false}\n{\"id\":2,\"__deleted\":false}\n{\"id\":2,\"__deleted\":true}\n{\"id\":2,\"__deleted\":true}\n{\"id\":3,\"__deleted\":false}\n"
        )
        let fail = try await written(["payload.path": "after"], batch, tolerate: true)
        #expect(fail.text == ignore.text && fail.rejected == [2, 3])
        await #expect(throws: ConnectorError.self) { try await written(["payload.path": "nothing"], batch) }
    }

    @Test func rowsTheFormatRefusesAreHandedOverAndTheRestIsWritten() async throws {
        // A required member that is null in two rows.
        let schema = Schema.struct([.init("id", Schema(.int64))])
        let ids = Column(Schema(.int64), count: 6, .int64([0, 1, 2, 3, 4, 5]), validity: Bitmap([true, true, false, true, true, false]))
        let batch = RecordBatch(
            topic: "t", count: 6, key: nil, value: Column(schema, count: 6, .struct([ids])), timestamps: .constant(1, RecordBatch.timestampSchema, count: 6))
        let consumed = ConsumedBatch(batch, from: topic.partition, offsets: .contiguous(from: 0), nextOffset: 6)
        let tolerated = try await written([:], consumed, tolerate: true)
        #expect(tolerated.text == "{\"id\":0}\n{\"id\":1}\n{\"id\":3}\n{\"id\":4}\n" && tolerated.rejected == [2, 5])
        await #expect(throws: ConnectorError.self) { try await written([:], consumed) }
    }

    @Test func aFailingStoreLosesNothingAndHoldsTheOffset() async throws {
        let base = MemoryStore()
        let store = FaultyStore(base, seed: 1, failureRate: 1)
        let harness = SinkHarness(["enable.conditional.writes": "false", "retry.backoff.ms": "1"], store: store)
        var task = try harness.task()
        _ = try await task.open([topic.partition])
        try await task.write(topic.batch(0..<10))
        for _ in 0..<5 {
            #expect(try await task.flush(.tick).isEmpty)
            try await Task.sleep(for: .milliseconds(2))
        }
        await task.close([topic.partition])
        #expect(harness.metrics["files_closed_total"] == 3)
    }

    @Test func memoryIsBoundedByStoringEarly() async throws {
        let store = MemoryStore()
        var harness = SinkHarness(["flush.size": "1000000", "partitioner.class": "FieldPartitioner", "partition.field.name": "k"], store: store)
        harness.memory = 1 << 20
        let many = TestTopic((0..<60_000).map { ("\(String(repeating: "x", count: 40))\($0 % 3)", 0) })
        var task = try harness.task()
        _ = try await task.open([many.partition])
        for at in stride(from: 0, to: 60_000, by: 1000) {
            try await task.write(many.batch(at..<at + 1000))
            _ = try await task.flush(.tick)
            #expect(task.heldBytes < 13 << 20 / 10)
        }
        #expect(store.objects.count > 2)
        await task.close([many.partition])
    }

    /// The first of them hold every turn there is, and are tried for ever.
    @Test func manyFilesThatWaitForTheirTurnAreGivenUpAtOnceWhileTheStoreIsAway() async throws {
        let store = MemoryStore()
        let harness = SinkHarness(
            ["flush.size": "200", "partitioner.class": "FieldPartitioner", "partition.field.name": "k", "enable.conditional.writes": "false"],
            store: FaultyStore(store, seed: 1, failureRate: 1))
        let topics = (0..<2).map { p in TestTopic((0..<200).map { ("d\($0)", 0) }, partition: TopicPartition("t", Int32(p))) }
        var task = try harness.task()
        _ = try await task.open(topics.map(\.partition))
        for topic in topics { try await task.write(topic.batch(0..<200)) }
        // The first partition's files are before these.
        await task.close([topics[1].partition])
        await task.close([topics[0].partition])
        #expect(task.heldBytes == 0)
    }

    @Test func aTopicThatWasCreatedAnewIsNotTakenForTheOldOne() async throws {
        let store = MemoryStore()
        let old = TestTopic((0..<3).map { _ in ("k", 1) }), new = TestTopic((0..<3).map { _ in ("k", 2) })
        let harness = SinkHarness([:], store: store)
        var task = try harness.task()
        _ = try await task.open([old.partition])
        try await task.write(old.batch(0..<3))
        _ = try await task.flush(.closing)
        await task.close([old.partition])
        var second = try harness.task()
        _ = try await second.open([new.partition])
        await #expect(throws: ConnectorError.self) { try await second.write(new.batch(0..<3)) }
        await second.close([new.partition])
    }

    @Test func largeFilesGoInParts() async throws {
        let store = MemoryStore()
        let harness = SinkHarness(["flush.size": "200000", "s3.part.size": "5242880"], store: store)
        let many = TestTopic((0..<200_000).map { _ in (String(repeating: "y", count: 30), 0) })
        var task = try harness.task()
        _ = try await task.open([many.partition])
        for at in stride(from: 0, to: 200_000, by: 20_000) { try await task.write(many.batch(at..<at + 20_000)) }
        #expect(try await task.flush(.closing) == [many.partition: 200_000])
        let files = store.objects.filter { !$0.key.hasPrefix("topics/_sluice/") }
        // JSON has no footer: an object beside it says which records it holds.
        #expect(store.openUploads == 0 && files.count == 1 && store.objects.count == 2)
        #expect(try await StoredFile.look(at: files.keys.first!, in: store) == .file(FileFacts(store.objects.values.first { $0.body.isEmpty }!.metadata)!))
        let lines = files.values.first!.body.reduce(0) { $0 + ($1 == 10 ? 1 : 0) }
        #expect(lines == 200_000)
        await task.close([many.partition])
    }

    /// A task that was thought dead writes on while another has its partition.
    @Test func twoTasksOfOnePartitionStoreEveryRecordOnce() async throws {
        for seed in UInt64(1)...40 {
            var random = SeededGenerator(seed: seed)
            let base = MemoryStore(), records = TestTopic((0..<200).map { ("k\($0 % 3)", 1_800_000_000_000 + Int64($0) * 100) })
            let settings =
                Bool.random(using: &random)
                ? ["flush.size": "7"] : ["flush.size": "11", "partitioner.class": "FieldPartitioner", "partition.field.name": "k"]
            let harness = SinkHarness(settings, store: base)
            var tasks = [try harness.task(), try harness.task()], positions = [0, 0]
            for i in 0..<2 { _ = try await tasks[i].open([records.partition]) }
            while positions.min()! < records.records.count {
                let i = Int.random(in: 0..<2, using: &random), at = positions[i], end = min(records.records.count, at + Int.random(in: 1...30, using: &random))
                if at == end { continue }
                try await tasks[i].write(records.batch(at..<end))
                positions[i] = end
                _ = try await tasks[i].flush(.tick)
            }
            for i in 0..<2 {
                for _ in 0..<1000 {
                    let stored = base.objects.values.reduce(0) { $0 + offsets($1.body).count }
                    if stored >= records.records.count / 11 * 11 - 11 { break }
                    _ = try await tasks[i].flush(.tick)
                    try await Task.sleep(for: .milliseconds(1))
                }
                _ = try await tasks[i].flush(.closing)
                await tasks[i].close([records.partition])
            }
            let rows = base.objects.values.flatMap { offsets($0.body) }.sorted()
            #expect(rows == Array(Set(rows)).sorted() && rows.count >= 190, "seed \(seed): \(rows.count) rows")
        }
    }

    /// Producers of two versions at once: one file for each, not one a record.
    @Test func interleavedSchemaVersionsMakeTwoFiles() async throws {
        let store = MemoryStore()
        let harness = SinkHarness(
            ["flush.size": "10000", "schema.compatibility": "BACKWARD", "format.class": "ParquetFormat", "flush.on.stop": "true"], store: store)
        func schema(_ version: Int) -> Schema {
            let fields = [Schema.Field("o", Schema(.int64))] + (version > 1 ? [Schema.Field("more", Schema(.string, optional: true))] : [])
            return Schema(.struct, name: "r", version: version, fields: fields)
        }
        let schemas = [schema(1), schema(2)]
        var task = try harness.task()
        _ = try await task.open([topic.partition])
        for i in 0..<10_000 {
            let schema = schemas[i % 2]
            let value = Column(schema, [.struct(i % 2 == 0 ? [.integer(Int64(i))] : [.integer(Int64(i)), "x"])])
            let batch = RecordBatch(topic: "t", count: 1, key: nil, value: value, timestamps: .constant(1, RecordBatch.timestampSchema, count: 1))
            try await task.write(ConsumedBatch(batch, from: topic.partition, offsets: .contiguous(from: Int64(i)), nextOffset: Int64(i + 1)))
        }
        _ = try await task.flush(.closing)
        await task.close([topic.partition])
        #expect(harness.metrics["files_closed_total"] <= 2, "\(harness.metrics["files_closed_total"]) files")
        #expect(store.objects.values.compactMap { FileFacts($0.metadata)?.count }.reduce(0, +) == 10_000)
    }

    @Test func configurationsSayWhatIsWrongAllAtOnce() {
        func findings(_ values: [String: String]) -> [String] { S3SinkConfiguration.parse(values).findings.map(\.key) }
        let base = ["s3.bucket.name": "b", "format.class": "JsonFormat", "flush.size": "3", "storage.class": "io.confluent.connect.s3.storage.S3Storage"]
        #expect(findings(base).isEmpty)
        #expect(findings([:]) == ["flush.size", "format.class"])
        #expect(findings(["store.url": "/data", "format.class": "ParquetFormat", "flush.size": "3"]).isEmpty)
        let wrong = base.merging([
            "partitioner.class": "TimeBasedPartitioner", "timezone": "Nowhere", "rotate.schedule.interval.ms": "5", "aws.access.key.id": "k",
            "store.url": "ftp://x",
            "s3.ssea.name": "x",
        ]) { $1 }
        #expect(Set(findings(wrong)) == ["store.url", "aws.secret.access.key", "timezone", "partitioner.class", "s3.ssea.name"])
        #expect(Set(findings(base.merging(["rotate.schedule.interval.ms": "5"]) { $1 })) == ["timezone"])
    }

    @Test func namesFollowTheTemplate() throws {
        let template = try NameTemplate(
            "{{table}}/date={{timestamp:format=yyyy-MM-dd}}/{{table}}_{{partition}}_{{start_offset:padding=true}}.parquet", zone: .utc)
        let naming = FileNaming(topicsDirectory: "", fileExtension: ".parquet", template: template)
        #expect(
            naming.names(topic: "s.public.orders", partition: 2, directory: "partition=2", start: 7, time: 1_714_979_289_000) == [
                "orders/date=2024-05-06/orders_2_00000000000000000007.parquet", "orders/date=2024-05-06/orders_2_00000000000000000007-2-7.parquet",
            ])
    }
}
