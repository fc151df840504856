import ConnectAPI
import JSON
import Testing

@testable import ConnectRuntime

/// Debezium's outbox router: which event each row becomes, under every key it has.
@Suite struct TransformsOutboxTests {
    static let row = Schema.struct(
        [
            .init("id", Schema(.string, name: LogicalName.uuid, version: 1)), .init("aggregatetype", Schema(.string)), .init("aggregateid", Schema(.string)),
            .init("type", Schema(.string)), .init("payload", Schema(.string, optional: true, name: LogicalName.json, version: 1)),
            .init("at", Schema(.int64, optional: true, name: LogicalName.microTimestamp, version: 1)), .init("version", Schema(.int32)),
            .init("place", Schema(.int32, optional: true)),
        ], optional: true, name: "p.public.outboxevent.Value")
    static let envelope = Schema.struct(
        [.init("before", row), .init("after", row), .init("op", Schema(.string)), .init("ts_ms", Schema(.int64, optional: true))],
        name: "p.public.outboxevent.Envelope")

    static func event(
        _ id: String, _ aggregate: String, _ key: String, _ payload: Value, at: Value = .integer(1_600_000_000_000_500), version: Int64 = 1, place: Value = nil
    )
        -> Value
    {
        .struct([
            nil, .struct([.string(id), .string(aggregate), .string(key), "Created", payload, at, .integer(version), place]), "c", .integer(1_700_000_000_000),
        ])
    }
    static let order = event("e1", "order", "o-1", "{\"n\":1,\"tags\":[\"a\"],\"none\":null}")
    static let user = event("e2", "user", "u-1", "not json", place: .integer(2))

    static func route(_ values: [Value], _ settings: [String: String] = [:]) throws -> [TransformedBatch] {
        try TransformsDebeziumTests.apply(
            "EventRouter", settings, to: TransformsDebeziumTests.batch(values, envelope, topic: "p.public.outboxevent"))
    }
    static func keys(_ batches: [TransformedBatch]) -> [String?] { batches.flatMap { part in (0..<part.batch.count).map { part.batch.key?[$0].stringValue } } }
    static func values(_ batches: [TransformedBatch]) throws -> [String] { try TransformsDebeziumTests.values(batches) }

    @Test func aRowBecomesTheEventOfItsAggregate() throws {
        let out = try Self.route([Self.order, Self.user, Self.order])
        #expect(out.map(\.batch.topic) == ["outbox.event.order", "outbox.event.user"] && Self.keys(out) == ["o-1", "o-1", "u-1"])
        #expect(try TransformsDebeziumTests.headers(out) == ["id=e1", "id=e1", "id=e2"])
        #expect(out[0].batch.value?.schema.name == LogicalName.json && out[0].batch.value?[0] == "{\"n\":1,\"tags\":[\"a\"],\"none\":null}")
        #expect(out[1].batch.timestamps[0] == .integer(1_700_000_000_000), "when the change was processed")
        #expect(out.map { $0.origins ?? [] } == [[0, 2], [1]])
    }

    @Test func deletesTombstonesAndUpdatesAreNoEvents() throws {
        let delete = Value.struct([.struct(["e", "order", "k", "t", nil, nil, .integer(1), nil]), nil, "d", .integer(1)])
        guard case .struct(var update) = Self.order else { return }
        update[2] = "u"
        #expect(try Self.route([delete, nil, .struct(update)]).isEmpty)
        #expect(try Self.route([delete, nil, .struct(update)], ["table.op.invalid.behavior": "error"]).isEmpty)
        #expect(throws: ConnectorError.self) { try Self.route([.struct(update)], ["table.op.invalid.behavior": "fatal"]) }
        let heartbeat = Schema.struct([.init("ts_ms", Schema(.int64))], name: "io.debezium.connector.common.Heartbeat")
        #expect(
            try TransformsDebeziumTests.apply("EventRouter", to: TransformsDebeziumTests.batch([.struct([.integer(1)])], heartbeat))[0].batch.value?.schema.name
                == heartbeat.name)
    }

    @Test func otherColumnsGoWhereTheyArePlaced() throws {
        let settings = [
            "table.fields.additional.placement": "type:header:eventType, version:envelope, aggregatetype:envelope:kind, place:partition",
            "table.field.event.timestamp": "at",
        ]
        let out = try Self.route([Self.order, Self.user], settings)
        #expect(try Self.values(out).last == "{\"payload\":\"not json\",\"version\":1,\"kind\":\"user\"}")
        #expect(try TransformsDebeziumTests.headers(out) == ["id=e1 eventType=Created", "id=e2 eventType=Created"])
        #expect(out.map(\.batch.partition) == [nil, 2] && out[0].batch.timestamps[0] == .integer(1_600_000_000_000))
        #expect(out[1].batch.value?.schema.name == "p.public.outboxevent.user.Value")
        let versioned = try Self.route(
            [Self.order, Self.event("e3", "order", "o-2", nil, version: 7)],
            ["table.fields.additional.placement": "type:envelope", "table.field.event.schema.version": "version"])
        #expect(versioned.map { $0.batch.value?.schema.version } == [1, 7])
        #expect(throws: ConnectorError.self) { try Self.route([Self.order], ["table.fields.additional.placement": "absent:header"]) }
        for ignoring in [["table.fields.additional.error.on.missing": "false"], ["table.field.additional.missing": "ignore"]] {
            #expect(try Self.route([Self.order], ignoring.merging(["table.fields.additional.placement": "absent:envelope"]) { $1 }).count == 1)
        }
        #expect(throws: ConnectorError.self) { try Self.route([Self.order], ["table.fields.additional.placement": "type:nowhere"]) }
    }

    @Test func topicsFollowTheConfiguredPattern() throws {
        let out = try Self.route(
            [Self.order, Self.user],
            ["route.by.field": "aggregateid", "route.topic.regex": "([a-z])-(\\d)", "route.topic.replacement": "$1.events.$2", "table.field.event.key": "id"])
        #expect(out.map(\.batch.topic) == ["o.events.1", "u.events.1"] && Self.keys(out) == ["e1", "e2"])
        // What the pattern does not match is the topic itself.
        #expect(try Self.route([Self.order], ["route.topic.regex": "(?<routedByValue>x.*)"])[0].batch.topic == "order")
        #expect(throws: ConnectorError.self) { try Self.route([Self.order], ["route.by.field": "absent"]) }
    }

    @Test func emptyPayloadsBecomeTombstonesWhereAskedFor() throws {
        let rows = [Self.event("e", "order", "k", nil), Self.event("e", "order", "k", " "), Self.order]
        #expect(try Self.values(Self.route(rows, ["route.tombstone.on.empty.payload": "true"])).prefix(2) == ["-", "-"])
        #expect(try Self.values(Self.route(rows)).prefix(2) == ["null", "\" \""], "a null with the payload's schema")
    }

    @Test func payloadsExpandFromJSON() throws {
        let expanding = ["table.expand.json.payload": "true"]
        let out = try Self.route([Self.order, Self.user], expanding)
        #expect(try Self.values(out) == ["{\"n\":1,\"tags\":[\"a\"]}", "\"not json\""], "nulls are left out, and what is no JSON stays")
        let schema = try #require(out[0].batch.value?.schema)
        #expect(schema.name == "payload" && schema.isOptional && schema.fields[0].schema == Schema(.int32, optional: true))
        let kept = try Self.route([Self.order], expanding.merging(["table.json.payload.null.behavior": "optional_bytes"]) { $1 })
        #expect(try Self.values(kept) == ["{\"n\":1,\"tags\":[\"a\"],\"none\":null}"] && kept[0].batch.value?.schema.fields[2].schema.type == .bytes)
        // Rows of different shapes keep their order, each with its schema.
        let mixed = ["{\"a\":1}", "{\"a\":1.5}", "{\"a\":2}", "[1,2]"].map { Self.event("e", "order", "k", .string($0)) }
        #expect(try Self.values(Self.route(mixed, expanding)) == ["{\"a\":1}", "{\"a\":1.5}", "{\"a\":2}", "[1,2]"])
    }

    @Test(
        arguments: [
            (
                "{\"a\":{\"b\":[{\"x\":1},{\"y\":\"2\"},null]},\"e\":[],\"l\":5000000000}",
                "{\"a\":{\"b\":[{\"x\":1,\"y\":null},{\"x\":null,\"y\":\"2\"},null]},\"l\":5000000000}"
            ),
            ("[1,\"a\"]", nil), ("{\"a\":[1,2.5]}", nil), ("{\"a\":[null]}", nil), ("{\"a\":", nil), ("5", nil), ("", nil), ("{}", "{}"),
        ] as [(String, String?)])
    func documentsExpandByDebeziumsRules(_ text: String, _ expected: String?) throws {
        guard let expected else {
            #expect(throws: ExpandedJSON.Refusal.self) { try ExpandedJSON().expand(Array(text.utf8), name: "payload") }
            return
        }
        let (schema, value) = try ExpandedJSON().expand(Array(text.utf8), name: "payload")
        let json = try Converters.make(Rendering.Converter("JsonConverter", ["schemas.enable": "false"]), isKey: false)
        let rendered = try json.render(Column(schema, [value]), count: 1, nullSchemaRows: nil, topic: "t")
        #expect(String(decoding: rendered.bytes(0) ?? [], as: UTF8.self) == expected)
    }

    @Test func logicalMessagesCarryOutboxRows() throws {
        let message = Schema.struct([.init("prefix", Schema(.string, optional: true)), .init("content", Schema(.bytes, optional: true))])
        let schema = Schema.struct(
            [.init("op", Schema(.string)), .init("ts_ms", Schema(.int64, optional: true)), .init("message", message)],
            name: "io.debezium.connector.postgresql.MessageValue")
        func batch(_ contents: [String]) -> TransformedBatch {
            TransformsDebeziumTests.batch(contents.map { .struct(["m", .integer(9), .struct(["p", .bytes(Array($0.utf8))])]) }, schema, topic: "p.message")
        }
        let content = "{\"id\":\"e1\",\"aggregatetype\":\"order\",\"aggregateid\":\"o-1\",\"payload\":\"x\",\"gone\":null}"
        let decode = (type: "DecodeLogicalDecodingMessageContent", settings: [:] as [String: String])
        let decoded = try TransformsDebeziumTests.chain([decode]).apply(batch([content]))
        #expect(
            try Self.values(decoded) == [
                "{\"op\":\"c\",\"ts_ms\":9,\"after\":{\"id\":\"e1\",\"aggregatetype\":\"order\",\"aggregateid\":\"o-1\",\"payload\":\"x\"}}"
            ])
        #expect(decoded[0].batch.key == nil && decoded[0].batch.value?.schema.name == "io.debezium.connector.postgresql.MessageValue.Envelope")
        let out = try TransformsDebeziumTests.chain([decode, (type: "EventRouter", settings: [:])]).apply(batch([content, content]))
        #expect(try out.map(\.batch.topic) == ["outbox.event.order"] && Self.values(out) == ["\"x\"", "\"x\""])
        #expect(throws: ConnectorError.self) { try TransformsDebeziumTests.chain([decode]).apply(batch(["plain"])) }
    }
}
