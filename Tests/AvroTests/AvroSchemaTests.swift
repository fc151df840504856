import ConnectAPI
import JSON
import Testing

@testable import Avro

/// Schemas one way and the other, as Confluent's AvroData maps them.
@Suite struct AvroSchemaTests {
    private func json(_ schema: Schema, _ change: (inout AvroOptions) -> Void = { _ in }) -> String {
        var options = AvroOptions()
        change(&options)
        return AvroSchema.json(schema, options).compactText
    }

    private func connect(_ json: String, _ change: (inout AvroOptions) -> Void = { _ in }, version: Int? = nil) throws -> Schema {
        var options = AvroOptions()
        change(&options)
        return try AvroType.parse(json.utf8).connectSchema(options, version: version)
    }

    private func refusal(_ body: () throws -> Void) -> ConnectorError? {
        do { try body() } catch { return error as? ConnectorError }
        return nil
    }

    @Test func plainAndOptionalTypes() {
        #expect(json(Schema(.int64)) == #""long""#)
        #expect(json(Schema(.string, optional: true)) == #"["null","string"]"#)
        #expect(json(Schema(.string, optional: true, default: "x")) == #"[{"type":"string","connect.default":"x"},"null"]"#)
        #expect(json(Schema(.int8)) == #"{"type":"int","connect.type":"int8"}"#)
        #expect(json(Schema(.int8)) { $0.connectMetadata = false } == #""int""#)
        #expect(json(Schema(.float32, default: .float(0.1))) == #"{"type":"float","connect.default":0.1}"#)
        #expect(json(Schema(.bytes, default: .bytes([0, 255]))) == "{\"type\":\"bytes\",\"connect.default\":\"\\u0000ÿ\"}")
    }

    @Test func logicalTypesStandBesideConnectsNames() throws {
        let date = Schema(.int32, name: LogicalName.connectDate, version: 1)
        #expect(json(date) == #"{"type":"int","connect.version":1,"connect.name":"org.apache.kafka.connect.data.Date","logicalType":"date"}"#)
        #expect(try connect(#"{"type":"int","logicalType":"date"}"#) == date)
        #expect(try connect(#"{"type":"long","logicalType":"timestamp-millis"}"#).name == LogicalName.connectTimestamp)
        // Types Connect does not know keep their base.
        #expect(try connect(#"{"type":"long","logicalType":"timestamp-micros"}"#) == Schema(.int64))
        let decimal = try connect(#"{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}"#)
        #expect(decimal.name == LogicalName.decimal && decimal.version == 1)
        #expect(decimal.parameters == [.init("scale", "2"), .init("connect.decimal.precision", "10")])
        let fixed = try connect(#"{"type":"fixed","name":"a.Money","size":4,"logicalType":"decimal","precision":9,"scale":2}"#)
        #expect(fixed.name == LogicalName.decimal && fixed.parameter("connect.fixed.size") == "4")
    }

    @Test func mapsOfOtherKeysAreArraysOfEntries() throws {
        let map = Schema.map(Schema(.int32), Schema(.string, optional: true))
        let text =
            #"{"type":"array","items":{"type":"record","name":"MapEntry","namespace":"io.confluent.connect.avro","fields":[{"name":"key","type":"int"},{"name":"value","type":["null","string"],"default":null}]}}"#
        #expect(json(map) == text)
        #expect(try connect(text) == map)
        let strings = Schema.map(Schema(.string, optional: true), Schema(.int64))
        #expect(json(strings).hasPrefix(#"{"type":"array""#) && json(strings, { $0.allowsOptionalMapKeys = true }) == #"{"type":"map","values":"long"}"#)
        // Two kinds of entries in one schema have names of their own, and are known again.
        let two = Schema.struct([.init("a", map), .init("b", Schema.map(Schema(.int64), Schema(.int64)))], name: "s.Two")
        #expect(try connect(json(two)) == two)
    }

    @Test func namespacesAreInheritedAndEnded() throws {
        let inner = Schema.struct([.init("x", Schema(.int32))], name: "Bare")
        let outer = Schema.struct([.init("a", inner), .init("b", inner.with(optional: true))], name: "s.Outer")
        let text = json(outer)
        #expect(text.contains(#""name":"Bare","namespace":"""#))
        #expect(try connect(text) == outer)
        #expect(
            try connect(
                #"{"type":"record","name":"O","namespace":"s","fields":[{"name":"a","type":{"type":"record","name":"I","fields":[]}},{"name":"b","type":"I"}]}"#
            ).fields[1].schema.name == "s.I")
    }

    @Test func structsOfOneNameThatDifferAreBothKept() throws {
        let one = Schema.struct([.init("x", Schema(.int32))], name: "s.R"), other = Schema.struct([.init("y", Schema(.string))], name: "s.R")
        let both = Schema.struct([.init("a", one), .init("b", other)], name: "s.Both")
        #expect(try connect(json(both)) == both)
        let unnamed = Schema.struct([
            .init("a", Schema.struct([.init("x", Schema(.int32))])), .init("b", Schema.struct([.init("x", Schema(.int32))], optional: true)),
        ])
        #expect(json(unnamed).components(of: #""name":"ConnectDefault2""#) == 1)
        #expect(try connect(json(unnamed)) == unnamed)
    }

    @Test func enumsAreTextsUnlessSupportIsEnhanced() throws {
        let text = #"{"type":"enum","name":"Suit","namespace":"cards","doc":"of a card","symbols":["HEARTS","SPADES"],"default":"SPADES"}"#
        let schema = try connect(text)
        #expect(schema.type == .string && schema.name == "cards.Suit")
        #expect(
            schema.parameters == [
                .init("io.confluent.connect.avro.enum.doc.Suit", "of a card"), .init("io.confluent.connect.avro.enum.default.Suit", "SPADES"),
                .init("io.confluent.connect.avro.Enum", "cards.Suit"), .init("io.confluent.connect.avro.Enum.HEARTS", "HEARTS"),
                .init("io.confluent.connect.avro.Enum.SPADES", "SPADES"),
            ])
        #expect(json(schema).contains(#""type":"string""#))
        let again = json(schema) { $0.isEnhanced = true }
        #expect(again.hasPrefix(#"{"type":"enum","name":"Suit","namespace":"cards","doc":"of a card","symbols":["HEARTS","SPADES"],"default":"SPADES""#))
        #expect(try connect(again) == schema)
        let type = try AvroType.parse(again.utf8)
        var out = AvroBytes()
        try AvroRows(Column(schema, ["SPADES"]), type).write(0, to: &out)
        #expect(out.bytes == [2])
        #expect(refusal { try AvroRows(Column(schema, ["CLUBS"]), type).write(0, to: &out) }?.code == "avro.enum_symbol")
    }

    @Test func docsAndDefaultsOfAvroSurvive() throws {
        let text =
            #"{"type":"record","name":"R","namespace":"n","doc":"a record","fields":[{"name":"a","type":"string","doc":"an a","default":"x"},{"name":"b","type":["null","int"],"default":null}]}"#
        let schema = try connect(text)
        #expect(schema.parameter("io.confluent.connect.avro.record.doc") == "a record" && schema.parameter("io.confluent.connect.avro.field.doc.a") == "an a")
        #expect(schema.fields[0].schema.defaultValue == "x" && schema.fields[0].schema.parameter("io.confluent.connect.avro.field.default") == "true")
        let again = json(schema)
        #expect(again.contains(#""doc":"a record""#) && again.contains(#""doc":"an a","default":"x""#) && !again.contains("field.default"))
        #expect(try connect(again).fields[1] == schema.fields[1])
        #expect(try connect(text, { $0.connectMetadata = false }).parameters.isEmpty)
    }

    @Test func unionsAreStructsOfTheirBranches() throws {
        let text = #"["null","int",{"type":"record","name":"a.P","fields":[{"name":"x","type":"int"}]},{"type":"record","name":"b.Q","fields":[]}]"#
        let schema = try connect(text)
        #expect(schema.name == "io.confluent.connect.avro.Union" && schema.isOptional && schema.fields.map(\.name) == ["int", "P", "Q"])
        #expect(try connect(text, { $0.isEnhanced = true }).fields.map(\.name) == ["int", "a.P", "b.Q"])
        let type = try AvroType.parse(text.utf8)
        let values: [Value] = [.struct([7, .null, .null]), .null, .struct([.null, .struct([9]), .null])]
        let column = Column(schema, values), rows = try AvroRows(column, type)
        let reader = try AvroReader(type, schema)
        var all: [[UInt8]] = []
        for row in 0..<3 {
            var out = AvroBytes()
            try rows.write(row, to: &out)
            all.append(out.bytes)
            try out.bytes.withUnsafeBytes { try reader.read($0, 0..<$0.count) }
        }
        #expect(all == [[2, 14], [0], [4, 18]])
        let read = try reader.finish()
        #expect((0..<3).map { read[$0] } == values)
        #expect(try connect(json(schema)).fields.map(\.name) == schema.fields.map(\.name))
        #expect(
            refusal { _ = try connect(#"["null",{"type":"record","name":"a.P","fields":[]},{"type":"record","name":"b.P","fields":[]}]"#) }?.code
                == "avro.schema_unsupported")
    }

    @Test func versionsComeFromTheSchemaThenFromTheRegistry() throws {
        let text = #"{"type":"record","name":"R","fields":[{"name":"x","type":"int"}]}"#
        #expect(try connect(text, version: 3).version == 3 && connect(text, version: 3).fields[0].schema.version == nil)
        #expect(try connect(#"{"type":"record","name":"R","fields":[],"connect.version":7}"#, version: 3).version == 7)
    }

    @Test func namesThatAvroDoesNotHaveAreRefusedOrScrubbed() throws {
        let schema = Schema.struct([.init("id", Schema(.int32)), .init("first name", Schema(.string))], name: "my-server.inventory.Key")
        let error = refusal { _ = try AvroType.parse(AvroSchema.json(schema), validating: true) }
        #expect(error?.code == "avro.name_invalid" && error?.hint?.contains("field.name.adjustment.mode") == true)
        let scrubbed = json(schema) { $0.scrubsInvalidNames = true }
        #expect(scrubbed.hasPrefix(#"{"type":"record","name":"Key","namespace":"my_server.inventory""#) && scrubbed.contains(#""name":"first_name""#))
        var options = AvroOptions()
        options.scrubsInvalidNames = true
        var out = AvroBytes()
        try AvroRows(Column(schema, [.struct([1, "a"])]), AvroType.parse(scrubbed.utf8, validating: true), options).write(0, to: &out)
        #expect(out.bytes == [2, 2, 97])
    }

    @Test func anotherSchemaOfTheSubjectIsMetByName() throws {
        let schema = Schema.struct([.init("a", Schema(.int32)), .init("b", Schema(.string, optional: true))], name: "R")
        let latest = try AvroType.parse(
            #"{"type":"record","name":"R","fields":[{"name":"b","type":["null","string"]},{"name":"c","type":"int","default":5},{"name":"a","type":["null","long"]}]}"#
                .utf8)
        var out = AvroBytes()
        try AvroRows(Column(schema, [.struct([1, "x"])]), latest).write(0, to: &out)
        #expect(out.bytes == [2, 2, 120, 10, 2, 2])
        let lacking = try AvroType.parse(#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}"#.utf8)
        #expect(refusal { _ = try AvroRows(Column(schema, [.struct([1, "x"])]), lacking) }?.message == "The Avro schema R has no field b")
        let other = try AvroType.parse(#"{"type":"record","name":"R","fields":[{"name":"a","type":"string"},{"name":"b","type":"string"}]}"#.utf8)
        #expect(refusal { _ = try AvroRows(Column(schema, [.struct([1, "x"])]), other) }?.message.hasPrefix("The field a is INT32") == true)
    }

    @Test func whatAColumnCannotHoldIsSaid() {
        for (text, code) in [
            (#"{"type":"record","name":"Node","fields":[{"name":"next","type":["null","Node"]}]}"#, "avro.schema_invalid"),
            (#"{"type":"record","name":"R","fields":[{"name":"x","type":"Missing"}]}"#, "avro.schema_invalid"), (#"{"type":"array"}"#, "avro.schema_invalid"),
            ("{", "avro.schema_invalid"), (#""null""#, "avro.schema_unsupported"),
        ] {
            #expect(refusal { _ = try connect(text) }?.code == code, "\(text)")
        }
        // Types that double with every level are counted, not built.
        var levels = #"{"type":"record","name":"L0","fields":[{"name":"x","type":"int"}]}"#
        for level in 1...40 {
            levels = #"{"type":"record","name":"L\#(level)","fields":[{"name":"a","type":\#(levels)},{"name":"b","type":"L\#(level - 1)"}]}"#
        }
        #expect(refusal { _ = try connect(levels) }?.code == "avro.schema_invalid")
        // Items without bytes are counted, not made.
        let type = try! AvroType.parse(#"{"type":"array","items":{"type":"record","name":"E","fields":[]}}"#.utf8)
        let bytes: [UInt8] = [0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0x01, 0]
        #expect(refusal { try bytes.withUnsafeBytes { try AvroReader(type, type.connectSchema()).read($0, 0..<$0.count) } }?.code == "avro.data_invalid")
    }

    @Test func decimalsOfAnySizeComeBack() throws {
        let schema = try connect(#"{"type":"bytes","logicalType":"decimal","precision":60,"scale":0}"#), type = try AvroType.parse(AvroSchema.json(schema))
        let values: [Value] = [.bytes([0]), .bytes([0x80]), .bytes([1] + Array(repeating: 7, count: 20)), .bytes([0xFF])]
        for column in [Column(schema, values), Column(schema, Array(values.reversed()))] {
            let rows = try AvroRows(column, type), reader = try AvroReader(type, schema)
            for row in 0..<4 {
                var out = AvroBytes()
                try rows.write(row, to: &out)
                try out.bytes.withUnsafeBytes { try reader.read($0, 0..<$0.count) }
            }
            let read = try reader.finish()
            #expect((0..<4).map { read[$0] } == (0..<4).map { column[$0] })
        }
        let small = try connect(#"{"type":"fixed","name":"M","size":3,"logicalType":"decimal","precision":6,"scale":0}"#)
        let fixed = try AvroType.parse(#"{"type":"fixed","name":"M","size":3}"#.utf8)
        var out = AvroBytes()
        try AvroRows(Column(small, [.bytes([0xFE])]), fixed).write(0, to: &out)
        #expect(out.bytes == [0xFF, 0xFF, 0xFE])
        #expect(refusal { try AvroRows(Column(small, [.bytes([1, 2, 3, 4])]), fixed).write(0, to: &out) }?.code == "avro.fixed_size")
    }
}

extension String {
    fileprivate func components(of part: String) -> Int { split(separator: part, omittingEmptySubsequences: false).count - 1 }
}
