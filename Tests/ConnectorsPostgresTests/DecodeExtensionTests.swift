import ConnectAPI
import TestSupport
import Testing

@testable import ConnectorsPostgres

/// PostGIS and pgvector by their documented formats: Debian's PostGIS draws in 170 MB, and pgvector is not packaged for PostgreSQL 15.
@Suite struct DecodeExtensionTests {
    private static let types = ["geometry", "geography", "vector", "halfvec", "sparsevec"]

    private func resolved(_ name: String) throws -> TypeResolver.Resolved {
        let type = TypeDefinition(oid: 70_000, name: name, kind: .base, elementOID: 0, baseOID: 0, baseModifier: -1, labels: [])
        return try #require(TypeResolver(types: [70_000: type], conversion: ValueConversion()).resolve(Fixtures.column("c", 70_000)))
    }

    private func value(_ type: String, _ bytes: [UInt8], isBinary: Bool) throws -> Value {
        let resolved = try resolved(type)
        var cells = ElementCells(), context = DecodeContext(origin: .stream)
        bytes.withUnsafeBytes { cells.append($0, isBinary: isBinary) }
        return cells.withView { resolved.decoder.decode($0, resolved.schema, filler: nil, &context) }[0]
    }

    private func both(_ type: String, _ text: String, _ binary: [UInt8]) throws -> Value {
        let read = try value(type, Array(text.utf8), isBinary: false)
        #expect(try value(type, binary, isBinary: true) == read)
        return read
    }

    @Test func geometriesAreEWKBWithTheirSRID() throws {
        // SRID=3187;POINT(174.9479 -36.7208), as ST_AsHEXEWKB writes it, and POINT(1 1) without one.
        let hex = "0101000020730C00001C7C613255DE6540787AA52C435C42C0", bytes = unhex(hex)
        #expect(try both("geometry", hex, bytes) == .struct([.bytes(bytes), 3187]))
        #expect(try both("geography", hex.lowercased(), bytes) == .struct([.bytes(bytes), 3187]))
        let plain = "0101000000000000000000F03F000000000000F03F"
        #expect(try both("geometry", plain, unhex(plain)) == .struct([.bytes(unhex(plain)), .null]))
        // Big-endian.
        let big = "00200000010000E6103FF00000000000003FF0000000000000"
        #expect(try both("geometry", big, unhex(big)) == .struct([.bytes(unhex(big)), 58896]))
        let schema = try resolved("geometry").schema
        #expect(schema.name == "io.debezium.data.geometry.Geometry" && schema.version == 1 && schema.fields.map(\.name) == ["wkb", "srid"])
        #expect(try resolved("geography").schema.name == "io.debezium.data.geometry.Geography")
    }

    @Test func vectorsAreArrays() throws {
        func be(_ values: [Float]) -> [UInt8] { values.flatMap { Fixtures.be($0.bitPattern) } }
        let vector = Fixtures.be(Int16(3)) + Fixtures.be(Int16(0)) + be([1, 0.1, -2.5])
        #expect(try both("vector", "[1,0.1,-2.5]", vector) == .array([.double(1), .double(0.1), .double(-2.5)]))
        let half = Fixtures.be(Int16(4)) + Fixtures.be(Int16(0)) + [0x3C00, 0xC100, 0x0001, 0x7BFF].flatMap { Fixtures.be(UInt16($0)) }
        #expect(try both("halfvec", "[1,-2.5,5.9604645e-08,65504]", half) == .array([.float(1), .float(-2.5), .float(0x1p-24), .float(65504)]))
        #expect(try both("vector", "[]", [0, 0, 0, 0]) == .array([]))
        #expect(try resolved("vector").schema.name == "io.debezium.data.DoubleVector" && resolved("halfvec").schema.element?.type == .float32)
    }

    @Test func sparseVectorsAreMapsFromOne() throws {
        let binary =
            Fixtures.be(Int32(50)) + Fixtures.be(Int32(3)) + Fixtures.be(Int32(0)) + [0, 16, 34].flatMap { Fixtures.be(Int32($0)) }
            + [1.5, 2, 0.3].flatMap { Fixtures.be(Float($0).bitPattern) }
        // In the order of Java's map of 16 places: 17 and 1 share one, 35 is third.
        let entries: [Value.Entry] = [.init(1, .double(1.5)), .init(17, .double(2)), .init(35, .double(0.3))]
        #expect(try both("sparsevec", "{1:1.5,17:2,35:0.3}/50", binary) == .struct([50, .map(entries)]))
        #expect(try resolved("sparsevec").schema.name == "io.debezium.data.SparseDoubleVector")
    }

    @Test func whatIsNoSuchValueBecomesNull() throws {
        for (type, text) in [
            ("geometry", "01"), ("geometry", "zz"), ("vector", "1,2"), ("vector", "[1,x]"), ("sparsevec", "{1:2}"), ("sparsevec", "{1:2}/99999"),
        ] {
            #expect(try value(type, Array(text.utf8), isBinary: false) == .null, "\(type) \(text)")
        }
    }

    @Test func randomBytesNeverTrap() throws {
        var random = SeededGenerator.printed()
        for _ in 0..<5_000 {
            let type = Self.types.randomElement(using: &random)!
            var bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            if Bool.random(using: &random) { bytes = bytes.map { Array("0123456789ABCDEF[]{}:,/.e-".utf8)[Int($0) % 26] } }
            _ = try value(type, bytes, isBinary: Bool.random(using: &random))
        }
    }

    private func unhex(_ text: String) -> [UInt8] {
        let digits = text.utf8.map { Hex.digit($0)! }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}
