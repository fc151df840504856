import ConnectAPI

/// What the last poll left for the next: the source offset.
struct PollProgress: Sendable, Hashable {
    /// Milliseconds since 1970.
    var polledAt: Int64?
    var etag: String?
    var lastModified: String?
    /// What the last record said, by the names of `http.response.record.offset.pointer`.
    var offsets: OffsetMap = [:]

    static let partitionKey = "url"
    private static let own = ["polled_at", "etag", "last_modified"]

    init(initial: [(String, String)]) { offsets = OffsetMap(initial.map { ($0.0, .string($0.1)) }) }

    mutating func resume(_ map: OffsetMap) {
        polledAt = map["polled_at"]?.integerValue
        etag = map["etag"]?.stringValue
        lastModified = map["last_modified"]?.stringValue
        for entry in map.entries where !Self.own.contains(entry.key) { offsets[entry.key] = entry.value }
    }

    func sourcePosition(_ endpoint: String) -> SourcePosition {
        var map = offsets
        map["polled_at"] = polledAt.map { .integer($0) }
        map["etag"] = etag.map { .string($0) }
        map["last_modified"] = lastModified.map { .string($0) }
        return SourcePosition(partition: [Self.partitionKey: .string(endpoint)], offset: map)
    }

    /// For templates.
    func text(_ name: String) -> String {
        switch offsets[name] {
        case .string(let text): text
        case .integer(let number): String(number)
        case .double(let number): String(number)
        case .boolean(let flag): String(flag)
        default: ""
        }
    }
}
