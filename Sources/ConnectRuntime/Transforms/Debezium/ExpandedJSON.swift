import ConnectAPI
import JSON

/// A JSON document as a struct, by the rules of Debezium's outbox router: every member optional, structs named after their path, whole numbers
/// INT32 where they fit and INT64 otherwise, arrays of one type only. Members without a schema (nulls, empty arrays) are left out unless
/// configured otherwise.
struct ExpandedJSON: Sendable {
    /// A null is an optional BYTES instead of nothing.
    var keepsNulls = false
    /// An empty array is one of optional STRINGs instead of nothing.
    var keepsEmptyArrays = false

    /// Why a document cannot be expanded. Never names data.
    struct Refusal: Error { let reason: String }

    /// The schema and the value of a text that holds an object or an array.
    func expand(_ text: some Collection<UInt8>, name: String) throws(Refusal) -> (schema: Schema, value: Value) {
        guard text.first == UInt8(ascii: "{") || text.first == UInt8(ascii: "[") else { throw Refusal(reason: "it begins with neither { nor [") }
        let json: JSONValue
        do throws(JSONError) { json = try JSONValue.parse(text) } catch { throw Refusal(reason: "it is no JSON: \(error.message)") }
        guard let schema = try schema(of: json, name: name) else { throw Refusal(reason: "it holds nothing that has a type") }
        return (schema, value(json, schema))
    }

    private func schema(of json: JSONValue, name: String) throws(Refusal) -> Schema? {
        switch json {
        case .null: return keepsNulls ? Schema(.bytes, optional: true) : nil
        case .bool: return Schema(.boolean, optional: true)
        case .string: return Schema(.string, optional: true)
        case .number(let text): return Schema(Int32(text) != nil ? .int32 : Int64(text) != nil ? .int64 : .float64, optional: true)
        case .array(let items):
            if items.isEmpty { return keepsEmptyArrays ? .array(Schema(.string, optional: true), optional: true) : nil }
            return .array(try element(of: items, name: name), optional: true)
        case .object(let object):
            var fields: [Schema.Field] = []
            for member in object.members {
                let path = name.isEmpty ? member.key : "\(name).\(member.key)"
                if let schema = try schema(of: member.value, name: path) { fields.append(Schema.Field(member.key, schema)) }
            }
            return .struct(fields, optional: true, name: name.isEmpty ? nil : name)
        }
    }

    /// The schema all items share. Objects may differ in their members; the first to give a member a type decides, a null's type aside.
    private func element(of items: [JSONValue], name: String) throws(Refusal) -> Schema {
        let present = items.filter { !$0.isNull }
        guard let first = present.first else {
            guard let schema = try schema(of: .null, name: "") else { throw Refusal(reason: "an array holds nothing but nulls") }
            return schema
        }
        guard present.allSatisfy({ Self.kind($0) == Self.kind(first) }) else { throw Refusal(reason: "an array holds values of different types") }
        guard case .object = first else {
            guard let schema = try schema(of: first, name: "") else { throw Refusal(reason: "an array holds an empty array") }
            return schema
        }
        var fields: [Schema.Field] = [], places: [String: Int] = [:]
        for item in present {
            for field in try schema(of: item, name: name)?.fields ?? [] {
                if let place = places[field.name] {
                    if fields[place].schema.type == .bytes, field.schema.type != .bytes { fields[place] = field }
                } else {
                    places[field.name] = fields.count
                    fields.append(field)
                }
            }
        }
        return .struct(fields, optional: true, name: name.isEmpty ? nil : name)
    }

    private static func kind(_ json: JSONValue) -> Int {
        switch json {
        case .null: 0
        case .bool: 1
        case .string: 2
        case .number(let text): Int32(text) != nil ? 3 : Int64(text) != nil ? 4 : 5
        case .array: 6
        case .object: 7
        }
    }

    /// What does not fit the schema is null: a member that is a number in one item of an array and a text in another.
    private func value(_ json: JSONValue, _ schema: Schema) -> Value {
        switch (schema.type, json) {
        case (.boolean, .bool(let bit)): return .boolean(bit)
        case (.string, .string(let text)): return .string(text)
        case (.int32, .number(let text)): return Int32(text).map { .integer(Int64($0)) } ?? .null
        case (.int64, .number(let text)): return Int64(text).map { .integer($0) } ?? .null
        case (.float64, .number(let text)): return Double(text).map { .double($0) } ?? .null
        case (.array, .array(let items)): return .array(items.map { value($0, schema.element ?? schema) })
        case (.struct, .object(let object)): return .struct(schema.fields.map { field in object[field.name].map { value($0, field.schema) } ?? .null })
        default: return .null
        }
    }
}
