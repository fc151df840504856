import ConnectAPI
import Foundation
import JSON
import TestSupport
import Testing

@testable import ConnectRuntime

/// Debezium's other transforms: what each makes of an event, and that cuts of batches carry no meaning.
@Suite struct TransformsDebeziumTests {
    static let row = Schema.struct(
        [
            .init("id", Schema(.int32)), .init("name", Schema(.string, optional: true)),
            .init("at", Schema(.int64, optional: true, name: LogicalName.microTimestamp, version: 1)),
            .init("zoned", Schema(.string, optional: true, name: LogicalName.zonedTimestamp, version: 1)),
        ], optional: true, name: "p.public.t.Value")
    static let source = Schema.struct([.init("db", Schema(.string)), .init("table", Schema(.string)), .init("lsn", Schema(.int64, optional: true))])
    static let envelope = Schema.struct(
        [
            .init("before", row), .init("after", row), .init("source", source), .init("op", Schema(.string)),
            .init("ts_ms", Schema(.int64, optional: true)),
        ], name: "p.public.t.Envelope", version: 2)

    /// 1000000000000000 is 2001-09-09T01:46:40 UTC.
    static func member(_ id: Int64, _ name: Value, _ zoned: Value = "2016-01-19T04:05:06.5Z") -> Value {
        .struct([.integer(id), name, .integer(1_000_000_000_000_000), zoned])
    }
    static func event(_ op: String, before: Value = nil, after: Value = nil) -> Value {
        .struct([before, after, .struct(["db", "t", .integer(7)]), .string(op), .integer(1_700_000_000_000)])
    }
    static let events: [Value] = [
        event("c", after: member(1, "a")), event("u", before: member(1, "a"), after: member(1, "b")),
        event("u", before: member(1, "b"), after: member(1, "b")), event("d", before: member(1, "b")), nil, event("r", after: member(2, nil)), event("t"),
    ]

    static func batch(_ values: [Value] = events, _ schema: Schema = envelope, topic: String = "p.public.t") -> TransformedBatch {
        let tombstones = Bitmap(values.map(\.isNull))
        return TransformedBatch(
            RecordBatch(
                topic: topic, count: values.count,
                key: Column(.struct([.init("id", Schema(.int32))], name: "p.public.t.Key"), values.indices.map { .struct([.integer(Int64($0))]) }),
                value: Column(schema, values), tombstones: tombstones.noneSet ? nil : tombstones,
                timestamps: .constant(.integer(5), RecordBatch.timestampSchema, count: values.count)))
    }

    static func chain(_ steps: [(type: String, settings: [String: String])]) throws -> TransformChain {
        var values = ["transforms": steps.indices.map { "t\($0)" }.joined(separator: ",")]
        for (i, step) in steps.enumerated() {
            values["transforms.t\(i).type"] = step.type
            for (key, value) in step.settings { values["transforms.t\(i).\(key)"] = value }
        }
        return try TransformChain(values, plugins: TransformsUnwrapTests.plugins)
    }

    static func apply(_ type: String, _ settings: [String: String] = [:], to batch: TransformedBatch = batch()) throws -> [TransformedBatch] {
        try chain([(type, settings)]).apply(batch)
    }

    /// Values with schemas off, by rows, and headers as `name=text`.
    static func values(_ batches: [TransformedBatch], schemas: Bool = false) throws -> [String] {
        try batches.flatMap { part in
            let json = try Converters.make(Rendering.Converter("JsonConverter", ["schemas.enable": "\(schemas)"]), isKey: false)
            let rows = try json.render(part.batch.value, count: part.batch.count, nullSchemaRows: part.batch.tombstones, topic: part.batch.topic)
            return (0..<part.batch.count).map { rows.bytes($0).map { String(decoding: $0, as: UTF8.self) } ?? "-" }
        }
    }
    static func headers(_ batches: [TransformedBatch]) throws -> [String] {
        let simple = try Converters.make(Rendering.Converter("SimpleHeaderConverter"), isKey: false)
        return try batches.flatMap { part in
            let rendered = try HeaderRendering(part.batch, simple)
            return (0..<part.batch.count).map { row in
                rendered.headers(row).map { "\($0.name)=\($0.value.map { String(decoding: $0, as: UTF8.self) } ?? "null")" }.joined(separator: " ")
            }
        }
    }

    // MARK: Changed columns

    private static let changed: (type: String, settings: [String: String]) = (
        "ExtractChangedRecordState", ["header.changed.name": "Changed", "header.unchanged.name": "Unchanged"]
    )

    @Test func changedAndUnchangedColumnsAreListed() throws {
        #expect(
            try Self.headers(Self.chain([Self.changed]).apply(Self.batch())) == [
                "Changed=[] Unchanged=[]", "Changed=[\"name\"] Unchanged=[\"id\",\"at\",\"zoned\"]", "Changed=[] Unchanged=[\"id\",\"name\",\"at\",\"zoned\"]",
                "Changed=[] Unchanged=[]",
                "", "Changed=[] Unchanged=[]", "Changed=[] Unchanged=[]",
            ])
    }

    @Test func valuesNotSentDifferFromThoseThatWere() {
        let sent = Column(Schema(.string), ["x", "x", nil]),
            notSent = Column(
                Schema(.string), count: 3, .utf8(VarBytes(offsets: [0, 1, 2, 2], bytes: Array("xx".utf8))), unavailable: Bitmap([true, false, true]))
        #expect(sent.equalRows(notSent) == Bitmap([false, true, false]) && notSent.equalRows(notSent) == Bitmap([true, true, true]))
        let odd: [Value] = [.double(.nan), .double(0), .double(1)]
        #expect(
            Column(Schema(.float64), odd).equalRows(Column(Schema(.float64), [.double(.nan), .double(-0.0), .double(1)])) == Bitmap([true, false, true]))
    }

    @Test func listedColumnsAreDroppedAndAdded() throws {
        let steps = [
            Self.changed, ("HeaderToValue", ["headers": "Changed", "fields": "changes", "operation": "copy"]),
            (
                "ExtractNewRecordState",
                ["add.fields": "op,changes", "drop.fields.header.name": "Unchanged", "delete.tombstone.handling.mode": "rewrite-with-tombstone"]
            ),
        ]
        let at = "\"at\":1000000000000000,\"zoned\":\"2016-01-19T04:05:06.5Z\""
        #expect(
            try Self.values(Self.chain(steps).apply(Self.batch())) == [
                "{\"id\":1,\"name\":\"a\",\(at),\"__deleted\":\"false\",\"__op\":\"c\",\"__changes\":[]}",
                "{\"id\":1,\"name\":\"b\",\"__deleted\":\"false\",\"__op\":\"u\",\"__changes\":[\"name\"]}",
                "{\"id\":1,\"__deleted\":\"false\",\"__op\":\"u\",\"__changes\":[]}",
                "{\"id\":1,\"name\":\"b\",\(at),\"__deleted\":\"true\",\"__op\":\"d\",\"__changes\":[]}", "-",
                "{\"id\":2,\"name\":null,\(at),\"__deleted\":\"false\",\"__op\":\"r\",\"__changes\":[]}",
            ])
    }

    @Test func deletesAreRoutedByTheRowThatWas() throws {
        for mode in ["tombstone", "delete-to-tombstone", "rewrite-with-tombstone"] {
            let out = try Self.apply("ExtractNewRecordState", ["route.by.field": "name", "delete.tombstone.handling.mode": mode])
            let topics = Dictionary(out.map { ($0.batch.topic, $0.batch.count) }, uniquingKeysWith: +)
            // The row without a name and the tombstone stay.
            #expect(topics == ["a": 1, "b": 3, "p.public.t": mode.hasSuffix("with-tombstone") ? 2 : 1], "\(mode)")
        }
    }

    // MARK: Headers

    @Test func headersBecomeMembersAtAnyDepth() throws {
        var batch = Self.batch([Self.events[0], Self.events[1], nil])
        batch.batch.headers = [
            HeaderColumn("h", Column(Schema(.string, optional: true), ["x", nil, "z"]), present: Bitmap([true, false, true])),
            HeaderColumn("n", .constant(.integer(3), Schema(.int32), count: 3)),
        ]
        let moved = try Self.apply("HeaderToValue", ["headers": "h,n", "fields": "note,after.extra.n", "operation": "move"], to: batch)
        let rows = try Self.values(moved)
        #expect(rows[0].contains("\"extra\":{\"n\":3}}") && rows[0].hasSuffix(",\"note\":\"x\"}") && !rows[1].contains("note") && rows[2] == "-")
        #expect(try Self.headers(moved) == ["", "", "h=z n=3"], "a tombstone keeps its headers")
        #expect(throws: ConnectorError.self) { try Self.apply("HeaderToValue", ["headers": "h,n", "fields": "note", "operation": "move"]) }
        #expect(throws: ConnectorError.self) { try Self.apply("HeaderToValue", ["headers": "n", "fields": "op.x", "operation": "move"], to: batch) }
    }

    @Test func traceContextsBecomeHeaders() throws {
        let row = Schema.struct([.init("tracingspancontext", Schema(.string, optional: true))], optional: true)
        let schema = Schema.struct([.init("before", row), .init("after", row), .init("op", Schema(.string))], name: "x.Envelope")
        let context = "#Mon Jan 01\ntraceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n"
        let batch = Self.batch([.struct([nil, .struct([.string(context)]), "c"]), .struct([nil, .struct([nil]), "c"])], schema)
        #expect(try Self.headers(Self.apply("ActivateTracingSpan", to: batch)) == ["traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", ""])
    }

    // MARK: Places

    @Test func rowsArePlacedByJavasHashes() throws {
        // As jshell prints them: "hello".hashCode(), Long.hashCode(4294967298L), Boolean.hashCode(true), Double.hashCode(1.5).
        #expect(JavaHash.hash("hello", Schema(.string)) == 99_162_322 && JavaHash.hash(.integer(4_294_967_298), Schema(.int64)) == 3)
        #expect(JavaHash.hash(true, Schema(.boolean)) == 1231 && JavaHash.hash(.double(1.5), Schema(.float64)) == 1_073_217_536)
        let decimal = Schema(.bytes, name: LogicalName.decimal, version: 1, parameters: [.init("scale", "2")])
        // new BigDecimal("12.34").hashCode() == 31 * 1234 + 2; negative: -31 * 1234 + 2.
        #expect(JavaHash.hash(.bytes([0x04, 0xD2]), decimal) == 38_256 && JavaHash.hash(.bytes([0xFB, 0x2E]), decimal) == -38_252)

        let out = try Self.apply("PartitionRouting", ["partition.payload.fields": "change.id,source.table,no.such", "partition.topic.num": "4"])
        let expected = (JavaHash.hash("t", Schema(.string)) &+ 1) % 4
        let places = out.flatMap { part in (part.origins ?? Array(0..<part.batch.count)).map { ($0, part.batch.partition) } }.sorted { $0.0 < $1.0 }.map(\.1)
        #expect(places == [expected, expected, expected, expected, nil, (expected + 1) % 4, nil])
        let murmur = try Self.apply(
            "PartitionRouting", ["partition.payload.fields": "after.name", "partition.topic.num": "1000", "partition.hash.function": "murmur"])
        #expect(Set(murmur.compactMap(\.batch.partition)).count == 2)
    }

    // MARK: Times

    @Test(
        arguments: [
            // 2001-09-09T01:46:40 in the zone, as an instant.
            ("Europe/Berlin", 1_000_000_000_000_000 - 7_200_000_000, "2016-01-19T05:05:06.5+01:00"),
            ("America/Los_Angeles", 1_000_000_000_000_000 + 25_200_000_000, "2016-01-18T20:05:06.5-08:00"),
            ("+05:30", 1_000_000_000_000_000 - 19_800_000_000, "2016-01-19T09:35:06.5+05:30"), ("UTC", 1_000_000_000_000_000, "2016-01-19T04:05:06.5Z"),
        ] as [(String, Int64, String)])
    func timesMoveToAnotherZone(_ zone: String, _ micros: Int64, _ zoned: String) throws {
        let row = try Self.values(Self.apply("TimezoneConverter", ["converted.timezone": zone]))[0]
        #expect(row.contains("\"at\":\(micros),\"zoned\":\"\(zoned)\""))
    }

    @Test(
        arguments: [
            (["include.list": "source:t:at"], true, false), (["include.list": "topic:p.public.t:after.zoned"], false, true),
            (["include.list": "source:other"], false, false), (["exclude.list": "source:t:at"], false, true), (["exclude.list": "source:t"], false, false),
            (["exclude.list": "other:x"], true, true),
        ] as [([String: String], Bool, Bool)])
    func rulesPickTimes(_ rules: [String: String], _ movesAt: Bool, _ movesZoned: Bool) throws {
        let row = try Self.values(Self.apply("TimezoneConverter", rules.merging(["converted.timezone": "+01:00"]) { $1 }))[0]
        #expect(row.contains("\"at\":1000000000000000") != movesAt && row.contains("04:05:06.5Z") != movesZoned)
    }

    // MARK: Schemas

    @Test func schemaChangesAreFilteredByTheirKind() throws {
        let change = Schema.struct([.init("type", Schema(.string))])
        let schema = Schema.struct([.init("tableChanges", .array(change, optional: true))], name: "io.debezium.connector.x.SchemaChangeValue")
        let batch = Self.batch(
            [.struct([.array([.struct(["ALTER"])])]), .struct([.array([.struct(["CREATE"])])]), .struct([.array([])]), .struct([nil]), nil], schema)
        func kept(_ list: String) throws -> [Int] {
            try Self.apply("SchemaChangeEventFilter", ["schema.change.event.exclude.list": list], to: batch).flatMap { $0.origins ?? [0, 1, 2, 3, 4] }
        }
        #expect(try kept("ALTER") == [1, 2, 4] && kept("CREATE,DATABASE") == [0, 4])
        #expect(throws: ConnectorError.self) { try kept("NONE") }
    }

    @Test func sourceTypesAreDescribed() throws {
        let id = Schema(.int32, parameters: [.init("__debezium.source.column.name", "id"), .init("__debezium.source.column.type", "INT4")])
        let row = Schema.struct([.init("id", id)], optional: true)
        let schema = Schema.struct([.init("before", row), .init("after", row), .init("source", Self.source), .init("op", Schema(.string))], name: "x.Envelope")
        let source = Value.struct(["db", "t", nil])
        let batch = Self.batch([.struct([nil, .struct([.integer(1)]), source, "c"]), .struct([nil, nil, source, "t"])], schema)
        let rows = try Self.values(Self.apply("ExtractSchemaToNewRecord", to: batch))
        #expect(
            rows[0].hasSuffix(
                ",\"sourceSchema\":{\"id\":\"t\",\"table\":{\"columns\":[{\"name\":\"id\",\"typeName\":\"INT4\",\"length\":null,\"scale\":null,\"comment\":null}]}}}"
            ))
        #expect(!rows[1].contains("sourceSchema"), "a truncate stays as it is")
        #expect(throws: ConnectorError.self) { try Self.apply("ExtractSchemaToNewRecord") }
    }

    @Test func vectorsBecomeJSON() throws {
        let schema = Schema.struct([
            .init("v", Schema(.array, name: "io.debezium.data.FloatVector", version: 1, element: Schema(.float32))),
            .init(
                "s",
                Schema(
                    .struct, optional: true, name: "io.debezium.data.SparseDoubleVector", version: 1,
                    fields: [.init("dimensions", Schema(.int16)), .init("vector", .map(Schema(.int16), Schema(.float64)))])),
        ])
        let batch = Self.batch(
            [
                .struct([
                    .array([.float(1), .float(2.5)]),
                    .struct([.integer(25), .map([.init(.integer(5), .double(0.5)), .init(.integer(1), .double(1))])]),
                ]), .struct([.array([]), nil]),
            ], schema)
        let out = try Self.apply("VectorToJsonConverter", to: batch)
        #expect(
            try Self.values(out) == [
                "{\"v\":\"{ \\\"values\\\": [1.0, 2.5] }\",\"s\":\"{ \\\"dimensions\\\": 25, \\\"vector\\\": { \\\"1\\\": 1.0, \\\"5\\\": 0.5 } }\"}",
                "{\"v\":\"{ \\\"values\\\": [] }\",\"s\":null}",
            ])
        #expect(out[0].batch.value?.schema.fields.map(\.schema.name) == [LogicalName.json, LogicalName.json])
    }

    // MARK: Laws

    private static let everyChain: [[(type: String, settings: [String: String])]] = [
        [changed, ("HeaderToValue", ["headers": "Changed,Unchanged", "fields": "a,source.b", "operation": "move"])],
        [changed, ("ExtractNewRecordState", ["drop.fields.header.name": "Changed", "drop.fields.keep.schema.compatible": "false"])],
        [("ExtractNewRecordState", ["delete.tombstone.handling.mode": "delete-to-tombstone", "route.by.field": "name", "add.headers": "op,source.db"])],
        [("PartitionRouting", ["partition.payload.fields": "change.name", "partition.topic.num": "3"])],
        [("TimezoneConverter", ["converted.timezone": "Asia/Kolkata", "exclude.list": "t:at"])],
        [
            (
                "EventRouter",
                ["table.field.event.key": "id", "table.field.event.payload": "zoned", "route.by.field": "name", "table.expand.json.payload": "true"]
            )
        ],
    ]

    @Test func cutsCarryNoMeaning() throws {
        var random = SeededGenerator.printed()
        for round in 0..<60 {
            let steps = Self.everyChain[round % Self.everyChain.count]
            let json: Value = Bool.random(using: &random) ? "{\"a\":1}" : "[1,2]"
            let values = (0..<Int.random(in: 1...12, using: &random)).map { _ -> Value in
                let name: Value = ["a", "b", "c"].randomElement(using: &random)!
                let zoned: Value = steps[0].type == "EventRouter" ? json : "2016-01-19T04:05:06.5Z"
                switch Int.random(in: 0..<5, using: &random) {
                case 0: return Self.event("u", before: Self.member(1, "a", zoned), after: Self.member(1, name, zoned))
                case 1: return Self.event("d", before: Self.member(1, name, zoned))
                case 2: return nil
                default: return Self.event("c", after: Self.member(Int64.random(in: 0..<3, using: &random), name, zoned))
                }
            }
            let chain = try Self.chain(steps), batch = Self.batch(values)
            let whole = try Self.byPlace(chain.apply(batch))
            var parts: [TransformedBatch] = [], start = 0
            while start < values.count {
                let end = Int.random(in: start + 1...values.count, using: &random)
                parts += try chain.apply(batch.slice(start..<end))
                start = end
            }
            #expect(try Self.byPlace(parts) == whole, "\(steps.map(\.type)) of \(values.count) rows")
        }
    }

    /// Everything a reader of a topic partition sees, in order.
    private static func byPlace(_ batches: [TransformedBatch]) throws -> [String: [String]] {
        var out: [String: [String]] = [:]
        for part in batches {
            let keys = try Converters.make(Rendering.Converter("JsonConverter"), isKey: true)
                .render(part.batch.key, count: part.batch.count, nullSchemaRows: nil, topic: part.batch.topic)
            let values = try values([part], schemas: true), headers = try headers([part])
            for row in 0..<part.batch.count {
                let key = keys.bytes(row).map { String(decoding: $0, as: UTF8.self) } ?? "-"
                out["\(part.batch.topic)-\(part.batch.partition ?? -1)", default: []].append(
                    "\(key) \(values[row]) \(headers[row]) \(part.batch.timestamps[row])")
            }
        }
        return out
    }
}
