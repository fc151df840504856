import ConnectAPI

/// `java.text.SimpleDateFormat` in UTC and the English locale: the letters `G y Y M d D H h k K m s S a E u z Z X` and quoted text.
struct JavaDateFormat: Sendable {
    private enum Part: Sendable {
        case text([UInt8])
        case field(UInt8, Int)
    }
    private let parts: [Part]

    /// Throws for letters Java does not know or this does not support.
    init(_ pattern: String) throws {
        var parts: [Part] = [], literal: [UInt8] = [], bytes = Array(pattern.utf8)[...]
        func flush() {
            if !literal.isEmpty { parts.append(.text(literal)) }
            literal = []
        }
        while let c = bytes.popFirst() {
            switch c {
            case UInt8(ascii: "'"):
                if bytes.first == c {
                    literal.append(c)
                    bytes.removeFirst()
                    continue
                }
                while true {
                    guard let next = bytes.popFirst() else {
                        throw TransformError.config("Unterminated quote in the date format \(pattern)")
                    }
                    if next != c { literal.append(next) } else if bytes.first == c { literal.append(bytes.removeFirst()) } else { break }
                }
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"):
                guard "GyYMLdDHhkKmsSaEuzZX".utf8.contains(c) else {
                    throw TransformError.config("Illegal pattern character '\(Character(UnicodeScalar(c)))' in the date format \(pattern)")
                }
                var width = 1
                while bytes.first == c {
                    bytes.removeFirst()
                    width += 1
                }
                flush()
                parts.append(.field(c, width))
            default: literal.append(c)
            }
        }
        flush()
        self.parts = parts
    }

    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
    ]
    private static let days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

    // MARK: - Milliseconds to text

    func string(_ millis: Int64) -> String {
        var out: [UInt8] = []
        append(millis, to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    func append(_ millis: Int64, to out: inout [UInt8]) {
        let (day, inDay) = millis.flooredDivision(by: 86_400_000)
        let (year, month, dayOfMonth) = ISO8601.civil(day: day)
        let hour = inDay / 3_600_000
        // 1970-01-01 was a Thursday; Monday is 0.
        let weekday = Int((day + 3).flooredDivision(by: 7).remainder)
        func number(_ value: Int64, _ width: Int) { ISO8601.appendDigits(value.magnitude, width: width, to: &out) }
        for part in parts {
            guard case .field(let letter, let width) = part else {
                if case .text(let bytes) = part { out += bytes }
                continue
            }
            switch letter {
            case UInt8(ascii: "G"): out += Array((year > 0 ? "AD" : "BC").utf8)
            case UInt8(ascii: "y"), UInt8(ascii: "Y"):
                let ofEra = year > 0 ? year : 1 - year
                if width == 2 { number(ofEra % 100, 2) } else { number(ofEra, width) }
            case UInt8(ascii: "M"), UInt8(ascii: "L"):
                if width >= 4 {
                    out += Array(Self.months[month - 1].utf8)
                } else if width == 3 {
                    out += Array(Self.months[month - 1].utf8.prefix(3))
                } else {
                    number(Int64(month), width)
                }
            case UInt8(ascii: "d"): number(Int64(dayOfMonth), width)
            case UInt8(ascii: "D"): number(day - ISO8601.day(year: year, month: 1, day: 1) + 1, width)
            case UInt8(ascii: "E"): out += Array(width >= 4 ? Array(Self.days[weekday].utf8) : Array(Self.days[weekday].utf8.prefix(3)))
            case UInt8(ascii: "u"): number(Int64(weekday + 1), width)
            case UInt8(ascii: "H"): number(hour, width)
            case UInt8(ascii: "k"): number(hour == 0 ? 24 : hour, width)
            case UInt8(ascii: "K"): number(hour % 12, width)
            case UInt8(ascii: "h"): number(hour % 12 == 0 ? 12 : hour % 12, width)
            case UInt8(ascii: "m"): number(inDay / 60_000 % 60, width)
            case UInt8(ascii: "s"): number(inDay / 1000 % 60, width)
            case UInt8(ascii: "S"): number(inDay % 1000, width)
            case UInt8(ascii: "a"): out += Array((hour < 12 ? "AM" : "PM").utf8)
            case UInt8(ascii: "z"): out += Array((width >= 4 ? "Coordinated Universal Time" : "UTC").utf8)
            case UInt8(ascii: "Z"): out += Array("+0000".utf8)
            default: out.append(UInt8(ascii: "Z"))
            }
        }
    }

    // MARK: - Text to milliseconds

    /// Milliseconds since 1970, or nil when the beginning of the text is not of this format. Like Java it is lenient: month 13 is the next January,
    /// and text after the date is ignored.
    func parse(_ text: String) -> Int64? {
        let bytes = Array(text.utf8)
        var i = 0
        var year: Int64 = 1970, month: Int64 = 1, day: Int64 = 1, dayOfYear: Int64?, hour: Int64 = 0, minute: Int64 = 0, second: Int64 = 0
        var millis: Int64 = 0, isPM: Bool?, isBC = false, offset: Int64 = 0
        for (k, part) in parts.enumerated() {
            guard case .field(let letter, let width) = part else {
                if case .text(let literal) = part {
                    guard bytes.count - i >= literal.count, bytes[i..<i + literal.count].elementsEqual(literal) else { return nil }
                    i += literal.count
                }
                continue
            }
            // Numbers that stand beside each other have exactly as many digits as letters.
            var isAdjacent = false
            if k + 1 < parts.count, case .field(let next, let nextWidth) = parts[k + 1] { isAdjacent = Self.isNumeric(next, nextWidth) }
            func number() -> Int64? {
                var value: Int64 = 0, digits = 0
                var at = i, negative = false
                if at < bytes.count, bytes[at] == UInt8(ascii: "-"), !isAdjacent {
                    negative = true
                    at += 1
                }
                while at < bytes.count, bytes[at] &- 48 < 10, digits < (isAdjacent ? width : 18) {
                    value = value * 10 + Int64(bytes[at] - 48)
                    digits += 1
                    at += 1
                }
                guard digits > 0 else { return nil }
                i = at
                return negative ? -value : value
            }
            func name(_ names: [String]) -> Int? {
                // Long names first, so that "March" is not read as "Mar".
                for length in [Int.max, 3] {
                    for (index, name) in names.enumerated() {
                        let candidate = Array(name.utf8.prefix(length))
                        if bytes.count - i >= candidate.count,
                            zip(bytes[i...], candidate).allSatisfy({ $0 | 32 == $1 | 32 })
                        {
                            i += candidate.count
                            return index
                        }
                    }
                }
                return nil
            }
            switch letter {
            case UInt8(ascii: "y"), UInt8(ascii: "Y"):
                let start = i
                guard let value = number() else { return nil }
                // Two digits for two letters mean the century from 80 years ago to 20 years ahead; ours is fixed.
                year = width == 2 && i - start == 2 ? (value > 46 ? 1900 + value : 2000 + value) : value
            case UInt8(ascii: "M"), UInt8(ascii: "L"):
                if width >= 3 {
                    guard let index = name(Self.months) else { return nil }
                    month = Int64(index) + 1
                } else {
                    guard let value = number() else { return nil }
                    month = value
                }
            case UInt8(ascii: "E"): guard name(Self.days) != nil else { return nil }
            case UInt8(ascii: "G"):
                guard let index = name(["AD", "BC"]) else { return nil }
                isBC = index == 1
            case UInt8(ascii: "a"):
                guard let index = name(["AM", "PM"]) else { return nil }
                isPM = index == 1
            case UInt8(ascii: "z"), UInt8(ascii: "Z"), UInt8(ascii: "X"):
                guard let value = Self.zone(bytes, &i) else { return nil }
                offset = value
            default:
                guard let value = number() else { return nil }
                switch letter {
                case UInt8(ascii: "d"): day = value
                case UInt8(ascii: "D"): dayOfYear = value
                case UInt8(ascii: "H"): hour = value
                case UInt8(ascii: "k"): hour = value == 24 ? 0 : value
                case UInt8(ascii: "K"): hour = value
                case UInt8(ascii: "h"): hour = value == 12 ? 0 : value
                case UInt8(ascii: "m"): minute = value
                case UInt8(ascii: "s"): second = value
                case UInt8(ascii: "S"): millis = value
                default: break
                }
            }
        }
        if isBC { year = 1 - year }
        if let isPM, isPM, hour < 12 { hour += 12 }
        guard abs(year) < 10_000_000, abs(month) < 10_000_000,
            [day, dayOfYear ?? 0, hour, minute, second, millis].allSatisfy({ abs($0) < 1_000_000_000 })
        else { return nil }
        let (extraYears, month0) = (month - 1).flooredDivision(by: 12)
        var days = ISO8601.day(year: year + extraYears, month: Int(month0) + 1, day: 1) + day - 1
        if let dayOfYear { days = ISO8601.day(year: year, month: 1, day: 1) + dayOfYear - 1 }
        return ((days * 24 + hour) * 60 + minute) * 60_000 + second * 1000 + millis - offset
    }

    private static func isNumeric(_ letter: UInt8, _ width: Int) -> Bool {
        switch letter {
        case UInt8(ascii: "M"), UInt8(ascii: "L"): width < 3
        case UInt8(ascii: "E"), UInt8(ascii: "G"), UInt8(ascii: "a"), UInt8(ascii: "z"), UInt8(ascii: "Z"), UInt8(ascii: "X"): false
        default: true
        }
    }

    /// `Z`, `UTC`, `GMT`, `+01`, `+0100`, `+01:00`, `GMT+01:00`, in milliseconds east.
    private static func zone(_ bytes: [UInt8], _ i: inout Int) -> Int64? {
        func has(_ text: String) -> Bool { bytes.count - i >= text.utf8.count && bytes[i..<i + text.utf8.count].elementsEqual(text.utf8) }
        if has("Z") {
            i += 1
            return 0
        }
        var named = false
        for name in ["UTC", "GMT"] where has(name) {
            i += 3
            named = true
        }
        guard i < bytes.count, bytes[i] == UInt8(ascii: "+") || bytes[i] == UInt8(ascii: "-") else { return named ? 0 : nil }
        let negative = bytes[i] == UInt8(ascii: "-")
        var digits: [Int64] = [], at = i + 1
        while at < bytes.count, digits.count < 4 {
            if bytes[at] &- 48 < 10 {
                digits.append(Int64(bytes[at] - 48))
            } else if bytes[at] != UInt8(ascii: ":") || digits.count != 2 {
                break
            }
            at += 1
        }
        guard digits.count == 2 || digits.count == 4 else { return nil }
        i = at
        let minutes = (digits[0] * 10 + digits[1]) * 60 + (digits.count == 4 ? digits[2] * 10 + digits[3] : 0)
        return (negative ? -minutes : minutes) * 60_000
    }
}
