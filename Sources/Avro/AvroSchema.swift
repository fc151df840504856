package import ConnectAPI
package import JSON

/// Connect's schemas as Avro's, as Confluent's AvroData writes them: the Connect name, version, parameters and default are properties beside
/// Avro's own, so that a reader gets the Connect schema back (`AvroType.connectSchema`).
///
///     optional          ["null", T]; [T, "null"] where the default is no null
///     INT8, INT16       "int" with connect.type
///     Decimal, Date …   the Avro logical type beside connect.name
///     MAP               "map" for required string keys, else an array of MapEntry records
///     STRUCT            a record; one met again is named
///     STRUCT …Union     a union of its members
package struct AvroSchema {
    private let options: AvroOptions
    private var named: [String: JSONValue] = [:]
    /// Names given to structs that have none.
    private var unnamed: [Schema: String] = [:]
    private var unnamedCount = 0
    /// Names of the fields' schemas so far.
    private var seen: Set<String> = []

    private init(_ options: AvroOptions) { self.options = options }

    /// The schema as a JSON document.
    package static func json(_ schema: Schema, _ options: AvroOptions = AvroOptions()) -> JSONValue {
        var builder = AvroSchema(options)
        return builder.type(schema, space: nil)
    }

    package static func text(_ schema: Schema, _ options: AvroOptions = AvroOptions()) -> [UInt8] { json(schema, options).compactBytes }

    /// Whether null is the first branch of an optional schema's union.
    private static func nullComesFirst(_ schema: Schema) -> Bool { schema.type == .struct || schema.defaultValue.map(\.isNull) ?? true }

    /// Maps with required string keys are Avro maps; others are arrays of entries.
    private func isAvroMap(_ schema: Schema) -> Bool {
        schema.key?.type == .string && (schema.key?.isOptional == false || options.allowsOptionalMapKeys)
    }

    private func name(_ name: String) -> String { options.scrubsInvalidNames ? AvroName.scrubbedFull(name) : name }

    private mutating func type(_ schema: Schema, space: String?) -> JSONValue {
        if schema.isAvroUnion {
            let branches = schema.fields.map { branch($0.schema, space: space) }
            return .array((schema.isOptional ? [.string("null")] : []) + branches)
        }
        let base = branch(schema, space: space)
        guard schema.isOptional else { return base }
        return Self.nullComesFirst(schema) ? .array([.string("null"), base]) : .array([base, .string("null")])
    }

    private mutating func branch(_ schema: Schema, space: String?) -> JSONValue {
        if schema.type == .struct { return record(schema, space: space) }
        if options.isEnhanced, let name = schema.avroEnumName { return enumeration(schema, name, space: space) }
        if let size = schema.avroFixedSize { return fixed(schema, size, space: space) }
        var members: [(String, JSONValue)]
        switch schema.type {
        case .int8, .int16, .int32: members = [("type", .string("int"))]
        case .int64: members = [("type", .string("long"))]
        case .float32: members = [("type", .string("float"))]
        case .float64: members = [("type", .string("double"))]
        case .boolean: members = [("type", .string("boolean"))]
        case .string: members = [("type", .string("string"))]
        case .bytes: members = [("type", .string("bytes"))] + Self.decimal(schema)
        case .array: members = [("type", .string("array")), ("items", type(schema.element!, space: space))]
        case .map where isAvroMap(schema): members = [("type", .string("map")), ("values", type(schema.element!, space: space))]
        case .map: members = [("type", .string("array")), ("items", entry(schema, space: space))]
        case .struct: members = []
        }
        members += properties(schema)
        // A plain type is its name.
        if members.count == 1 { return members[0].1 }
        return .object(members)
    }

    private static func decimal(_ schema: Schema) -> [(String, JSONValue)] {
        guard schema.name == LogicalName.decimal else { return [] }
        return [
            ("scale", .integer(schema.parameter("scale").flatMap { Int($0) } ?? 0)),
            ("precision", .integer(schema.parameter(AvroProperty.precision).flatMap { Int($0) } ?? 64)),
        ]
    }

    // MARK: Named types

    private mutating func enumeration(_ schema: Schema, _ full: String, space: String?) -> JSONValue {
        let prefix = AvroProperty.enumeration + ".", short = AvroName(schema.name ?? full).name
        let symbols = schema.parameters.filter { $0.key.hasPrefix(prefix) }.map { JSONValue.string(String($0.key.dropFirst(prefix.count))) }
        let standard = schema.parameter(AvroProperty.enumDefault + short)
        return define(
            full, "enum", space: space, doc: schema.parameter(AvroProperty.enumDoc + short),
            [("symbols", .array(symbols))] + (standard.map { [("default", .string($0))] } ?? []) + properties(schema))
    }

    private mutating func fixed(_ schema: Schema, _ size: Int, space: String?) -> JSONValue {
        define(name(schema.name!), "fixed", space: space, doc: nil, [("size", .integer(size))] + Self.decimal(schema) + properties(schema))
    }

    private mutating func entry(_ schema: Schema, space: String?) -> JSONValue {
        let full = schema.name.map(name) ?? AvroProperty.mapEntry, inner = AvroName(full).space
        let fields = [("key", schema.key!), ("value", schema.element!)].map { field($0, $1, space: inner, doc: nil) }
        let mark: [(String, JSONValue)] = schema.name == nil ? [] : [(AvroProperty.internalType, .string("MapEntry"))]
        return define(full, "record", space: space, doc: nil, [("fields", .array(fields))] + mark)
    }

    private mutating func record(_ schema: Schema, space: String?) -> JSONValue {
        let full = schema.name.map(name) ?? unnamed(schema), inner = AvroName(full).space
        let fields = schema.fields.map { member in
            field(
                options.scrubsInvalidNames ? AvroName.scrubbed(member.name) : member.name, member.schema, space: inner,
                doc: schema.parameter(AvroProperty.fieldDoc + member.name))
        }
        return define(full, "record", space: space, doc: schema.parameter(AvroProperty.recordDoc), [("fields", .array(fields))] + properties(schema))
    }

    private mutating func unnamed(_ schema: Schema) -> String {
        let key = schema.with(optional: false)
        if let known = unnamed[key] { return known }
        unnamedCount += 1
        let made = AvroProperty.defaultName + (unnamedCount > 1 ? String(unnamedCount) : "")
        unnamed[key] = made
        return made
    }

    private mutating func field(_ name: String, _ schema: Schema, space: String?, doc: String?) -> JSONValue {
        let isMetAgain = schema.name.map { !seen.insert(self.name($0)).inserted } ?? false
        var members: [(String, JSONValue)] = [("name", .string(name)), ("type", type(schema, space: space))]
        if let doc { members.append(("doc", .string(doc))) }
        if let value = schema.defaultValue, !value.isNull {
            // A default is of the first branch, and a struct's first is null: it is kept as connect.default alone.
            if !schema.isOptional || schema.type != .struct { members.append(("default", json(value, schema))) }
        } else if schema.isOptional {
            members.append(("default", .null))
        }
        let parameters = self.parameters(schema)
        let isNamed = schema.type == .struct || schema.avroFixedSize != nil || options.isEnhanced && schema.avroEnumName != nil
        if options.connectMetadata, isMetAgain, isNamed, !parameters.isEmpty { members.append((AvroProperty.parameters, .object(parameters))) }
        return .object(members)
    }

    /// A named type in full, or by name where the same one is in the schema already.
    private mutating func define(_ fullName: String, _ type: String, space: String?, doc: String?, _ members: [(String, JSONValue)]) -> JSONValue {
        var fullName = fullName, members = members, copy = 1
        while let known = named[fullName] {
            if known == .object(members) { return .string(AvroName(fullName).space == space ? AvroName(fullName).name : fullName) }
            // Two types of one name that differ: Avro knows one only.
            if copy == 1, fullName == AvroProperty.mapEntry { members.append((AvroProperty.internalType, .string("MapEntry"))) }
            copy += 1
            fullName += String(copy)
        }
        named[fullName] = .object(members)
        let name = AvroName(fullName)
        var head: [(String, JSONValue)] = [("type", .string(type)), ("name", .string(name.name))]
        if name.space != space { head.append(("namespace", .string(name.space ?? ""))) }
        if let doc { head.append(("doc", .string(doc))) }
        return .object(head + members)
    }

    // MARK: Properties

    private func parameters(_ schema: Schema) -> [(String, JSONValue)] {
        schema.parameters.filter { $0.key != AvroProperty.fieldDefault }.map { ($0.key, .string($0.value)) }
    }

    /// Connect's facts and Avro's logical type, in AvroData's order.
    private func properties(_ schema: Schema) -> [(String, JSONValue)] {
        var members: [(String, JSONValue)] = []
        if options.connectMetadata {
            if let doc = schema.doc { members.append((AvroProperty.doc, .string(doc))) }
            if let version = schema.version { members.append((AvroProperty.version, .integer(version))) }
            let parameters = self.parameters(schema)
            if !parameters.isEmpty { members.append((AvroProperty.parameters, .object(parameters))) }
            if let value = schema.defaultValue, !value.isNull, schema.parameter(AvroProperty.fieldDefault) == nil {
                members.append((AvroProperty.defaultValue, json(value, schema)))
            }
            if let name = schema.name { members.append((AvroProperty.name, .string(name))) }
            if schema.type == .int8 || schema.type == .int16 { members.append((AvroProperty.type, .string(schema.type.rawValue))) }
        }
        let logical: String? =
            switch schema.name {
            case LogicalName.decimal where schema.type == .bytes: "decimal"
            case LogicalName.connectDate where schema.type == .int32: "date"
            case LogicalName.connectTime where schema.type == .int32: "time-millis"
            case LogicalName.connectTimestamp where schema.type == .int64: "timestamp-millis"
            default: nil
            }
        if let logical { members.append((AvroProperty.logicalType, .string(logical))) }
        for parameter in schema.parameters where parameter.key.hasPrefix("avro") { members.append((parameter.key, .string(parameter.value))) }
        return members
    }

    /// A default as Avro writes it: of the first branch of its union.
    private func json(_ value: Value, _ schema: Schema) -> JSONValue {
        switch value {
        case .null: return .null
        case .boolean(let b): return .bool(b)
        case .integer(let i): return .integer(i)
        case .float(let f): return f.isFinite ? .number(JavaNumber.string(f)) : .string(JavaNumber.string(f))
        case .double(let d): return .double(d)
        case .string(let s): return .string(s)
        // Bytes are the characters U+0000 to U+00FF.
        case .bytes(let bytes): return .string(String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) })))
        case .array(let items): return .array(items.map { json($0, schema.element ?? schema) })
        case .map(let entries) where isAvroMap(schema):
            return .object(entries.map { ($0.key.stringValue ?? "", json($0.value, schema.element ?? schema)) })
        case .map(let entries):
            return .array(entries.map { .array([json($0.key, schema.key ?? schema), json($0.value, schema.element ?? schema)]) })
        case .struct(let members):
            return .object(
                zip(schema.fields, members).map { field, member in
                    (options.scrubsInvalidNames ? AvroName.scrubbed(field.name) : field.name, json(member, field.schema))
                })
        }
    }
}

extension Schema {
    /// Whether a struct stands for a union: one member a row.
    var isAvroUnion: Bool { type == .struct && name == AvroProperty.union }

    /// The enum that strings came from.
    var avroEnumName: String? { type == .string ? parameter(AvroProperty.enumeration) : nil }

    /// The size of bytes that are all of one size.
    var avroFixedSize: Int? { type == .bytes && name != nil ? parameter(AvroProperty.fixedSize).flatMap { Int($0) } : nil }
}
