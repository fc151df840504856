import ConnectAPI

/// The schema of JSON values that bring none, merged over the rows of a batch.
///
/// Numbers without a fraction are INT64, others FLOAT64, and both together FLOAT64; objects are structs with the members of all rows, in the
/// order they were first seen; everything is optional. Where rows disagree (a number here, a string there) the member is a STRING: strings
/// as they are, other values as their JSON text. A member that is null everywhere is an optional STRING.
indirect enum InferredType: Equatable {
    case unknown, boolean, integer, number, string, text
    case array(InferredType)
    case object([String], [String: InferredType])

    mutating func merge(_ value: JSONValue) {
        switch (value, self) {
        case (.null, _), (_, .text): break
        case (.bool, .unknown), (.bool, .boolean): self = .boolean
        case (.string, .unknown), (.string, .string): self = .string
        case (.number(let text), .unknown), (.number(let text), .integer):
            self = Int64(text) != nil ? .integer : .number
        case (.number, .number): break
        case (.array(let items), .unknown):
            var element = InferredType.unknown
            for item in items { element.merge(item) }
            self = .array(element)
        case (.array(let items), .array(var element)):
            for item in items { element.merge(item) }
            self = .array(element)
        case (.object(let object), .unknown): self = Self.merged([], [:], object)
        case (.object(let object), .object(let names, let members)): self = Self.merged(names, members, object)
        default: self = .text
        }
    }

    private static func merged(_ names: [String], _ members: [String: InferredType], _ object: JSONObject) -> InferredType {
        var names = names, members = members
        for member in object.members {
            if members[member.key] == nil { names.append(member.key) }
            members[member.key, default: .unknown].merge(member.value)
        }
        return .object(names, members)
    }

    var schema: Schema {
        switch self {
        case .unknown, .string, .text: Schema(.string, optional: true)
        case .boolean: Schema(.boolean, optional: true)
        case .integer: Schema(.int64, optional: true)
        case .number: Schema(.float64, optional: true)
        case .array(let element): .array(element.schema, optional: true)
        case .object(let names, let members): .struct(names.map { Schema.Field($0, (members[$0] ?? .unknown).schema) }, optional: true)
        }
    }

    func value(_ json: JSONValue) -> Value {
        switch (self, json) {
        case (_, .null): .null
        case (.boolean, .bool(let b)): .boolean(b)
        case (.integer, .number(let text)): .integer(Int64(text) ?? 0)
        case (.number, .number(let text)): .double(Double(text) ?? .nan)
        case (.array(let element), .array(let items)): .array(items.map { element.value($0) })
        case (.object(let names, let members), .object(let object)):
            .struct(names.map { name in object[name].map { (members[name] ?? .unknown).value($0) } ?? .null })
        case (_, .string(let text)): .string(text)
        default: .string(json.compactText)
        }
    }
}
