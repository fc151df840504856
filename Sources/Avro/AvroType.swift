package import JSON

/// An Avro schema, parsed: what the bytes of a value look like.
///
/// Named types that are referred to are shared, so that a schema of many references stays small. A type that contains itself is refused: a
/// column has one depth. Source: Apache Avro 1.12, Specification.
package final class AvroType: Sendable {
    package enum Kind: Sendable {
        case null, boolean, int, long, float, double, bytes, string
        case record([Field])
        case enumeration([String], default: String?)
        case fixed(size: Int)
        indirect case array(AvroType)
        indirect case map(AvroType)
        case union([AvroType])
    }

    package struct Field: Sendable {
        package let name: String
        package let type: AvroType
        package let doc: String?
        package let defaultValue: JSONValue?
        /// `connect.parameters` of the field, where the type is one met before.
        package let parameters: JSONObject?
    }

    package let kind: Kind
    /// With the namespace; nil for types without a name.
    package let fullName: String?
    package let doc: String?
    /// Members that Avro does not define, and `logicalType`, `precision`, `scale`.
    package let properties: JSONObject
    /// Types inside it, itself included; references count as often as they are met.
    let weight: Int
    /// Bytes of the shortest value.
    let minimumBytes: Int

    init(_ kind: Kind, fullName: String? = nil, doc: String? = nil, properties: JSONObject = JSONObject()) {
        self.kind = kind
        self.fullName = fullName
        self.doc = doc
        self.properties = properties
        switch kind {
        case .null: (weight, minimumBytes) = (1, 0)
        case .boolean, .int, .long, .bytes, .string, .enumeration: (weight, minimumBytes) = (1, 1)
        case .float: (weight, minimumBytes) = (1, 4)
        case .double: (weight, minimumBytes) = (1, 8)
        case .fixed(let size): (weight, minimumBytes) = (1, size)
        case .array(let items), .map(let items): (weight, minimumBytes) = (Self.sum([1, items.weight]), 1)
        case .record(let fields):
            (weight, minimumBytes) = (Self.sum([1] + fields.map(\.type.weight)), Self.sum(fields.map(\.type.minimumBytes)))
        case .union(let branches):
            (weight, minimumBytes) = (Self.sum([1] + branches.map(\.weight)), Self.sum([1, branches.map(\.minimumBytes).min() ?? 0]))
        }
    }

    private static func sum(_ parts: [Int]) -> Int {
        parts.reduce(0) { a, b in
            let (sum, overflow) = a.addingReportingOverflow(b)
            return overflow ? .max : sum
        }
    }

    /// The name without its namespace.
    var simpleName: String? { fullName.map { AvroName($0).name } }

    /// As Avro's errors and unions name it.
    package var typeName: String {
        switch kind {
        case .null: "null"
        case .boolean: "boolean"
        case .int: "int"
        case .long: "long"
        case .float: "float"
        case .double: "double"
        case .bytes: "bytes"
        case .string: "string"
        case .record: "record"
        case .enumeration: "enum"
        case .fixed: "fixed"
        case .array: "array"
        case .map: "map"
        case .union: "union"
        }
    }

    var isNull: Bool { if case .null = kind { true } else { false } }
}
