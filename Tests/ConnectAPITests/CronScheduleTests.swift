import ConnectAPI
import Foundation
import TestSupport
import Testing

/// When cron expressions are due.
@Suite struct CronScheduleTests {
    private func time(_ text: String) -> Int64 { Int64(ISO8601DateFormatter().date(from: text)!.timeIntervalSince1970) * 1000 }

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

    @Test(
        arguments: [
            ("0 0 * * *", "+02:00", "2026-11-26T00:00:00Z", "2026-11-26T22:00:00Z"),
            // Berlin's clocks jump from 02:00 to 03:00 on 2026-03-29 and back from 03:00 to 02:00 on 2026-10-25.
            ("0 9 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T07:00:00Z"),
            ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"),
            ("30 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"),
            ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"),
            ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
            ("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"),
            ("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z"),
            ("*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-30T00:00:00Z"),
            ("*/30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z"),
            // Lord Howe's clocks move by half an hour; Apia had no 2011-12-30.
            ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", "2026-10-03T15:30:00Z"),
            ("0 12 30 12 *", "Pacific/Apia", "2011-12-29T00:00:00Z", "2011-12-30T10:00:00Z"),
        ])
    func cronFollowsTheClocksOfAZone(_ text: String, _ zone: String, _ after: String, _ expected: String) throws {
        let schedule = try #require(CronSchedule(text, zone: TimeZoneRules(zone)))
        #expect(schedule.next(after: time(after)) == time(expected))
    }

    /// Python's zoneinfo walks the clocks; what it finds due first is what comes next.
    @Test func cronInZonesAgreesWithPython() throws {
        var random = SeededGenerator(seed: .random(in: 0...UInt64.max))
        print("cron in zones: SLUICE_SEED=\(random.seed)")
        let zones = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia", "America/St_Johns", "Europe/Dublin"]
        // Around changes of each zone's clocks, and anywhere.
        let changes = try zones.map { name in
            let zone = try TimeZoneRules(name)
            return sequence(first: zone.period(at: 1_300_000_000_000)) { zone.period(at: $0.until) }.prefix(40).map(\.from)
        }
        var cases: [[String]] = []
        for _ in 0..<300 {
            let zone = Int.random(in: 0..<zones.count, using: &random)
            let minute = ["*", "*/7", "0", "15,45", "30", "\(Int.random(in: 0...59, using: &random))"].randomElement(using: &random)!
            let hour = ["*", "*/3", "0-3", "1", "2", "3", "\(Int.random(in: 0...23, using: &random))"].randomElement(using: &random)!
            let day = ["* * *", "* * *", "* * sun", "25-31 * *", "* 3,10 0"].randomElement(using: &random)!
            let start =
                Bool.random(using: &random)
                ? changes[zone].randomElement(using: &random)! + Int64.random(in: -30 * 3600...3 * 3600, using: &random) * 1000
                : Int64.random(in: 1_300_000_000...2_100_000_000, using: &random) * 1000
            cases.append([zones[zone], "\(minute) \(hour) \(day)", "\(start / 1000)"])
        }
        let script = #"""
            import datetime, json, sys, zoneinfo
            from datetime import timedelta
            utc = datetime.timezone.utc

            def field(text, low, high):
                values = set()
                for part in text.replace("sun", "0").split(","):
                    span, _, step = part.partition("/")
                    first, _, last = span.partition("-")
                    values |= set(range(low, high + 1, int(step or 1))) if span == "*" else set(range(int(first), int(last or first) + 1))
                return values

            def next_due(name, text, after):
                zone = zoneinfo.ZoneInfo(name)
                minute, hour, day, month, weekday = text.split()
                minutes, hours, days, months, weekdays = (field(*f) for f in ((minute, 0, 59), (hour, 0, 23), (day, 1, 31), (month, 1, 12), (weekday, 0, 6)))
                def matches(t):
                    return (t.minute in minutes and t.hour in hours and t.day in days and t.month in months and t.isoweekday() % 7 in weekdays)
                start = datetime.datetime.fromtimestamp(after, utc)
                if "*" in minute + hour:
                    t = start.replace(second=0) + timedelta(minutes=1)
                    while not matches(t.astimezone(zone)):
                        t += timedelta(minutes=1)
                    return int(t.timestamp())
                def instant(local):
                    t = local.replace(tzinfo=zone).astimezone(utc)
                    if t.astimezone(zone).replace(tzinfo=None) == local:
                        return t
                    # Skipped: when the clocks jumped over it.
                    low, high = t - timedelta(days=2), t
                    before = low.astimezone(zone).utcoffset()
                    while high - low > timedelta(seconds=1):
                        middle = low + (high - low) / 2
                        middle = middle.replace(microsecond=0)
                        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
                    return high
                found = []
                local = (start.astimezone(zone) - timedelta(days=3)).replace(tzinfo=None, second=0)
                while not found or local < stop:
                    if matches(local) and instant(local) > start:
                        if not found:
                            stop = local + timedelta(days=3)
                        found.append(instant(local))
                    local += timedelta(minutes=1) if matches(local) or local.hour in hours else timedelta(minutes=60 - local.minute)
                return int(min(found).timestamp())

            print(json.dumps([next_due(name, text, int(after)) for name, text, after in json.load(sys.stdin)]))
            """#
        let input = String(decoding: try JSONEncoder().encode(cases), as: UTF8.self)
        let expected = try JSONDecoder().decode([Int64].self, from: Data(Python.run(script, input: input).utf8))
        for (given, due) in zip(cases, expected) {
            let schedule = try #require(CronSchedule(given[1], zone: TimeZoneRules(given[0])))
            #expect(schedule.next(after: Int64(given[2])! * 1000) == due * 1000, "\(given)")
        }
    }

    @Test func anyBytesAreASchedule() throws {
        var random = SeededGenerator(seed: .random(in: 0...UInt64.max))
        print("cron texts: SLUICE_SEED=\(random.seed)")
        let alphabet = Array("0123456789*/-,?@ monfeb"), zone = try TimeZoneRules("Europe/Berlin")
        for _ in 0..<20_000 {
            let text = String((0..<Int.random(in: 0...30, using: &random)).map { _ in alphabet.randomElement(using: &random)! })
            if let schedule = CronSchedule(text, zone: zone) { #expect((schedule.next(after: 0) ?? 1) > 0) }
        }
    }
}
