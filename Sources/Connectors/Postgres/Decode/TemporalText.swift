import ConnectAPI

/// Dates and times as PostgreSQL writes them with DateStyle ISO: `2024-02-29 13:14:15.123456+05:30 BC`.
///
/// A reader over one value. Nothing here traps; what is not of this form is nil.
struct TemporalText {
    private let text: UnsafeRawBufferPointer
    private var at = 0

    @inline(__always) init(_ text: UnsafeRawBufferPointer) { self.text = text }

    /// A point in time, or one of the ends of it.
    enum Instant {
        /// Microseconds since 1970.
        case micros(Int64)
        case infinity, negativeInfinity
    }

    enum Day {
        /// Days since 1970, and the calendar fields the text has.
        case day(Int64, year: Int64, month: Int, dayOfMonth: Int, isBC: Bool)
        case infinity, negativeInfinity
    }

    static func day(_ text: UnsafeRawBufferPointer) -> Day? {
        if let special = special(text) { return special ? .negativeInfinity : .infinity }
        var reader = TemporalText(text)
        guard let (year, month, day) = reader.calendarDate(), let isBC = reader.era(), reader.isAtEnd else { return nil }
        let y = isBC ? 1 - year : year
        return .day(ISO8601.day(year: y, month: month, day: day), year: year, month: month, dayOfMonth: day, isBC: isBC)
    }

    /// A timestamp, with an offset from UTC if it has one.
    @inline(__always)
    static func instant(_ text: UnsafeRawBufferPointer) -> Instant? {
        var reader = TemporalText(text)
        guard let (year, month, day) = reader.calendarDate() else {
            return special(text).map { $0 ? .negativeInfinity : .infinity }
        }
        guard reader.take(UInt8(ascii: " ")), let time = reader.timeOfDay(), let offset = reader.offset(), let isBC = reader.era(),
            reader.isAtEnd
        else { return nil }
        let days = ISO8601.day(year: isBC ? 1 - year : year, month: month, day: day)
        return .micros(days &* 86_400_000_000 &+ time &- offset &* 1_000_000)
    }

    /// Microseconds since midnight, up to 24:00:00, and the offset in seconds east of UTC (0 where there is none).
    static func time(_ text: UnsafeRawBufferPointer) -> (micros: Int64, offset: Int64)? {
        var reader = TemporalText(text)
        guard let time = reader.timeOfDay(), let offset = reader.offset(), reader.isAtEnd else { return nil }
        return (time, offset)
    }

    /// true: -infinity, false: infinity.
    private static func special(_ text: UnsafeRawBufferPointer) -> Bool? {
        if text.elementsEqual("infinity".utf8) { return false }
        return text.elementsEqual("-infinity".utf8) ? true : nil
    }

    private var isAtEnd: Bool { at == text.count }

    @inline(__always) private mutating func take(_ byte: UInt8) -> Bool {
        guard at < text.count, text[at] == byte else { return false }
        at &+= 1
        return true
    }

    @inline(__always) private mutating func twoDigits() -> Int? {
        guard at &+ 2 <= text.count else { return nil }
        let a = text[at] &- UInt8(ascii: "0"), b = text[at &+ 1] &- UInt8(ascii: "0")
        guard a <= 9, b <= 9 else { return nil }
        at &+= 2
        return Int(a) &* 10 &+ Int(b)
    }

    @inline(__always) private mutating func calendarDate() -> (year: Int64, month: Int, day: Int)? {
        var year: Int64 = 0, start = at
        while at < text.count, case let digit = text[at] &- UInt8(ascii: "0"), digit <= 9, at &- start < 8 {
            year = year &* 10 &+ Int64(digit)
            at &+= 1
        }
        start = at &- start
        guard start >= 4, take(UInt8(ascii: "-")), let month = twoDigits(), take(UInt8(ascii: "-")), let day = twoDigits(),
            (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        return (year, month, day)
    }

    @inline(__always) private mutating func timeOfDay() -> Int64? {
        guard let hours = twoDigits(), take(UInt8(ascii: ":")), let minutes = twoDigits(), take(UInt8(ascii: ":")), let seconds = twoDigits()
        else { return nil }
        var micros: Int64 = 0
        if take(UInt8(ascii: ".")) {
            var unit: Int64 = 100_000
            while at < text.count, case let digit = text[at] &- UInt8(ascii: "0"), digit <= 9 {
                micros &+= Int64(digit) &* unit
                unit /= 10
                at &+= 1
            }
        }
        return Int64(hours &* 3600 &+ minutes &* 60 &+ seconds) &* 1_000_000 &+ micros
    }

    /// `+02`, `-03:30`, `+00:19:32`; seconds east of UTC.
    @inline(__always) private mutating func offset() -> Int64? {
        guard at < text.count else { return 0 }
        let negative = text[at] == UInt8(ascii: "-")
        guard negative || text[at] == UInt8(ascii: "+") else { return 0 }
        at &+= 1
        guard let hours = twoDigits() else { return nil }
        var seconds = hours &* 3600
        if take(UInt8(ascii: ":")) {
            guard let minutes = twoDigits() else { return nil }
            seconds &+= minutes &* 60
            if take(UInt8(ascii: ":")) {
                guard let rest = twoDigits() else { return nil }
                seconds &+= rest
            }
        }
        return Int64(negative ? -seconds : seconds)
    }

    /// Whether ` BC` follows; nil: something else does.
    @inline(__always) private mutating func era() -> Bool? {
        if isAtEnd { return false }
        guard text.count &- at == 3, text[at] == UInt8(ascii: " "), text[at + 1] == UInt8(ascii: "B"), text[at + 2] == UInt8(ascii: "C")
        else { return nil }
        at = text.count
        return true
    }
}

/// An interval in PostgreSQL's three parts.
struct IntervalValue {
    var months: Int64 = 0
    var days: Int64 = 0
    var micros: Int64 = 0

    /// The binary form: int64 microseconds, int32 days, int32 months.
    init?(binary bytes: UnsafeRawBufferPointer) {
        guard bytes.count == 16 else { return nil }
        micros = Int64(bigEndian: bytes.loadUnaligned(as: Int64.self))
        days = Int64(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: Int32.self)))
        months = Int64(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: 12, as: Int32.self)))
    }

    /// The text of IntervalStyle `postgres`: `-1 years +2 mons -3 days -04:05:06.789`.
    init?(text: UnsafeRawBufferPointer) {
        var any = false
        for token in Tokens(text: text) {
            any = true
            if let colon = token.value.firstIndex(of: UInt8(ascii: ":")) {
                guard let time = Self.clock(token.value, colon) else { return nil }
                micros &+= time
                continue
            }
            guard let number = Self.number(token.value), let unit = token.unit else { return nil }
            switch unit.first {
            case UInt8(ascii: "y"): months &+= number &* 12
            case UInt8(ascii: "m"): months &+= number
            case UInt8(ascii: "d"): days &+= number
            default: return nil
            }
        }
        if !any { return nil }
    }

    /// Words in pairs: a number and its unit; a clock stands alone.
    private struct Tokens: Sequence, IteratorProtocol {
        let text: UnsafeRawBufferPointer
        var at = 0
        mutating func word() -> UnsafeRawBufferPointer? {
            while at < text.count, text[at] == UInt8(ascii: " ") { at += 1 }
            guard at < text.count else { return nil }
            let start = at
            while at < text.count, text[at] != UInt8(ascii: " ") { at += 1 }
            return UnsafeRawBufferPointer(rebasing: text[start..<at])
        }
        mutating func next() -> (value: UnsafeRawBufferPointer, unit: UnsafeRawBufferPointer?)? {
            guard let value = word() else { return nil }
            return (value, value.contains(UInt8(ascii: ":")) ? nil : word())
        }
    }

    private static func number(_ bytes: UnsafeRawBufferPointer) -> Int64? {
        guard bytes.first == UInt8(ascii: "+") else { return IntegerText.parse(bytes) }
        return IntegerText.parse(UnsafeRawBufferPointer(rebasing: bytes.dropFirst()))
    }

    private static func clock(_ bytes: UnsafeRawBufferPointer, _ colon: Int) -> Int64? {
        let signed = bytes[0] == UInt8(ascii: "-") || bytes[0] == UInt8(ascii: "+")
        guard let hours = IntegerText.parse(UnsafeRawBufferPointer(rebasing: bytes[(signed ? 1 : 0)..<colon])), hours < 2_562_047_789,
            bytes.count >= colon + 6
        else { return nil }
        // The rest has the shape of a time of day without its hours.
        let rest = Array("00".utf8) + bytes[colon...]
        guard let time = rest.withUnsafeBytes({ TemporalText.time($0) }) else { return nil }
        let total = hours &* 3_600_000_000 &+ time.micros
        return bytes[0] == UInt8(ascii: "-") ? 0 &- total : total
    }

    /// Microseconds with months of 365.25 / 12 days, saturating, computed in doubles as Debezium does.
    var averageMicros: Int64 {
        let seconds = Double(micros % 60_000_000) / 1e6, minutes = Double(micros / 60_000_000 % 60), hours = Double(micros / 3_600_000_000)
        let days = Double(months) * (365.25 / 12) + Double(days)
        let value = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
        let result = value * 1e6
        return result >= 9.2233720368547758e18 ? .max : result <= -9.2233720368547758e18 ? .min : Int64(result)
    }

    /// `P1Y2M3DT4H5M6.78S`, every part written.
    func appendISO(to out: inout [UInt8]) {
        let fraction = (micros % 1_000_000).magnitude, seconds = micros / 1_000_000 % 60
        var text = "P\(months / 12)Y\(months % 12)M\(days)DT\(micros / 3_600_000_000)H\(micros / 60_000_000 % 60)M"
        if seconds == 0, micros < 0, fraction > 0 { text += "-" }
        text += "\(seconds)"
        out.append(contentsOf: text.utf8)
        if fraction > 0 {
            out.append(UInt8(ascii: "."))
            ISO8601.appendDigits(fraction, width: 6, to: &out)
            while out.last == UInt8(ascii: "0") { out.removeLast() }
        }
        out.append(UInt8(ascii: "S"))
    }
}
