import ConnectAPI

@testable import JSON

/// What `SchemalessBuilder` must find, written down without regard for speed: the schema of JSON values that bring none, merged over the rows of a
/// batch.
///
/// Numbers without a fraction are INT64, others FLOAT64, and both together FLOAT64; objects are structs with the members of all rows, in the
/// order they were first seen, where a row that lacks a member says so; everything is optional. Where rows disagree (a number here, a string
/// there) the member is JSON text. A member that is null everywhere is an optional STRING.
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
        case .unknown, .string: Schema(.string, optional: true)
        case .text: Schema(.string, optional: true, name: LogicalName.schemalessValue)
        case .boolean: Schema(.boolean, optional: true)
        case .integer: Schema(.int64, optional: true)
        case .number: Schema(.float64, optional: true)
        case .array(let element): .array(element.schema, optional: true)
        case .object(let names, let members):
            .struct(names.map { Schema.Field($0, (members[$0] ?? .unknown).schema) }, optional: true, name: LogicalName.schemalessObject)
        }
    }

    /// Rows of this type; nil: the object around has no such member.
    func column(_ rows: [JSONValue?]) -> Column {
        let absent = rows.contains { $0 == nil } ? Bitmap(rows.lazy.map { $0 == nil }) : nil
        let present = rows.contains { $0?.isNull ?? true } ? Bitmap(rows.lazy.map { $0.map { !$0.isNull } ?? false }) : nil
        let schema = self.schema
        switch self {
        case .object(let names, let members):
            let children = names.map { name in
                (members[name] ?? .unknown).column(rows.map { row -> JSONValue? in if let object = row?.objectValue { object[name] } else { .null } })
            }
            return Column(schema, count: rows.count, .struct(children), validity: present, unavailable: absent)
        case .array(let element):
            var offsets: [Int32] = [0], items: [JSONValue?] = []
            for row in rows {
                if let own = row?.arrayValue { items.append(contentsOf: own) }
                offsets.append(Int32(items.count))
            }
            return Column(schema, count: rows.count, .list(offsets: offsets, element.column(items)), validity: present, unavailable: absent)
        case .unknown, .boolean, .integer, .number, .string, .text:
            let values = Column(schema, rows.map { $0.map { value($0) } ?? .null })
            return Column(schema, count: rows.count, values.storage, validity: values.validity, unavailable: absent)
        }
    }

    /// A scalar, or JSON text.
    private func value(_ json: JSONValue) -> Value {
        switch (self, json) {
        case (_, .null): .null
        case (.boolean, .bool(let b)): .boolean(b)
        case (.integer, .number(let text)): .integer(Int64(text) ?? 0)
        case (.number, .number(let text)): .double(Double(text) ?? .nan)
        case (.string, .string(let text)): .string(text)
        default: .string(json.compactText)
        }
    }
}
