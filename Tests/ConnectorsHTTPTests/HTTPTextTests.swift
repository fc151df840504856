import Foundation
import JSON
import TestSupport
import Testing

@testable import ConnectAPI
@testable import ConnectorsHTTP

/// Cron expressions, JSON pointers, links, dates: the small languages of the HTTP source.
@Suite struct HTTPTextTests {
    private func time(_ text: String) -> Int64 {
        let parser = ISO8601DateFormatter()
        return Int64(parser.date(from: text)!.timeIntervalSince1970) * 1000
    }

    @Test(
        arguments: [
            ("*/5 * * * *", "2026-11-26T00:03:10Z", "2026-11-26T00:05:00Z"), ("*/5 * * * *", "2026-11-26T00:05:00Z", "2026-11-26T00:10:00Z"),
            ("0 9-17 * * mon-fri", "2026-11-27T17:00:01Z", "2026-11-30T09:00:00Z"), ("@hourly", "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"),
            ("30 2 29 2 *", "2026-11-26T00:00:00Z", "2028-02-29T02:30:00Z"), ("0 0 13 * fri", "2026-11-26T00:00:00Z", "2026-11-27T00:00:00Z"),
            ("0 0 1,15 * *", "2026-11-02T00:00:00Z", "2026-11-15T00:00:00Z"), ("*/10 * * * * *", "2026-11-26T00:00:09Z", "2026-11-26T00:00:10Z"),
            ("0 0 * * 7", "2026-11-26T00:00:00Z", "2026-11-29T00:00:00Z"), ("5/20 * * * *", "2026-11-26T00:26:00Z", "2026-11-26T00:45:00Z"),
            ("0 12 ? * *", "2026-11-26T13:00:00Z", "2026-11-27T12:00:00Z"),
        ])
    func cronIsDueNext(_ text: String, _ after: String, _ expected: String) throws {
        #expect(try #require(CronSchedule(text)).next(after: time(after)) == time(expected))
    }

    @Test func cronInAnotherZone() throws {
        #expect(try #require(CronSchedule("0 0 * * *", offset: 120)).next(after: time("2026-11-26T00:00:00Z")) == time("2026-11-26T22:00:00Z"))
    }

    /// The next due time is the first second, minute by minute, that the fields match.
    @Test func cronMatchesALinearSearch() throws {
        var random = SeededGenerator(seed: .random(in: 0...UInt64.max))
        print("cron: SLUICE_SEED=\(random.seed)")
        func field(_ range: ClosedRange<Int>) -> (String, Set<Int>) {
            switch Int.random(in: 0..<4, using: &random) {
            case 0: return ("*", Set(range))
            case 1:
                let step = Int.random(in: 1...range.upperBound, using: &random)
                return ("*/\(step)", Set(stride(from: range.lowerBound, through: range.upperBound, by: step)))
            case 2:
                let a = Int.random(in: range, using: &random), b = Int.random(in: a...range.upperBound, using: &random)
                return ("\(a)-\(b)", Set(a...b))
            default:
                let values = (0..<3).map { _ in Int.random(in: range, using: &random) }
                return (values.map(String.init).joined(separator: ","), Set(values))
            }
        }
        for _ in 0..<100 {
            let minute = field(0...59), hour = field(0...23), weekday = field(0...6)
            let start = Int64.random(in: 0...2_000_000_000, using: &random) * 1000
            guard let schedule = CronSchedule("\(minute.0) \(hour.0) * * \(weekday.0)") else {
                Issue.record("\(minute.0) \(hour.0) * * \(weekday.0)")
                continue
            }
            var expected = (start / 60_000 + 1) * 60
            while !(minute.1.contains(Int(expected / 60 % 60)) && hour.1.contains(Int(expected / 3600 % 24))
                && weekday.1.contains(Int((expected / 86_400 + 4) % 7)))
            {
                expected += 60
            }
            #expect(schedule.next(after: start) == expected * 1000, "\(schedule.text) after \(start)")
        }
    }

    @Test func anyBytesAreCronPointerLinkOrNot() {
        var random = SeededGenerator(seed: .random(in: 0...UInt64.max))
        print("http texts: SLUICE_SEED=\(random.seed)")
        let alphabet = Array("0123456789*/-,?@ monfeb~<>;=\"relnxt/:.GMT+${offset.x}é")
        for _ in 0..<20_000 {
            let text = String((0..<Int.random(in: 0...30, using: &random)).map { _ in alphabet.randomElement(using: &random)! })
            if let schedule = CronSchedule(text) { #expect((schedule.next(after: 0) ?? 1) > 0) }
            _ = JSONPointer(text)?.value(in: [["a": 1], 2])
            _ = Paging.nextLink(text)
            _ = RetryAfter.wait(text, now: 0)
            _ = URLText.resolve(text, from: "http://h/a/b?c")
            #expect(!URLText.shown(text).contains("?"))
            _ = try? RequestTemplate(text, "k")
        }
    }

    @Test func pointersAreThoseOfRFC6901() throws {
        let document = try JSONValue.parse(#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"m~n":8," ":7}"#)
        let expected: [(String, String?)] = [
            ("", document.compactText), ("/foo", #"["bar","baz"]"#), ("/foo/0", "\"bar\""), ("/a~1b", "1"), ("/c%d", "2"), ("/m~0n", "8"), ("/ ", "7"),
            ("/foo/2", nil), ("/foo/01", nil), ("/foo/-", nil), ("/x/y", nil), ("foo/1", "\"baz\""), ("/", document.compactText),
        ]
        for (pointer, value) in expected { #expect(try #require(JSONPointer(pointer)).value(in: document)?.compactText == value, "\(pointer)") }
        #expect(JSONPointer("/a~2") == nil && JSONPointer("/a~") == nil)
    }

    @Test func linksAndWaits() {
        #expect(Paging.nextLink("<http://h/1>; rel=\"prev\", <http://h/3>; rel=\"next\"") == "http://h/3")
        #expect(Paging.nextLink("<http://h/3?a=1,2>;rel=next") == "http://h/3?a=1,2" && Paging.nextLink("<http://h/1>; rel=\"last\"") == nil)
        #expect(RetryAfter.wait("120", now: 0) == .seconds(120) && RetryAfter.wait("Thu, 01 Jan 1970 00:01:00 GMT", now: 10_000) == .milliseconds(50_000))
        #expect(RetryAfter.wait("-1", now: 0) == nil && RetryAfter.wait("soon", now: 0) == nil && RetryAfter.wait("99999999", now: 0) == .seconds(3600))
        #expect(URLText.shown("https://user:pw@h:1/p?apikey=x#f") == "https://h:1/p")
        #expect(URLText.resolve("c", from: "http://h/a/b?x=/y") == "http://h/a/c" && URLText.resolve("/c", from: "http://h/a") == "http://h/c")
        #expect(URLText.resolve("?p=2", from: "http://h/a?p=1") == "http://h/a?p=2" && URLText.resolve("c", from: "http://h") == "http://h/c")
    }
}
