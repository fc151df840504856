import ConnectAPI

/// Schemas as bytes, every part written once however often it is referred to: Debezium's envelope holds the row's schema twice.
///
///     count, then nodes; a node refers to earlier nodes by number, the last one is the root
///     node = type u8, flags u8, [name] [version] [doc] [parameters] [default] [key node, element node | element node | fields]
enum SchemaCodec {
    /// How deep schemas may lie in each other; bounds the recursion over columns.
    static let deepest = ValueCodec.deepest

    private static let types: [SchemaType] = [
        .int8, .int16, .int32, .int64, .float32, .float64, .boolean, .string, .bytes, .array, .map, .struct,
    ]

    private enum Flag {
        static let optional: UInt8 = 1, name: UInt8 = 2, version: UInt8 = 4, doc: UInt8 = 8, parameters: UInt8 = 16, defaultValue: UInt8 = 32
    }

    /// Throws `log.schema_too_deep`.
    static func encode(_ schema: Schema) throws -> [UInt8] {
        var numbers: [Schema: Int] = [:], nodes = ByteWriter()
        func number(_ schema: Schema, depth: Int) throws -> Int {
            guard depth < deepest else {
                throw ConnectorError("log.schema_too_deep", .stop, "The schema \(schema.name ?? "without a name") nests deeper than \(deepest) levels")
            }
            if let known = numbers[schema] { return known }
            let key = try schema.key.map { try number($0, depth: depth + 1) }
            let element = try schema.element.map { try number($0, depth: depth + 1) }
            let fields = try schema.fields.map { try number($0.schema, depth: depth + 1) }
            write(schema, &nodes)
            if let key { nodes.count(key) }
            if let element { nodes.count(element) }
            if schema.type == .struct {
                nodes.count(fields.count)
                for (field, node) in zip(schema.fields, fields) {
                    nodes.string(field.name)
                    nodes.count(node)
                }
            }
            numbers[schema] = numbers.count
            return numbers.count - 1
        }
        _ = try number(schema, depth: 0)
        var out = ByteWriter(capacity: nodes.bytes.count + 4)
        out.count(numbers.count)
        out.raw(nodes.bytes)
        return out.bytes
    }

    private static func write(_ schema: Schema, _ out: inout ByteWriter) {
        out.u8(UInt8(types.firstIndex(of: schema.type)!))
        var flags: UInt8 = schema.isOptional ? Flag.optional : 0
        if schema.name != nil { flags |= Flag.name }
        if schema.version != nil { flags |= Flag.version }
        if schema.doc != nil { flags |= Flag.doc }
        if !schema.parameters.isEmpty { flags |= Flag.parameters }
        if schema.defaultValue != nil { flags |= Flag.defaultValue }
        out.u8(flags)
        if let name = schema.name { out.string(name) }
        if let version = schema.version { out.signed(Int64(version)) }
        if let doc = schema.doc { out.string(doc) }
        if !schema.parameters.isEmpty {
            out.count(schema.parameters.count)
            for parameter in schema.parameters {
                out.string(parameter.key)
                out.string(parameter.value)
            }
        }
        if let value = schema.defaultValue { ValueCodec.write(value, to: &out) }
    }

    static func decode(_ bytes: [UInt8]) throws -> Schema {
        try ByteReader.reading(bytes) { reader in
            let n = try reader.count()
            var nodes: [(schema: Schema, depth: Int)] = []
            for _ in 0..<n { nodes.append(try node(&reader, nodes)) }
            try reader.expectEnd()
            guard let root = nodes.last else { throw ConnectorError.corrupt("a schema without a node") }
            return root.schema
        }
    }

    private static func node(_ reader: inout ByteReader, _ nodes: [(schema: Schema, depth: Int)]) throws -> (schema: Schema, depth: Int) {
        var depth = 0
        func reference(_ reader: inout ByteReader) throws -> Schema {
            let i = try reader.count()
            guard i < nodes.count else { throw ConnectorError.corrupt("a schema refers to a part that is not before it") }
            depth = max(depth, nodes[i].depth + 1)
            return nodes[i].schema
        }
        let code = Int(try reader.u8())
        guard code < types.count else { throw ConnectorError.corrupt("a schema of type \(code)") }
        let type = types[code], flags = try reader.u8()
        let name = flags & Flag.name != 0 ? try reader.string() : nil
        let version = flags & Flag.version != 0 ? Int(try reader.signed()) : nil
        let doc = flags & Flag.doc != 0 ? try reader.string() : nil
        var parameters: [Schema.Parameter] = []
        if flags & Flag.parameters != 0 {
            for _ in 0..<(try reader.count()) { parameters.append(.init(try reader.string(), try reader.string())) }
        }
        // Not `? :` with nil, which would be the value null.
        var defaultValue: Value?
        if flags & Flag.defaultValue != 0 { defaultValue = try ValueCodec.read(from: &reader) }
        let key = type == .map ? try reference(&reader) : nil
        let element = type == .map || type == .array ? try reference(&reader) : nil
        var fields: [Schema.Field] = []
        if type == .struct {
            for _ in 0..<(try reader.count()) { fields.append(.init(try reader.string(), try reference(&reader))) }
        }
        guard depth < deepest else { throw ConnectorError.corrupt("a schema nested deeper than \(deepest)") }
        let schema = Schema(
            type, optional: flags & Flag.optional != 0, name: name, version: version, doc: doc, parameters: parameters,
            default: defaultValue, fields: fields, element: element, key: key)
        return (schema, depth)
    }
}
