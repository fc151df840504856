import ConnectAPI
import Foundation
import JSON
import Testing

@testable import ConnectRuntime

/// Events against those that Debezium 3.3.1's own converter makes of the same recorded records, byte by byte.
@Suite struct CloudEventsTests {
    static func converter(_ settings: [String: String] = [:]) throws -> any Converter {
        try Converters.make(.init("io.debezium.converters.CloudEventsConverter", settings), isKey: false)
    }
    static func texts(_ rows: RenderedRows) -> [String?] { (0..<rows.values.count).map { rows.bytes($0).map { String(decoding: $0, as: UTF8.self) } } }
    static func rows(_ texts: [String?]) -> RenderedRows {
        var values = VarBytes()
        for text in texts { values.append((text ?? "").utf8) }
        return RenderedRows(values: values, present: Bitmap(texts.map { $0 != nil }))
    }

    /// The recorded records as envelopes, with the place each had in the recording.
    private static func batches() throws -> [(places: [Int], batch: RecordBatch)] {
        let records = try DebeziumRecording("default").records
        return try Dictionary(grouping: records.indices, by: { records[$0].topic }).values.flatMap { places -> [(places: [Int], batch: RecordBatch)] in
            var start = 0
            return try DebeziumRecording.batches(places.map { records[$0] }).map { batch in
                defer { start += batch.count }
                return (Array(places[start..<start + batch.count]), batch)
            }
        }
    }

    @Test func eventsAreDebeziums() throws {
        let url = Bundle.module.url(forResource: "cloudevents", withExtension: "jsonl", subdirectory: "Golden")!
        let json = try JsonConverter(JsonConverter.Configuration(["converter.type": "header"]))
        var settings: [String: String] = [:], headers: [(String, String)] = [], rendered: [Int: String?] = [:], compared = 0, events = 0
        for line in try String(contentsOf: url, encoding: .utf8).split(separator: "\n") {
            let entry = try JSONValue.parse(String(line))
            if let given = entry["settings"]?.objectValue {
                settings = Dictionary(uniqueKeysWithValues: given.members.map { ($0.key, $0.value.stringValue!) })
                headers = entry["headers"]!.arrayValue!.map { ($0[0]!.stringValue!, try! JSONValue.parse($0[1]!.stringValue!)["payload"]!.stringValue!) }
                rendered = [:]
                let converter = try Self.converter(settings)
                for (places, batch) in try Self.batches() {
                    let own = headers.map { HeaderColumn($0, .constant(.string($1), Schema(.string), count: batch.count)) }
                    // Whole, and row by row: cuts carry no meaning.
                    func render(_ batch: RecordBatch, _ headers: [HeaderColumn]) throws -> [String?] {
                        Self.texts(
                            try converter.render(
                                batch.value, count: batch.count, nullSchemaRows: batch.tombstones, topic: batch.topic, headers: RecordHeaders(headers, json)))
                    }
                    let whole = try render(batch, own)
                    for (i, place) in places.enumerated() {
                        rendered[place] = .some(whole[i])
                        let one = headers.map { HeaderColumn($0, .constant(.string($1), Schema(.string), count: 1)) }
                        #expect(try render(batch.slice(i..<i + 1), one) == [whole[i]])
                    }
                }
                continue
            }
            let place = Int(entry["row"]!.integerValue!), expected = entry["event"]?.stringValue
            #expect(rendered[place] == .some(expected), "record \(place) under \(settings)")
            compared += 1
            if expected != nil { events += 1 }
        }
        #expect(compared > 150 && events > 100)
    }

    @Test func anEventReadsAsAnObjectWithItsData() throws {
        let event = #"{"id":"1","source":"/s","specversion":"1.0","type":"T","n":7,"data":"#
        let typed = #"{"schema":{"type":"struct","fields":[{"type":"int32","optional":false,"field":"a"}],"optional":false,"name":"D"},"payload":{"a":5}}"#
        let runs = try Self.converter().parseRuns(Self.rows([event + typed + "}", nil, event + typed + "}"]), topic: "t")
        #expect(runs.map(\.rows) == [0..<1, 1..<2, 2..<3] && runs[1].column == nil)
        #expect(runs[0].column?.schema.isSchemaless == true && runs[0].column?.child("data")?.schema.name == "D")
        #expect(runs[2].column?.child("data")?[0] == .struct([5]))
        let bare = try Self.converter(["json.schemas.enable": "false"]).parse(Self.rows([event + "{\"a\":[1]}}", event.dropLast(8) + "}"]), topic: "t")
        let again = try Converters.make(.init("JsonConverter", ["schemas.enable": "false"]), isKey: false).render(
            bare, count: 2, nullSchemaRows: nil, topic: "t")
        #expect(Self.texts(again) == [event + "{\"a\":[1]}}", event.dropLast(8) + "}"])
    }

    @Test(arguments: [
        "[]", "1", "null", "{}", #"{"id":"1","source":"s","specversion":"1.0"}"#, #"{"before":null,"after":{"id":1},"source":{},"op":"c"}"#, "{", "",
        #"{"id":"1","source":"s","specversion":"1.0","type":"t","data":{"a":1}}"#,
    ])
    func whatIsNoEventIsRefused(_ text: String) throws {
        let error = try #require(throws: ConnectorError.self) { try Self.converter().parseRuns(Self.rows([text]), topic: "t") }
        #expect(error.disposition == .reject && !error.message.contains("after"))
    }

    @Test(arguments: [
        ["metadata.source": "generate"], ["metadata.source": "value,id"], ["metadata.source": "value,id:value"], ["metadata.source": "value,name:header"],
        ["metadata.source": "value", "opentelemetry.tracing.attributes.enable": "true"], ["serializer.type": "avro"], ["data.serializer.type": "avro"],
        ["serializer.type": "xml"], ["json.decimal.format": "ROMAN"],
    ])
    func settingsThatCannotWorkAreRefused(_ settings: [String: String]) {
        #expect(throws: ConnectorError.self) { try Self.converter(settings) }
    }

    /// The configuration of Debezium's documentation: metadata in headers, past the outbox router.
    @Test func metadataComesFromHeaders() throws {
        var row = TransformsOutboxTests.order
        guard case .struct(var members) = row else { return }
        members.append(.struct(["postgresql", "srv", .integer(1_700_000_000_123), .integer(42), .integer(7), nil]))
        row = .struct(members)
        let source = Schema.struct([
            .init("connector", Schema(.string)), .init("name", Schema(.string)), .init("ts_ms", Schema(.int64)), .init("lsn", Schema(.int64, optional: true)),
            .init("txId", Schema(.int64, optional: true)), .init("sequence", Schema(.string, optional: true)),
        ])
        let envelope = TransformsOutboxTests.envelope.with(fields: TransformsOutboxTests.envelope.fields + [.init("source", source)])
        let chain = try TransformsDebeziumTests.chain([
            ("HeaderFrom$Value", ["fields": "source,op", "headers": "source,op", "operation": "copy"]),
            ("EventRouter", ["table.expand.json.payload": "true", "table.fields.additional.placement": "type:header"]),
        ])
        let routed = try chain.apply(TransformsDebeziumTests.batch([row], envelope, topic: "p.public.outboxevent"))
        let batch = try #require(routed.first).batch
        func event(_ header: String, _ settings: [String: String] = [:]) throws -> JSONValue {
            let headers = try Converters.make(.init(header), isKey: false)
            let text = Self.texts(
                try Self.converter(settings.merging(["metadata.source": "header"]) { $1 }).render(
                    batch.value, count: 1, nullSchemaRows: batch.tombstones, topic: batch.topic, headers: RecordHeaders(batch.headers, headers)))[0]
            return try JSONValue.parse(try #require(text))
        }
        let json = try event("JsonConverter")
        #expect(json["id"] == "e1" && json["type"] == "Created" && json["source"] == "/debezium/postgresql/srv")
        #expect(json["time"] == "2023-11-14T22:13:20.123Z" && json["iodebeziumop"] == "c" && json["iodebeziumlsn"] == "42" && json["iodebeziumtxid"] == .null)
        #expect(json["data"]?["schema"]?["name"] == "io.debezium.connector.postgresql.Data" && json["data"]?["payload"]?["n"] == 1)
        #expect(throws: ConnectorError.self) { try event("SimpleHeaderConverter") }
    }
}
