import ConnectAPI

/// `InsertField`: adds topic, partition, offset, timestamp or a fixed text as members.
struct InsertField<Side: RecordSide>: Transform {
    static var className: String { Side.className("InsertField") }

    struct Configuration: ConnectConfiguration {
        @Field("topic.field", doc: "Member for the topic; suffix ! makes it required, ? optional (as without suffix)") var topic: String?
        @Field("partition.field", doc: "Member for the partition") var partition: String?
        @Field("offset.field", doc: "Member for the offset; sinks only") var offset: String?
        @Field("timestamp.field", doc: "Member for the record's timestamp") var timestamp: String?
        @Field("static.field", doc: "Member for static.value") var staticField: String?
        @Field("static.value", doc: "The text of static.field") var staticValue: String?
        @Field("replace.null.with.default", default: "true", doc: "Put the default of a member instead of its null") var replacesNulls: Bool
        init() {}
    }

    private struct Target: Sendable {
        let name: String
        let isOptional: Bool

        init?(_ text: String?) {
            guard let text, !text.isEmpty else { return nil }
            name = text.hasSuffix("!") || text.hasSuffix("?") ? String(text.dropLast()) : text
            isOptional = !text.hasSuffix("!")
        }
    }

    private let topic: Target?, partition: Target?, offset: Target?, timestamp: Target?, fixed: Target?
    private let fixedValue: String
    private let replacesNulls: Bool

    init(_ configuration: Configuration) throws {
        topic = Target(configuration.topic)
        partition = Target(configuration.partition)
        offset = Target(configuration.offset)
        timestamp = Target(configuration.timestamp)
        fixed = Target(configuration.staticField)
        fixedValue = configuration.staticValue ?? ""
        replacesNulls = configuration.replacesNulls
        guard topic != nil || partition != nil || offset != nil || timestamp != nil || fixed != nil else {
            throw TransformError.config("No field insertion configured")
        }
        if fixed != nil, configuration.staticValue == nil {
            throw TransformError.config(
                "Invalid value null for configuration static.value: No value specified for static field: \(fixed!.name)")
        }
    }

    func apply(_ batch: TransformedBatch) throws -> [TransformedBatch] {
        try Side.structure(batch, purpose: "field insertion", replacingNulls: replacesNulls) { members, part in
            let count = part.batch.count
            if let topic {
                members.set(topic.name, .constant(.string(part.batch.topic), Schema(.string, optional: topic.isOptional), count: count))
            }
            if let partition {
                let value = part.partition.map { Value.integer(Int64($0.partition)) } ?? .null
                members.set(partition.name, .constant(value, Schema(.int32, optional: partition.isOptional), count: count))
            }
            if let offset {
                guard let first = part.firstOffset else {
                    throw TransformError.config("Offset insertion is only supported for sink connectors")
                }
                let offsets = (0..<count).map { first + Int64(part.origins?[$0] ?? $0) }
                members.set(offset.name, Column(Schema(.int64, optional: offset.isOptional), count: count, .int64(offsets)))
            }
            if let timestamp {
                let schema = Schema(.int64, optional: timestamp.isOptional, name: LogicalName.connectTimestamp, version: 1)
                members.set(timestamp.name, part.batch.timestamps.with(schema: schema))
            }
            if let fixed {
                members.set(fixed.name, .constant(.string(fixedValue), Schema(.string, optional: fixed.isOptional), count: count))
            }
        }
    }
}
