import ConnectAPI

/// The footer of a TZif file, `CET-1CEST,M3.5.0,M10.5.0/3`: the rule for all years to come.
struct YearlyRule: Sendable {
    private struct Change: Sendable {
        let month: Int, week: Int, weekday: Int
        /// Seconds of the day, by the clocks before the change.
        let time: Int64

        /// In seconds since 1970, as if clocks showed UTC.
        func local(in year: Int64) -> Int64 {
            let first = ISO8601.day(year: year, month: month, day: 1)
            let weekdayOfFirst = ((first + 4) % 7 + 7) % 7
            var day = first + (Int64(weekday) - weekdayOfFirst + 7) % 7 + Int64(week - 1) * 7
            let next = month == 12 ? ISO8601.day(year: year + 1, month: 1, day: 1) : ISO8601.day(year: year, month: month + 1, day: 1)
            while day >= next { day -= 7 }
            return day * 86_400 + time
        }
    }
    private let standard: Int64
    private let summer: (offset: Int64, begin: Change, end: Change)?

    init?(_ text: String) {
        var rest = text[...]
        guard Self.skipName(&rest), let west = Self.time(&rest) else { return nil }
        standard = -west
        guard !rest.isEmpty else {
            summer = nil
            return
        }
        guard Self.skipName(&rest) else { return nil }
        let offset = rest.first == "," ? standard + 3600 : Self.time(&rest).map { -$0 }
        let changes = rest.split(separator: ",").compactMap(Self.change)
        guard let offset, changes.count == 2 else { return nil }
        summer = (offset, changes[0], changes[1])
    }

    func offset(at instant: Int64) -> Int64 {
        guard let summer else { return standard }
        let year = ISO8601.civil(day: (instant + standard).flooredDivision(by: 86_400).quotient).year
        let begin = summer.begin.local(in: year) - standard, end = summer.end.local(in: year) - summer.offset
        // South of the equator summer goes over the turn of the year.
        let isSummer = begin < end ? instant >= begin && instant < end : instant >= begin || instant < end
        return isSummer ? summer.offset : standard
    }

    private static func skipName(_ text: inout Substring) -> Bool {
        let name = text.first == "<" ? text.prefix { $0 != ">" } + ">" : text.prefix { $0.isLetter }
        guard name.count >= 3, text.count >= name.count else { return false }
        text = text.dropFirst(name.count)
        return true
    }

    /// `[+-]h[h][:mm[:ss]]` in seconds.
    private static func time(_ text: inout Substring) -> Int64? {
        let digits = text.prefix { $0.isNumber || "+-:".contains($0) }
        text = text.dropFirst(digits.count)
        let isNegative = digits.first == "-"
        let parts = digits.drop { $0 == "+" || $0 == "-" }.split(separator: ":", omittingEmptySubsequences: false).map { Int64($0) }
        guard (1...3).contains(parts.count), parts.allSatisfy({ $0.map { $0 <= 167 } ?? false }) else { return nil }
        let seconds = zip(parts, [3600, 60, 1]).reduce(Int64(0)) { $0 + ($1.0 ?? 0) * $1.1 }
        return isNegative ? -seconds : seconds
    }

    /// `Mmonth.week.weekday[/time]`, the only form in use.
    private static func change(_ text: Substring) -> Change? {
        let sides = text.split(separator: "/")
        guard sides.first?.first == "M" else { return nil }
        let numbers = sides[0].dropFirst().split(separator: ".").compactMap { Int($0) }
        guard numbers.count == 3, (1...12).contains(numbers[0]), (1...5).contains(numbers[1]), (0...6).contains(numbers[2]) else { return nil }
        var time: Int64 = 7200
        if sides.count == 2 {
            var rest = sides[1]
            guard let given = Self.time(&rest) else { return nil }
            time = given
        }
        return Change(month: numbers[0], week: numbers[1], weekday: numbers[2], time: time)
    }
}
