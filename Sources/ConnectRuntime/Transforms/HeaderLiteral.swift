import ConnectAPI
import JSON

/// The type and value a literal stands for, as Kafka Connect's `Values.parseString` guesses: null, booleans, integers of the narrowest width,
/// decimal numbers, ISO dates and times, arrays and maps; everything else is text.
enum HeaderLiteral {
    static func parse(_ text: String) -> (Schema, Value) {
        let trimmed = text.trimmingSpaces()
        if trimmed == "null" { return (Schema(.string, optional: true), .null) }
        if trimmed == "true" || trimmed == "false" { return (Schema(.boolean), .boolean(trimmed == "true")) }
        if let number = number(trimmed) ?? temporal(trimmed) { return number }
        if trimmed.hasPrefix("[") || trimmed.hasPrefix("{"), let json = try? JSONValue.parse(trimmed), let container = container(json) {
            return container
        }
        if trimmed.count >= 2, trimmed.hasPrefix("\""), trimmed.hasSuffix("\""), let inner = try? JSONValue.parse(trimmed),
            let string = inner.stringValue
        {
            return (Schema(.string), .string(string))
        }
        return (Schema(.string), .string(text))
    }

    private static func number(_ text: String) -> (Schema, Value)? {
        guard let first = text.unicodeScalars.first, first == "-" || first == "+" || first == "." || ("0"..."9").contains(first) else {
            return nil
        }
        if let value = Int64(text) {
            let type: SchemaType =
                Int8(exactly: value) != nil ? .int8 : Int16(exactly: value) != nil ? .int16 : Int32(exactly: value) != nil ? .int32 : .int64
            return (Schema(type), .integer(value))
        }
        guard text.allSatisfy({ "+-.eE0123456789".contains($0) }), let value = Double(text), value.isFinite else { return nil }
        // The narrowest type that still prints the same digits.
        if JavaNumber.string(Float(value)) == JavaNumber.string(value) { return (Schema(.float32), .float(Float(value))) }
        return (Schema(.float64), .double(value))
    }

    private static func temporal(_ text: String) -> (Schema, Value)? {
        let shapes = [
            ("yyyy-MM-dd", SchemaType.int32, LogicalName.connectDate), ("HH:mm:ss.SSS'Z'", .int32, LogicalName.connectTime),
            ("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", .int64, LogicalName.connectTimestamp),
        ]
        for (pattern, type, name) in shapes {
            guard let format = try? JavaDateFormat(pattern), let millis = format.parse(text), format.string(millis) == text else {
                continue
            }
            return (Schema(type, name: name, version: 1), .integer(name == LogicalName.connectDate ? millis / 86_400_000 : millis))
        }
        return nil
    }

    /// Containers whose elements share one type.
    private static func container(_ json: JSONValue) -> (Schema, Value)? {
        switch json {
        case .array(let items):
            let parsed = items.map { scalar($0) }
            let element = parsed.first?.0 ?? Schema(.string, optional: true)
            guard parsed.allSatisfy({ $0.0 == element }) else { return nil }
            return (.array(element), .array(parsed.map(\.1)))
        case .object(let object):
            let parsed = object.members.map { scalar($0.value) }
            let element = parsed.first?.0 ?? Schema(.string, optional: true)
            guard parsed.allSatisfy({ $0.0 == element }) else { return nil }
            return (
                .map(Schema(.string), element),
                .map(zip(object.keys, parsed).map { Value.Entry(.string($0), $1.1) })
            )
        default: return nil
        }
    }

    private static func scalar(_ json: JSONValue) -> (Schema?, Value) {
        switch json {
        case .string(let text): return (Schema(.string), .string(text))
        case .number, .bool:
            let (schema, value) = parse(json.scalarText ?? "")
            return (schema, value)
        default: return (nil, .null)
        }
    }
}
