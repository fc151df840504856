/// Where a source stands in one source partition: what Kafka Connect calls a source offset.
///
/// Both maps are flat, ordered and hold null, boolean, integer, double or string, as `GET /connectors/{name}/offsets` shows them.
public struct SourcePosition: Sendable, Hashable {
    public let partition: OffsetMap
    public let offset: OffsetMap
    public init(partition: OffsetMap, offset: OffsetMap) {
        self.partition = partition
        self.offset = offset
    }
}

/// A small ordered map of primitive values.
public struct OffsetMap: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    public struct Entry: Sendable, Hashable {
        public let key: String
        public var value: Value
    }
    public private(set) var entries: [Entry]

    public init(_ entries: [(String, Value)] = []) { self.entries = entries.map { Entry(key: $0.0, value: $0.1) } }
    public init(dictionaryLiteral elements: (String, Value)...) { self.init(elements) }

    public subscript(key: String) -> Value? {
        get { entries.first { $0.key == key }?.value }
        set {
            if let i = entries.firstIndex(where: { $0.key == key }) {
                if let newValue { entries[i].value = newValue } else { entries.remove(at: i) }
            } else if let newValue {
                entries.append(Entry(key: key, value: newValue))
            }
        }
    }
}
