import ConnectAPI
@testable import ConnectRuntime
import JSON
import TestSupport
import Testing

/// What each transform makes of one record, as Kafka Connect documents it; and that cuts of batches carry no meaning.
@Suite struct TransformsKafkaTests {
    static let nested = Schema.struct([.init("a", Schema(.int32)), .init("b", Schema(.string, optional: true))], optional: true, name: "N")
    static let schema = Schema.struct(
        [
            .init("id", Schema(.int32)), .init("name", Schema(.string, optional: true)), .init("n", nested),
            .init("amount", Schema(.bytes, name: LogicalName.decimal, version: 1, parameters: [.init("scale", "2")])),
            .init("at", Schema(.int64, optional: true, name: LogicalName.connectTimestamp, version: 1)), .init("ok", Schema(.boolean)),
            .init("ratio", Schema(.float64)), .init("tag", Schema(.string, optional: true, default: "none")),
        ], name: "R", version: 3)

    /// 1709205255123 is 2024-02-29T11:14:15.123Z.
    static let rows: [Value] = [
        .struct([1, "one", .struct([10, "x"]), .bytes([0x04, 0xD2]), .integer(1_709_205_255_123), true, .double(1.5), nil]),
        .struct([300, nil, nil, .bytes([0xFF]), nil, false, .double(-2.75), "t"]),
    ]

    static func batch(_ rows: [Value] = rows, tombstones: Bitmap? = nil, topic: String = "topic") -> TransformedBatch {
        let key = Column(
            .struct([.init("id", Schema(.int32))]),
            rows.map { row in if case .struct(let m) = row { .struct([m[0]]) } else { .struct([7]) } })
        return TransformedBatch(
            RecordBatch(
                topic: topic, count: rows.count, key: key, value: Column(schema, rows), tombstones: tombstones,
                timestamps: Column(RecordBatch.timestampSchema, rows.indices.map { .integer(1_709_205_255_123 + Int64($0) * 86_400_000) }),
                headers: [HeaderColumn("h", .constant("v", Schema(.string), count: rows.count))]),
            partition: TopicPartition(topic, 4), firstOffset: 100)
    }

    static func chain(_ type: String, _ settings: [String: String], predicate: [String: String] = [:]) throws -> TransformChain {
        var values = ["transforms": "t", "transforms.t.type": "org.apache.kafka.connect.transforms.\(type)"]
        for (key, value) in settings { values["transforms.t.\(key)"] = value }
        for (key, value) in predicate { values[key] = value }
        return try TransformChain(values, plugins: TransformsUnwrapTests.plugins)
    }

    static func value(_ batch: TransformedBatch) throws -> [String] { try text(batch.batch.value, batch.batch) }
    static func key(_ batch: TransformedBatch) throws -> [String] { try text(batch.batch.key, batch.batch) }
    private static func text(_ column: Column?, _ batch: RecordBatch) throws -> [String] {
        let json = try Converters.make(
            Rendering.Converter("JsonConverter", ["schemas.enable": "false", "decimal.format": "numeric"]), isKey: false)
        let rows = try json.render(column, count: batch.count, nullSchemaRows: batch.tombstones, topic: batch.topic)
        return (0..<batch.count).map { rows.bytes($0).map { String(decoding: $0, as: UTF8.self) } ?? "-" }
    }

    static let first =
        "\"id\":1,\"name\":\"one\",\"n\":{\"a\":10,\"b\":\"x\"},\"amount\":12.34,\"at\":1709205255123,\"ok\":true,\"ratio\":1.5,\"tag\":\"none\""

    @Test(
        arguments: [
            (
                "InsertField$Value",
                [
                    "static.field": "s", "static.value": "v", "topic.field": "t!", "partition.field": "p", "offset.field": "o",
                    "timestamp.field": "ts",
                ],
                "{\(first),\"t\":\"topic\",\"p\":4,\"o\":100,\"ts\":1709205255123,\"s\":\"v\"}"
            ),
            ("ReplaceField$Value", ["include": "id,name,ok", "exclude": "ok", "renames": "name:label"], "{\"id\":1,\"label\":\"one\"}"),
            ("ReplaceField$Value", ["blacklist": "n,amount,at,ok,ratio,tag"], "{\"id\":1,\"name\":\"one\"}"),
            (
                "MaskField$Value", ["fields": "id,name,amount,at,ok,ratio"],
                "{\"id\":0,\"name\":\"\",\"n\":{\"a\":10,\"b\":\"x\"},\"amount\":0.00,\"at\":0,\"ok\":false,\"ratio\":0.0,\"tag\":\"none\"}"
            ),
            (
                "MaskField$Value", ["fields": "id,name", "replacement": "9"],
                "{\"id\":9,\"name\":\"9\",\"n\":{\"a\":10,\"b\":\"x\"},\"amount\":12.34,\"at\":1709205255123,\"ok\":true,\"ratio\":1.5,\"tag\":\"none\"}"
            ),
            ("HoistField$Value", ["field": "all"], "{\"all\":{\(first)}}"),
            ("ExtractField$Value", ["field": "name"], "\"one\""),
            ("ExtractField$Value", ["field": "n.b", "field.syntax.version": "V2"], "\"x\""),
            (
                "Flatten$Value", ["delimiter": "_"],
                "{\"id\":1,\"name\":\"one\",\"n_a\":10,\"n_b\":\"x\",\"amount\":12.34,\"at\":1709205255123,\"ok\":true,\"ratio\":1.5,\"tag\":\"none\"}"
            ),
            (
                "Cast$Value", ["spec": "id:int8,name:string,amount:string,at:string,ok:int32,ratio:int64,tag:boolean"],
                "{\"id\":1,\"name\":\"one\",\"n\":{\"a\":10,\"b\":\"x\"},\"amount\":\"12.34\",\"at\":\"2024-02-29T11:14:15.123Z\",\"ok\":1,\"ratio\":1,\"tag\":false}"
            ),
            (
                "TimestampConverter$Value", ["field": "at", "target.type": "string", "format": "yyyy-MM-dd'T'HH:mm:ss.SSSX"],
                "{\(first.replacing("1709205255123", with: "\"2024-02-29T11:14:15.123Z\""))}"
            ),
            (
                "TimestampConverter$Value", ["field": "at", "target.type": "unix", "unix.precision": "seconds"],
                "{\(first.replacing("1709205255123", with: "1709205255"))}"
            ),
            ("TimestampConverter$Value", ["field": "at", "target.type": "Date"], "{\(first.replacing("1709205255123", with: "19782"))}"),
            (
                "TimestampConverter$Value", ["field": "at", "target.type": "Time"],
                "{\(first.replacing("1709205255123", with: "40455123"))}"
            ),
            ("SetSchemaMetadata$Value", ["schema.name": "X", "schema.version": "9"], "{\(first)}"),
        ] as [(String, [String: String], String)])
    func valuesBecomeWhatKafkaMakesOfThem(_ type: String, _ settings: [String: String], _ expected: String) throws {
        #expect(try Self.value(Self.chain(type, settings).apply(Self.batch())[0])[0] == expected)
    }

    @Test func castsFollowJavasNarrowing() throws {
        let cast = try Self.chain("Cast$Value", ["spec": "id:int8,ratio:int8,ok:string,amount:float64"]).apply(Self.batch())[0]
        let row = try Self.value(cast)[1]
        #expect(
            row.hasPrefix("{\"id\":44,") && row.contains("\"ratio\":-2,") && row.contains("\"ok\":\"false\"")
                && row.contains("\"amount\":-0.01,"))
        #expect(cast.batch.value?.schema.fields[0].schema == Schema(.int8) && cast.batch.value?.schema.name == "R")
        let schema = try #require(cast.batch.value?.schema.fields[3].schema)
        #expect(schema == Schema(.float64), "semantic name and parameters are gone")
        #expect(throws: ConnectorError.self) { try Self.chain("Cast$Value", ["spec": "name:int32"]).apply(Self.batch()) }
        let error = #expect(throws: ConnectorError.self) { try Self.chain("Cast$Value", ["spec": "id:int9"]) }
        #expect(error?.message.contains("Invalid type found in casting spec: int9") == true)
    }

    @Test func flattenedMembersOfAnOptionalStructAreOptional() throws {
        let flat = try Self.chain("Flatten$Value", [:]).apply(Self.batch())[0]
        let schema = try #require(flat.batch.value?.schema)
        #expect(schema.fields.map(\.name) == ["id", "name", "n.a", "n.b", "amount", "at", "ok", "ratio", "tag"])
        #expect(schema.fields[2].schema.isOptional && !schema.fields[0].schema.isOptional && schema.name == "R" && schema.version == 3)
        #expect(try Self.value(flat)[1].contains("\"n.a\":null,\"n.b\":null"))
    }

    @Test func valueToKeyTakesMembersOfTheValue() throws {
        #expect(
            try Self.key(Self.chain("ValueToKey", ["fields": "id,tag"]).apply(Self.batch())[0]) == [
                "{\"id\":1,\"tag\":\"none\"}", "{\"id\":300,\"tag\":\"t\"}",
            ])
        #expect(throws: ConnectorError.self) { try Self.chain("ValueToKey", ["fields": "nope"]).apply(Self.batch()) }
    }

    @Test(
        arguments: [
            ("ValueToKey", ["fields": "id"], "copying fields from value to key"), ("MaskField$Value", ["fields": "id"], "mask fields"),
            ("HeaderFrom$Value", ["fields": "id", "headers": "x", "operation": "copy"], "header operation"),
        ] as [(String, [String: String], String)])
    func someTransformsRefuseTombstonesInKafkasWordsUnlessAPredicateGuardsThem(
        _ type: String, _ settings: [String: String], _ purpose: String
    ) throws {
        let batch = Self.batch([Self.rows[0], .null, Self.rows[1]], tombstones: Bitmap([false, true, false]))
        let error = #expect(throws: ConnectorError.self) { try Self.chain(type, settings).apply(batch) }
        #expect(error?.message.hasSuffix("Only Map objects supported in absence of schema for [\(purpose)], found: null") == true)
        var guarded = settings
        guarded["predicate"] = "p"
        guarded["negate"] = "true"
        let chain = try Self.chain(
            type, guarded,
            predicate: ["predicates": "p", "predicates.p.type": "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone"])
        let out = try chain.apply(batch)
        #expect(out.map(\.batch.count) == [1, 1, 1] && out.map { $0.origins ?? [] } == [[0], [1], [2]])
        #expect(out[1].batch.isTombstone(0))
        #expect(try Self.value(out[1]) == ["-"])
    }

    @Test func nullsWithASchemaKeepTheirSchema() throws {
        let optional = Self.schema.with(optional: true)
        var batch = Self.batch()
        batch.batch.value = Column(optional, [Self.rows[0], .null])
        let out = try Self.chain("ReplaceField$Value", ["include": "id"]).apply(batch)
        #expect(try out.map { try Self.value($0) } == [["{\"id\":1}"], ["null"]])
        #expect(out[1].batch.value?.schema == optional && out[0].batch.value?.schema.isOptional == false)
    }

    @Test func topicsAreRouted() throws {
        #expect(try Self.chain("RegexRouter", ["regex": "to(.*)", "replacement": "x-$1"]).apply(Self.batch())[0].batch.topic == "x-pic")
        #expect(try Self.chain("RegexRouter", ["regex": "to", "replacement": "x"]).apply(Self.batch())[0].batch.topic == "topic")
        let byDay = try Self.chain("TimestampRouter", ["topic.format": "${topic}.${timestamp}", "timestamp.format": "yyyy-MM"]).apply(
            Self.batch())
        #expect(byDay.map(\.batch.topic) == ["topic.2024-02", "topic.2024-03"] && byDay.map { $0.origins ?? [] } == [[0], [1]])
    }

    @Test func headersAreInsertedDroppedAndTakenFromMembers() throws {
        #expect(try Self.chain("DropHeaders", ["headers": "h"]).apply(Self.batch())[0].batch.headers.isEmpty)
        let moved = try Self.chain("HeaderFrom$Value", ["fields": "id,tag", "headers": "a,b", "operation": "move"]).apply(Self.batch())[0]
            .batch
        #expect(moved.headers.map(\.name) == ["h", "a", "b"] && moved.headers[1].values[1] == 300 && moved.headers[2].values[0] == "none")
        #expect(moved.value?.child("id") == nil && moved.value?.child("name") != nil)
        for (literal, type, value) in [
            ("12", SchemaType.int8, Value.integer(12)), ("300", .int16, .integer(300)), ("70000", .int32, .integer(70000)),
            ("5000000000", .int64, .integer(5_000_000_000)),
            ("true", .boolean, .boolean(true)), ("1.5", .float32, .float(1.5)), ("3.141592653589793", .float64, .double(.pi)),
            ("text", .string, "text"),
            ("2024-02-29", .int32, .integer(19782)), ("[1,2]", .array, .array([1, 2])), ("{\"a\":1}", .map, .map([.init("a", 1)])),
        ] {
            let header = try Self.chain("InsertHeader", ["header": "x", "value.literal": literal]).apply(Self.batch())[0].batch.headers[1]
            #expect(header.values.schema.type == type && header.values[1] == value, "\(literal)")
        }
    }

    @Test func predicatesPickRows() throws {
        var batch = Self.batch([Self.rows[0], Self.rows[1], Self.rows[0]])
        batch.batch.headers = [HeaderColumn("x", .constant("v", Schema(.string), count: 3), present: Bitmap([false, true, false]))]
        let byHeader = [
            "predicates": "p", "predicates.p.type": "org.apache.kafka.connect.transforms.predicates.HasHeaderKey", "predicates.p.name": "x",
        ]
        let kept = try Self.chain("Filter", ["predicate": "p", "negate": "true"], predicate: byHeader).apply(batch)
        #expect(kept.map { $0.origins ?? [] } == [[1]])
        #expect(try Self.chain("Filter", ["predicate": "p"], predicate: byHeader).apply(batch).flatMap { $0.origins ?? [] } == [0, 2])
        let byTopic = [
            "predicates": "p", "predicates.p.type": "org.apache.kafka.connect.transforms.predicates.TopicNameMatches",
            "predicates.p.pattern": "to.*",
        ]
        #expect(try Self.chain("Filter", ["predicate": "p"], predicate: byTopic).apply(batch).isEmpty)
        #expect(throws: ConnectorError.self) { try Self.chain("Filter", ["predicate": "q"], predicate: byTopic) }
    }

    @Test func logicalTablesShareATopic() throws {
        let recorded = try DebeziumRecording("default").topics["default.golden.customers"]!
        let values = [
            "transforms": "t", "transforms.t.type": "io.debezium.transforms.ByLogicalTableRouter",
            "transforms.t.topic.regex": "(.*)customers(.*)",
            "transforms.t.topic.replacement": "$1all", "transforms.t.key.field.regex": "(.*)\\.golden\\.(.*)",
            "transforms.t.key.field.replacement": "$2",
        ]
        let chain = try TransformChain(values, plugins: TransformsUnwrapTests.plugins)
        let out = try DebeziumRecording.batches(recorded).flatMap { try chain.apply(TransformedBatch($0)) }
        #expect(out.allSatisfy { $0.batch.topic == "default.golden.all" && $0.batch.key?.schema.name == "default.golden.all.Key" })
        #expect(try Self.key(out[0])[0] == "{\"id\":1001,\"__dbz__physicalTableIdentifier\":\"customers\"}")
        #expect(
            out[0].batch.value?.schema.name == "default.golden.all.Envelope"
                && out[0].batch.value?.child("after")?.schema.name == "default.golden.all.Value")
    }

    @Test func resultsDoNotDependOnCuts() throws {
        var random = SeededGenerator(seed: UInt64.random(in: 0 ... .max))
        print("resultsDoNotDependOnCuts: seed \(random.seed)")
        let transforms: [(String, [String: String])] = [
            ("InsertField$Value", ["static.field": "s", "static.value": "v", "offset.field": "o"]),
            ("Cast$Value", ["spec": "id:string,ratio:int32"]),
            ("Flatten$Value", [:]), ("ReplaceField$Value", ["exclude": "n", "renames": "id:key"]),
            ("ExtractField$Value", ["field": "name"]),
            ("TimestampConverter$Value", ["field": "at", "target.type": "unix"]), ("TimestampRouter", ["timestamp.format": "dd"]),
            ("HoistField$Value", ["field": "x"]),
        ]
        for (type, settings) in transforms {
            let chain = try Self.chain(type, settings)
            for _ in 0..<5 {
                let count = Int.random(in: 1...40, using: &random)
                let tombstones = Bitmap((0..<count).map { _ in Int.random(in: 0..<5, using: &random) == 0 })
                let batch = Self.batch(
                    (0..<count).map { tombstones[$0] ? .null : Self.rows.randomElement(using: &random)! }, tombstones: tombstones)
                func run(_ parts: [TransformedBatch]) throws -> [String] {
                    try parts.flatMap { try chain.apply($0) }.flatMap { part in
                        zip(try Self.value(part), (0..<part.batch.count).map { part.origins?[$0] ?? $0 }).map {
                            "\($1) \(part.batch.topic) \($0)"
                        }
                    }.sorted()
                }
                let cut = Int.random(in: 0...count, using: &random)
                let parts = [0..<cut, cut..<count].filter { !$0.isEmpty }.map { range in
                    // Rows of a cut batch know where they come from.
                    TransformedBatch(
                        batch.batch.slice(range), origins: Array(range), partition: batch.partition, firstOffset: batch.firstOffset)
                }
                #expect(try run([batch]) == run(parts), "\(type), seed \(random.seed)")
            }
        }
    }
}

/// Records without a schema: maps, in Kafka's words.
@Suite struct TransformsSchemalessTests {
    private static func apply(_ type: String, _ settings: [String: String], _ texts: [String]) throws -> [String] {
        let converter = try Converters.make(Rendering.Converter("JsonConverter", ["schemas.enable": "false"]), isKey: false)
        var rows = VarBytes()
        for text in texts { rows.append(text.utf8) }
        let value = try converter.parse(RenderedRows(values: rows), topic: "t")
        let batch = TransformedBatch(
            RecordBatch(
                topic: "t", count: texts.count, key: nil, value: value, timestamps: .constant(.integer(7), RecordBatch.timestampSchema, count: texts.count)))
        return try TransformsKafkaTests.chain(type, settings).apply(batch).flatMap { part in
            let out = try converter.render(part.batch.value, count: part.batch.count, nullSchemaRows: part.batch.tombstones, topic: "t")
            return (0..<part.batch.count).map { out.bytes($0).map { String(decoding: $0, as: UTF8.self) } ?? "-" }
        }
    }
    private static let rows = ["{\"a\":1,\"m\":{\"x\":2}}", "{\"b\":\"t\"}", "{\"a\":null}"]

    @Test(
        arguments: [
            ("MaskField$Value", ["fields": "a,b"], ["{\"a\":0,\"m\":{\"x\":2}}", "{\"b\":\"\"}", "{\"a\":null}"]),
            ("Cast$Value", ["spec": "a:string"], ["{\"a\":\"1\",\"m\":{\"x\":2}}", "{\"b\":\"t\"}", "{\"a\":null}"]),
            ("ReplaceField$Value", ["exclude": "m", "renames": "a:z"], ["{\"z\":1}", "{\"b\":\"t\"}", "{\"z\":null}"]),
            ("ExtractField$Value", ["field": "a"], ["1", "null", "null"]), ("ExtractField$Value", ["field": "m"], ["{\"x\":2}", "null", "null"]),
            ("HoistField$Value", ["field": "h"], ["{\"h\":{\"a\":1,\"m\":{\"x\":2}}}", "{\"h\":{\"b\":\"t\"}}", "{\"h\":{\"a\":null}}"]),
            (
                "InsertField$Value", ["static.field": "s", "static.value": "v"],
                ["{\"a\":1,\"m\":{\"x\":2},\"s\":\"v\"}", "{\"b\":\"t\",\"s\":\"v\"}", "{\"a\":null,\"s\":\"v\"}"]
            ),
        ] as [(String, [String: String], [String])])
    func mapsKeepTheKeysTheyHave(_ type: String, _ settings: [String: String], _ expected: [String]) throws {
        #expect(try Self.apply(type, settings, Self.rows) == expected)
    }
}
