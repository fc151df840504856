import ConnectAPI

/// `io.debezium.transforms.SchemaChangeEventFilter`: drops schema change events of some kinds. The kind is that of an event's first table change;
/// an event without any is about the database.
struct SchemaChangeEventFilter: Transform {
    static let className = "io.debezium.transforms.SchemaChangeEventFilter"

    struct Configuration: ConnectConfiguration {
        @Field(
            "schema.change.event.exclude.list", importance: .high, doc: "Kinds to drop: CREATE, ALTER, DROP, TRUNCATE, DATABASE", order: 1, width: .short,
            displayName: "Schema change event exclude list", check: kindsCheck, mandatory: true)
        var excluded: String?
        init() {}

        static let kinds: Set<String> = ["CREATE", "ALTER", "DROP", "TRUNCATE", "DATABASE"]
        private static var kindsCheck: Check {
            Check { text in
                ([String](configText: text) ?? []).first { !kinds.contains($0) }.map { "'\($0)' is none of \(kinds.sorted().joined(separator: ", "))" }
            }
        }
    }

    private let excluded: Set<String>

    init(_ configuration: Configuration) { excluded = Set([String](configText: configuration.excluded ?? "") ?? []) }

    func apply(_ input: TransformedBatch) -> [TransformedBatch] {
        guard let value = input.batch.value, value.schema.type == .struct,
            value.schema.name.map({ $0.hasSuffix(".SchemaChangeValue") || $0.hasSuffix(".SchemaChangeKey") }) ?? false
        else { return [input] }
        let changes = value.child("tableChanges"), type = changes?.schema.element?.index(of: "type")
        let kept = (0..<input.batch.count).filter { row in
            if value.isNull(row) || input.batch.isTombstone(row) { return true }
            guard case .array(let items)? = changes?[row] else { return false }
            guard case .struct(let first)? = items.first, let type else { return !excluded.contains("DATABASE") }
            return !excluded.contains(first[type].stringValue ?? "")
        }
        return kept.isEmpty ? [] : [input.select(kept)]
    }
}
