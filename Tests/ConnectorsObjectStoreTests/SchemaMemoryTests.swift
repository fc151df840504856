import ConnectAPI
import Foundation
import JSON
import Testing
import TestSupport

@testable import ConnectorsObjectStore

/// Values without schemas in files with columns.
@Suite struct SchemaMemoryTests {
    private let partition = TopicPartition("t", 0)

    private func batches(_ lines: [String], from: Int64) throws -> [ConsumedBatch] {
        var values = VarBytes()
        for line in lines { values.append(line.utf8) }
        var reader = ConnectJSONReader(ConnectJSONOptions(schemasEnabled: false))
        return try reader.read(values, present: nil).map { run in
            let first = from + Int64(run.rows.lowerBound)
            let batch = RecordBatch(
                topic: "t", count: run.rows.count, key: nil, value: run.column,
                timestamps: .constant(1_800_000_000_000, RecordBatch.timestampSchema, count: run.rows.count))
            return ConsumedBatch(batch, from: partition, offsets: .contiguous(from: first), nextOffset: first + Int64(run.rows.count))
        }
    }

    @Test func filesOfOneTopicKeepTheirColumns() async throws {
        try await withTemporaryDirectory { directory in
            let pool = BlockingPool(threads: 2)
            defer { pool.stop() }
            let store = LocalStore(root: directory + "/lake", owner: "t", pool: pool)
            var harness = SinkHarness(
                [
                    "format.class": "ParquetFormat", "flush.size": "1000", "flush.on.stop": "true",
                    "value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false",
                ], store: store)
            harness.scratch = directory
            // Members come and go, an integer becomes a fraction, a text an object; then a restart.
            let lives: [[[String]]] = [
                [["{\"a\":1,\"b\":\"x\"}", "{\"a\":2}"], ["{\"a\":3}"], ["{\"b\":\"y\"}"], ["{\"a\":1.5,\"b\":\"z\"}"], ["{\"a\":4}"]],
                [["{\"a\":5}"], ["{\"b\":{\"c\":[1]}}"], ["{\"a\":6,\"b\":\"w\"}"]],
            ]
            var offset: Int64 = 0
            for life in lives {
                var task = try harness.task()
                _ = try await task.open([partition])
                for lines in life {
                    for batch in try batches(lines, from: offset) { try await task.write(batch) }
                    offset += Int64(lines.count)
                }
                #expect(try await task.flush(.closing)[partition] == offset)
                await task.close([partition])
            }
            let script = """
                import glob, json, sys
                import pyarrow.parquet as pq
                out = []
                for f in sorted(glob.glob(sys.argv[1] + '/lake/topics/t/partition=0/*.parquet')):
                    t = pq.read_table(f)
                    out.append([{c: str(t.schema.field(c).type) for c in t.column_names}, t.to_pylist()])
                print(json.dumps(out))
                """
            let files = try JSONSerialization.jsonObject(with: Data(Python.run(script, [directory]).utf8)) as! [[Any]]
            let columns = files.map { $0[0] as! [String: String] }
            // One file until the fraction came; the restart remembers it; the object starts one more.
            #expect(columns == [["a": "int64", "b": "string"], ["a": "double", "b": "string"], ["a": "double", "b": "string"]], "\(columns)")
            let rows = files.flatMap { $0[1] as! [[String: Any]] }
            #expect(rows.count == 9 && rows.compactMap { $0["a"] as? Double } == [1, 2, 3, 1.5, 4, 5, 6])
            #expect(rows.compactMap { $0["b"] as? String } == ["x", "y", "z", "{\"c\":[1]}", "w"])
        }
    }

    @Test func unionsHoldBothSides() throws {
        var random = SeededGenerator.printed()
        func schema(_ depth: Int) -> Schema {
            switch Int.random(in: 0..<(depth > 0 ? 7 : 5), using: &random) {
            case 0: return Schema(.int64, optional: true)
            case 1: return Schema(.float64, optional: true)
            case 2: return Schema(.string, optional: true)
            case 3: return Schema(.boolean, optional: true)
            case 4: return Schema(.int32, optional: true)
            case 5: return Schema(.array, optional: true, element: schema(depth - 1))
            default:
                return Schema(
                    .struct, optional: true, fields: ["a", "b", "c"].filter { _ in Bool.random(using: &random) }.map { .init($0, schema(depth - 1)) })
            }
        }
        for _ in 0..<2000 {
            let (a, b) = (schema(3), schema(3)), both = SchemaMemory.union(a, b)
            #expect(SchemaMemory.union(both, a) == both && SchemaMemory.union(both, b) == both && SchemaMemory.union(both, both) == both, "\(random.seed)")
            let column = Column(a, [.null, .null])
            #expect(SchemaMemory.shape(column, both).schema == both)
        }
    }

    @Test func watermarksSayWhatIsStored() async throws {
        let store = MemoryStore()
        let harness = SinkHarness(["flush.size": "4", "watermark.interval.ms": "1000"], store: store)
        let topic = TestTopic((0..<10).map { ("k", 1_800_000_000_000 + Int64($0) * 1000) })
        var task = try harness.task()
        _ = try await task.open([topic.partition])
        try await task.write(topic.batch(0..<10))
        // One may be written before the files are stored; the one after tells of them.
        let expected = "{\"topic\":\"t\",\"partition\":0,\"nextOffset\":8,\"timestamp\":1800000008000}"
        var text: String?
        for _ in 0..<200 where text != expected {
            harness.clock.advance(1001)
            _ = try await task.flush(.tick)
            try await Task.sleep(for: .milliseconds(5))
            text = store.objects["topics/_watermark/t/0.json"].map { String(decoding: $0.body, as: UTF8.self) }
        }
        #expect(text == expected)
        await task.close([topic.partition])
    }
}
