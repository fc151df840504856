import ConnectAPI
import Foundation
import Testing
import TestSupport

@testable import Parquet

@Suite struct WellKnownTextTests {
    private func bytes(_ hex: String) -> [UInt8] {
        stride(from: 0, to: hex.count, by: 2).map { UInt8(hex.dropFirst($0).prefix(2), radix: 16)! }
    }

    /// As PostGIS prints them with ST_AsText.
    static let known = [
        ("0101000000000000000000F03F0000000000000040", "POINT (1 2)"), ("000000000140000000000000004010000000000000", "POINT (2 4)"),
        ("0101000020E6100000000000000000F03F0000000000000040", "POINT (1 2)"),
        ("01010000A0E6100000000000000000F03F00000000000000400000000000000840", "POINT Z (1 2 3)"),
        ("01E9030000000000000000F03F00000000000000400000000000000840", "POINT Z (1 2 3)"),
        ("0101000060E6100000000000000000F03F00000000000000400000000000000840", "POINT M (1 2 3)"),
        ("0101000000000000000000F87F000000000000F87F", "POINT EMPTY"),
        ("01020000000200000000000000000000000000000000000000000000000000F03F000000000000F83F", "LINESTRING (0 0, 1 1.5)"),
        ("010300000000000000", "POLYGON EMPTY"),
        ("0104000000010000000101000000000000000000F03F0000000000000040", "MULTIPOINT ((1 2))"),
        ("0107000000010000000101000000000000000000F03F0000000000000040", "GEOMETRYCOLLECTION (POINT (1 2))"),
    ]

    @Test(arguments: known) func geometriesAreText(_ hex: String, _ text: String) {
        #expect(WellKnownText.text(bytes(hex)[...]) == text)
    }

    @Test func damagedGeometriesAreNone() {
        var random = SeededGenerator(seed: UInt64.random(in: 0...UInt64.max))
        print("SLUICE_SEED=\(random.seed)")
        for _ in 0..<20_000 {
            var wkb = bytes(Self.known.randomElement(using: &random)!.0)
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                wkb[Int.random(in: 0..<wkb.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            wkb.removeLast(Int.random(in: 0...min(4, wkb.count), using: &random))
            _ = WellKnownText.text(wkb[...])
        }
        #expect(WellKnownText.text([]) == nil && WellKnownText.text([1, 7, 0, 0, 0, 255, 255, 255, 255]) == nil)
    }

    /// What a reader gets for each choice; a geometry of a kind text does not have is its hexadecimal form.
    @Test(arguments: ParquetOptions.GeometryEncoding.allCases) func filesHoldWhatIsAskedFor(_ encoding: ParquetOptions.GeometryEncoding) throws {
        let geometry = Schema(
            .struct, optional: true, name: LogicalName.geometry, version: 1,
            fields: [.init("wkb", Schema(.bytes)), .init("srid", Schema(.int32, optional: true))])
        let schema = Schema.struct([.init("g", geometry)])
        let point = bytes(Self.known[0].0)
        var options = ParquetOptions()
        options.geometry = encoding
        let writer = try ParquetWriter(schema: schema, options: options)
        try writer.write(Column(schema, [.struct([.struct([.bytes(point), 4326])]), .struct([.null]), .struct([.struct([.bytes([1, 2]), .null])])]))
        let path = NSTemporaryDirectory() + "sluice-test-\(UUID().uuidString).parquet"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(writer.finish()).write(to: URL(fileURLWithPath: path))
        let read = try Python.run("import sys, pyarrow.parquet as pq; print(pq.read_table(sys.argv[1]).to_pylist())", [path])
            .trimmingCharacters(in: .whitespacesAndNewlines)
        let wkb = "b'\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\xf0?\\x00\\x00\\x00\\x00\\x00\\x00\\x00@'"
        switch encoding {
        case .struct: #expect(read == "[{'g': {'wkb': \(wkb), 'srid': 4326}}, {'g': None}, {'g': {'wkb': b'\\x01\\x02', 'srid': None}}]")
        case .wkb: #expect(read == "[{'g': \(wkb)}, {'g': None}, {'g': b'\\x01\\x02'}]")
        case .wkt: #expect(read == "[{'g': 'POINT (1 2)'}, {'g': None}, {'g': '0102'}]")
        }
    }
}
