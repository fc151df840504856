import ConnectAPI
import Foundation
import Testing

@Suite struct NumberTextTests {
    @Test func decimalsSurviveTheirBytes() {
        var make = RandomColumns()
        for _ in 0..<2000 {
            let value =
                (Int128(Int64.random(in: .min ... .max, using: &make.random)) << Int128(make.int(0...63))) >> Int128(make.int(0...63))
            let bytes = value.bigEndianTwosComplement
            #expect(Int128(bigEndianTwosComplement: bytes) == value)
            #expect(Int128(bigEndianTwosComplement: [value < 0 ? 0xFF : 0] + bytes) == value, "sign extension changes nothing")
            if bytes.count > 1 { #expect(!(bytes[0] == 0 && bytes[1] < 0x80) && !(bytes[0] == 0xFF && bytes[1] >= 0x80), "shortest form") }
        }
        #expect(
            Int128.zero.bigEndianTwosComplement == [0] && Int128(-1).bigEndianTwosComplement == [0xFF]
                && Int128(128).bigEndianTwosComplement == [0, 0x80])
        #expect(Int128(bigEndianTwosComplement: [UInt8](repeating: 0x7F, count: 17)) == nil && Int128(bigEndianTwosComplement: []) == 0)
        for extreme in [Int128.min, .max] { #expect(Int128(bigEndianTwosComplement: extreme.bigEndianTwosComplement) == extreme) }
    }

    @Test func daysAreThoseOfTheGregorianCalendar() {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = TimeZone(identifier: "UTC")!
        var make = RandomColumns()
        for _ in 0..<500 {
            // Foundation switches to the Julian calendar before 1582.
            let day = Int64(make.int(-140_000...2_900_000))
            let parts = calendar.dateComponents([.year, .month, .day], from: Date(timeIntervalSince1970: Double(day) * 86_400))
            let civil = ISO8601.civil(day: day)
            #expect(Int(civil.year) == parts.year && civil.month == parts.month && civil.day == parts.day)
        }
        for _ in 0..<2000 {
            let day = Int64(make.int(-100_000_000...100_000_000)), civil = ISO8601.civil(day: day)
            #expect(ISO8601.day(year: civil.year, month: civil.month, day: civil.day) == day)
        }
    }

    @Test(
        arguments: [
            (1_709_205_255_123_456, 6, "2024-02-29T11:14:15.123456Z"), (1_709_205_255_123_456, 3, "2024-02-29T11:14:15.123Z"),
            (0, 0, "1970-01-01T00:00:00Z"),
            (-1, 6, "1969-12-31T23:59:59.999999Z"), (601_055_319_090_000_000, 6, "+21016-09-07T18:51:30.000000Z"),
            (-62_135_596_800_000_001, 6, "0000-12-31T23:59:59.999999Z"),
            (-210_863_520_000_000_000, 0, "-4712-01-01T00:00:00Z"), (.max, 6, "infinity"), (.min, 6, "-infinity"),
        ] as [(Int64, Int, String)])
    func instantsAreWrittenAsJavaWritesThem(_ micros: Int64, _ digits: Int, _ text: String) {
        #expect(ISO8601.timestamp(micros: micros, fractionDigits: digits) == text)
    }

    @Test func uuidsAreWrittenInLowerCase() {
        let uuid = UUID()
        let bytes = withUnsafeBytes(of: uuid.uuid) { Array($0) }
        #expect(UUIDText.string(bytes) == uuid.uuidString.lowercased())
    }
}
