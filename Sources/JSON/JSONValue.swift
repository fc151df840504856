/// A JSON document as a value: REST bodies, configurations, offsets. Objects keep their order and numbers their text, so that what came in
/// goes out the same. Not for the data path.
package indirect enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    /// As written: `12345678901234567890.50` survives.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    package static func integer(_ value: some BinaryInteger) -> JSONValue { .number(String(value)) }
    /// As Java prints doubles; NaN and the infinities become strings, as Jackson writes them.
    package static func double(_ value: Double) -> JSONValue {
        value.isFinite ? .number(JavaNumber.string(value)) : .string(JavaNumber.string(value))
    }
    package static func object(_ members: [(String, JSONValue)]) -> JSONValue { .object(JSONObject(members)) }

    package var isNull: Bool { if case .null = self { true } else { false } }
    package var boolValue: Bool? { if case .bool(let b) = self { b } else { nil } }
    package var stringValue: String? { if case .string(let s) = self { s } else { nil } }
    package var arrayValue: [JSONValue]? { if case .array(let a) = self { a } else { nil } }
    package var objectValue: JSONObject? { if case .object(let o) = self { o } else { nil } }
    /// A number without fraction and exponent that fits.
    package var integerValue: Int64? { if case .number(let n) = self { Int64(n) } else { nil } }
    package var doubleValue: Double? { if case .number(let n) = self { Double(n) } else { nil } }
    /// The text of a scalar as Jackson's `asText` gives it; nil for containers and null.
    package var scalarText: String? {
        switch self {
        case .string(let s), .number(let s): s
        case .bool(let b): b ? "true" : "false"
        case .null, .array, .object: nil
        }
    }

    /// The member of an object; nil when absent or not an object.
    package subscript(key: String) -> JSONValue? { objectValue?[key] }
    /// The element of an array; nil when absent or not an array.
    package subscript(index: Int) -> JSONValue? {
        guard let all = arrayValue, all.indices.contains(index) else { return nil }
        return all[index]
    }
}

/// Members in order; names are unique.
package struct JSONObject: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    package struct Member: Sendable, Hashable {
        package let key: String
        package var value: JSONValue
        package init(_ key: String, _ value: JSONValue) {
            self.key = key
            self.value = value
        }
    }

    package private(set) var members: [Member]

    /// A name given twice keeps its first place and its last value, as Jackson reads it.
    package init(_ members: [(String, JSONValue)] = []) {
        var places: [String: Int] = [:]
        places.reserveCapacity(members.count)
        self.members = []
        self.members.reserveCapacity(members.count)
        for (key, value) in members {
            if let place = places[key] {
                self.members[place].value = value
            } else {
                places[key] = self.members.count
                self.members.append(Member(key, value))
            }
        }
    }
    package init(dictionaryLiteral elements: (String, JSONValue)...) { self.init(elements) }

    package var isEmpty: Bool { members.isEmpty }
    package var count: Int { members.count }
    package var keys: [String] { members.map(\.key) }

    package subscript(key: String) -> JSONValue? {
        get { members.first { $0.key == key }?.value }
        set {
            if let i = members.firstIndex(where: { $0.key == key }) {
                if let newValue { members[i].value = newValue } else { members.remove(at: i) }
            } else if let newValue {
                members.append(Member(key, newValue))
            }
        }
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral, ExpressibleByNilLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(nilLiteral: ()) { self = .null }
    package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSONValue)...) { self = .object(JSONObject(elements)) }
}
