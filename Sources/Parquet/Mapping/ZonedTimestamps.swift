import ConnectAPI

/// ZonedTimestamps as microseconds since 1970 in UTC.
///
/// `infinity` is written as Int64.max and `-infinity` as -Int64.max: DuckDB shows them as its infinities, and for every other reader any
/// such value is merely out of range.
enum ZonedTimestamps {
    static let infinity = Int64.max
    static let negativeInfinity = -Int64.max

    /// The values with Int64.min, our storage's `-infinity`, replaced.
    static func forReaders(_ micros: [Int64]) -> [Int64] {
        var least = Int64.max
        for value in micros { least = min(least, value) }
        return least == .min ? micros.map { $0 == .min ? negativeInfinity : $0 } : micros
    }

    /// Parses what Debezium and PostgreSQL write: `[+-]YYYY…-MM-DDTHH:MM[:SS[.fraction]](Z|±HH[[:]MM[[:]SS]])`, a blank for `T`, `infinity`.
    /// A fraction finer than microseconds is cut. Nil for anything else, and for instants beyond 64 bits.
    static func parse(_ text: UnsafeRawBufferPointer) -> Int64? {
        if text.elementsEqual("infinity".utf8) { return infinity }
        if text.elementsEqual("-infinity".utf8) { return negativeInfinity }
        var cursor = Cursor(text: text)
        let negative = cursor.take("-")
        if !negative { _ = cursor.take("+") }
        guard let yearDigits = cursor.digits(4...9), cursor.take("-"), let month = cursor.digits(2...2), cursor.take("-"),
            let day = cursor.digits(2...2), cursor.take("T") || cursor.take("t") || cursor.take(" "),
            let hour = cursor.digits(2...2), cursor.take(":"), let minute = cursor.digits(2...2)
        else { return nil }
        let year = negative ? -yearDigits : yearDigits
        guard (1...12).contains(month), (1...daysIn(month, year)).contains(day), hour <= 24, minute <= 59 else { return nil }
        var second: Int64 = 0, micros: Int64 = 0
        if cursor.take(":") {
            guard let s = cursor.digits(2...2), s <= 60 else { return nil }
            second = s
            if cursor.take(".") {
                guard let fraction = cursor.fraction() else { return nil }
                micros = fraction
            }
        }
        if hour == 24 && (minute, second, micros) != (0, 0, 0) { return nil }
        guard let offset = cursor.zone(), cursor.isAtEnd else { return nil }
        let days = ISO8601.day(year: year, month: Int(month), day: Int(day))
        let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        let (sum, carried) = scaled.addingReportingOverflow(micros)
        return overflow || carried || sum == .min ? nil : sum
    }

    private static func daysIn(_ month: Int64, _ year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private struct Cursor {
        let text: UnsafeRawBufferPointer
        var at = 0

        var isAtEnd: Bool { at == text.count }

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard at < text.count, text[at] == UInt8(ascii: character) else { return false }
            at += 1
            return true
        }

        mutating func digits(_ allowed: ClosedRange<Int>) -> Int64? {
            var value: Int64 = 0
            let start = at
            while at < text.count, at - start < allowed.upperBound, let digit = digit(text[at]) {
                value = value * 10 + digit
                at += 1
            }
            return allowed.contains(at - start) ? value : nil
        }

        /// Digits after the point, as microseconds.
        mutating func fraction() -> Int64? {
            var value: Int64 = 0, n = 0
            while at < text.count, let digit = digit(text[at]) {
                if n < 6 { value = value * 10 + digit }
                n += 1
                at += 1
            }
            guard n > 0 else { return nil }
            while n < 6 {
                value *= 10
                n += 1
            }
            return value
        }

        /// Seconds east of Greenwich.
        mutating func zone() -> Int64? {
            if take("Z") || take("z") { return 0 }
            let sign: Int64
            if take("+") { sign = 1 } else if take("-") { sign = -1 } else { return nil }
            guard let hours = digits(2...2), hours <= 18 else { return nil }
            var seconds = hours * 3600
            if !isAtEnd {
                _ = take(":")
                guard let minutes = digits(2...2), minutes <= 59 else { return nil }
                seconds += minutes * 60
            }
            if !isAtEnd {
                _ = take(":")
                guard let rest = digits(2...2), rest <= 59 else { return nil }
                seconds += rest
            }
            return sign * seconds
        }

        private func digit(_ byte: UInt8) -> Int64? {
            byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") ? Int64(byte - UInt8(ascii: "0")) : nil
        }
    }
}
