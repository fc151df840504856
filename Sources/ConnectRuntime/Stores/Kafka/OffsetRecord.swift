package import ConnectAPI
import JSON

/// A record of the offset topic, in Kafka Connect's own format: key `["connector",{source partition}]`, value the source offset.
package struct OffsetRecord: Sendable, Hashable {
    package let connector: String
    package let partition: OffsetMap
    /// nil: the position was removed.
    package let offset: OffsetMap?

    package init(connector: String, partition: OffsetMap, offset: OffsetMap?) {
        self.connector = connector
        self.partition = partition
        self.offset = offset
    }

    package init(_ record: InternalRecord) throws {
        guard let key = try? JSONValue.parse(record.key), let parts = key.arrayValue, parts.count == 2, let connector = parts[0].stringValue,
            let partition = parts[1].objectValue.flatMap({ OffsetMap($0) })
        else { throw record.malformed("its key is not [\"connector\",{source partition}]") }
        self.connector = connector
        self.partition = partition
        guard let object = try record.object() else {
            offset = nil
            return
        }
        guard let offset = OffsetMap(object) else { throw record.malformed("its value is no flat map") }
        self.offset = offset
    }

    /// The key's bytes must be those Kafka Connect writes, or compaction keeps both: the map's order is kept as it came.
    package var encoded: InternalRecord {
        InternalRecord(
            key: JSONValue.array([.string(connector), .object(partition.json)]).compactBytes,
            value: offset.map { JSONValue.object($0.json).compactBytes })
    }
}

extension OffsetMap {
    /// nil: it is not flat.
    init?(_ object: JSONObject) {
        var entries: [(String, Value)] = []
        for member in object.members {
            let value: Value
            switch member.value {
            case .null: value = .null
            case .bool(let flag): value = .boolean(flag)
            case .string(let text): value = .string(text)
            case .number(let text):
                if let integer = Int64(text) {
                    value = .integer(integer)
                } else if let double = Double(text), double.isFinite {
                    value = .double(double)
                } else {
                    return nil
                }
            case .array, .object: return nil
            }
            entries.append((member.key, value))
        }
        self.init(entries)
    }

    /// Values a flat map cannot hold do not occur: `SourcePosition` says so.
    var json: JSONObject {
        JSONObject(
            entries.map { entry in
                switch entry.value {
                case .boolean(let flag): (entry.key, .bool(flag))
                case .integer(let integer): (entry.key, .integer(integer))
                case .float(let float): (entry.key, .double(Double(float)))
                case .double(let double): (entry.key, .double(double))
                case .string(let text): (entry.key, .string(text))
                default: (entry.key, .null)
                }
            })
    }
}
