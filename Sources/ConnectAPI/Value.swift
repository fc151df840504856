/// One value of a row, for tests, defaults, configuration, dead letters and every place that is not the data path.
///
/// The data path holds columns (`Column`); a `Value` is what a reader of the record would see: ISO text for a ZonedTimestamp, unscaled
/// big-endian bytes for a Decimal. The width of an integer is the schema's business.
public indirect enum Value: Sendable, Hashable {
    case null
    case boolean(Bool)
    case integer(Int64)
    case float(Float)
    case double(Double)
    case string(String)
    case bytes([UInt8])
    case array([Value])
    case map([Entry])
    /// Members in the order of the schema's fields.
    case `struct`([Value])

    public struct Entry: Sendable, Hashable {
        public let key: Value
        public let value: Value
        public init(_ key: Value, _ value: Value) {
            self.key = key
            self.value = value
        }
    }

    public var isNull: Bool { if case .null = self { true } else { false } }
    public var stringValue: String? { if case .string(let s) = self { s } else { nil } }
    public var integerValue: Int64? { if case .integer(let i) = self { i } else { nil } }
    public var booleanValue: Bool? { if case .boolean(let b) = self { b } else { nil } }
}

extension Value: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral, ExpressibleByNilLiteral {
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(booleanLiteral value: Bool) { self = .boolean(value) }
    public init(nilLiteral: ()) { self = .null }
}
