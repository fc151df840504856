/// When something is due, as cron spells it: `minute hour day-of-month month day-of-week`, or with seconds before them.
///
/// `*/5 * * * *`, `0 9-17 * * mon-fri`, `0 0 1,15 * *`, `@hourly`. Lists, ranges, steps, names of months and days, `?` and 7 for Sunday. As in
/// cron, a time is due when the day matches either of the two day fields where both are restricted.
///
/// Where the zone's clocks change, as cron(8): a schedule with `*` among hours, minutes or seconds follows the clocks as they show, so that a repeated
/// hour is due twice and a skipped one never. Any other names times of the day, each due once: a repeated one when it comes first, a skipped one when
/// the clocks jump over it. (Quartz leaves out a skipped time's day, and every time of a repeated hour.)
package struct CronSchedule: Sendable {
    package let text: String
    private let seconds: UInt64, minutes: UInt64, hours: UInt64, days: UInt64, months: UInt64, weekdays: UInt64
    private let restrictsBothDays: Bool
    /// Every time the clocks show counts, not each time of the day once.
    private let followsClocks: Bool
    private let zone: TimeZoneRules

    /// nil: it is no such text.
    package init?(_ text: String, zone: TimeZoneRules = .utc) {
        let names = [
            "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0", "@daily": "0 0 * * *",
            "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
        ]
        var fields = (names[text.lowercased()] ?? text).split(whereSeparator: { $0 == " " || $0 == "\t" }).map { $0.lowercased() }
        if fields.count == 5 { fields.insert("0", at: 0) }
        guard fields.count == 6, let seconds = Self.bits(fields[0], 0...59), let minutes = Self.bits(fields[1], 0...59),
            let hours = Self.bits(fields[2], 0...23), let days = Self.bits(fields[3], 1...31),
            let months = Self.bits(fields[4], 1...12, ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]),
            let weekdays = Self.bits(fields[5], 0...7, ["sun", "mon", "tue", "wed", "thu", "fri", "sat"])
        else { return nil }
        self.text = text
        (self.seconds, self.minutes, self.hours, self.days, self.months) = (seconds, minutes, hours, days, months)
        self.weekdays = weekdays >> 7 & 1 | weekdays
        restrictsBothDays = !["*", "?"].contains(String(fields[3].prefix(1))) && !["*", "?"].contains(String(fields[5].prefix(1)))
        followsClocks = fields[..<3].contains { $0.hasPrefix("*") }
        self.zone = zone
        // 31 February never comes.
        guard next(after: 0) != nil else { return nil }
    }

    private static func bits(_ field: String, _ range: ClosedRange<Int>, _ names: [String] = []) -> UInt64? {
        func number(_ text: Substring) -> Int? {
            if let i = names.firstIndex(of: String(text)) { return i + range.lowerBound }
            guard !text.isEmpty, text.count <= 2, text.utf8.allSatisfy({ (48...57).contains($0) }), let value = Int(text), range.contains(value) else {
                return nil
            }
            return value
        }
        var bits: UInt64 = 0
        for part in field.split(separator: ",", omittingEmptySubsequences: false) {
            let halves = part.split(separator: "/", omittingEmptySubsequences: false)
            guard halves.count <= 2, let span = halves.first else { return nil }
            var step = 1, low = range.lowerBound, high = range.upperBound
            if halves.count == 2 {
                guard let given = Int(halves[1]), given > 0, given <= range.upperBound + 1 else { return nil }
                step = given
            }
            if span != "*", span != "?" {
                let ends = span.split(separator: "-", omittingEmptySubsequences: false)
                guard ends.count <= 2, let first = number(ends[0]) else { return nil }
                low = first
                high = halves.count == 2 ? range.upperBound : first
                if ends.count == 2 {
                    guard let last = number(ends[1]), last >= first else { return nil }
                    high = last
                }
            }
            for value in stride(from: low, through: high, by: step) { bits |= 1 << UInt64(value) }
        }
        return bits
    }

    /// The first time that is due after `milliseconds` since 1970; nil: none within nine years.
    package func next(after milliseconds: Int64) -> Int64? {
        var instant = milliseconds.flooredDivision(by: 1000).quotient + 1
        let end = instant + 9 * 366 * 86_400
        // Period by period of one offset from UTC, in seconds.
        while instant < end {
            let (offset, from, until) = zone.period(at: instant * 1000)
            let shift = offset / 1000, start = from / 1000
            var local = instant + shift
            if !followsClocks, from != .min {
                // What the clocks showed when they were changed to this offset.
                let shown = start + zone.offset(at: from - 1) / 1000
                if instant == start, shown < local, nextLocal(from: shown, before: local) != nil { return instant * 1000 }
                local = max(local, shown)
            }
            let limit = min(until / 1000, end)
            if let due = nextLocal(from: local, before: limit + shift) { return (due - shift) * 1000 }
            instant = limit
        }
        return nil
    }

    /// The first matching time of the clock's own, in seconds.
    private func nextLocal(from first: Int64, before end: Int64) -> Int64? {
        guard first < end else { return nil }
        let (firstDay, inDay) = first.flooredDivision(by: 86_400)
        for day in firstDay...(end - 1).flooredDivision(by: 86_400).quotient where isDue(day) {
            guard let second = nextSecond(from: day == firstDay ? Int(inDay) : 0) else { continue }
            let time = day * 86_400 + Int64(second)
            return time < end ? time : nil
        }
        return nil
    }

    private func isDue(_ day: Int64) -> Bool {
        let (_, month, dayOfMonth) = ISO8601.civil(day: day)
        guard months >> UInt64(month) & 1 != 0 else { return false }
        let matchesDay = days >> UInt64(dayOfMonth) & 1 != 0
        // 1970-01-01 was a Thursday; Sunday is 0.
        let matchesWeekday = weekdays >> UInt64((day + 4).flooredDivision(by: 7).remainder) & 1 != 0
        return restrictsBothDays ? matchesDay || matchesWeekday : matchesDay && matchesWeekday
    }

    /// Seconds into the day, at or after `from`.
    private func nextSecond(from: Int) -> Int? {
        for hour in from / 3600..<24 where hours >> UInt64(hour) & 1 != 0 {
            let startMinute = hour == from / 3600 ? from / 60 % 60 : 0
            for minute in startMinute..<60 where minutes >> UInt64(minute) & 1 != 0 {
                let startSecond = hour == from / 3600 && minute == from / 60 % 60 ? from % 60 : 0
                for second in startSecond..<60 where seconds >> UInt64(second) & 1 != 0 { return (hour * 60 + minute) * 60 + second }
            }
        }
        return nil
    }
}
