import ConnectAPI
@testable import ConnectRuntime
import Foundation
import JSON
import Testing

@Suite struct ConvertersTests {
    static func converter(_ name: String, _ settings: [String: String] = [:]) throws -> any Converter {
        try Converters.make(Rendering.Converter(name, settings), isKey: false)
    }

    static func texts(_ rows: RenderedRows) -> [String?] {
        (0..<rows.values.count).map { rows.bytes($0).map { String(decoding: $0, as: UTF8.self) } }
    }

    static func render(_ name: String, _ column: Column?, count: Int? = nil, nulls: Bitmap? = nil, _ settings: [String: String] = [:])
        throws -> [String?]
    {
        texts(try converter(name, settings).render(column, count: count ?? column?.count ?? 0, nullSchemaRows: nulls, topic: "t"))
    }

    @Test func nullWithASchemaIsAnEnvelopeAndWithoutOneIsNoBytes() throws {
        let schema = Schema(.int32, optional: true)
        let column = Column(schema, [1, .null, .null])
        let json = "{\"schema\":{\"type\":\"int32\",\"optional\":true},\"payload\":"
        #expect(try Self.render("JsonConverter", column, nulls: Bitmap([false, false, true])) == [json + "1}", json + "null}", nil])
        #expect(
            try Self.render("JsonConverter", column, nulls: Bitmap([false, false, true]), ["schemas.enable": "false"]) == [
                "1", "null", nil,
            ])
        #expect(try Self.render("JsonConverter", nil, count: 2) == [nil, nil])
    }

    @Test func aForbiddenNullIsRejectedWithItsRow() {
        let column = Column(.struct([.init("a", Schema(.int32))]), [.struct([1]), .struct([nil])])
        let error = #expect(throws: ConnectorError.self) { try Self.render("JsonConverter", column) }
        #expect(
            error?.message == "Conversion error: null value for field that is required and has no default value"
                && error?.disposition == .reject)
        #expect(error?.hint?.contains("Row 1") == true)
    }

    @Test func jsonIsReadBack() throws {
        let schema = Schema.struct([.init("a", Schema(.int32)), .init("b", Schema(.string, optional: true))], name: "N")
        let column = Column(schema, [.struct([1, "x"]), .struct([2, nil])])
        let converter = try Self.converter("org.apache.kafka.connect.json.JsonConverter")
        let back = try converter.parse(converter.render(column, count: 2, nullSchemaRows: nil, topic: "t"), topic: "t")
        #expect(back.schema == schema && (0..<2).allSatisfy { back[$0] == column[$0] })
        let error = #expect(throws: ConnectorError.self) {
            try converter.parse(RenderedRows(values: VarBytes(offsets: [0, 2], bytes: Array("{}".utf8))), topic: "t")
        }
        #expect(
            error?.message.hasPrefix(
                "JsonConverter with schemas.enable requires \"schema\" and \"payload\" fields and may not contain additional fields.")
                == true)
    }

    @Test func textIsWhatJavasToStringGives() throws {
        let schema = Schema.struct(
            [
                .init("i", Schema(.int64)), .init("d", Schema(.float64)), .init("n", Schema(.string, optional: true)),
                .init("l", .array(Schema(.string))),
                .init("m", .map(Schema(.string), Schema(.int32))),
            ])
        let value = Value.struct([7, .double(1e10), nil, .array(["a", "b"]), .map([.init("k", 1)])])
        #expect(try Self.render("StringConverter", Column(schema, [value])) == ["Struct{i=7,d=1.0E10,l=[a, b],m={k=1}}"])
        #expect(try Self.render("StringConverter", Column(Schema(.string, optional: true), ["x", .null])) == ["x", nil])
        #expect(try Self.render("StringConverter", .constant(true, Schema(.boolean), count: 2)) == ["true", "true"])
        #expect(
            try Self.converter("StringConverter").parse(RenderedRows(values: VarBytes(offsets: [0, 1], bytes: [0x61])), topic: "t")[0]
                == "a")
        #expect(throws: ConnectorError.self) {
            try Self.converter("StringConverter").parse(RenderedRows(values: VarBytes(offsets: [0, 1], bytes: [0xFF])), topic: "t")
        }
    }

    @Test func headersAreTextAsSimpleHeaderConverterWritesIt() throws {
        let key = Schema.struct([.init("id", Schema(.int32)), .init("s", Schema(.string, optional: true))])
        #expect(
            try Self.render("SimpleHeaderConverter", Column(key, [.struct([1000, "a\"b"]), .struct([1, nil])])) == [
                "{\"id\":1000,\"s\":\"a\\\"b\"}", "{\"id\":1,\"s\":null}",
            ])
        #expect(try Self.render("SimpleHeaderConverter", Column(Schema(.string), ["plain \"text\""])) == ["plain \"text\""])
        #expect(try Self.render("SimpleHeaderConverter", Column(Schema(.bytes), [.bytes([1, 2])])) == ["AQI="])
        #expect(try Self.render("SimpleHeaderConverter", Column(.array(Schema(.string)), [.array(["a", "b"])])) == ["[\"a\",\"b\"]"])
        #expect(
            try Self.render("SimpleHeaderConverter", Column(Schema(.int64, name: LogicalName.connectTimestamp), [1_709_205_255_123])) == [
                "2024-02-29T11:14:15.123Z"
            ])
        let batch = RecordBatch(
            topic: "t", count: 2, key: nil, value: nil, timestamps: .constant(0, RecordBatch.timestampSchema, count: 2),
            headers: [
                HeaderColumn(
                    "a", Column(key, count: 2, Column(key, [.struct([1, "x"]), .struct([2, "y"])]).storage), present: Bitmap([false, true])),
                HeaderColumn("b", .constant("v", Schema(.string), count: 2)),
            ])
        let headers = try HeaderRendering(batch, Self.converter("SimpleHeaderConverter"))
        #expect(headers.headers(0).map(\.name) == ["b"] && headers.headers(1).map(\.name) == ["a", "b"])
    }

    @Test(
        arguments: [
            ("IntegerConverter", SchemaType.int32, Value.integer(-2), [0xFF, 0xFF, 0xFF, 0xFE]),
            ("ShortConverter", .int16, .integer(258), [1, 2]),
            ("LongConverter", .int64, .integer(1), [0, 0, 0, 0, 0, 0, 0, 1]), ("BooleanConverter", .boolean, .boolean(true), [1]),
            ("FloatConverter", .float32, .float(1.5), [0x3F, 0xC0, 0, 0]),
            ("DoubleConverter", .float64, .double(-1.5), [0xBF, 0xF8, 0, 0, 0, 0, 0, 0]),
            ("ByteArrayConverter", .bytes, .bytes([9, 0]), [9, 0]),
        ] as [(String, SchemaType, Value, [UInt8])])
    func primitivesAreBigEndianAndSurvive(_ name: String, _ type: SchemaType, _ value: Value, _ bytes: [UInt8]) throws {
        let converter = try Self.converter("org.apache.kafka.connect.converters.\(name)")
        let column = Column(Schema(type, optional: true), [value, .null])
        let rows = try converter.render(column, count: 2, nullSchemaRows: nil, topic: "t")
        #expect(rows.bytes(0).map { Array($0) } == bytes && rows.bytes(1) == nil)
        let back = try converter.parse(rows, topic: "t")
        #expect(back[0] == value && back.isNull(1) && back.schema == Schema(type, optional: true))
        #expect(throws: ConnectorError.self) {
            try converter.render(Column(Schema(.string), ["x"]), count: 1, nullSchemaRows: nil, topic: "t")
        }
        if name != "ByteArrayConverter" {
            #expect(throws: ConnectorError.self) {
                try converter.parse(RenderedRows(values: VarBytes(offsets: [0, 3], bytes: [1, 2, 3])), topic: "t")
            }
        }
    }

    @Test func theUnavailablePlaceholderIsConfigurable() throws {
        let column = Column(Schema(.string, optional: true), count: 1, .constant(.null), unavailable: Bitmap([true]))
        func text(_ settings: [String: String]) throws -> String? {
            try Self.render("JsonConverter", column, settings.merging(["schemas.enable": "false"]) { $1 })[0]
        }
        #expect(try text([:]) == "\"__debezium_unavailable_value\"")
        #expect(try text(["unavailable.value.placeholder": "gone"]) == "\"gone\"")
        #expect(try text(["unavailable.value.placeholder": "hex:4142"]) == "\"AB\"")
    }

    @Test func anUnknownConverterIsRefusedWithTheKnownOnes() {
        let error = #expect(throws: ConnectorError.self) { try Self.converter("io.confluent.connect.protobuf.ProtobufConverter") }
        #expect(error?.hint?.contains("org.apache.kafka.connect.json.JsonConverter") == true)
    }

    /// `Golden/plugin-configs.json`: what a worker of Kafka Connect 4.1.0 with Debezium 3.3.1 answered for these plugins.
    @Test func pluginsDeclareTheKeysTheRealOnesDeclare() throws {
        let url = Bundle.module.url(forResource: "plugin-configs", withExtension: "json", subdirectory: "Golden")!
        let recorded = try #require(try JSONValue.parse(try Data(contentsOf: url)).objectValue)
        var plugins = PluginRegistry()
        plugins.registerTransforms()
        plugins.registerConverters()
        for member in recorded.members {
            let plugin = try #require(plugins.plugins.first { $0.className == member.key }, "\(member.key)")
            let ours = plugin.keys.map { key in
                [
                    key.name, key.kind.rawValue, "\(key.isRequired)", key.defaultValue, key.importance.rawValue, key.width.rawValue,
                    key.displayName, "\(key.order)", key.group,
                ]
            }
            let theirs = (member.value.arrayValue ?? []).map { key in
                [
                    key["name"], key["type"], key["required"], key["default_value"], key["importance"], key["width"], key["display_name"],
                    key["order"], key["group"],
                ].map { $0?.scalarText }
            }
            #expect(ours == theirs, "\(member.key)")
        }
    }

    @Test func pluginsAreListedInKafkasOrder() {
        var plugins = PluginRegistry()
        plugins.registerTransforms()
        plugins.registerConverters()
        let kinds: [PluginRegistry.Kind] = [.transformation, .predicate, .converter, .headerConverter]
        #expect(plugins.plugins.map { kinds.firstIndex(of: $0.kind)! } == plugins.plugins.map { kinds.firstIndex(of: $0.kind)! }.sorted())
        for kind in kinds {
            let names = plugins.plugins.filter { $0.kind == kind }.map(\.className)
            #expect(names == names.sorted())
        }
    }
}

@Suite struct BinaryDataConverterTests {
    @Test func bytesPassAndTheRestIsDelegated() throws {
        let name = "io.debezium.converters.BinaryDataConverter"
        let plain = try Converters.make(.init(name), isKey: false)
        let bytes = Column(Schema(.bytes, optional: true), [.bytes([1, 2]), nil])
        let rendered = try plain.render(bytes, count: 2, nullSchemaRows: nil, topic: "t")
        #expect(rendered.bytes(0).map { Array($0) } == [1, 2] && rendered.bytes(1) == nil)
        let number = Column(Schema(.int64), [.integer(5)])
        #expect(throws: ConnectorError.self) { try plain.render(number, count: 1, nullSchemaRows: nil, topic: "t") }
        let settings = ["delegate.converter.type": "org.apache.kafka.connect.json.JsonConverter", "delegate.converter.type.schemas.enable": "false"]
        for name in [name, "io.debezium.converters.ByteArrayConverter"] {
            let delegating = try Converters.make(.init(name, settings), isKey: false)
            #expect(try delegating.render(number, count: 1, nullSchemaRows: nil, topic: "t").bytes(0).map { Array($0) } == Array("5".utf8))
        }
    }
}
