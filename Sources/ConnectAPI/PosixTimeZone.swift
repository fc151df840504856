/// The rule at the end of a TZif file, such as `CET-1CEST,M3.5.0,M10.5.0/3`: standard and daylight time year after year.
struct PosixTimeZone: Sendable {
    /// Seconds east of UTC.
    private let standard: Int32
    private let daylight: (offset: Int32, start: Rule, end: Rule)?

    private struct Rule: Sendable {
        enum Day: Sendable {
            case julian(Int)
            case ordinal(Int)
            case weekday(month: Int, week: Int, day: Int)
        }
        let day: Day
        /// Seconds after local midnight; may be negative or beyond a day.
        let time: Int64

        /// Seconds since 1970 as if the local clock were UTC.
        func local(year: Int64) -> Int64 {
            let first = ISO8601.day(year: year, month: 1, day: 1)
            let leap = ISO8601.day(year: year, month: 3, day: 1) - ISO8601.day(year: year, month: 2, day: 28) == 2
            let date: Int64
            switch day {
            case .julian(let n): date = first + Int64(n - 1) + (leap && n >= 60 ? 1 : 0)
            case .ordinal(let n): date = first + Int64(n)
            case .weekday(let month, let week, let weekday):
                let monthStart = ISO8601.day(year: year, month: month, day: 1)
                let next = month == 12 ? ISO8601.day(year: year + 1, month: 1, day: 1) : ISO8601.day(year: year, month: month + 1, day: 1)
                let startWeekday = (monthStart + 4).flooredDivision(by: 7).remainder
                var found = monthStart + (Int64(weekday) - startWeekday + 7) % 7 + Int64(week - 1) * 7
                while found >= next { found -= 7 }
                date = found
            }
            return date * 86_400 + time
        }
    }

    init?(_ text: [UInt8]) {
        var cursor = BoundedReader(text)
        guard Self.abbreviation(&cursor), let west = Self.time(&cursor) else { return nil }
        standard = Int32(-west)
        if cursor.rest.isEmpty { daylight = nil; return }
        guard Self.abbreviation(&cursor) else { return nil }
        var offset = Int32(-west + 3600)
        if let c = cursor.rest.first, c != UInt8(ascii: ",") {
            guard let west = Self.time(&cursor) else { return nil }
            offset = Int32(-west)
        }
        guard cursor.next() == UInt8(ascii: ","), let start = Self.rule(&cursor), cursor.next() == UInt8(ascii: ","), let end = Self.rule(&cursor),
            cursor.rest.isEmpty
        else { return nil }
        daylight = (offset, start, end)
    }

    /// The offset at an instant (seconds) and the instants between which it surely holds.
    func period(at seconds: Int64) -> (offset: Int32, from: Int64, until: Int64) {
        guard let daylight else { return (standard, .min, .max) }
        let year = ISO8601.civil(day: (seconds + Int64(standard)).flooredDivision(by: 86_400).quotient).year
        // The last change until then and the first one after it, among those of the years around.
        var offset = standard, from = Int64.min, until = Int64.max
        func change(_ at: Int64, to new: Int32) {
            if at > seconds { until = min(until, at) } else if at >= from { (offset, from) = (new, at) }
        }
        for y in year - 1...year + 1 {
            change(daylight.start.local(year: y) - Int64(standard), to: daylight.offset)
            change(daylight.end.local(year: y) - Int64(daylight.offset), to: standard)
        }
        return (offset, from, until == .max ? seconds + 1 : until)
    }

    // MARK: Parsing

    private static func abbreviation(_ cursor: inout BoundedReader) -> Bool {
        if cursor.rest.first == UInt8(ascii: "<") {
            while let c = cursor.next() { if c == UInt8(ascii: ">") { return true } }
            return false
        }
        var length = 0
        while let c = cursor.rest.first, (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(c & 0xDF) {
            _ = cursor.next()
            length += 1
        }
        return length >= 3
    }

    private static func number(_ cursor: inout BoundedReader) -> Int? {
        var value: Int?
        while let c = cursor.rest.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(c), (value ?? 0) < 100_000 {
            value = (value ?? 0) * 10 + Int(c - UInt8(ascii: "0"))
            _ = cursor.next()
        }
        return value
    }

    /// `[+-]hh[:mm[:ss]]` in seconds.
    private static func time(_ cursor: inout BoundedReader) -> Int64? {
        var sign: Int64 = 1
        if let c = cursor.rest.first, c == UInt8(ascii: "-") || c == UInt8(ascii: "+") {
            sign = c == UInt8(ascii: "-") ? -1 : 1
            _ = cursor.next()
        }
        guard let hours = number(&cursor), hours <= 167 else { return nil }
        var seconds = Int64(hours) * 3600, unit: Int64 = 60
        while cursor.rest.first == UInt8(ascii: ":"), unit >= 1 {
            _ = cursor.next()
            guard let part = number(&cursor), part < 60 else { return nil }
            seconds += Int64(part) * unit
            unit /= 60
        }
        return sign * seconds
    }

    private static func rule(_ cursor: inout BoundedReader) -> Rule? {
        let day: Rule.Day
        switch cursor.rest.first {
        case UInt8(ascii: "M"):
            _ = cursor.next()
            guard let month = number(&cursor), (1...12).contains(month), cursor.next() == UInt8(ascii: "."), let week = number(&cursor),
                (1...5).contains(week), cursor.next() == UInt8(ascii: "."), let weekday = number(&cursor), weekday <= 6
            else { return nil }
            day = .weekday(month: month, week: week, day: weekday)
        case UInt8(ascii: "J"):
            _ = cursor.next()
            guard let n = number(&cursor), (1...365).contains(n) else { return nil }
            day = .julian(n)
        default:
            guard let n = number(&cursor), n <= 365 else { return nil }
            day = .ordinal(n)
        }
        guard cursor.rest.first == UInt8(ascii: "/") else { return Rule(day: day, time: 7200) }
        _ = cursor.next()
        return time(&cursor).map { Rule(day: day, time: $0) }
    }
}
