import ConnectAPI
import JSON

/// Values as text, as two classes of Kafka Connect print them.
enum ConnectText {
    /// `Values.convertToString`, which SimpleHeaderConverter uses: strings bare at the top and quoted inside, structs and maps like JSON.
    static func header(_ value: Value, _ schema: Schema, embedded: Bool = false) -> String {
        func quoted(_ text: String) -> String {
            guard embedded else { return text }
            var out = "\""
            for c in text.unicodeScalars {
                if c == "\"" || c == "\\" { out += "\\" }
                out.unicodeScalars.append(c)
            }
            return out + "\""
        }
        switch value {
        case .null: return "null"
        case .string(let text): return quoted(text)
        case .bytes(let bytes):
            return schema.name == LogicalName.decimal ? decimal(bytes, schema) : quoted(Base64.encode(bytes))
        case .array(let items): return "[" + items.map { header($0, schema.element ?? schema, embedded: true) }.joined(separator: ",") + "]"
        case .map(let entries):
            return "{"
                + entries.map {
                    header($0.key, schema.key ?? schema, embedded: true) + ":" + header($0.value, schema.element ?? schema, embedded: true)
                }.joined(separator: ",") + "}"
        case .struct(let members):
            return "{"
                + zip(schema.fields, members).map {
                    header(.string($0.name), $0.schema, embedded: true) + ":" + header($1, $0.schema, embedded: true)
                }.joined(separator: ",") + "}"
        case .integer(let i): return temporal(i, schema) ?? String(i)
        case .boolean, .float, .double: return primitive(value)
        }
    }

    /// `toString()` of the Java object, which StringConverter uses. Bytes, whose Java text is an object's identity, are base64 here.
    static func plain(_ value: Value, _ schema: Schema) -> String {
        switch value {
        case .null: return "null"
        case .string(let text): return text
        case .bytes(let bytes): return schema.name == LogicalName.decimal ? decimal(bytes, schema) : Base64.encode(bytes)
        case .array(let items): return "[" + items.map { plain($0, schema.element ?? schema) }.joined(separator: ", ") + "]"
        case .map(let entries):
            return "{"
                + entries.map { plain($0.key, schema.key ?? schema) + "=" + plain($0.value, schema.element ?? schema) }.joined(
                    separator: ", ")
                + "}"
        case .struct(let members) where schema.isSchemaless:
            return "{" + zip(schema.fields, members).map { "\($0.name)=" + plain($1, $0.schema) }.joined(separator: ", ") + "}"
        case .struct(let members):
            // Members that are null are left out.
            return "Struct{"
                + zip(schema.fields, members).filter { !$1.isNull }.map { "\($0.name)=" + plain($1, $0.schema) }.joined(separator: ",")
                + "}"
        case .integer(let i): return temporal(i, schema) ?? String(i)
        case .boolean, .float, .double: return primitive(value)
        }
    }

    private static func primitive(_ value: Value) -> String {
        switch value {
        case .boolean(let b): b ? "true" : "false"
        case .float(let f): JavaNumber.string(f)
        case .double(let d): JavaNumber.string(d)
        default: ""
        }
    }

    private static func decimal(_ bytes: [UInt8], _ schema: Schema) -> String {
        String(decoding: DecimalText.bytes(unscaled: bytes, scale: schema.parameter("scale").flatMap { Int($0) } ?? 0), as: UTF8.self)
    }

    /// Connect's own dates and times in ISO form, UTC.
    static func temporal(_ value: Int64, _ schema: Schema) -> String? {
        var out: [UInt8] = []
        switch schema.name {
        case LogicalName.connectDate: ISO8601.appendDate(day: value, to: &out)
        case LogicalName.connectTime:
            ISO8601.appendTime(micros: value.flooredDivision(by: 86_400_000).remainder * 1000, fractionDigits: 3, to: &out)
            out.append(UInt8(ascii: "Z"))
        case LogicalName.connectTimestamp:
            let (micros, overflow) = value.multipliedReportingOverflow(by: 1000)
            if overflow { return nil }
            ISO8601.appendTimestamp(micros: micros, fractionDigits: 3, to: &out)
        default: return nil
        }
        return String(decoding: out, as: UTF8.self)
    }
}
