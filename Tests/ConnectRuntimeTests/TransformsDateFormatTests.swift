@testable import ConnectRuntime
import TestSupport
import Testing

@Suite struct TransformsDateFormatTests {
    /// What `SimpleDateFormat` of Java 17 prints for 1709205255123 and 1704063599007 in UTC.
    @Test(arguments: [
        ("yyyyMMdd", "20240229", "20231231"), ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "2024-02-29T11:14:15.123Z", "2023-12-31T22:59:59.007Z"),
        ("EEE, d MMM yyyy h:mm a", "Thu, 29 Feb 2024 11:14 AM", "Sun, 31 Dec 2023 10:59 PM"),
        ("yy.M.d H:m:s.S", "24.2.29 11:14:15.123", "23.12.31 22:59:59.7"),
        ("EEEE MMMM D u k K", "Thursday February 60 4 11 11", "Sunday December 365 7 22 10"),
        ("''yyyy'' z Z", "'2024' UTC +0000", "'2023' UTC +0000"),
    ])
    func formatsAsJavaDoes(_ pattern: String, _ leap: String, _ eve: String) throws {
        let format = try JavaDateFormat(pattern)
        #expect(format.string(1_709_205_255_123) == leap && format.string(1_704_063_599_007) == eve)
    }

    @Test(
        arguments: [
            ("yyyy-MM-dd HH:mm:ss", "2024-02-29 11:14:15", 1_709_205_255_000), ("yyyyMMddHHmmss", "20240229111415", 1_709_205_255_000),
            ("yyyy-MM-dd'T'HH:mm:ss.SSSX", "2024-02-29T12:14:15.123+01", 1_709_205_255_123),
            ("dd MMM yyyy", "29 Feb 2024", 1_709_164_800_000),
            ("yyyy-MM-dd", "2024-13-01", 1_735_689_600_000), ("h:mm a", "12:30 AM", 1_800_000),
            ("yyyy-MM-dd", "2024-02-29 and more", 1_709_164_800_000),
        ] as [(String, String, Int64)])
    func parsesAsJavaDoes(_ pattern: String, _ text: String, _ millis: Int64) throws {
        #expect(try JavaDateFormat(pattern).parse(text) == millis)
    }

    @Test func refusesWhatIsNotOfTheFormat() throws {
        #expect(try JavaDateFormat("yyyy-MM-dd").parse("20240229") == nil)
        #expect(try JavaDateFormat("HH:mm").parse("x") == nil)
        #expect(throws: (any Error).self) { try JavaDateFormat("yyyy-bb") }
        #expect(throws: (any Error).self) { try JavaDateFormat("yyyy'open") }
    }

    @Test func randomTextsNeverTrap() throws {
        var random = SeededGenerator(seed: UInt64.random(in: 0 ... .max))
        print("randomTextsNeverTrap: seed \(random.seed)")
        let formats = try ["yyyy-MM-dd'T'HH:mm:ss.SSSX", "EEE, d MMM yyyy h:mm a z", "yyyyDDD"].map { try JavaDateFormat($0) }
        for _ in 0..<3000 {
            let text = String(
                (0..<Int.random(in: 0...30, using: &random)).map { _ in "0123456789-+:.TZ FebPMSun9999999999".randomElement(using: &random)!
                })
            for format in formats { _ = format.parse(text).map { format.string($0) } }
        }
        for format in formats { _ = format.string(.max) + format.string(.min) }
    }
}
