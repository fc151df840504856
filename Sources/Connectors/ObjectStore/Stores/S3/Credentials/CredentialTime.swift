import ConnectAPI

/// The expiry times of AWS's answers: `2026-11-26T08:15:00Z`, with or without a fraction or an offset.
enum CredentialTime {
    static func milliseconds(_ text: String) -> Int64? {
        let bytes = Array(text.utf8)
        func number(_ range: Range<Int>) -> Int64? {
            guard range.upperBound <= bytes.count, bytes[range].allSatisfy({ (48...57).contains($0) }) else { return nil }
            return bytes[range].reduce(0) { $0 * 10 + Int64($1 - 48) }
        }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13), let minute = number(14..<16),
            let second = number(17..<19), (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        var rest = bytes[19...], offset: Int64 = 0
        if rest.first == UInt8(ascii: ".") { rest = rest.dropFirst().drop { (48...57).contains($0) } }
        if let sign = rest.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") {
            let at = rest.startIndex + 1
            guard let hours = number(at..<at + 2) else { return nil }
            let minutes = number(at + 3..<at + 5) ?? number(at + 2..<at + 4) ?? 0
            offset = (hours * 60 + minutes) * (sign == UInt8(ascii: "-") ? -60 : 60)
        }
        let days = ISO8601.day(year: year, month: Int(month), day: Int(day))
        return (days * 86_400 + hour * 3600 + minute * 60 + second - offset) * 1000
    }
}
