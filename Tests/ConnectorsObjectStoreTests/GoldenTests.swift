import ConnectAPI
import Foundation
import JSON
import Testing
import TestSupport

@testable import ConnectorsObjectStore

/// What Confluent's S3 sink wrote, recorded: the same names, and the same bytes.
@Suite struct GoldenTests {
    private static let root = Bundle.module.resourceURL!.appendingPathComponent("Golden/s3")

    private struct Line: Decodable {
        var topic: String, partition: Int32, offset: Int64, ts: Int64, payload: String?
    }

    /// The recorded topic as the sink would get it with this configuration.
    private func batches(_ topic: String, _ config: [String: String]) throws -> [ConsumedBatch] {
        let text = try String(contentsOf: Self.root.appendingPathComponent("_input-\(topic).jsonl"), encoding: .utf8)
        let lines = try text.split(separator: "\n").map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
        var values = VarBytes(), present = Bitmap()
        for line in lines {
            if let payload = line.payload { values.append(payload.utf8) } else { values.appendEmpty() }
            present.append(line.payload != nil)
        }
        let partition = TopicPartition(topic, 0)
        let timestamps = lines.map { Value.integer($0.ts) }
        func batch(_ rows: Range<Int>, _ value: Column?) -> ConsumedBatch {
            let nulls = present.slice(rows)
            let batch = RecordBatch(
                topic: topic, count: rows.count, key: nil, value: value, tombstones: nulls.allSet ? nil : !nulls,
                timestamps: Column(RecordBatch.timestampSchema, Array(timestamps[rows])))
            return ConsumedBatch(
                batch, from: partition, offsets: .contiguous(from: lines[rows.lowerBound].offset), nextOffset: lines[rows.upperBound - 1].offset + 1)
        }
        if config["value.converter"]?.hasSuffix("ByteArrayConverter") == true {
            return [batch(0..<lines.count, Column(Schema(.bytes, optional: true), count: lines.count, .binary(values), validity: present))]
        }
        var reader = ConnectJSONReader(ConnectJSONOptions(schemasEnabled: config["value.converter.schemas.enable"] != "false"))
        return try reader.read(values, present: present).map { batch($0.rows, $0.column) }
    }

    /// Decompressed.
    private func text(_ bytes: [UInt8]) throws -> String {
        guard bytes.prefix(2) == [0x1F, 0x8B] else {
            return String(decoding: bytes, as: UTF8.self)
        }
        let path = NSTemporaryDirectory() + "sluice-test-\(UUID().uuidString).gz"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return try text(Array(Subprocess.run("gzip", ["-dc", path]).utf8))
    }

    /// The sync marker of an Avro file is random: 16 bytes that end the file and every block.
    private func withoutMarker(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.starts(with: Array("Obj".utf8) + [1]) else { return bytes }
        let marker = bytes.suffix(16)
        var out: [UInt8] = [], at = 0
        while at < bytes.count {
            if bytes[at...].starts(with: marker) { at += 16 } else { out.append(bytes[at]); at += 1 }
        }
        return out
    }

    static let cases = [
        "avro", "bytes", "json-daily-record", "json-default", "json-field-partitioner", "json-gzip", "json-schema", "json-schema-backward",
        "json-timebased-custom", "tombstone-fail", "tombstone-ignore", "topics-dir-delim",
    ]

    @Test(arguments: cases) func namesAndBytesAreConfluents(_ name: String) async throws {
        let folder = Self.root.appendingPathComponent(name)
        let config = try JSONDecoder().decode([String: String].self, from: Data(contentsOf: folder.appendingPathComponent("_config.json")))
        let listing = try JSONSerialization.jsonObject(with: Data(contentsOf: folder.appendingPathComponent("_listing.json"))) as! [[String: Any]]
        for width in [1, 2, 100] {
            let store = MemoryStore()
            let harness = SinkHarness(config, store: store)
            harness.clock.advance(1_795_222_700_000 - harness.clock.now)
            var task = try harness.task()
            let topic = config["topics"]!
            _ = try await task.open([TopicPartition(topic, 0)])
            var failed = false
            do {
                for whole in try batches(topic, config) {
                    for at in stride(from: 0, to: whole.batch.count, by: width) {
                        let rows = at..<min(at + width, whole.batch.count)
                        try await task.write(
                            ConsumedBatch(
                                whole.batch.slice(rows), from: whole.partition, offsets: .contiguous(from: whole.offsets[at]),
                                nextOffset: whole.offsets[rows.upperBound - 1] + 1))
                    }
                }
                _ = try await task.flush(.closing)
            } catch let error as ConnectorError where error.code == "objectstore.null_value" { failed = true }
            #expect(failed == (name == "tombstone-fail"))
            await task.close([TopicPartition(topic, 0)])

            let keys = listing.map { $0["key"] as! String }.sorted()
            #expect(store.objects.keys.sorted() == keys)
            for key in keys {
                let expected = try Array(Data(contentsOf: folder.appendingPathComponent("objects/\(key)")))
                let actual = store.objects[key]?.body ?? []
                #expect(try text(withoutMarker(actual)) == text(withoutMarker(expected)), "\(key) in batches of \(width)")
                if key.hasSuffix(".gz") { #expect(actual.prefix(10) == expected.prefix(10), "the header Java writes") }
            }
        }
    }

    @Test func membersComeInHashMapOrder() {
        #expect(JavaHashOrder.order(["id", "name", "amount", "big", "when", "ts", "cat", "nested"]) == [3, 2, 6, 1, 0, 4, 7, 5])
    }
}
