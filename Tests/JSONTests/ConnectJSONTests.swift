import ConnectAPI
import JSON
import TestSupport
import Testing

@Suite struct ConnectJSONTests {
    static func rows(_ bytes: [[UInt8]?]) -> (VarBytes, Bitmap) {
        var values = VarBytes()
        for row in bytes { if let row { values.append(row) } else { values.appendEmpty() } }
        return (values, Bitmap(bytes.map { $0 != nil }))
    }

    static func render(_ column: Column, _ options: ConnectJSONOptions) throws -> [[UInt8]] {
        let renderer = ConnectJSONRenderer(column, options)
        return try (0..<column.count).map { row in
            var out = JSONWriter()
            try renderer.write(row, to: &out)
            return out.take()
        }
    }

    /// Both texts from shortly before the first difference; nil when there is none.
    private func difference(_ a: [UInt8], _ b: [UInt8]) -> String? {
        guard let i = zip(a, b).enumerated().first(where: { $1.0 != $1.1 })?.offset ?? (a.count == b.count ? nil : min(a.count, b.count))
        else { return nil }
        func around(_ bytes: [UInt8]) -> String { String(decoding: bytes[max(0, i - 60)..<min(bytes.count, i + 60)], as: UTF8.self) }
        return "rendered …\(around(a))…, recorded …\(around(b))…"
    }

    @Test(arguments: [
        "default", "special-values", "schemas-disabled", "unwrap-default", "decimal-double", "tx-metadata", "unknown-datatypes",
    ])
    func recordedRecordsAreReadAndRenderedByteForByte(_ scenario: String) throws {
        var checked = 0
        for (topic, records) in try Recording(scenario).topics {
            for side in [records.map(\.key), records.map(\.value)] {
                let options = ConnectJSONOptions(schemasEnabled: scenario != "schemas-disabled")
                var reader = ConnectJSONReader(options)
                // Without schemas the members of a table may change in mid-topic: then rows are read one by one.
                let batches = options.schemasEnabled ? [side] : side.map { [$0] }
                for batch in batches {
                    let (values, present) = Self.rows(batch)
                    for run in try reader.read(values, present: present) {
                        guard let column = run.column else {
                            #expect(run.rows.allSatisfy { batch[$0] == nil })
                            continue
                        }
                        for (row, bytes) in zip(run.rows, try Self.render(column, options)) where batch[row] != nil {
                            #expect(difference(bytes, batch[row]!) == nil, "\(scenario) \(topic) row \(row)")
                            checked += 1
                        }
                    }
                }
            }
        }
        #expect(checked > 2)
    }

    @Test func schemasSurviveReading() throws {
        for record in try Recording("default").records {
            guard let value = record.value else { continue }
            let text = try #require(try JSONValue.parse(value)["schema"])
            let schema = try ConnectJSONSchema.parse(text)
            var out = JSONWriter()
            ConnectJSONSchema.write(schema, ConnectJSONOptions(), to: &out)
            #expect(out.take() == text.compactBytes)
        }
    }

    @Test func nullOfASchemaWithADefaultIsTheDefaultUnlessToldOtherwise() throws {
        let schema = Schema.struct([.init("a", Schema(.int32, optional: true, default: 7)), .init("b", Schema(.string, optional: true))])
        let column = Column(schema, [.struct([nil, nil]), .struct([1, "x"])])
        var options = ConnectJSONOptions(schemasEnabled: false)
        #expect(
            try Self.render(column, options).map { String(decoding: $0, as: UTF8.self) } == [
                "{\"a\":7,\"b\":null}", "{\"a\":1,\"b\":\"x\"}",
            ])
        options.replacesNullWithDefault = false
        #expect(
            try Self.render(column, options).map { String(decoding: $0, as: UTF8.self) } == [
                "{\"a\":null,\"b\":null}", "{\"a\":1,\"b\":\"x\"}",
            ])
    }

    @Test func aNullTheSchemaForbidsIsRefusedInKafkasWords() throws {
        let column = Column(.struct([.init("a", Schema(.int32))]), [.struct([nil])])
        let error = #expect(throws: ConnectorError.self) { try Self.render(column, ConnectJSONOptions()) }
        #expect(error?.message == "Conversion error: null value for field that is required and has no default value")
        #expect(error?.disposition == .reject)
    }

    @Test func decimalsAreBase64OrNumbers() throws {
        let schema = Schema(.bytes, name: LogicalName.decimal, version: 1, parameters: [.init("scale", "2")])
        let column = Column(schema, count: 5, .decimal128([123, -1, 0, 100_000, Int128(1) << 100]))
        #expect(
            try Self.render(column, ConnectJSONOptions(schemasEnabled: false)).map { String(decoding: $0, as: UTF8.self) }
                == ["\"ew==\"", "\"/w==\"", "\"AA==\"", "\"AYag\"", "\"EAAAAAAAAAAAAAAAAA==\""])
        let numeric = ConnectJSONOptions(schemasEnabled: false, decimalFormat: .numeric)
        #expect(
            try Self.render(column, numeric).map { String(decoding: $0, as: UTF8.self) }
                == ["1.23", "-0.01", "0.00", "1000.00", "12676506002282294014967032053.76"])
        #expect(String(decoding: DecimalText.bytes(unscaled: 1, scale: 10), as: UTF8.self) == "1E-10")
        #expect(String(decoding: DecimalText.bytes(unscaled: -123, scale: -3), as: UTF8.self) == "-1.23E+5")
        let large: [UInt8] = [1] + Array(repeating: 0, count: 20)
        #expect(
            String(decoding: DecimalText.bytes(unscaled: large, scale: 0), as: UTF8.self)
                == "1461501637330902918203684832716283019655932542976")
        #expect(DecimalText.unscaled(Array("1461501637330902918203684832716283019655932542976".utf8), scale: 0) == large)
        #expect(DecimalText.unscaled(Array("-0.01".utf8), scale: 2) == [0xFF] && DecimalText.unscaled(Array("0.001".utf8), scale: 2) == nil)
    }

    @Test func placeholdersStandForUnavailableValuesByType() throws {
        func text(_ schema: Schema) throws -> String {
            let column = Column(schema, count: 1, Column(schema, [nil]).storage, validity: Bitmap([false]), unavailable: Bitmap([true]))
            return String(
                decoding: try Self.render(column, ConnectJSONOptions(schemasEnabled: false, unavailablePlaceholder: [0x41, 0x42]))[0],
                as: UTF8.self)
        }
        #expect(try text(Schema(.string, optional: true)) == "\"AB\"")
        #expect(try text(Schema(.bytes, optional: true)) == "\"QUI=\"")
        #expect(try text(.array(Schema(.string, optional: true), optional: true)) == "[\"AB\"]")
        #expect(try text(.array(Schema(.int32, optional: true), optional: true)) == "[65,66]")
        #expect(
            try text(.array(Schema(.string, optional: true, name: LogicalName.uuid), optional: true))
                == "[\"b86fc6b0-51f6-3d73-9e26-2d4c34e3a0a9\"]")
        #expect(try text(.map(Schema(.string), Schema(.string, optional: true), optional: true)) == "{\"AB\":\"AB\"}")
        #expect(try text(Schema(.bytes, optional: true, name: LogicalName.decimal)) == "null")
        #expect(try text(.array(Schema(.float64), optional: true)) == "null")
    }

    @Test func mapsAreObjectsWhenKeysAreStrings() throws {
        let byText = Column(.map(Schema(.string), Schema(.int32)), [.map([.init("a", 1), .init("b", 2)])])
        let byNumber = Column(.map(Schema(.int32), Schema(.string)), [.map([.init(1, "a"), .init(2, "b")])])
        let options = ConnectJSONOptions(schemasEnabled: true)
        for (column, payload) in [(byText, "{\"a\":1,\"b\":2}"), (byNumber, "[[1,\"a\"],[2,\"b\"]]")] {
            let bytes = try Self.render(column, options)[0]
            #expect(String(decoding: bytes, as: UTF8.self).hasSuffix("\"payload\":\(payload)}"))
            var reader = ConnectJSONReader(options)
            let back = try #require(try reader.read(VarBytes(offsets: [0, Int32(bytes.count)], bytes: bytes), present: nil)[0].column)
            #expect(back[0] == column[0] && back.schema == column.schema)
        }
    }

    @Test func anythingButAnEnvelopeIsRefusedInKafkasWords() {
        for text in ["{}", "1", "{\"schema\":null}", "{\"schema\":null,\"payload\":1,\"x\":2}", "[]"] {
            var reader = ConnectJSONReader(ConnectJSONOptions())
            let bytes = Array(text.utf8)
            do {
                _ = try reader.read(VarBytes(offsets: [0, Int32(bytes.count)], bytes: bytes), present: nil)
                Issue.record("\(text) was taken")
            } catch let error as ConnectorError {
                #expect(error.message == ConnectJSONReader.envelopeMessage)
            } catch { Issue.record(error) }
        }
    }

    @Test func valuesWithoutASchemaShareAnInferredOne() throws {
        let (values, present) = Self.rows([
            Array("{\"a\":1,\"b\":[1]}".utf8), nil, Array("{\"a\":1.5,\"c\":{\"d\":true}}".utf8), Array("{\"b\":[\"x\"]}".utf8),
        ])
        var reader = ConnectJSONReader(ConnectJSONOptions(schemasEnabled: false))
        let column = try #require(try reader.read(values, present: present)[0].column)
        #expect(column.schema.fields.map(\.name) == ["a", "b", "c"])
        #expect(column.schema.fields.map(\.schema.type) == [.float64, .array, .struct])
        #expect(column[2] == .struct([.double(1.5), nil, .struct([true])]) && column[1] == .null)
        #expect(column[0] == .struct([.double(1), .array(["1"]), nil]) && column[3] == .struct([nil, .array(["\"x\""]), nil]))
    }

    @Test func randomBytesNeverTrapTheReader() throws {
        var random = SeededGenerator.printed()
        let seeds = try Recording("default").records.compactMap(\.value)
        for _ in 0..<400 {
            var bytes = seeds.randomElement(using: &random)!
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let at = Int.random(in: bytes.count / 2..<bytes.count, using: &random)
                if Bool.random(using: &random) { bytes[at] = UInt8.random(in: 0...255, using: &random) } else { bytes.remove(at: at) }
            }
            var reader = ConnectJSONReader(ConnectJSONOptions(schemasEnabled: Bool.random(using: &random)))
            _ = try? reader.read(VarBytes(offsets: [0, Int32(bytes.count)], bytes: bytes), present: nil)
        }
    }
}
