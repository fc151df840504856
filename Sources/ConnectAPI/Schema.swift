/// The type of a value, as Kafka Connect names them.
public enum SchemaType: String, Sendable, Hashable, CaseIterable {
    case int8, int16, int32, int64, float32, float64, boolean, string, bytes, array, map, `struct`
}

/// What a column means: Kafka Connect's schema, immutable and shared by reference.
///
/// Two schemas are equal when every part is equal; identical references compare in constant time, so keep one instance a table.
/// Follows `org.apache.kafka.connect.data.Schema`.
public final class Schema: Sendable, Hashable {
    public struct Field: Sendable, Hashable {
        public let name: String
        public let schema: Schema
        public init(_ name: String, _ schema: Schema) {
            self.name = name
            self.schema = schema
        }
    }

    public struct Parameter: Sendable, Hashable {
        public let key: String
        public let value: String
        public init(_ key: String, _ value: String) {
            self.key = key
            self.value = value
        }
    }

    public let type: SchemaType
    public let isOptional: Bool
    /// The semantic name, such as `io.debezium.time.MicroTimestamp`; see `LogicalName`.
    public let name: String?
    public let version: Int?
    public let doc: String?
    /// In the order they are written to JSON.
    public let parameters: [Parameter]
    /// In the form a reader of the record would see: ISO text for ZonedTimestamp, unscaled big-endian bytes for Decimal.
    public let defaultValue: Value?
    /// Members of a struct, in order; empty for every other type.
    public let fields: [Field]
    /// The element of an array or the value of a map.
    public let element: Schema?
    /// The key of a map.
    public let key: Schema?
    private let hash: Int
    private let index: [String: Int]

    public init(
        _ type: SchemaType, optional: Bool = false, name: String? = nil, version: Int? = nil, doc: String? = nil,
        parameters: [Parameter] = [], default defaultValue: Value? = nil, fields: [Field] = [], element: Schema? = nil, key: Schema? = nil
    ) {
        self.type = type
        self.isOptional = optional
        self.name = name
        self.version = version
        self.doc = doc
        self.parameters = parameters
        self.defaultValue = defaultValue
        self.fields = fields
        self.element = element
        self.key = key
        var hasher = Hasher()
        hasher.combine(type)
        hasher.combine(optional)
        hasher.combine(name)
        hasher.combine(version)
        hasher.combine(parameters)
        hasher.combine(fields)
        hasher.combine(element)
        hasher.combine(key)
        hash = hasher.finalize()
        index = Dictionary(fields.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    public static func == (a: Schema, b: Schema) -> Bool {
        if a === b { return true }
        return a.hash == b.hash && a.type == b.type && a.isOptional == b.isOptional && a.name == b.name && a.version == b.version
            && a.doc == b.doc && a.parameters == b.parameters && a.defaultValue == b.defaultValue && a.fields == b.fields
            && a.element == b.element && a.key == b.key
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(hash) }

    /// The position of the member with this name, or nil.
    public func index(of field: String) -> Int? { index[field] }

    /// Whether it only tells how values that came without a schema are held; see `LogicalName.schemalessObject`.
    public var isSchemaless: Bool { name == LogicalName.schemalessObject || name == LogicalName.schemalessValue }

    public func parameter(_ key: String) -> String? { parameters.first { $0.key == key }?.value }

    /// A copy that differs in what is given.
    public func with(
        optional: Bool? = nil, name: String?? = nil, version: Int?? = nil, default defaultValue: Value?? = nil, fields: [Field]? = nil
    ) -> Schema {
        Schema(
            type, optional: optional ?? isOptional, name: name ?? self.name, version: version ?? self.version, doc: doc,
            parameters: parameters, default: defaultValue ?? self.defaultValue, fields: fields ?? self.fields, element: element, key: key)
    }

    public static func `struct`(_ fields: [Field], optional: Bool = false, name: String? = nil, version: Int? = nil, doc: String? = nil) -> Schema {
        Schema(.struct, optional: optional, name: name, version: version, doc: doc, fields: fields)
    }
    public static func array(_ element: Schema, optional: Bool = false) -> Schema { Schema(.array, optional: optional, element: element) }
    public static func map(_ key: Schema, _ value: Schema, optional: Bool = false) -> Schema {
        Schema(.map, optional: optional, element: value, key: key)
    }
}

/// Semantic schema names that change how a value is rendered or written, spelled as Kafka Connect and Debezium spell them.
public enum LogicalName {
    /// BYTES: two's-complement big-endian unscaled value; parameters `scale` and, if known, `connect.decimal.precision`.
    public static let decimal = "org.apache.kafka.connect.data.Decimal"
    public static let connectDate = "org.apache.kafka.connect.data.Date"
    public static let connectTime = "org.apache.kafka.connect.data.Time"
    public static let connectTimestamp = "org.apache.kafka.connect.data.Timestamp"
    public static let date = "io.debezium.time.Date"
    public static let time = "io.debezium.time.Time"
    public static let microTime = "io.debezium.time.MicroTime"
    public static let nanoTime = "io.debezium.time.NanoTime"
    public static let timestamp = "io.debezium.time.Timestamp"
    public static let microTimestamp = "io.debezium.time.MicroTimestamp"
    public static let nanoTimestamp = "io.debezium.time.NanoTimestamp"
    public static let zonedTimestamp = "io.debezium.time.ZonedTimestamp"
    public static let zonedTime = "io.debezium.time.ZonedTime"
    public static let isoDate = "io.debezium.time.IsoDate"
    public static let isoTime = "io.debezium.time.IsoTime"
    public static let isoTimestamp = "io.debezium.time.IsoTimestamp"
    public static let microDuration = "io.debezium.time.MicroDuration"
    public static let interval = "io.debezium.time.Interval"
    public static let variableScaleDecimal = "io.debezium.data.VariableScaleDecimal"
    public static let json = "io.debezium.data.Json"
    public static let xml = "io.debezium.data.Xml"
    public static let uuid = "io.debezium.data.Uuid"
    public static let `enum` = "io.debezium.data.Enum"
    public static let bits = "io.debezium.data.Bits"
    public static let ltree = "io.debezium.data.Ltree"
    public static let tsvector = "io.debezium.data.Tsvector"
    public static let point = "io.debezium.data.geometry.Point"
    public static let geometry = "io.debezium.data.geometry.Geometry"
    public static let geography = "io.debezium.data.geometry.Geography"
    /// STRUCT: an object that was read without a schema. A member that is `unavailable` in a row is not in that row's object; JSON with schemas
    /// says `"schema":null`.
    public static let schemalessObject = "sluice.SchemalessObject"
    /// STRING: JSON text of a value whose kind differs from row to row, which no column could hold; written as the JSON it is.
    public static let schemalessValue = "sluice.SchemalessValue"
}
