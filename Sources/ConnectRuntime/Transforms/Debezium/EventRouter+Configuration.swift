import ConnectAPI
import JavaRegex

extension EventRouter {
    struct Configuration: ConnectConfiguration {
        @Field(
            "table.field.event.id", default: "id", importance: .low, doc: "The column whose value becomes the header `id`", group: "Table", order: 1,
            width: .medium, displayName: "Event ID Field")
        var idField: String
        @Field(
            "table.field.event.key", default: "aggregateid", importance: .low, doc: "The column that becomes the record's key", group: "Table", order: 2,
            width: .medium, displayName: "Event Key Field")
        var keyField: String
        @Field(
            "table.field.event.type", default: "type", importance: .low,
            doc: "The column with the event's type; place it with table.fields.additional.placement",
            group: "Table", order: 3, width: .medium, displayName: "Event Type Field")
        var typeField: String
        @Field(
            "table.field.event.payload", default: "payload", importance: .low, doc: "The column that becomes the record's value", group: "Table", order: 4,
            width: .medium, displayName: "Event Payload Field")
        var payloadField: String
        @Field(
            "table.field.event.timestamp", doc: "The column for the record's timestamp; unset: when the change was processed", group: "Table", order: 5,
            width: .medium, displayName: "Event Timestamp Field")
        var timestampField: String?
        @Field(
            "table.fields.additional.placement", importance: .high,
            doc: "Other columns and where they go: column:header, column:envelope or column:partition, each with :alias if wanted", group: "Table", order: 6,
            width: .medium, displayName: "Settings for each additional column in the outbox table", check: placementCheck)
        var placements: [String]?
        @Field(
            "table.fields.additional.error.on.missing", default: "true", doc: "Whether a column of table.fields.additional.placement may not be missing",
            group: "Table", order: 7, width: .medium, displayName: "Should the transform error if an additional field is missing in the change data")
        var failsOnMissing: Bool
        @Field(
            "table.field.additional.missing", doc: "The same in the words of later releases: error or ignore", check: .oneOfIgnoringCase(["error", "ignore"]),
            listed: false)
        var missing: String?
        @Field(
            "table.field.event.schema.version", importance: .low, doc: "The column with the version of the value's schema", group: "Table", order: 8,
            width: .medium, displayName: "Event Schema Version Field")
        var versionField: String?
        @Field(
            "table.op.invalid.behavior", default: "warn", doc: "What an update of an outbox row causes: warn and error drop it, fatal fails the task",
            group: "Table", order: 9, width: .medium, displayName: "Behavior when capturing an unexpected outbox event",
            check: .oneOfIgnoringCase(["warn", "error", "fatal"]))
        var updates: String
        @Field(
            "table.expand.json.payload", default: "false", doc: "Make a struct of a payload that is JSON text", group: "Table", order: 10, width: .medium,
            displayName: "Expand Payload escaped string as real JSON")
        var expandsJSON: Bool
        @Field(
            "table.json.payload.null.behavior", default: "ignore", doc: "Nulls of an expanded payload: ignore, or optional_bytes", group: "Table", order: 11,
            width: .medium, displayName: "Behavior when json payload including null value", check: .oneOfIgnoringCase(["ignore", "optional_bytes"]))
        var nulls: String
        @Field(
            "table.json.payload.empty.array.behavior", default: "ignore", doc: "Empty arrays of an expanded payload: ignore, or optional_string",
            check: .oneOfIgnoringCase(["ignore", "optional_string"]), listed: false)
        var emptyArrays: String
        @Field(
            "route.by.field", default: "aggregatetype", importance: .high, doc: "The column that decides the topic", group: "Router", order: 1, width: .medium,
            displayName: "Field to route events by")
        var routeField: String
        @Field(
            "route.topic.regex", default: "(?<routedByValue>.*)", importance: .low, doc: "A Java regular expression for that column's whole value",
            group: "Router", order: 2, width: .medium, displayName: "The name of the routed topic", check: JavaPattern.check)
        var routeRegex: String
        @Field(
            "route.topic.replacement", default: "outbox.event.${routedByValue}", importance: .high, doc: "The topic; groups stand in it as $1 or ${name}",
            group: "Router", order: 3, width: .medium, displayName: "The name of the routed topic")
        var routeReplacement: String
        @Field(
            "route.tombstone.on.empty.payload", default: "false", importance: .high, doc: "Whether a row without a payload becomes a tombstone",
            group: "Router", order: 4, width: .medium, displayName: "Empty payloads cause a tombstone message")
        var makesTombstones: Bool
        @Field(
            "tracing.span.context.field", default: "tracingspancontext", importance: .high, doc: "Without effect: spans are not traced", group: "Tracing",
            order: 1, width: .medium, displayName: "Serialized tracing span context field")
        var spanField: String
        @Field(
            "tracing.operation.name", default: "debezium-read", importance: .high, doc: "Without effect: spans are not traced", group: "Tracing", order: 2,
            width: .medium, displayName: "Tracing operation name")
        var spanName: String
        @Field(
            "tracing.with.context.field.only", default: "false", importance: .high, doc: "Without effect: spans are not traced", group: "Tracing", order: 3,
            width: .medium, displayName: "Trace only events with context field present")
        var tracesMarkedOnly: Bool
        init() {}

        private static var placementCheck: Check {
            Check { text in
                for item in [String](configText: text) ?? [] where Placement(item) == nil {
                    return "'\(item)' is not of the form column:header, column:envelope or column:partition, with :alias if wanted"
                }
                return nil
            }
        }
    }

    /// `column:header:alias`: a column besides key and payload, and where it goes.
    struct Placement: Sendable {
        enum Target: String { case header, envelope, partition }
        let column: String
        let target: Target
        let alias: String

        init?(_ text: String) {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { $0.trimmingSpaces() }
            guard parts.count == 2 || parts.count == 3, !parts.contains(""), let target = Target(rawValue: parts[1].lowercased()) else { return nil }
            column = parts[0]
            self.target = target
            alias = parts.count == 3 ? parts[2] : parts[0]
        }
    }
}
