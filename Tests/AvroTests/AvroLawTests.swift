import ConnectAPI
import Foundation
import JSON
import TestSupport
import Testing

@testable import Avro

/// What is written is read back, as schemas and as values; fastavro is the judge of the bytes.
@Suite struct AvroLawTests {
    private func bytes(_ column: Column, _ type: AvroType) throws -> VarBytes {
        let rows = try AvroRows(column, type)
        var out = VarBytes()
        for row in 0..<column.count {
            var one = AvroBytes()
            try rows.write(row, to: &one)
            out.append(one.bytes)
        }
        return out
    }

    private func read(_ rows: VarBytes, _ type: AvroType, _ schema: Schema) throws -> Column {
        let reader = try AvroReader(type, schema)
        try rows.bytes.withUnsafeBytes { bytes in for row in 0..<rows.count { try reader.read(bytes, rows.range(row)) } }
        return try reader.finish()
    }

    /// As a reader of the record sees it: a member that is null is its default.
    private func standingIn(_ value: Value, _ schema: Schema, isMember: Bool = false) -> Value {
        switch value {
        case .null: return isMember ? schema.defaultValue ?? .null : .null
        case .array(let items): return .array(items.map { standingIn($0, schema.element!) })
        case .map(let entries): return .map(entries.map { .init(standingIn($0.key, schema.key!), standingIn($0.value, schema.element!)) })
        case .struct(let members): return .struct(zip(members, schema.fields).map { standingIn($0, $1.schema, isMember: true) })
        default: return value
        }
    }

    @Test func schemasComeBack() throws {
        var random = RandomSchemas()
        for _ in 0..<300 {
            let schema = random.record(), json = AvroSchema.json(schema)
            let type = try AvroType.parse(json, validating: true)
            #expect(try type.connectSchema() == schema, "\(json.compactText)")
            // Through text, as a registry keeps it.
            #expect(try AvroType.parse(json.compactBytes).connectSchema() == schema)
        }
    }

    @Test func valuesComeBackHoweverTheyAreStored() throws {
        var random = RandomSchemas()
        for _ in 0..<150 {
            let schema = random.record(), type = try AvroType.parse(AvroSchema.json(schema))
            let values = (0..<random.int(1...20)).map { _ in random.value(schema) }
            let column = Column(schema, values), encoded = try bytes(column, type)
            let decoded = try read(encoded, type, schema)
            #expect((0..<decoded.count).map { decoded[$0] } == values.map { standingIn($0, schema) })
            // Constants give the bytes of rows.
            let constant = Column.constant(values[0], schema, count: 3)
            #expect(try bytes(constant, type) == bytes(Column(schema, [values[0], values[0], values[0]]), type))
            // Rows read and written again are the same bytes.
            #expect(try bytes(decoded, type) == encoded)
        }
    }

    /// fastavro reads our bytes and writes them again; then we read its bytes.
    @Test func fastavroReadsAndWritesTheSameBytes() throws {
        var random = RandomSchemas()
        var lines = "", all: [(Schema, AvroType, VarBytes)] = []
        for _ in 0..<60 {
            let schema = random.record(), json = AvroSchema.json(schema), type = try AvroType.parse(json)
            let encoded = try bytes(Column(schema, (0..<5).map { _ in random.value(schema) }), type)
            all.append((schema, type, encoded))
            let rows = (0..<encoded.count).map { row in encoded[row].map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
            lines += JSONValue.object([("schema", json), ("rows", .array(rows.map { .string($0) }))]).compactText + "\n"
        }
        let script = """
            import fastavro, io, json, sys
            for line in sys.stdin:
                case = json.loads(line)
                schema = fastavro.parse_schema(case['schema'])
                out = []
                for row in case['rows']:
                    source = io.BytesIO(bytes.fromhex(row))
                    value = fastavro.schemaless_reader(source, schema)
                    assert source.read() == b'', row
                    again = io.BytesIO()
                    fastavro.schemaless_writer(again, schema, value)
                    out.append(again.getvalue().hex())
                print(json.dumps(out))
            """
        let answers = try Python.run(script, [], input: lines).split(separator: "\n")
        #expect(answers.count == all.count)
        for (answer, (schema, type, encoded)) in zip(answers, all) {
            var again = VarBytes()
            for row in try JSONValue.parse(answer.utf8).arrayValue ?? [] {
                let digits = (row.stringValue ?? "").compactMap(\.hexDigitValue)
                again.append(stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) })
            }
            #expect(again == encoded, "\(AvroSchema.json(schema).compactText)")
            let ours = try read(encoded, type, schema), theirs = try read(again, type, schema)
            #expect((0..<5).map { ours[$0] } == (0..<5).map { theirs[$0] })
        }
    }

    @Test func damagedBytesAreRefusedInWords() throws {
        var random = RandomSchemas()
        var refused = 0
        for _ in 0..<200 {
            let schema = random.record(), type = try AvroType.parse(AvroSchema.json(schema))
            let encoded = try bytes(Column(schema, [random.value(schema)]), type)
            guard encoded.bytes.count > 1 else { continue }
            // Every beginning of a value is short of something.
            for length in 0..<encoded.bytes.count {
                do {
                    _ = try read(VarBytes(offsets: [0, Int32(length)], bytes: Array(encoded.bytes[..<length])), type, schema)
                    Issue.record("\(length) of \(encoded.bytes.count) bytes were a value")
                } catch let error as ConnectorError {
                    #expect(error.code == "avro.data_invalid" && error.disposition == .reject)
                    refused += 1
                }
            }
            // A changed byte may be another value; it is never a trap.
            var changed = encoded
            changed.bytes[random.int(0...changed.bytes.count - 1)] = UInt8(random.int(0...255))
            _ = try? read(changed, type, schema)
        }
        #expect(refused > 100)
    }
}
