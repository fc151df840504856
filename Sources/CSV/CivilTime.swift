import ConnectAPI

/// A date and time by its parts, on its way to microseconds since 1970.
struct CivilTime {
    var year: Int64 = 1970
    var month: Int64 = 1
    var day: Int64 = 1
    var dayOfYear: Int64?
    var hour: Int64 = 0
    var minute: Int64 = 0
    var second: Int64 = 0
    var micro: Int64 = 0
    var isAfternoon = false
    /// Minutes east of UTC, where the text says so.
    var zone: Int?

    /// nil: there is no such day or time. `rules`: the zone of texts without one; what its clocks show twice, or never, is read as Spool Dir's
    /// `SimpleDateFormat` reads it.
    func micros(_ rules: TimeZoneRules) -> Int64? {
        guard (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 60, abs(year) < 200_000 else { return nil }
        var days = ISO8601.day(year: year, month: Int(month), day: Int(day))
        if let dayOfYear {
            days = ISO8601.day(year: year, month: 1, day: 1) + dayOfYear - 1
        } else {
            let (_, month, day) = ISO8601.civil(day: days)
            guard month == self.month, day == self.day else { return nil }
        }
        let minutes = (days * 24 + hour + (isAfternoon ? 12 : 0)) * 60 + minute - Int64(zone ?? 0)
        let second = minutes * 60 + second
        return (zone == nil ? rules.instant(local: second * 1000, later: true) / 1000 : second) * 1_000_000 + micro
    }

    /// `2026-11-26`, `2026-11-26 17:03`, `2026-11-26T17:03:59.123456Z`, `… +02:00`. Also says how many digits the fraction has.
    static func iso(_ bytes: UnsafeRawBufferPointer, _ rules: TimeZoneRules, date: Bool) -> (micros: Int64, fractionDigits: Int)? {
        var cursor = TextCursor(bytes), civil = CivilTime()
        guard let year = cursor.digits(4), cursor.skip(UInt8(ascii: "-")), let month = cursor.digits(2), cursor.skip(UInt8(ascii: "-")),
            let day = cursor.digits(2)
        else { return nil }
        (civil.year, civil.month, civil.day) = (year, month, day)
        if date { return cursor.isAtEnd ? civil.micros(rules).map { ($0, 0) } : nil }
        var fraction = 0
        if !cursor.isAtEnd {
            guard cursor.skip(UInt8(ascii: " ")) || cursor.skip(UInt8(ascii: "T")), let hour = cursor.digits(2), cursor.skip(UInt8(ascii: ":")),
                let minute = cursor.digits(2)
            else { return nil }
            (civil.hour, civil.minute) = (hour, minute)
            if cursor.skip(UInt8(ascii: ":")) {
                guard let second = cursor.digits(2) else { return nil }
                civil.second = second
                if cursor.skip(UInt8(ascii: ".")) {
                    let before = cursor.position
                    guard let micros = cursor.fraction() else { return nil }
                    fraction = cursor.position - before
                    civil.micro = micros
                }
            }
            if !cursor.isAtEnd {
                _ = cursor.skip(UInt8(ascii: " "))
                guard let zone = cursor.zone() else { return nil }
                civil.zone = zone
            }
        }
        guard cursor.isAtEnd else { return nil }
        return civil.micros(rules).map { ($0, fraction) }
    }
}
