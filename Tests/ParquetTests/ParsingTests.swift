import ConnectAPI
import TestSupport
import Testing

@testable import Parquet

/// Parsers of text that comes from outside: right on what is valid, silent on what is not, never a trap.
@Suite struct ParsingTests {
    private func parse(_ text: String) -> Int64? { Array(text.utf8).withUnsafeBytes { ZonedTimestamps.parse($0) } }

    @Test func printedTimestampsParseToThemselves() {
        var generator = SeededGenerator(seed: 4)
        for _ in 0..<20_000 {
            let micros = Int64.random(in: -9_000_000_000_000_000_000...9_000_000_000_000_000_000, using: &generator)
            #expect(parse(ISO8601.timestamp(micros: micros, fractionDigits: 6)) == micros)
        }
    }

    @Test func offsetsAndShortFormsAreUnderstood() {
        let noon: Int64 = 1_583_064_000_000_000
        for text in [
            "2020-03-01T12:00:00Z", "2020-03-01T12:00Z", "2020-03-01 12:00:00+00", "2020-03-01T14:30:00.0+02:30",
            "2020-03-01T11:59:00-00:01",
            "2020-03-01T06:00:00-0600", "2020-02-29T24:00:00-12:00", "2020-03-01t12:00:00z", "2020-03-01T12:00:30+00:00:30",
        ] { #expect(parse(text) == noon, "\(text)") }
        #expect(parse("2020-03-01T12:00:00.0000019Z") == noon + 1)
    }

    @Test func everythingElseIsRefused() {
        for text in [
            "", "Z", "2020", "2020-03-01", "2020-03-01T12:00:00", "2020-13-01T00:00:00Z", "2020-02-30T00:00:00Z", "2019-02-29T00:00:00Z",
            "2020-03-01T25:00:00Z", "2020-03-01T12:60:00Z", "2020-03-01T12:00:00.Z", "2020-03-01T12:00:00+99:00", "2020-03-01T12:00:00Zx",
            "999999999-01-01T00:00:00Z", "20-03-01T12:00:00Z", "infinit", "2020-03-01T24:00:01Z", "9999999999-01-01T00:00:00Z",
        ] { #expect(parse(text) == nil, "\(text)") }
    }

    @Test func randomBytesNeverTrap() {
        var generator = SeededGenerator(seed: 9)
        let seeds = ["2020-03-01T12:00:00.123456+02:00", "-4713-12-31T23:59:59Z", "infinity"].map { Array($0.utf8) }
        for i in 0..<50_000 {
            var bytes =
                i % 2 == 0
                ? seeds[i / 2 % 3]
                : (0..<Int.random(in: 0...40, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }
            if i % 2 == 0 {
                for _ in 0..<Int.random(in: 0...3, using: &generator) {
                    bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
                }
            }
            _ = bytes.withUnsafeBytes { ZonedTimestamps.parse($0) }
            var out: [UInt8] = []
            DecimalText.append(unscaled: bytes[...], scale: Int.random(in: -50...50, using: &generator), to: &out)
            #expect(!out.isEmpty)
        }
    }

    @Test func decimalTextAgreesWithInt128() {
        var generator = SeededGenerator(seed: 12)
        for _ in 0..<5000 {
            let value = Int128.random(in: .min...(.max), using: &generator) >> Int128.random(in: 0...127, using: &generator)
            var out: [UInt8] = []
            DecimalText.append(unscaled: value.bigEndianTwosComplement[...], scale: 0, to: &out)
            #expect(String(decoding: out, as: UTF8.self) == "\(value)")
        }
    }
}
