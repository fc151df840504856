import ConnectAPI
import Testing
import TestSupport

@testable import Parquet

@Suite struct ParquetFooterTests {
    private func file(_ pairs: [(String, String)]) throws -> [UInt8] {
        let schema = Schema.struct([.init("a", Schema(.int64)), .init("b", Schema(.string, optional: true))])
        let writer = try ParquetWriter(schema: schema)
        try writer.write(Column(schema, [.struct([1, "x"]), .struct([2, .null])]))
        for (key, value) in pairs { writer.setMetadata(key, value) }
        return try writer.finish()
    }

    private func footer(_ answer: ParquetFooter.Answer) -> ParquetFooter? { if case .footer(let footer) = answer { footer } else { nil } }
    private func isNone(_ answer: ParquetFooter.Answer) -> Bool { if case .notParquet = answer { true } else { false } }

    @Test func pairsComeBackFromTheEndOfAFile() throws {
        let bytes = try file([("kafka-end", "41"), ("name", "ü+\n"), ("empty", "")])
        let want = [["kafka-end", "41"], ["name", "ü+\n"], ["empty", ""]]
        #expect(footer(ParquetFooter.read(bytes, fileSize: Int64(bytes.count)))?.pairs.map { [$0.key, $0.value] } == want)
        guard case .needs(let count) = ParquetFooter.read(bytes.suffix(20), fileSize: Int64(bytes.count)) else { throw Missing() }
        let found = footer(ParquetFooter.read(bytes.suffix(count), fileSize: Int64(bytes.count)))
        #expect(found?.pairs.map { [$0.key, $0.value] } == want && found?["kafka-end"] == "41" && found?.rows == 2)
        #expect(isNone(ParquetFooter.read(Array(bytes.dropLast()), fileSize: Int64(bytes.count - 1))))
        #expect(isNone(ParquetFooter.read([], fileSize: 0)))
    }
    private struct Missing: Error {}

    /// Any bytes get an answer, and no file that is joined reaches past its end.
    @Test func damagedFootersAreNoFooters() throws {
        var random = SeededGenerator(seed: UInt64.random(in: 0...UInt64.max))
        print("SLUICE_SEED=\(random.seed)")
        let bytes = try file([("kafka-end", "41")])
        for _ in 0..<20_000 {
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                damaged[Int.random(in: 4..<damaged.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            switch ParquetFooter.read(damaged, fileSize: Int64(damaged.count)) {
            case .footer(let footer):
                #expect(footer.pairs.count <= 1)
                var join = ParquetJoin(like: footer)
                if let range = try? join.add(footer) { #expect(range.lowerBound == 4 && 4...footer.start ~= range.upperBound) }
            case .needs(let count): #expect(count <= damaged.count)
            case .notParquet: break
            }
        }
    }
}
