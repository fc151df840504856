import ConnectAPI
import TestSupport
import Testing

@testable import ConnectorsPostgres

/// Bytes of the network never trap: they decode, become nulls that are counted, or throw.
@Suite struct DecodeFuzzTests {
    private static func random(_ count: Int, _ generator: inout SeededGenerator) -> [UInt8] {
        // Bytes that mean something are more likely than others.
        let alphabet: [UInt8] = Array("BCORYIUDTMSEcAKNntbuwk{}[]\",\\:.-+=>0123456789 NULLinfinityBCey/".utf8) + [0, 0, 0, 1, 2, 255, 127, 128]
        return (0..<count).map { _ in
            Bool.random(using: &generator) ? alphabet.randomElement(using: &generator)! : UInt8.random(in: 0...255, using: &generator)
        }
    }

    @Test func parsersSurviveRandomBytes() {
        var generator = SeededGenerator.printed(), parsed = 0
        for _ in 0..<20_000 {
            let bytes = Self.random(Int.random(in: 0...60, using: &generator), &generator)
            bytes.withUnsafeBytes { bytes in
                if (try? PgOutputMessage.parse(bytes, inStream: Bool.random(using: &generator))) != nil { parsed += 1 }
                if (try? ReplicationFrame.parse(bytes)) != nil { parsed += 1 }
            }
        }
        #expect(parsed > 0)
    }

    private static let decoders: [(ColumnDecoder, Schema)] = {
        let optional = { (type: SchemaType) in Schema(type, optional: true) }
        let point = DebeziumSchemas.point.with(optional: true), variable = DebeziumSchemas.variableScaleDecimal.with(optional: true)
        let scalars: [(ColumnDecoder, Schema)] = [
            (.boolean, optional(.boolean)), (.bit, optional(.boolean)), (.int32, optional(.int32)), (.int64, optional(.int64)),
            (.oid, optional(.int64)), (.float32, optional(.float32)), (.float64, optional(.float64)), (.text, optional(.string)),
            (.jsonb, optional(.string)), (.name, optional(.string)), (.decimal128(scale: 2), optional(.bytes)),
            (.decimal128(scale: -3), optional(.bytes)), (.decimalBytes(scale: 20), optional(.bytes)), (.variableDecimal, variable),
            (.decimalDouble, optional(.float64)), (.decimalText, optional(.string)), (.money(.precise, scale: 2), optional(.bytes)),
            (.money(.double, scale: 0), optional(.float64)), (.money(.string, scale: 30), optional(.string)), (.bytea(.bytes), optional(.bytes)),
            (.bytea(.hex), optional(.string)), (.bytea(.base64), optional(.string)), (.opaque(.bytes, rewritesNumbers: true), optional(.bytes)),
            (.opaque(.base64URLSafe, rewritesNumbers: false), optional(.string)), (.date(isText: false), optional(.int32)),
            (.date(isText: true), optional(.string)), (.time(.millis), optional(.int32)), (.time(.nanos), optional(.int64)),
            (.time(.text), optional(.string)), (.timetz, optional(.string)), (.timestamp(.millis), optional(.int64)),
            (.timestamp(.nanos), optional(.int64)), (.timestamp(.text), optional(.string)), (.timestamptz(fractionDigits: 6), optional(.string)),
            (.interval(.numeric), optional(.int64)), (.interval(.string), optional(.string)), (.uuid, optional(.string)), (.bits, optional(.bytes)),
            (.hstore(.json), optional(.string)), (.hstore(.map), .map(DebeziumSchemas.string, DebeziumSchemas.optionalString, optional: true)),
            (.point, point),
        ]
        return scalars + scalars.map { (.array($0.0), .array($0.1, optional: true)) }
    }()

    /// Texts to start from, so that mutations go deeper than the first byte.
    private static let seeds = [
        "-12345.678", "NaN", "-Infinity", "1e308", "2024-02-29", "2024-02-29 13:14:15.123456+05:30", "44-03-15 BC", "0044-03-15 00:00:00 BC",
        "24:00:00", "13:14:15.5-11", "1 year 2 mons -3 days -04:05:06.7", "{1,NULL,\"a\\\"b\",{2,3}}", "[0:1]={1,2}", "\"k\"=>\"v\", \"n\"=>NULL",
        "\\xdeadbeef", "\\001\\\\abc", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "(1.5,-2.5)", "$1,234.56", "($92.10)", "10101", "-infinity",
        "9223372036854775808", "-9223372036854775808", "999999999999999999999999999999999999999999999999", "-2562047788:59:59.999999 1 day",
    ].map { Array($0.utf8) }

    @Test func decodersSurviveMutatedAndRandomValues() {
        var generator = SeededGenerator.printed()
        for (decoder, schema) in Self.decoders {
            for origin in [RowOrigin.stream, .snapshot] {
                var cells = ElementCells()
                for _ in 0..<400 {
                    var bytes =
                        Bool.random(using: &generator)
                        ? Self.seeds.randomElement(using: &generator)! : Self.random(Int.random(in: 0...40, using: &generator), &generator)
                    for _ in 0..<Int.random(in: 0...3, using: &generator) where !bytes.isEmpty {
                        let i = Int.random(in: bytes.indices, using: &generator)
                        switch Int.random(in: 0..<3, using: &generator) {
                        case 0: bytes[i] = Self.random(1, &generator)[0]
                        case 1: bytes.remove(at: i)
                        default: bytes.insert(Self.random(1, &generator)[0], at: i)
                        }
                    }
                    bytes.withUnsafeBytes { cells.append($0, isBinary: Bool.random(using: &generator)) }
                    if Int.random(in: 0..<10, using: &generator) == 0 { cells.appendNull() }
                }
                var context = DecodeContext(origin: origin)
                let column = cells.withView { decoder.decode($0, schema, filler: nil, &context) }
                #expect(column.count == cells.cells.count)
                // Rendering a decoded value must not trap either.
                for row in 0..<column.count { _ = column[row] }
            }
        }
    }

    @Test func copyStreamsSurviveMutation() throws {
        var generator = SeededGenerator.printed()
        let schema = try Fixtures.transactions()
        var stream = Fixtures.copyHeader
        for i in 0..<5 { stream += Fixtures.copyTuple([Fixtures.be(Int64(i)), Array("text\(i)".utf8), nil]) }
        stream += Fixtures.be(Int16(-1))
        for _ in 0..<2_000 {
            var bytes = stream
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                bytes[Int.random(in: bytes.indices, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            bytes.removeLast(Int.random(in: 0...20, using: &generator))
            var builder = SnapshotBatchBuilder(schema, SnapshotInfo(lsn: 1, xid: nil, startedMicros: 0))
            _ = try? bytes.withUnsafeBytes { try builder.append($0) }
            _ = builder.finish(processedNanos: 0)
        }
    }
}
