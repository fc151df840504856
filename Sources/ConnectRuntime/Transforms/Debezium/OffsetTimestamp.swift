import ConnectAPI

/// `2011-12-03T10:15:30.5+01:00`, as Java's ISO_OFFSET_DATE_TIME reads and writes it.
struct OffsetTimestamp {
    /// Since 1970 in UTC.
    let seconds: Int64
    let nanos: Int64
    /// Of the text it was read from.
    var offset: Int64 = 0

    init(seconds: Int64, nanos: Int64) {
        self.seconds = seconds
        self.nanos = nanos
    }

    init?(_ text: String) {
        guard let split = text.firstIndex(of: "T") else { return nil }
        let date = text[..<split].drop { $0 == "-" || $0 == "+" }.split(separator: "-"), isBefore = text.hasPrefix("-")
        let rest = text[text.index(after: split)...]
        guard let end = rest.firstIndex(where: { "Z+-".contains($0) }), date.count == 3, let year = Int64(date[0]), let month = Int(date[1]),
            let day = Int(date[2]), (1...12).contains(month), (1...31).contains(day), year <= 999_999, let offset = Self.offset(rest[end...])
        else { return nil }
        let time = rest[..<end].split(separator: ".", omittingEmptySubsequences: false)
        let clock = time[0].split(separator: ":").compactMap { Int64($0) }
        guard (1...2).contains(time.count), clock.count == 2 || clock.count == 3, clock[0] <= 24, clock.dropFirst().allSatisfy({ $0 < 60 }) else { return nil }
        var nanos: Int64 = 0
        if time.count == 2 {
            guard (1...9).contains(time[1].count), let fraction = Int64(time[1]) else { return nil }
            nanos = (time[1].count..<9).reduce(fraction) { value, _ in value * 10 }
        }
        let days = ISO8601.day(year: isBefore ? -year : year, month: month, day: day)
        seconds = days * 86_400 + clock[0] * 3600 + clock[1] * 60 + (clock.count == 3 ? clock[2] : 0) - offset
        self.nanos = nanos
        self.offset = offset
    }

    private static func offset(_ text: Substring) -> Int64? {
        if text == "Z" { return 0 }
        let parts = text.dropFirst().split(separator: ":").compactMap { $0.count == 2 ? Int64($0) : nil }
        guard (1...3).contains(parts.count), parts[0] <= 18 else { return nil }
        let seconds = zip(parts, [3600, 60, 1]).reduce(Int64(0)) { $0 + $1.0 * $1.1 }
        return text.first == "-" ? -seconds : seconds
    }

    /// As clocks at an offset show it: as many digits of a second's fraction as it has.
    func text(_ offset: Int64) -> [UInt8] {
        let (day, inDay) = (seconds + offset).flooredDivision(by: 86_400)
        var out: [UInt8] = []
        ISO8601.appendDate(day: day, to: &out)
        out.append(UInt8(ascii: "T"))
        ISO8601.appendTime(micros: inDay * 1_000_000, fractionDigits: 0, to: &out)
        if nanos > 0 {
            var digits = String(nanos + 1_000_000_000).dropFirst()
            while digits.last == "0" { digits.removeLast() }
            out += Array(".\(digits)".utf8)
        }
        if offset == 0 { return out + [UInt8(ascii: "Z")] }
        out.append(UInt8(ascii: offset < 0 ? "-" : "+"))
        let size = UInt64(abs(offset))
        ISO8601.appendDigits(size / 3600, width: 2, to: &out)
        out.append(UInt8(ascii: ":"))
        ISO8601.appendDigits(size / 60 % 60, width: 2, to: &out)
        if size % 60 != 0 {
            out.append(UInt8(ascii: ":"))
            ISO8601.appendDigits(size % 60, width: 2, to: &out)
        }
        return out
    }
}
