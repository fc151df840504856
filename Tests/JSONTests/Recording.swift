import Foundation
import JSON

/// Records of a real Debezium and JsonConverter. `Golden/debezium/<scenario>.jsonl` holds first the distinct schemas, then the records with the
/// number of their schema (-1: none) and the exact text of their payload.
struct Recording {
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
