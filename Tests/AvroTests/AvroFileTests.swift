import ConnectAPI
import Foundation
import JSON
import Testing
import TestSupport

@testable import Avro

/// Files read by fastavro, schemas compared with what Confluent's AvroData writes.
@Suite struct AvroFileTests {
    private static let decimal = Schema(
        .bytes, optional: true, name: LogicalName.decimal, version: 1, parameters: [.init("scale", "2"), .init("connect.decimal.precision", "18")])
    private static let row = Schema.struct([.init("id", Schema(.int32)), .init("note", Schema(.string, optional: true))], optional: true, name: "s.Row")

    private static let schema = Schema(
        .struct, name: "s.Envelope",
        fields: [
            .init("b", Schema(.boolean)), .init("i8", Schema(.int8)), .init("l", Schema(.int64, optional: true)), .init("f", Schema(.float32)),
            .init("d", Schema(.float64, default: .double(1.5))), .init("s", Schema(.string, optional: true, default: "x")), .init("y", Schema(.bytes)),
            .init("dec", decimal), .init("before", row), .init("after", row),
            .init("list", Schema(.array, optional: true, element: Schema(.string, optional: true))),
            .init("map", Schema(.map, element: Schema(.int32), key: Schema(.string))),
            .init("pairs", Schema(.map, element: Schema(.string), key: Schema(.int32))),
        ])

    private static func value(_ i: Int) -> Value {
        .struct([
            .boolean(i % 2 == 0), .integer(Int64(i % 100 - 50)), i % 3 == 0 ? .null : .integer(Int64(i) * -1_000_000_007), .float(Float(i) / 4),
            .double(Double(i) * 1e10), i % 5 == 0 ? .null : .string("ü\(i)"), .bytes([UInt8(i % 256), 0]), .bytes(i % 2 == 0 ? [1, 44] : [255]),
            i % 4 == 0 ? .null : .struct([.integer(Int64(i)), .null]), .struct([.integer(Int64(i)), "n"]),
            i % 7 == 0 ? .null : .array(["a", .null]), .map([.init("k", .integer(Int64(i)))]), .map([.init(.integer(7), "seven")]),
        ])
    }

    @Test(arguments: AvroCodec.allCases) func everyTypeIsReadBack(_ codec: AvroCodec) throws {
        var file = try AvroFile(schemaText: AvroSchema.text(Self.schema), codec: codec, marker: Array(repeating: 7, count: 16))
        let count = 3000
        var bytes: [UInt8] = []
        for from in stride(from: 0, to: count, by: 700) {
            try file.append(Column(Self.schema, (from..<min(count, from + 700)).map(Self.value)))
            bytes += file.drain()
        }
        bytes += try file.finish()
        let path = NSTemporaryDirectory() + "sluice-test-\(UUID().uuidString).avro"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        let script = """
            import fastavro, sys
            from decimal import Decimal
            n = 0
            for i, r in enumerate(fastavro.reader(open(sys.argv[1], 'rb'))):
                assert r['b'] == (i % 2 == 0) and r['i8'] == i % 100 - 50 and r['f'] == i / 4 and r['d'] == i * 1e10, (i, r)
                assert r['l'] == (None if i % 3 == 0 else i * -1000000007), (i, r)
                assert r['s'] == ('x' if i % 5 == 0 else f'ü{i}') and r['y'] == bytes([i % 256, 0]), (i, r)
                assert r['dec'] == (Decimal('3.00') if i % 2 == 0 else Decimal('-0.01')), (i, r)
                assert r['before'] == (None if i % 4 == 0 else {'id': i, 'note': None}) and r['after'] == {'id': i, 'note': 'n'}, (i, r)
                assert r['list'] == (None if i % 7 == 0 else ['a', None]) and r['map'] == {'k': i} and r['pairs'] == [{'key': 7, 'value': 'seven'}], (i, r)
                n += 1
            print(n)
            """
        #expect(try Python.run(script, [path]).trimmingCharacters(in: .whitespacesAndNewlines) == "\(count)")
    }

    @Test func bytesDoNotDependOnHowRowsCame() throws {
        func file(_ step: Int) throws -> [UInt8] {
            var file = try AvroFile(schemaText: AvroSchema.text(Self.schema), codec: .deflate, marker: Array(0..<16))
            for from in stride(from: 0, to: 2000, by: step) { try file.append(Column(Self.schema, (from..<min(2000, from + step)).map(Self.value))) }
            return try file.finish()
        }
        #expect(try file(2000) == file(1) && file(13) == file(1))
    }

    @Test func aRefusedRowLeavesTheFileAsItWas() throws {
        let schema = Schema.struct([.init("id", Schema(.int64))])
        func column(_ valid: [Bool]) -> Column {
            Column(schema, count: valid.count, .struct([Column(Schema(.int64), count: valid.count, .int64(valid.map { _ in 1 }), validity: Bitmap(valid))]))
        }
        var file = try AvroFile(schemaText: AvroSchema.text(schema), codec: .null, marker: Array(0..<16)), same = file
        try file.append(column([true, true]))
        #expect(throws: ConnectorError.self) { try file.append(column([true, false])) }
        try same.append(column([true, true]))
        #expect(try file.finish() == same.finish())
    }

    @Test func recordsMetAgainAreNamed() {
        let text = String(decoding: AvroSchema.text(Schema.struct([.init("before", Self.row), .init("after", Self.row)], name: "s.E")), as: UTF8.self)
        #expect(
            text
                == #"{"type":"record","name":"E","namespace":"s","fields":[{"name":"before","type":["null",{"type":"record","name":"Row","fields":[{"name":"id","type":"int"},{"name":"note","type":["null","string"],"default":null}],"connect.name":"s.Row"}],"default":null},{"name":"after","type":["null","Row"],"default":null}],"connect.name":"s.E"}"#
        )
    }
}
