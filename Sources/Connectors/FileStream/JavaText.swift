import ConnectAPI
import JSON

/// A value as Java's `toString` prints it: what `FileStreamSink` writes for values that are not text.
enum JavaText {
    static func append(_ value: Value, _ schema: Schema, to out: inout [UInt8]) {
        switch value {
        case .null: out += "null".utf8
        case .boolean(let b): out += (b ? "true" : "false").utf8
        case .integer(let i): appendInteger(i, schema, to: &out)
        case .float(let f): out += JavaNumber.string(f).utf8
        case .double(let d): out += JavaNumber.string(d).utf8
        case .string(let s): out += s.utf8
        case .bytes(let bytes): appendBytes(bytes, schema, to: &out)
        case .array(let items):
            out.append(UInt8(ascii: "["))
            for (i, item) in items.enumerated() {
                if i > 0 { out += ", ".utf8 }
                if let element = schema.element { append(item, element, to: &out) }
            }
            out.append(UInt8(ascii: "]"))
        case .map(let entries):
            out.append(UInt8(ascii: "{"))
            for (i, entry) in entries.enumerated() {
                if i > 0 { out += ", ".utf8 }
                if let key = schema.key { append(entry.key, key, to: &out) }
                out.append(UInt8(ascii: "="))
                if let element = schema.element { append(entry.value, element, to: &out) }
            }
            out.append(UInt8(ascii: "}"))
        case .struct(let members):
            out += "Struct{".utf8
            var isFirst = true
            // Members that are null are left out, as Connect's Struct prints itself.
            for (field, member) in zip(schema.fields, members) where !member.isNull {
                if !isFirst { out.append(UInt8(ascii: ",")) }
                isFirst = false
                out += field.name.utf8
                out.append(UInt8(ascii: "="))
                append(member, field.schema, to: &out)
            }
            out.append(UInt8(ascii: "}"))
        }
    }

    /// Connect's Date, Time and Timestamp are `java.util.Date` there; ISO text in UTC says the same without Java's locale.
    private static func appendInteger(_ value: Int64, _ schema: Schema, to out: inout [UInt8]) {
        switch schema.name {
        case LogicalName.connectDate: ISO8601.appendDate(day: value, to: &out)
        case LogicalName.connectTime, LogicalName.connectTimestamp:
            out += ISO8601.timestamp(micros: value &* 1000, fractionDigits: 3).utf8
        default: out += String(value).utf8
        }
    }

    private static func appendBytes(_ bytes: [UInt8], _ schema: Schema, to out: inout [UInt8]) {
        if schema.name == LogicalName.decimal, let scale = schema.parameter("scale").flatMap({ Int($0) }), let unscaled = Int128(bigEndianTwosComplement: bytes)
        {
            out += decimal(unscaled, scale: scale).utf8
        } else {
            // Java prints an array's identity here; the bytes themselves are of use.
            for byte in bytes { out += [hex(byte >> 4), hex(byte & 15)] }
        }
    }

    static func decimal(_ unscaled: Int128, scale: Int) -> String {
        let digits = String(unscaled.magnitude), sign = unscaled < 0 ? "-" : ""
        if scale <= 0 { return sign + digits + (unscaled == 0 ? "" : String(repeating: "0", count: -scale)) }
        let padded = String(repeating: "0", count: max(0, scale + 1 - digits.count)) + digits
        return "\(sign)\(padded.dropLast(scale)).\(padded.suffix(scale))"
    }

    private static func hex(_ nibble: UInt8) -> UInt8 { nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10 }
}
