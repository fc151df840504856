import ConnectAPI
import JSON

/// Defaults, from the JSON of an Avro schema to values of its Connect schema. What does not fit is no default.
enum AvroDefault {
    static func value(_ json: JSONValue, _ type: AvroType, _ schema: Schema, _ options: AvroOptions) -> Value? {
        if json.isNull { return .null }
        switch type.kind {
        case .null: return .null
        case .boolean: return json.boolValue.map { .boolean($0) }
        case .int: return json.integerValue.flatMap { Int32(exactly: $0) }.map { .integer(Int64($0)) }
        case .long: return json.integerValue.map { .integer($0) }
        case .float: return number(json).map { .float(Float($0)) }
        case .double: return number(json).map { .double($0) }
        case .string, .enumeration: return json.stringValue.map { .string($0) }
        case .bytes, .fixed:
            guard let text = json.stringValue else { return nil }
            var bytes: [UInt8] = []
            for scalar in text.unicodeScalars {
                guard let byte = UInt8(exactly: scalar.value) else { return nil }
                bytes.append(byte)
            }
            return .bytes(bytes)
        case .array(let items):
            guard let values = json.arrayValue else { return nil }
            if schema.type == .map { return entries(values, items, schema, options) }
            guard let element = schema.element else { return nil }
            return all(values.map { value($0, items, element, options) }).map { .array($0) }
        case .map(let values):
            guard let members = json.objectValue?.members, let element = schema.element,
                let read = all(members.map { value($0.value, values, element, options) })
            else { return nil }
            return .map(zip(members, read).map { Value.Entry(.string($0.key), $1) })
        case .record(let fields):
            guard let object = json.objectValue else { return nil }
            let members = zip(fields, schema.fields).map { field, own in
                object[field.name].map { value($0, field.type, own.schema, options) } ?? own.schema.defaultValue ?? (own.schema.isOptional ? .null : nil)
            }
            return all(members).map { .struct($0) }
        case .union(let branches):
            // Of the first branch.
            guard let first = branches.first, !schema.isAvroUnion else { return nil }
            return value(json, first, schema, options)
        }
    }

    private static func number(_ json: JSONValue) -> Double? {
        json.doubleValue ?? json.stringValue.flatMap { ["NaN": .nan, "Infinity": .infinity, "-Infinity": -.infinity][$0] }
    }

    private static func all(_ values: [Value?]) -> [Value]? {
        let present = values.compactMap { $0 }
        return present.count == values.count ? present : nil
    }

    /// A map's entries are pairs.
    private static func entries(_ pairs: [JSONValue], _ items: AvroType, _ schema: Schema, _ options: AvroOptions) -> Value? {
        guard let (key, element) = try? items.mapEntry, let keySchema = schema.key, let valueSchema = schema.element else { return nil }
        var out: [Value.Entry] = []
        for pair in pairs {
            guard let k = pair[0], let v = pair[1], let key = value(k, key, keySchema, options), let value = value(v, element, valueSchema, options) else {
                return nil
            }
            out.append(Value.Entry(key, value))
        }
        return .map(out)
    }
}
