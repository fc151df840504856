import ConnectAPI

/// `io.debezium.transforms.HeaderToValue`: headers become members of the value, and are kept or taken away.
///
/// A record that lacks a header does not get its member either, so rows are cut where the set of their headers changes.
struct HeaderToValue: Transform {
    static let className = "io.debezium.transforms.HeaderToValue"

    struct Configuration: ConnectConfiguration {
        @Field("headers", importance: .high, doc: "Names of the headers", order: 1, displayName: "Header names list", check: names) var headers: [String]
        @Field(
            "fields", importance: .high, doc: "Their members, in the same order; a.b is a member of a", order: 1, displayName: "Field names list", check: names)
        var fields: [String]
        @Field(
            "operation", importance: .high, doc: "move or copy", order: 1, displayName: "Operation: mover or copy", check: .oneOfIgnoringCase(["move", "copy"]))
        var operation: String
        init() {}

        func crossCheck() -> [Diagnostic] {
            fields.count == headers.count
                ? [] : [Diagnostic("fields", "'fields' config must have the same number of elements as 'headers' config.")]
        }

        private static var names: Check {
            Check { text in
                let names = [String](configText: text) ?? []
                if names.contains("") { return "Empty string element(s) not permitted" }
                return names.contains { $0.contains(" ") } ? "Element(s) with spaces not permitted" : nil
            }
        }
    }

    private let fields: [String: [String]]
    private let moves: Bool

    init(_ configuration: Configuration) {
        fields = Dictionary(
            zip(configuration.headers, configuration.fields.map { $0.split(separator: ".").map(String.init) }), uniquingKeysWith: { first, _ in first })
        moves = configuration.operation.lowercased() == "move"
    }

    func apply(_ input: TransformedBatch) throws -> [TransformedBatch] {
        let headers = input.batch.headers.filter { fields[$0.name] != nil }
        guard let value = input.batch.value, !headers.isEmpty else { return [input] }
        let valid = value.validRows, tombstones = input.batch.tombstones
        func isPresent(_ row: Int) -> Bool { valid.map { $0[row] } ?? true && tombstones.map { !$0[row] } ?? true }
        let runs = input.runs { row in isPresent(row) ? headers.map { $0.present.map { $0[row] } ?? true } : [] }
        return try runs.map { $0.mark.contains(true) ? try inserted($0.part) : $0.part }
    }

    /// Rows that all have the same headers.
    private func inserted(_ part: TransformedBatch) throws -> TransformedBatch {
        guard var value = part.batch.value else { return part }
        guard value.schema.type == .struct else { throw TransformError.notAStruct(value.schema, "Header field insertion") }
        for header in part.batch.headers where header.present.map({ !$0.noneSet }) ?? true {
            if let path = fields[header.name] { value = try value.inserting(header.values, at: path[...]) }
        }
        var out = part
        out.batch.value = value
        if moves { out.batch.headers.removeAll { fields[$0.name] != nil } }
        return out
    }
}

extension Column {
    /// A struct with a member at this path added or replaced; structs that are missing on the way are made, and are optional.
    fileprivate func inserting(_ member: Column, at path: ArraySlice<String>) throws -> Column {
        guard let name = path.first else { return member }
        guard schema.type == .struct else {
            throw ConnectorError("transform.not_a_struct", .reject, "'\(name)' cannot be added to a \(schema.type.rawValue), which is no struct")
        }
        var members = StructColumns(self, replacingNulls: false)
        let rest = path.dropFirst()
        if rest.isEmpty {
            members.set(name, member)
        } else if let child = self.child(name) {
            members.set(name, try child.inserting(member, at: rest))
        } else {
            let empty = Column(Schema.struct([], optional: true), count: count, .struct([]))
            members.set(name, try empty.inserting(member, at: rest))
        }
        return members.column(keeping: self)
    }
}
