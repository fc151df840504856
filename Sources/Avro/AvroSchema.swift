package import ConnectAPI
package import JSON

/// Connect's schemas as Avro's, as Confluent's AvroData writes them: the Connect name, version, parameters and default are properties beside
/// Avro's own, so that a reader gets the Connect schema back.
///
///     optional          ["null", T]; [T, "null"] where the default is no null
///     INT8, INT16       "int" with connect.type
///     Decimal, Date …   the Avro logical type beside connect.name
///     MAP               "map" for required string keys, else an array of MapEntry records
///     STRUCT            a record; one met again is named
package struct AvroSchema {
    /// Whether `connect.*` properties are written (`connect.meta.data`).
    private let keepsConnect: Bool
    private var named: [String: JSONValue] = [:]
    private var unnamed = 0
    private static let defaultSpace = "io.confluent.connect.avro"

    private init(keepsConnect: Bool) { self.keepsConnect = keepsConnect }

    /// The schema as a JSON document.
    package static func json(_ schema: Schema, connectMetadata: Bool = true) -> JSONValue {
        var builder = AvroSchema(keepsConnect: connectMetadata)
        return builder.type(schema, space: nil)
    }

    package static func text(_ schema: Schema, connectMetadata: Bool = true) -> [UInt8] {
        var out = JSONWriter()
        json(schema, connectMetadata: connectMetadata).write(to: &out)
        return out.take()
    }

    /// Whether null is the first branch of an optional schema's union.
    static func nullComesFirst(_ schema: Schema) -> Bool { schema.defaultValue.map(\.isNull) ?? true }

    /// Maps with required string keys are Avro maps; others are arrays of entries.
    static func isAvroMap(_ schema: Schema) -> Bool { schema.key?.type == .string && schema.key?.isOptional == false }

    private mutating func type(_ schema: Schema, space: String?) -> JSONValue {
        let base = branch(schema, space: space)
        guard schema.isOptional else { return base }
        return Self.nullComesFirst(schema) ? .array([.string("null"), base]) : .array([base, .string("null")])
    }

    private mutating func branch(_ schema: Schema, space: String?) -> JSONValue {
        if schema.type == .struct { return record(schema, space: space) }
        var members: [(String, JSONValue)]
        switch schema.type {
        case .int8, .int16, .int32: members = [("type", .string("int"))]
        case .int64: members = [("type", .string("long"))]
        case .float32: members = [("type", .string("float"))]
        case .float64: members = [("type", .string("double"))]
        case .boolean: members = [("type", .string("boolean"))]
        case .string: members = [("type", .string("string"))]
        case .bytes:
            members = [("type", .string("bytes"))]
            if schema.name == LogicalName.decimal {
                members.append(("scale", .integer(schema.parameter("scale").flatMap { Int($0) } ?? 0)))
                members.append(("precision", .integer(schema.parameter("connect.decimal.precision").flatMap { Int($0) } ?? 64)))
            }
        case .array: members = [("type", .string("array")), ("items", type(schema.element!, space: space))]
        case .map where Self.isAvroMap(schema): members = [("type", .string("map")), ("values", type(schema.element!, space: space))]
        case .map: members = [("type", .string("array")), ("items", entry(schema, space: space))]
        case .struct: members = []
        }
        members += properties(schema)
        // A plain type is its name.
        if members.count == 1 { return members[0].1 }
        return .object(members)
    }

    private mutating func entry(_ schema: Schema, space: String?) -> JSONValue {
        let name = Self.defaultSpace + ".MapEntry"
        let fields: [JSONValue] = [
            .object([("name", .string("key")), ("type", type(schema.key!, space: Self.defaultSpace))]),
            .object([("name", .string("value")), ("type", type(schema.element!, space: Self.defaultSpace))]),
        ]
        return define(name, space: space, fields: fields, more: [])
    }

    private mutating func record(_ schema: Schema, space: String?) -> JSONValue {
        let name: String
        if let given = schema.name {
            name = given
        } else {
            unnamed += 1
            name = Self.defaultSpace + ".ConnectDefault" + (unnamed > 1 ? String(unnamed) : "")
        }
        let inner = Self.parts(name).space
        let fields = schema.fields.map { field -> JSONValue in
            var members: [(String, JSONValue)] = [("name", .string(field.name)), ("type", type(field.schema, space: inner ?? space))]
            if let value = Self.defaultOf(field.schema) { members.append(("default", value)) }
            return .object(members)
        }
        return define(name, space: space, fields: fields, more: properties(schema))
    }

    /// A record in full, or by name where the same one is in the schema already.
    private mutating func define(_ fullName: String, space: String?, fields: [JSONValue], more: [(String, JSONValue)]) -> JSONValue {
        var fullName = fullName, copy = 1
        let body = JSONValue.object([("fields", .array(fields))] + more)
        while let known = named[fullName] {
            if known == body { return .string(Self.parts(fullName).space == space ? Self.parts(fullName).name : fullName) }
            // Two records of one name that differ: Avro knows one only.
            copy += 1
            fullName += String(copy)
        }
        named[fullName] = body
        let (own, name) = Self.parts(fullName)
        var members: [(String, JSONValue)] = [("type", .string("record")), ("name", .string(name))]
        if let own, own != space { members.append(("namespace", .string(own))) }
        members.append(("fields", .array(fields)))
        return .object(members + more)
    }

    private static func parts(_ name: String) -> (space: String?, name: String) {
        guard let dot = name.lastIndex(of: ".") else { return (nil, name) }
        return (String(name[..<dot]), String(name[name.index(after: dot)...]))
    }

    /// Connect's facts and Avro's logical type, in AvroData's order.
    private func properties(_ schema: Schema) -> [(String, JSONValue)] {
        var members: [(String, JSONValue)] = []
        if keepsConnect {
            if let doc = schema.doc { members.append(("connect.doc", .string(doc))) }
            if let version = schema.version { members.append(("connect.version", .integer(version))) }
            if !schema.parameters.isEmpty {
                members.append(("connect.parameters", .object(schema.parameters.map { ($0.key, .string($0.value)) })))
            }
            if schema.defaultValue.map({ !$0.isNull }) == true, let value = Self.json(schema.defaultValue!, schema) {
                members.append(("connect.default", value))
            }
            if let name = schema.name { members.append(("connect.name", .string(name))) }
            if schema.type == .int8 || schema.type == .int16 { members.append(("connect.type", .string(schema.type.rawValue))) }
        }
        let logical: String? =
            switch schema.name {
            case LogicalName.decimal where schema.type == .bytes: "decimal"
            case LogicalName.connectDate where schema.type == .int32: "date"
            case LogicalName.connectTime where schema.type == .int32: "time-millis"
            case LogicalName.connectTimestamp where schema.type == .int64: "timestamp-millis"
            default: nil
            }
        if let logical { members.append(("logicalType", .string(logical))) }
        return members
    }

    /// The default of a field: of the first branch of its union. `.null` for optional fields without one.
    private static func defaultOf(_ schema: Schema) -> JSONValue? {
        if let value = schema.defaultValue { return json(value, schema) }
        return schema.isOptional ? .null : nil
    }

    /// A default as Avro writes it; nil for shapes defaults do not have in practice.
    private static func json(_ value: Value, _ schema: Schema) -> JSONValue? {
        switch value {
        case .null: return .null
        case .boolean(let b): return .bool(b)
        case .integer(let i): return .integer(i)
        case .float(let f): return .double(Double(f))
        case .double(let d): return .double(d)
        case .string(let s): return .string(s)
        // Bytes are the characters U+0000 to U+00FF.
        case .bytes(let bytes): return .string(String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) })))
        case .array(let items) where items.isEmpty: return .array([])
        case .map(let entries) where entries.isEmpty: return isAvroMap(schema) ? .object([]) : .array([])
        case .array, .map, .struct: return nil
        }
    }
}
