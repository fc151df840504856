package import ConnectAPI

/// Connect's schemas as JSON, members in the order Kafka writes them: `type`, what it is made of, `optional`, `name`, `version`, `doc`,
/// `parameters`, `default`, `field`.
package enum ConnectJSONSchema {
    package static func write(_ schema: Schema, field: String? = nil, _ options: ConnectJSONOptions, to out: inout JSONWriter) {
        out.literal("{\"type\":\"")
        out.raw(typeName(schema.type).utf8)
        out.byte(UInt8(ascii: "\""))
        switch schema.type {
        case .struct:
            out.literal(",\"fields\":[")
            for (i, member) in schema.fields.enumerated() {
                if i > 0 { out.byte(UInt8(ascii: ",")) }
                write(member.schema, field: member.name, options, to: &out)
            }
            out.byte(UInt8(ascii: "]"))
        case .array:
            out.literal(",\"items\":")
            if let element = schema.element { write(element, options, to: &out) } else { out.literal("null") }
        case .map:
            out.literal(",\"keys\":")
            if let key = schema.key { write(key, options, to: &out) } else { out.literal("null") }
            out.literal(",\"values\":")
            if let element = schema.element { write(element, options, to: &out) } else { out.literal("null") }
        default: break
        }
        out.literal(",\"optional\":")
        out.literal(schema.isOptional ? "true" : "false")
        if let name = schema.name {
            out.literal(",\"name\":")
            out.string(name)
        }
        if let version = schema.version {
            out.literal(",\"version\":")
            out.integer(Int64(version))
        }
        if let doc = schema.doc {
            out.literal(",\"doc\":")
            out.string(doc)
        }
        if !schema.parameters.isEmpty {
            out.literal(",\"parameters\":{")
            for (i, parameter) in schema.parameters.enumerated() {
                if i > 0 { out.byte(UInt8(ascii: ",")) }
                out.string(parameter.key)
                out.byte(UInt8(ascii: ":"))
                out.string(parameter.value)
            }
            out.byte(UInt8(ascii: "}"))
        }
        if let value = schema.defaultValue {
            out.literal(",\"default\":")
            ConnectJSONValue.write(value, schema, options, to: &out)
        }
        if let field {
            out.literal(",\"field\":")
            out.string(field)
        }
        out.byte(UInt8(ascii: "}"))
    }

    package static func typeName(_ type: SchemaType) -> String {
        switch type {
        case .float32: "float"
        case .float64: "double"
        default: type.rawValue
        }
    }

    /// Reads a schema as Kafka's `asConnectSchema` does. Throws a `.reject` error that says which part is not a schema.
    package static func parse(_ json: JSONValue, _ options: ConnectJSONOptions = ConnectJSONOptions()) throws -> Schema {
        func invalid(_ message: String) -> ConnectorError {
            ConnectorError("converter.schema_invalid", .reject, message, hint: "The \"schema\" member is not one that JsonConverter writes")
        }
        guard let object = json.objectValue else { throw invalid("Schema must be an object") }
        guard let typeName = object["type"]?.stringValue else { throw invalid("Schema must contain 'type' field") }
        guard let type = SchemaType.allCases.first(where: { self.typeName($0) == typeName }) else {
            throw invalid("Unknown schema type: \(typeName)")
        }
        var fields: [Schema.Field] = [], element: Schema?, key: Schema?
        switch type {
        case .struct:
            guard let members = object["fields"]?.arrayValue else { throw invalid("Struct schema's \"fields\" argument is not an array.") }
            for member in members {
                guard let name = member["field"]?.stringValue else { throw invalid("Struct schema's field name not specified properly") }
                fields.append(Schema.Field(name, try parse(member, options)))
            }
        case .array:
            guard let items = object["items"], !items.isNull else { throw invalid("Array schema did not specify the element type") }
            element = try parse(items, options)
        case .map:
            guard let keys = object["keys"], !keys.isNull else { throw invalid("Map schema did not specify the key type") }
            guard let values = object["values"], !values.isNull else { throw invalid("Map schema did not specify the value type") }
            key = try parse(keys, options)
            element = try parse(values, options)
        default: break
        }
        var parameters: [Schema.Parameter] = []
        if let given = object["parameters"], !given.isNull {
            guard let members = given.objectValue?.members else { throw invalid("Schema parameters must be an object") }
            for member in members {
                guard let value = member.value.stringValue else { throw invalid("Schema parameters must have string values.") }
                parameters.append(Schema.Parameter(member.key, value))
            }
        }
        func schema(default value: Value?) -> Schema {
            Schema(
                type, optional: object["optional"]?.boolValue ?? false, name: object["name"]?.stringValue,
                version: object["version"]?.integerValue.flatMap { Int(exactly: $0) }, doc: object["doc"]?.stringValue,
                parameters: parameters,
                default: value, fields: fields, element: element, key: key)
        }
        let bare = schema(default: nil)
        guard let given = object["default"], !given.isNull else { return bare }
        // Default values are payloads of the type itself.
        let column = try ConnectJSONReader.column(of: bare, given.compactBytes, options)
        return schema(default: column[0])
    }
}
