import Foundation
import ConnectAPI
@testable import ConnectRuntime
import JSON

/// Records of a real Debezium and JsonConverter. `Golden/debezium/<scenario>.jsonl` holds first the distinct schemas, then the records with the
/// number of their schema (-1: none) and the exact text of their payload.
struct DebeziumRecording {
    struct Record {
        let topic: String
        let key: [UInt8]?
        let value: [UInt8]?
        let headers: [String]
    }
    let records: [Record]

    init(_ scenario: String) throws {
        let url = Bundle.module.url(forResource: scenario, withExtension: "jsonl", subdirectory: "Golden/debezium")!
        var schemas: [String] = [], records: [Record] = []
        for line in try String(contentsOf: url, encoding: .utf8).split(separator: "\n") {
            let json = try JSONValue.parse(String(line))
            if let schema = json["schema"]?.stringValue {
                schemas.append(schema)
                continue
            }
            func bytes(_ side: JSONValue?) -> [UInt8]? {
                guard let number = side?[0]?.integerValue, let payload = side?[1]?.stringValue else { return nil }
                return Array((number < 0 ? payload : "{\"schema\":\(schemas[Int(number)]),\"payload\":\(payload)}").utf8)
            }
            records.append(
                Record(
                    topic: json["topic"]!.stringValue!, key: bytes(json["key"]), value: bytes(json["value"]),
                    headers: json["headers"]!.arrayValue!.map { $0.stringValue! }))
        }
        self.records = records
    }

    /// By topic, in the order of the records.
    var topics: [String: [Record]] { Dictionary(grouping: records, by: \.topic) }
}

extension DebeziumRecording {
    /// The records of one topic as batches, one a run of equal schemas, cut as well before the rows given.
    static func batches(_ records: [Record], cuts: Set<Int> = []) throws -> [RecordBatch] {
        let converter = JsonConverter(try JsonConverter.Configuration(["converter.type": "value"]))
        func rendered(_ rows: [[UInt8]?]) -> RenderedRows {
            var values = VarBytes()
            for row in rows { if let row { values.append(row) } else { values.appendEmpty() } }
            return RenderedRows(values: values, present: Bitmap(rows.map { $0 != nil }))
        }
        var batches: [RecordBatch] = [], start = 0
        func schema(_ bytes: [UInt8]?) throws -> JSONValue? { try bytes.map { try JSONValue.parse($0)["schema"] ?? .null } }
        while start < records.count {
            var end = start, valueSchema: JSONValue?
            let keySchema = try schema(records[start].key)
            while end < records.count, end == start || !cuts.contains(end), try schema(records[end].key) == keySchema {
                if let next = try schema(records[end].value) {
                    if valueSchema != nil, valueSchema != next { break }
                    valueSchema = next
                }
                end += 1
            }
            let rows = Array(records[start..<end])
            let values = try converter.parseRuns(rendered(rows.map(\.value)), topic: "")
            var value: Column?, tombstones: Bitmap?
            if let schema = values.lazy.compactMap(\.column).first?.schema {
                value = .concatenating(
                    values.map { $0.column ?? .constant(.null, schema.with(optional: true), count: $0.rows.count).with(schema: schema) })
                let missing = Bitmap(rows.map { $0.value == nil })
                tombstones = missing.noneSet ? nil : missing
            }
            let key = try converter.parseRuns(rendered(rows.map(\.key)), topic: "").first?.column
            let names = rows.flatMap { row in stride(from: 0, to: row.headers.count, by: 2).map { row.headers[$0] } }
            var ordered: [String] = []
            for name in names where !ordered.contains(name) {
                if name.hasSuffix("newkey") || name.hasSuffix("oldkey") { ordered.insert(name, at: 0) } else { ordered.append(name) }
            }
            let headers = ordered.map { name in
                let texts = rows.map { row in row.headers.firstIndex(of: name).map { row.headers[$0 + 1] } }
                return HeaderColumn(
                    name, Column(Schema(.string, optional: true), texts.map { $0.map { .string($0) } ?? .null }),
                    present: Bitmap(texts.map { $0 != nil }))
            }
            batches.append(
                RecordBatch(
                    topic: rows[0].topic, count: rows.count, key: key, value: value, tombstones: tombstones,
                    timestamps: .constant(0, RecordBatch.timestampSchema, count: rows.count), headers: headers))
            start = end
        }
        return batches
    }

    /// What a reader of Kafka would see.
    static func render(_ batches: [RecordBatch]) throws -> [Record] {
        let json = try Converters.make(Rendering.Converter("org.apache.kafka.connect.json.JsonConverter"), isKey: false)
        let header = try Converters.make(Rendering.Converter("org.apache.kafka.connect.storage.SimpleHeaderConverter"), isKey: false)
        return try batches.flatMap { batch in
            let keys = try json.render(batch.key, count: batch.count, nullSchemaRows: nil, topic: batch.topic)
            let values = try json.render(batch.value, count: batch.count, nullSchemaRows: batch.tombstones, topic: batch.topic)
            let headers = try HeaderRendering(batch, header)
            return (0..<batch.count).map { row in
                Record(
                    topic: batch.topic, key: keys.bytes(row).map { Array($0) }, value: values.bytes(row).map { Array($0) },
                    headers: headers.headers(row).flatMap { [$0.name, $0.value.map { String(decoding: $0, as: UTF8.self) } ?? "null"] })
            }
        }
    }
}
