package import ConnectAPI
import JSON

extension AvroType {
    /// The Connect schema of the values, as Confluent's AvroData reads it. `version`: of the schema in its registry, where `connect.version` does not
    /// say another. Throws `.reject` errors in words for types Connect has no schema for.
    package func connectSchema(_ options: AvroOptions = AvroOptions(), version: Int? = nil) throws(ConnectorError) -> Schema {
        var reader = ConnectSchemas(options)
        return try reader.schema(self, forcedOptional: false, default: nil, version: version)
    }

    /// The name of a branch as a member of a union's struct.
    func memberName(_ options: AvroOptions) -> String {
        guard let fullName else { return typeName }
        return options.isEnhanced ? fullName : AvroName(fullName).name
    }

    /// The only branch beside null, and where null is; nil for other types than unions of null and one more.
    var nullable: (branch: AvroType, nullIndex: Int)? {
        guard case .union(let branches) = kind, branches.count == 2, let null = branches.firstIndex(where: \.isNull), !branches[1 - null].isNull else {
            return nil
        }
        return (branches[1 - null], null)
    }
}

private struct ConnectSchemas {
    let options: AvroOptions
    /// Schemas of named types without a field's default: shared where a type is met again.
    private var known: [Key: Schema] = [:]
    private struct Key: Hashable {
        let type: ObjectIdentifier
        let optional: Bool
    }

    init(_ options: AvroOptions) { self.options = options }

    mutating func schema(_ type: AvroType, forcedOptional: Bool, default fieldDefault: JSONValue?, version: Int? = nil) throws(ConnectorError) -> Schema {
        if case .union(let branches) = type.kind { return try union(type, branches) }
        let key = Key(type: ObjectIdentifier(type), optional: forcedOptional)
        if fieldDefault == nil, version == nil, let schema = known[key] { return schema }
        let schema = try make(type, forcedOptional, fieldDefault, version)
        if fieldDefault == nil, version == nil { known[key] = schema }
        return schema
    }

    private mutating func union(_ type: AvroType, _ branches: [AvroType]) throws(ConnectorError) -> Schema {
        if branches.count == 1, options.flattensSingletonUnions { return try schema(branches[0], forcedOptional: false, default: nil) }
        // The default of the field is not taken over; `connect.default` of the branch is.
        if let (branch, _) = type.nullable { return try schema(branch, forcedOptional: true, default: nil) }
        var fields: [Schema.Field] = [], names: Set<String> = []
        for branch in branches where !branch.isNull {
            let name = branch.memberName(options)
            guard names.insert(name).inserted else {
                throw refused("two types of a union have the name \(name)", hint: "Set enhanced.avro.schema.support=true, which keeps namespaces")
            }
            fields.append(.init(name, try schema(branch, forcedOptional: true, default: nil)))
        }
        return Schema(.struct, optional: branches.contains(where: \.isNull), name: AvroProperty.union, fields: fields)
    }

    private mutating func make(
        _ type: AvroType, _ forcedOptional: Bool, _ fieldDefault: JSONValue?, _ registryVersion: Int?
    ) throws(ConnectorError) -> Schema {
        var base = try shape(type)
        if options.connectMetadata, let doc = type.properties[AvroProperty.doc]?.stringValue { base.doc = doc }
        if let version = type.properties[AvroProperty.version] {
            guard let number = version.integerValue, let version = Int(exactly: number) else { throw refused("connect.version is no number") }
            if version >= 0 { base.version = version }
        } else if base.version == nil {
            base.version = registryVersion
        }
        if options.connectMetadata, let parameters = type.properties[AvroProperty.parameters] {
            guard let object = parameters.objectValue else { throw refused("connect.parameters is no object") }
            for member in object.members {
                guard let value = member.value.stringValue else { throw refused("a value of connect.parameters is no string") }
                base.set(member.key, value)
            }
        }
        for member in type.properties.members where member.key.hasPrefix("avro") { base.set(member.key, member.value.scalarText ?? member.value.compactText) }
        let connectDefault = type.properties[AvroProperty.defaultValue]
        if fieldDefault != nil, options.connectMetadata, connectDefault == nil { base.set(AvroProperty.fieldDefault, "true") }
        let name = type.properties[AvroProperty.name]?.stringValue ?? (base.name == LogicalName.decimal ? nil : type.fullName)
        if base.name == nil, let name, !name.hasPrefix(AvroProperty.defaultName) { base.name = name }
        let bare = base.schema(optional: forcedOptional, default: nil)
        guard let json = fieldDefault ?? connectDefault, let value = AvroDefault.value(json, type, bare, options), !value.isNull else { return bare }
        return base.schema(optional: forcedOptional, default: value)
    }

    /// What the parts of a schema are before they are put together.
    private struct Parts {
        var type: SchemaType
        var name: String?
        var version: Int?
        var doc: String?
        var parameters: [Schema.Parameter] = []
        var fields: [Schema.Field] = []
        var element: Schema?
        var key: Schema?

        /// A parameter set again keeps its place.
        mutating func set(_ key: String, _ value: String) {
            if let i = parameters.firstIndex(where: { $0.key == key }) { parameters[i] = .init(key, value) } else { parameters.append(.init(key, value)) }
        }

        func schema(optional: Bool, default value: Value?) -> Schema {
            Schema(
                type, optional: optional, name: name, version: version, doc: doc, parameters: parameters, default: value, fields: fields,
                element: element, key: key)
        }
    }

    private mutating func shape(_ type: AvroType) throws(ConnectorError) -> Parts {
        let logical = type.properties[AvroProperty.logicalType]?.stringValue?.lowercased()
        switch type.kind {
        case .boolean: return Parts(type: .boolean)
        case .float: return Parts(type: .float32)
        case .double: return Parts(type: .float64)
        case .string: return Parts(type: .string)
        case .long: return logical == "timestamp-millis" ? Parts(type: .int64, name: LogicalName.connectTimestamp, version: 1) : Parts(type: .int64)
        case .int:
            switch (logical, type.properties[AvroProperty.type]?.stringValue) {
            case ("date", _): return Parts(type: .int32, name: LogicalName.connectDate, version: 1)
            case ("time-millis", _): return Parts(type: .int32, name: LogicalName.connectTime, version: 1)
            case (nil, "int8"): return Parts(type: .int8)
            case (nil, "int16"): return Parts(type: .int16)
            case (nil, let other?): throw refused("connect.type \(other) is none of an int")
            default: return Parts(type: .int32)
            }
        case .bytes, .fixed:
            var parts = Parts(type: .bytes)
            if logical == "decimal" {
                parts.name = LogicalName.decimal
                parts.version = 1
                parts.set("scale", String(type.properties["scale"]?.integerValue ?? 0))
                if let precision = type.properties["precision"]?.integerValue, precision != 64 { parts.set(AvroProperty.precision, String(precision)) }
            }
            if case .fixed(let size) = type.kind { parts.set(AvroProperty.fixedSize, String(size)) }
            return parts
        case .enumeration(let symbols, let standard):
            var parts = Parts(type: .string)
            let full = type.fullName ?? "", short = AvroName(full).name
            if options.connectMetadata {
                if let doc = type.doc { parts.set(AvroProperty.enumDoc + short, doc) }
                if let standard { parts.set(AvroProperty.enumDefault + short, standard) }
            }
            parts.set(AvroProperty.enumeration, full)
            for symbol in symbols { parts.set("\(AvroProperty.enumeration).\(symbol)", symbol) }
            return parts
        case .array(let items):
            var parts = Parts(type: .array)
            if let (key, value) = try items.mapEntry {
                parts.type = .map
                parts.key = try schema(key, forcedOptional: false, default: nil)
                parts.element = try schema(value, forcedOptional: false, default: nil)
            } else {
                parts.element = try schema(items, forcedOptional: false, default: nil)
            }
            return parts
        case .map(let values): return Parts(type: .map, element: try schema(values, forcedOptional: false, default: nil), key: Schema(.string))
        case .record(let fields): return try record(type, fields)
        case .null, .union: throw refused("a null alone has no schema in Kafka Connect")
        }
    }

    private mutating func record(_ type: AvroType, _ fields: [AvroType.Field]) throws(ConnectorError) -> Parts {
        var parts = Parts(type: .struct)
        if options.connectMetadata, let doc = type.doc { parts.set(AvroProperty.recordDoc, doc) }
        for field in fields {
            if options.connectMetadata, let doc = field.doc { parts.set(AvroProperty.fieldDoc + field.name, doc) }
            var schema = try schema(field.type, forcedOptional: false, default: field.defaultValue)
            if options.connectMetadata, let more = field.parameters { schema = schema.adding(more) }
            parts.fields.append(.init(field.name, schema))
        }
        return parts
    }

    private func refused(_ what: String, hint: String? = nil) -> ConnectorError {
        ConnectorError("avro.schema_unsupported", .reject, "The Avro schema has no counterpart in Kafka Connect: \(what)", hint: hint)
    }
}

extension AvroType {
    /// Key and value, if this is the record of a map's entry.
    var mapEntry: (key: AvroType, value: AvroType)? {
        get throws(ConnectorError) {
            guard case .record(let fields) = kind,
                fullName == AvroProperty.mapEntry || properties[AvroProperty.internalType]?.stringValue == "MapEntry"
            else { return nil }
            guard fields.count == 2, let key = fields.first(where: { $0.name == "key" }), let value = fields.first(where: { $0.name == "value" }) else {
                throw ConnectorError("avro.schema_unsupported", .reject, "The entries of a map in the Avro schema are not of a key and a value")
            }
            return (key.type, value.type)
        }
    }
}

extension Schema {
    /// With parameters that a field sets for a type met before.
    fileprivate func adding(_ more: JSONObject) -> Schema {
        var all = parameters
        for member in more.members {
            let parameter = Parameter(member.key, member.value.scalarText ?? member.value.compactText)
            if let i = all.firstIndex(where: { $0.key == member.key }) { all[i] = parameter } else { all.append(parameter) }
        }
        return all == parameters
            ? self
            : Schema(
                type, optional: isOptional, name: name, version: version, doc: doc, parameters: all, default: defaultValue, fields: fields,
                element: element, key: key)
    }
}
