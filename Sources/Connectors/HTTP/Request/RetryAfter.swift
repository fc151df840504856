import ConnectAPI

/// How long a server asks to be left alone (RFC 9110 10.2.3): seconds, or a date such as `Wed, 21 Oct 2026 07:28:00 GMT`.
enum RetryAfter {
    /// At most an hour; nil: the text says nothing.
    static func wait(_ text: String?, now: Int64) -> Duration? {
        guard let text else { return nil }
        if let seconds = Int64(text.trimmingSpaces()) { return seconds < 0 ? nil : .seconds(min(seconds, 3600)) }
        guard let at = date(text) else { return nil }
        return .milliseconds(min(max(0, at - now), 3_600_000))
    }

    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    private static func date(_ text: String) -> Int64? {
        let words = text.split(separator: " ")
        guard words.count == 6, words[5] == "GMT", let day = Int(words[1]), let month = months.firstIndex(of: String(words[2])), let year = Int64(words[3]),
            (1970...9999).contains(year), (1...31).contains(day)
        else { return nil }
        let time = words[4].split(separator: ":").map { Int64($0) ?? -1 }
        guard time.count == 3, time.allSatisfy({ (0...60).contains($0) }) else { return nil }
        return (ISO8601.day(year: year, month: month + 1, day: day) * 86_400 + time[0] * 3600 + time[1] * 60 + time[2]) * 1000
    }
}
