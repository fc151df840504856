import ConnectAPI
import JSON

/// `io.debezium.connector.postgresql.transforms.DecodeLogicalDecodingMessageContent`: the JSON of `pg_logical_emit_message` as a row that was
/// inserted, so that the outbox router takes it.
///
///     message {prefix, content} ──▶ after {members of the content}, op c, no key, schema named ….Envelope
struct DecodeLogicalDecodingMessageContent: Transform {
    static let className = "io.debezium.connector.postgresql.transforms.DecodeLogicalDecodingMessageContent"
    private static let messageSchema = "io.debezium.connector.postgresql.MessageValue"

    struct Configuration: ConnectConfiguration {
        @Field(
            "fields.null.include", default: "false", doc: "Whether members that are null are kept, as optional bytes", order: 1, width: .medium,
            displayName: "Defines whether to include fields with null values to the decoded structure")
        var includesNulls: Bool
        init() {}
    }

    private let json: ExpandedJSON
    private let schemas = SchemaCache()

    init(_ configuration: Configuration) { json = ExpandedJSON(keepsNulls: configuration.includesNulls) }

    func apply(_ input: TransformedBatch) throws -> [TransformedBatch] {
        guard let value = input.batch.value, value.schema.name == Self.messageSchema, let content = value.child("message")?.member("content") else {
            return [input]
        }
        guard content.schema.type == .bytes else {
            throw ConnectorError("transform.message_content", .reject, "The content of a logical decoding message is non-binary")
        }
        let decoded = try (0..<input.batch.count).map { row -> (schema: Schema, value: Value) in
            guard case .bytes(let bytes) = content[row] else { throw Self.refused("there is none") }
            do throws(ExpandedJSON.Refusal) { return try json.expand(bytes, name: "") } catch { throw Self.refused(error.reason) }
        }
        var next = 0
        return input.runs { decoded[$0].schema }.map { schema, part in
            let after = Column(schema, decoded[next..<next + part.batch.count].map(\.value))
            next += part.batch.count
            return self.row(after, of: part)
        }
    }

    private static func refused(_ reason: String) -> ConnectorError {
        ConnectorError("transform.message_content", .reject, "Unable to parse logical decoding message content JSON string: \(reason)")
    }

    private func row(_ after: Column, of part: TransformedBatch) -> TransformedBatch {
        guard let message = part.batch.value else { return part }
        var names: [String] = [], columns: [Column] = []
        for field in message.schema.fields where field.name != "message" {
            names.append(field.name)
            // It looks like an insert.
            columns.append(
                field.name == "op"
                    ? .constant("c", field.schema, count: message.count) : message.child(field.name) ?? .constant(.null, field.schema, count: message.count))
        }
        let schema = Schema.struct(
            (zip(names, columns).map { Schema.Field($0, $1.schema) }) + [Schema.Field("after", after.schema)], name: Self.messageSchema + ".Envelope")
        var out = part
        // The key was the message's prefix.
        out.batch.key = nil
        out.batch.value = Column(schemas(schema) { schema }, count: message.count, .struct(columns + [after]))
        return out
    }
}
