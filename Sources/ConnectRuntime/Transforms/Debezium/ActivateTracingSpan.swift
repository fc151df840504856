import ConnectAPI

/// `io.debezium.transforms.tracing.ActivateTracingSpan`: carries the trace context that an application stored with its row on to the record's
/// headers, so that a consumer's spans join the application's trace.
///
/// The column holds Java properties (`traceparent=00-…`), as Debezium's outbox libraries write them; each becomes a header of its name. Spans of
/// our own are not exported.
struct ActivateTracingSpan: Transform {
    static let className = "io.debezium.transforms.tracing.ActivateTracingSpan"

    struct Configuration: ConnectConfiguration {
        @Field(
            "tracing.span.context.field", default: "tracingspancontext", importance: .high, doc: "The column with the serialized context", order: 1,
            width: .medium, displayName: "Serialized tracing span context field")
        var contextField: String
        @Field(
            "tracing.operation.name", default: "debezium-read", importance: .high, doc: "Without effect: no spans are exported", order: 2, width: .medium,
            displayName: "Tracing operation name")
        var operationName: String
        @Field(
            "tracing.with.context.field.only", default: "false", importance: .high, doc: "Without effect: only rows with a context get headers", order: 3,
            width: .medium, displayName: "Trace only events with context field present")
        var requiresContext: Bool
        init() {}
    }

    private let field: String
    private static let headers = ["traceparent", "tracestate", "baggage"]

    init(_ configuration: Configuration) { field = configuration.contextField }

    func apply(_ input: TransformedBatch) -> [TransformedBatch] {
        let batch = input.batch
        guard let envelope = batch.value, Envelope.isNamed(envelope.schema), let after = envelope.child("after"), after.schema.type == .struct,
            let contexts = after.member(field), contexts.schema.type == .string
        else { return [input] }
        var values = Self.headers.map { _ in [Value](repeating: .null, count: batch.count) }
        for row in 0..<batch.count where !batch.isTombstone(row) && !envelope.isNull(row) {
            guard let text = contexts[row].stringValue, let entries = try? JavaProperties.parse(Array(text.utf8), file: field) else { continue }
            for entry in entries {
                if let header = Self.headers.firstIndex(of: entry.key) { values[header][row] = .string(entry.value) }
            }
        }
        var out = input
        for (name, values) in zip(Self.headers, values) where values.contains(where: { !$0.isNull }) {
            let present = Bitmap(values.lazy.map { !$0.isNull })
            out.batch.headers.append(
                HeaderColumn(name, Column(Schema(.string, optional: true), values), present: present.allSet ? nil : present))
        }
        return [out]
    }
}
