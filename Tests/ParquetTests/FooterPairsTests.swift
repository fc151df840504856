import ConnectAPI
import Testing
import TestSupport

@testable import Parquet

@Suite struct FooterPairsTests {
    private func file(_ pairs: [(String, String)]) throws -> [UInt8] {
        let schema = Schema.struct([.init("a", Schema(.int64)), .init("b", Schema(.string, optional: true))])
        let writer = try ParquetWriter(schema: schema)
        try writer.write(Column(schema, [.struct([1, "x"]), .struct([2, .null])]))
        for (key, value) in pairs { writer.setMetadata(key, value) }
        return try writer.finish()
    }

    @Test func pairsComeBackFromTheEndOfAFile() throws {
        let bytes = try file([("kafka-end", "41"), ("name", "ü+\n"), ("empty", "")])
        let want: FooterPairs.Answer = .pairs(["kafka-end": "41", "name": "ü+\n", "empty": ""])
        #expect(FooterPairs.read(bytes, fileSize: Int64(bytes.count)) == want)
        guard case .needs(let count) = FooterPairs.read(bytes.suffix(20), fileSize: Int64(bytes.count)) else { throw Missing() }
        #expect(FooterPairs.read(bytes.suffix(count), fileSize: Int64(bytes.count)) == want)
        #expect(FooterPairs.read(Array(bytes.dropLast()), fileSize: Int64(bytes.count - 1)) == .notParquet)
        #expect(FooterPairs.read([], fileSize: 0) == .notParquet)
    }
    private struct Missing: Error {}

    /// Any bytes get an answer.
    @Test func damagedFootersAreNoFooters() throws {
        var random = SeededGenerator(seed: UInt64.random(in: 0...UInt64.max))
        print("SLUICE_SEED=\(random.seed)")
        let bytes = try file([("kafka-end", "41")])
        for _ in 0..<20_000 {
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                damaged[Int.random(in: 4..<damaged.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            switch FooterPairs.read(damaged, fileSize: Int64(damaged.count)) {
            case .pairs(let pairs): #expect(pairs.count <= 1)
            case .needs(let count): #expect(count <= damaged.count)
            case .notParquet: break
            }
        }
    }
}
