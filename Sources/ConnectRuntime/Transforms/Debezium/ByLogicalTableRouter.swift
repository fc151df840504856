import ConnectAPI
import JavaRegex

/// `io.debezium.transforms.ByLogicalTableRouter`: several tables in one topic. Keys get a member that tells the tables apart, and the schemas are
/// named after the new topic.
struct ByLogicalTableRouter: Transform {
    static let className = "io.debezium.transforms.ByLogicalTableRouter"

    struct Configuration: ConnectConfiguration {
        @Field(
            "topic.regex", importance: .low, doc: "A Java regular expression the whole topic name must match", order: 1, width: .long,
            displayName: "Topic regex", check: JavaPattern.check, mandatory: true)
        var topicRegex: String?
        @Field(
            "topic.replacement", importance: .low, doc: "The new topic; $1 stands for a group", order: 1, width: .long,
            displayName: "Topic replacement", mandatory: true)
        var topicReplacement: String?
        @Field(
            "key.enforce.uniqueness", default: "true", importance: .low, doc: "Add a member to the key that names the table", order: 1,
            width: .short,
            displayName: "Add source topic name into key")
        var enforcesUniqueness: Bool
        @Field(
            "key.field.regex", importance: .low, doc: "Applied to the old topic to give that member's value", order: 1, width: .long,
            displayName: "Key field regex", check: JavaPattern.check)
        var keyRegex: String?
        @Field(
            "key.field.replacement", importance: .low, doc: "The replacement for key.field.regex", order: 1, width: .long,
            displayName: "Key field replacement")
        var keyReplacement: String?
        @Field(
            "logical.table.cache.size", default: "16", importance: .low, doc: "Kept for compatibility; without effect", order: 1,
            width: .long,
            displayName: "Logical table cache size")
        var cacheSize: Int
        @Field("key.field.name", default: "__dbz__physicalTableIdentifier", doc: "The name of that member", listed: false) var keyField: String
        init() {}

        func crossCheck() -> [Diagnostic] {
            guard keyRegex != nil, keyReplacement == nil else { return [] }
            return [
                Diagnostic(
                    "key.field.replacement",
                    "Invalid value null for configuration key.field.replacement: key.field.replacement must be non-empty if key.field.regex is set."
                )
            ]
        }
    }

    private let topic: (JavaPattern, JavaReplacement)
    private let key: (JavaPattern, JavaReplacement)?
    private let keyField: String?
    private let schemas = SchemaCache()

    init(_ configuration: Configuration) throws {
        func pair(_ regex: String, _ replacement: String) throws -> (JavaPattern, JavaReplacement) {
            let pattern = try JavaPattern(regex)
            return (pattern, try JavaReplacement(replacement, for: pattern))
        }
        topic = try pair(configuration.topicRegex ?? "", configuration.topicReplacement ?? "")
        key = try configuration.keyRegex.map { try pair($0, configuration.keyReplacement ?? "") }
        keyField = configuration.enforcesUniqueness ? configuration.keyField : nil
    }

    func apply(_ input: TransformedBatch) throws -> [TransformedBatch] {
        let batch = input.batch
        guard try topic.0.matches(batch.topic) else { return [input] }
        if let value = batch.value, !Envelope.recognizes(value.schema) { return [input] }
        var out = input
        out.batch.topic = try topic.0.replace(batch.topic, with: topic.1, all: false)
        guard !out.batch.topic.isEmpty else { return [input] }
        if let old = batch.key, old.schema.type == .struct { out.batch.key = try renamedKey(old, from: batch.topic, to: out.batch.topic) }
        if let value = batch.value { out.batch.value = renamed(value, to: out.batch.topic) }
        return [out]
    }

    private func renamedKey(_ old: Column, from topic: String, to newTopic: String) throws -> Column {
        var columns = old.children, fields = old.schema.fields
        if let keyField {
            let identifier = try key.map { try $0.0.matches(topic) ? $0.0.replace(topic, with: $0.1, all: false) : topic } ?? topic
            let schema = Schema(.string)
            fields.append(Schema.Field(keyField, schema))
            columns.append(.constant(.string(identifier), schema, count: old.count))
        }
        let schema = schemas(old.schema, topic: newTopic) {
            Schema(
                .struct, optional: old.schema.isOptional, name: newTopic + ".Key", version: old.schema.version, doc: old.schema.doc,
                fields: fields)
        }
        return Column(schema, count: old.count, .struct(columns), validity: old.validity)
    }

    private func renamed(_ envelope: Column, to topic: String) -> Column {
        let old = envelope.schema
        let schema = schemas(old, topic: topic) {
            let fields = old.fields.map { field in
                field.name == "before" || field.name == "after"
                    ? Schema.Field(field.name, field.schema.with(name: .some(topic + ".Value"))) : field
            }
            return old.with(name: .some(topic + ".Envelope"), fields: fields)
        }
        let columns = zip(envelope.children, schema.fields).map { $0.with(schema: $1.schema) }
        return Column(schema, count: envelope.count, .struct(columns), validity: envelope.validity, unavailable: envelope.unavailable)
    }
}
