package import ConnectAPI
package import JSON

extension AvroType {
    /// Parses a schema. `references` are the schemas it refers to, those without references of their own first. With `validating`, names must be
    /// Avro's; a registry has looked at those it gives out. Throws `.reject` errors that say what is wrong with the schema.
    package static func parse(_ text: some Sequence<UInt8>, references: [[UInt8]] = [], validating: Bool = false) throws(ConnectorError) -> AvroType {
        var parser = Parser(validating: validating)
        for reference in references { _ = try parser.type(try json(reference), space: nil) }
        return try parser.type(try json(text), space: nil)
    }

    package static func parse(_ json: JSONValue, validating: Bool = false) throws(ConnectorError) -> AvroType {
        var parser = Parser(validating: validating)
        return try parser.type(json, space: nil)
    }

    private static func json(_ text: some Sequence<UInt8>) throws(ConnectorError) -> JSONValue {
        let bytes = Array(text)
        do throws(JSONError) { return try JSONValue.parse(bytes) } catch {
            // A primitive may stand without quotes.
            let word = String(decoding: bytes, as: UTF8.self).trimmingSpaces()
            if Parser.primitives[word] != nil { return .string(word) }
            throw invalid("it is not JSON: \(error.message)")
        }
    }

    fileprivate static func invalid(_ what: String) -> ConnectorError {
        ConnectorError("avro.schema_invalid", .reject, "The Avro schema cannot be used: \(what)")
    }
}

private struct Parser {
    static let primitives: [String: AvroType.Kind] = [
        "null": .null, "boolean": .boolean, "int": .int, "long": .long, "float": .float, "double": .double, "bytes": .bytes, "string": .string,
    ]
    /// A column a type at most; nobody has as many by intent.
    private static let maximumWeight = 20_000

    let validating: Bool
    private var named: [String: AvroType] = [:]
    /// Records whose fields are being read.
    private var open: Set<String> = []

    init(validating: Bool) { self.validating = validating }

    mutating func type(_ json: JSONValue, space: String?) throws(ConnectorError) -> AvroType {
        let type = try any(json, space: space)
        guard type.weight <= Self.maximumWeight else { throw AvroType.invalid("it has more than \(Self.maximumWeight) fields") }
        return type
    }

    private mutating func any(_ json: JSONValue, space: String?) throws(ConnectorError) -> AvroType {
        switch json {
        case .string(let name): return try reference(name, space: space)
        case .array(let branches):
            var types: [AvroType] = []
            for branch in branches { types.append(try type(branch, space: space)) }
            return AvroType(.union(types))
        case .object(let object): return try complex(object, space: space)
        default: throw AvroType.invalid("a type is a name, an object or an array")
        }
    }

    private func reference(_ name: String, space: String?) throws(ConnectorError) -> AvroType {
        if let kind = Self.primitives[name] { return AvroType(kind) }
        let full = name.contains(".") ? name : space.map { "\($0).\(name)" } ?? name
        if let known = named[full] ?? named[name] { return known }
        if open.contains(full) || open.contains(name) {
            throw AvroType.invalid("\(full) contains itself, and a column has one depth; use a converter that passes bytes")
        }
        throw AvroType.invalid("there is no type \(full)")
    }

    private mutating func complex(_ object: JSONObject, space: String?) throws(ConnectorError) -> AvroType {
        guard let type = object["type"] else { throw AvroType.invalid("a type has no \"type\"") }
        guard case .string(let word) = type else {
            // {"type": {…}}, with or without properties.
            let inner = try self.type(type, space: space)
            let more = object.members.filter { $0.key != "type" }
            guard !more.isEmpty, inner.fullName == nil else { return inner }
            return AvroType(inner.kind, properties: JSONObject(inner.properties.members.map { ($0.key, $0.value) } + more.map { ($0.key, $0.value) }))
        }
        func properties(without reserved: [String]) -> JSONObject {
            JSONObject(object.members.filter { $0.key != "type" && !reserved.contains($0.key) }.map { ($0.key, $0.value) })
        }
        if let kind = Self.primitives[word] { return AvroType(kind, properties: properties(without: [])) }
        switch word {
        case "array":
            guard let items = object["items"] else { throw AvroType.invalid("an array has no \"items\"") }
            return AvroType(.array(try self.type(items, space: space)), properties: properties(without: ["items"]))
        case "map":
            guard let values = object["values"] else { throw AvroType.invalid("a map has no \"values\"") }
            return AvroType(.map(try self.type(values, space: space)), properties: properties(without: ["values"]))
        case "record", "error", "enum", "fixed":
            let name = try self.name(object, space: space), doc = object["doc"]?.stringValue
            guard named[name.full] == nil, !open.contains(name.full) else { throw AvroType.invalid("\(name.full) is defined twice") }
            let kind: AvroType.Kind
            switch word {
            case "enum": kind = try enumeration(object, name)
            case "fixed":
                guard let size = object["size"]?.integerValue, size >= 0, size <= Int32.max else { throw AvroType.invalid("\(name.full) has no \"size\"") }
                kind = .fixed(size: Int(size))
            default:
                open.insert(name.full)
                kind = .record(try fields(object, name))
                open.remove(name.full)
            }
            let made = AvroType(
                kind, fullName: name.full, doc: doc,
                properties: properties(without: ["name", "namespace", "doc", "fields", "symbols", "size", "aliases", "default"]))
            named[name.full] = made
            return made
        default: return try reference(word, space: space)
        }
    }

    private func name(_ object: JSONObject, space: String?) throws(ConnectorError) -> AvroName {
        guard let given = object["name"]?.stringValue, !given.isEmpty else { throw AvroType.invalid("a named type has no \"name\"") }
        var name = AvroName(given)
        if name.space == nil {
            let own = object["namespace"]?.stringValue ?? space ?? ""
            if !own.isEmpty { name = AvroName("\(own).\(given)") }
        }
        if validating { try check(name.name, "the name \(name.full)") }
        return name
    }

    private func check(_ name: String, _ what: String) throws(ConnectorError) {
        guard !AvroName.isValid(name) else { return }
        throw ConnectorError(
            "avro.name_invalid", .reject, "\(what) cannot be used in Avro: names are letters, digits and '_', with no digit first",
            hint: "Set schema.name.adjustment.mode and field.name.adjustment.mode of the source to avro, or scrub.invalid.names of the converter to true")
    }

    private func enumeration(_ object: JSONObject, _ name: AvroName) throws(ConnectorError) -> AvroType.Kind {
        guard let items = object["symbols"]?.arrayValue else { throw AvroType.invalid("\(name.full) has no \"symbols\"") }
        var symbols: [String] = []
        for item in items {
            guard let symbol = item.stringValue else { throw AvroType.invalid("a symbol of \(name.full) is no string") }
            if validating { try check(symbol, "the symbol \(symbol) of \(name.full)") }
            symbols.append(symbol)
        }
        return .enumeration(symbols, default: object["default"]?.stringValue)
    }

    private mutating func fields(_ object: JSONObject, _ name: AvroName) throws(ConnectorError) -> [AvroType.Field] {
        guard let items = object["fields"]?.arrayValue else { throw AvroType.invalid("\(name.full) has no \"fields\"") }
        var fields: [AvroType.Field] = [], names: Set<String> = []
        for item in items {
            guard let field = item["name"]?.stringValue, let type = item["type"] else { throw AvroType.invalid("a field of \(name.full) has no name or type") }
            guard names.insert(field).inserted else { throw AvroType.invalid("\(name.full) has two fields \(field)") }
            if validating { try check(field, "the field \(field) of \(name.full)") }
            fields.append(
                AvroType.Field(
                    name: field, type: try self.type(type, space: name.space), doc: item["doc"]?.stringValue, defaultValue: item["default"],
                    parameters: item["connect.parameters"]?.objectValue))
        }
        return fields
    }
}
