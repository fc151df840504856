import ConnectAPI

/// A Joda-Time pattern such as `'dt'=YYYY-MM-dd/'hour'=HH`, for the letters y Y M d D H m s S, quotes and literal text.
///
/// Number rules follow Joda's `DateTimeFormat`: a letter run of n pads to n digits; `yy` is the year's last two digits; `S` is a fraction of a
/// second cut to n digits; `MMM` and `MMMM` are English names. `Y` is the calendar year (not java.time's week year).
struct PathFormat: Sendable, Hashable {
    enum Token: Sendable, Hashable {
        case literal(String)
        case year(width: Int)
        case month(width: Int)
        case day(width: Int)
        case dayOfYear(width: Int)
        case hour(width: Int)
        case minute(width: Int)
        case second(width: Int)
        case fraction(width: Int)
    }
    let tokens: [Token]

    struct Mistake: Error, CustomStringConvertible {
        let description: String
    }

    init(tokens: [Token]) { self.tokens = tokens }

    init(_ pattern: String) throws(Mistake) {
        var tokens: [Token] = [], literal = ""
        let letters = Array(pattern.unicodeScalars)
        var i = 0
        while i < letters.count {
            let c = letters[i]
            if c == "'" {
                i += 1
                if i < letters.count, letters[i] == "'" {
                    literal.unicodeScalars.append("'")
                    i += 1
                    continue
                }
                var closed = false
                while i < letters.count {
                    if letters[i] == "'" {
                        if i + 1 < letters.count, letters[i + 1] == "'" {
                            i += 1
                        } else {
                            closed = true
                            break
                        }
                    }
                    literal.unicodeScalars.append(letters[i])
                    i += 1
                }
                guard closed else { throw Mistake(description: "Illegal pattern: a quote is not closed") }
                i += 1
                continue
            }
            guard c.properties.isAlphabetic, c.isASCII else {
                literal.unicodeScalars.append(c)
                i += 1
                continue
            }
            var width = 0
            while i < letters.count, letters[i] == c {
                width += 1
                i += 1
            }
            if !literal.isEmpty { tokens.append(.literal(literal)) }
            literal = ""
            switch c {
            case "y", "Y": tokens.append(.year(width: width))
            case "M": tokens.append(.month(width: width))
            case "d": tokens.append(.day(width: width))
            case "D": tokens.append(.dayOfYear(width: width))
            case "H": tokens.append(.hour(width: width))
            case "m": tokens.append(.minute(width: width))
            case "s": tokens.append(.second(width: width))
            case "S": tokens.append(.fraction(width: width))
            default:
                throw Mistake(description: "Illegal pattern component: \(c); the letters y, Y, M, d, D, H, m, s and S can be used, other text goes into quotes")
            }
        }
        if !literal.isEmpty { tokens.append(.literal(literal)) }
        self.tokens = tokens
    }

    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
    ]

    /// The text of a local date and time, given in milliseconds since 1970 as if the local clock were UTC. `microseconds` (0..<1000) are what
    /// the milliseconds cut off, for fractions of more than three digits.
    func text(localMilliseconds: Int64, microseconds: Int64 = 0) -> String {
        let (day, inDay) = localMilliseconds.flooredDivision(by: 86_400_000)
        let date = ISO8601.civil(day: day)
        var out: [UInt8] = []
        for token in tokens {
            switch token {
            case .literal(let text): out.append(contentsOf: text.utf8)
            case .year(2): ISO8601.appendDigits(date.year.magnitude % 100, width: 2, to: &out)
            case .year(let width):
                if date.year < 0 { out.append(UInt8(ascii: "-")) }
                ISO8601.appendDigits(date.year.magnitude, width: width, to: &out)
            case .month(let width) where width == 3: out.append(contentsOf: Self.months[date.month - 1].utf8.prefix(3))
            case .month(let width) where width > 3: out.append(contentsOf: Self.months[date.month - 1].utf8)
            case .month(let width): ISO8601.appendDigits(UInt64(date.month), width: width, to: &out)
            case .day(let width): ISO8601.appendDigits(UInt64(date.day), width: width, to: &out)
            case .dayOfYear(let width):
                ISO8601.appendDigits(UInt64(day - ISO8601.day(year: date.year, month: 1, day: 1) + 1), width: width, to: &out)
            case .hour(let width): ISO8601.appendDigits(UInt64(inDay / 3_600_000), width: width, to: &out)
            case .minute(let width): ISO8601.appendDigits(UInt64(inDay / 60_000 % 60), width: width, to: &out)
            case .second(let width): ISO8601.appendDigits(UInt64(inDay / 1000 % 60), width: width, to: &out)
            case .fraction(let width):
                var digits: [UInt8] = []
                ISO8601.appendDigits(UInt64(inDay % 1000 * 1000 + microseconds), width: 6, to: &digits)
                for i in 0..<width { out.append(i < digits.count ? digits[i] : UInt8(ascii: "0")) }
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
