import ConnectAPI
import JSON

/// What an incremental snapshot still has to read. It stands in every offset while one is under way, so that a restart goes on where it was.
struct IncrementalProgress: Sendable, Hashable {
    struct Collection: Sendable, Hashable {
        let schema: String
        let name: String
        /// SQL for WHERE; nil: every row.
        var condition: String?
        /// The column to go by instead of the key.
        var surrogateKey: String?
        /// `schema.table`
        var id: String { "\(schema).\(name)" }
    }

    /// The id of the signal that began it: that of its notifications.
    var correlationID: String
    /// The first is being read.
    var collections: [Collection]
    /// Keys of the first collection as texts: the last one emitted and the greatest there was when reading began.
    var lastKey: [String]?
    var maximumKey: [String]?
    var isPaused = false
    /// Rows read of the first collection.
    var rows: Int64 = 0

    /// Goes on to the next collection.
    mutating func finishCollection() {
        if !collections.isEmpty { collections.removeFirst() }
        lastKey = nil
        maximumKey = nil
        rows = 0
    }

    // MARK: In the offset

    static let offsetKey = "sluice_incremental_snapshot"

    var json: String {
        func keys(_ key: [String]?) -> JSONValue { key.map { .array($0.map { .string($0) }) } ?? .null }
        let all = collections.map { collection in
            JSONValue.object([
                ("schema", .string(collection.schema)), ("table", .string(collection.name)),
                ("condition", collection.condition.map { .string($0) } ?? .null), ("surrogate-key", collection.surrogateKey.map { .string($0) } ?? .null),
            ])
        }
        return JSONValue.object([
            ("id", .string(correlationID)), ("collections", .array(all)), ("last-key", keys(lastKey)), ("maximum-key", keys(maximumKey)),
            ("paused", .bool(isPaused)), ("rows", .integer(rows)),
        ]).text
    }

    /// nil: the text is not what `json` writes.
    init?(json text: String) {
        guard let object = try? JSONValue.parse(text), let id = object["id"]?.stringValue, let list = object["collections"]?.arrayValue else { return nil }
        func key(_ name: String) -> [String]? { object[name]?.arrayValue?.compactMap(\.stringValue) }
        correlationID = id
        collections = list.compactMap { member in
            guard let schema = member["schema"]?.stringValue, let name = member["table"]?.stringValue else { return nil }
            return Collection(
                schema: schema, name: name, condition: member["condition"]?.stringValue, surrogateKey: member["surrogate-key"]?.stringValue)
        }
        guard collections.count == list.count, !collections.isEmpty else { return nil }
        lastKey = key("last-key")
        maximumKey = key("maximum-key")
        isPaused = object["paused"]?.boolValue ?? false
        rows = object["rows"]?.integerValue ?? 0
    }

    init(correlationID: String, collections: [Collection]) {
        self.correlationID = correlationID
        self.collections = collections
    }
}
