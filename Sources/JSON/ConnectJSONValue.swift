package import ConnectAPI

/// Single values as JsonConverter writes them: defaults, constants, placeholders. Rows go through `ConnectJSONRenderer`.
package enum ConnectJSONValue {
    /// Writes a value of this schema; null where the value is null, whatever the schema says.
    package static func write(_ value: Value, _ schema: Schema, _ options: ConnectJSONOptions, to out: inout JSONWriter) {
        switch value {
        case .null:
            if options.replacesNullWithDefault, let standard = schema.defaultValue, !standard.isNull {
                write(standard, schema, options, to: &out)
            } else {
                out.literal("null")
            }
        case .boolean(let b): out.literal(b ? "true" : "false")
        case .integer(let i): out.integer(i)
        case .float(let f): out.float(f)
        case .double(let d): out.double(d)
        case .string(let s): if schema.isSchemaless { out.raw(Array(s.utf8)) } else { out.string(s) }
        case .bytes(let bytes):
            if let scale = numericScale(schema, options) {
                out.number(DecimalText.bytes(unscaled: bytes, scale: scale), maximumDigits: options.numericDigits)
            } else {
                bytes.withUnsafeBytes { out.base64($0) }
            }
        case .array(let items):
            out.byte(UInt8(ascii: "["))
            for (i, item) in items.enumerated() {
                if i > 0 { out.byte(UInt8(ascii: ",")) }
                write(item, schema.element ?? schema, options, to: &out)
            }
            out.byte(UInt8(ascii: "]"))
        case .map(let entries): writeMap(entries, schema, options, to: &out)
        case .struct(let members):
            out.byte(UInt8(ascii: "{"))
            for (i, member) in members.enumerated() where i < schema.fields.count {
                if i > 0 { out.byte(UInt8(ascii: ",")) }
                out.string(schema.fields[i].name)
                out.byte(UInt8(ascii: ":"))
                write(member, schema.fields[i].schema, options, to: &out)
            }
            out.byte(UInt8(ascii: "}"))
        }
    }

    /// String keys make an object, others an array of pairs.
    private static func writeMap(_ entries: [Value.Entry], _ schema: Schema, _ options: ConnectJSONOptions, to out: inout JSONWriter) {
        guard let key = schema.key, let element = schema.element else { return out.literal("null") }
        let isObject = key.type == .string
        out.byte(UInt8(ascii: isObject ? "{" : "["))
        for (i, entry) in entries.enumerated() {
            if i > 0 { out.byte(UInt8(ascii: ",")) }
            if !isObject { out.byte(UInt8(ascii: "[")) }
            write(entry.key, key, options, to: &out)
            out.byte(UInt8(ascii: isObject ? ":" : ","))
            write(entry.value, element, options, to: &out)
            if !isObject { out.byte(UInt8(ascii: "]")) }
        }
        out.byte(UInt8(ascii: isObject ? "}" : "]"))
    }

    /// The scale of a Decimal that is to be written as a number; nil for everything else.
    static func numericScale(_ schema: Schema, _ options: ConnectJSONOptions) -> Int? {
        guard options.decimalFormat == .numeric, schema.type == .bytes, schema.name == LogicalName.decimal else { return nil }
        return schema.parameter("scale").flatMap { Int($0) } ?? 0
    }

    /// What stands for a value the source did not send, by type; the null of the schema where Debezium has no placeholder.
    package static func unavailable(_ schema: Schema, _ options: ConnectJSONOptions) -> Value {
        let placeholder = options.unavailablePlaceholder
        func text() -> Value { .string(String(decoding: placeholder, as: UTF8.self)) }
        func numbers() -> Value { .array(placeholder.map { .integer(Int64(Int8(bitPattern: $0))) }) }
        switch (schema.type, schema.element?.type) {
        case (.string, _): return text()
        case (.bytes, _): return schema.name == LogicalName.decimal ? .null : .bytes(placeholder)
        case (.map, _) where schema.key?.type == .string && schema.element?.type == .string: return .map([Value.Entry(text(), text())])
        case (.array, .string?):
            return schema.element?.name == LogicalName.uuid
                ? .array([.string(UUIDText.string(MD5.nameBasedUUID(placeholder)))]) : .array([text()])
        case (.array, .bytes?) where schema.element?.name != LogicalName.decimal: return .array([.bytes(placeholder)])
        case (.array, .int16?), (.array, .int32?), (.array, .int64?): return numbers()
        default: return .null
        }
    }
}
