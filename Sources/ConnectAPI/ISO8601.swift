/// Calendar arithmetic and the texts Debezium writes, in the proleptic Gregorian calendar and UTC.
public enum ISO8601 {
    /// Year, month and day of a day count since 1970-01-01.
    public static func civil(day: Int64) -> (year: Int64, month: Int, day: Int) {
        let z = day + 719_468
        let era = (z >= 0 ? z : z - 146_096) / 146_097
        let doe = z - era * 146_097
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100)
        let mp = (5 * doy + 2) / 153
        let month = mp < 10 ? mp + 3 : mp - 9
        return (yoe + era * 400 + (month <= 2 ? 1 : 0), Int(month), Int(doy - (153 * mp + 2) / 5 + 1))
    }

    /// Days since 1970-01-01; year 0 is 1 BC.
    public static func day(year: Int64, month: Int, day: Int) -> Int64 {
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yoe = y - era * 400
        let doy = Int64((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1)
        return era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
    }

    /// `2024-02-29T11:14:15.123456Z`, `+21016-…` past year 9999, `-0043-…` before year 0, `infinity`, `-infinity`; see `appendTimestamp`.
    public static func timestamp(micros: Int64, fractionDigits: Int) -> String {
        var out: [UInt8] = []
        appendTimestamp(micros: micros, fractionDigits: fractionDigits, to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    /// Appends an instant as `java.time` prints it, with exactly `fractionDigits` digits (0...6).
    public static func appendTimestamp(micros: Int64, fractionDigits: Int, to out: inout [UInt8]) {
        if micros == .max { return out.append(contentsOf: "infinity".utf8) }
        if micros == .min { return out.append(contentsOf: "-infinity".utf8) }
        let (days, inDay) = micros.flooredDivision(by: 86_400_000_000)
        appendDate(day: days, to: &out)
        out.append(UInt8(ascii: "T"))
        appendTime(micros: inDay, fractionDigits: fractionDigits, to: &out)
        out.append(UInt8(ascii: "Z"))
    }

    public static func appendDate(day: Int64, to out: inout [UInt8]) {
        let (year, month, dayOfMonth) = civil(day: day)
        if year > 9999 { out.append(UInt8(ascii: "+")) } else if year < 0 { out.append(UInt8(ascii: "-")) }
        appendDigits(year.magnitude, width: 4, to: &out)
        out.append(UInt8(ascii: "-"))
        appendDigits(UInt64(month), width: 2, to: &out)
        out.append(UInt8(ascii: "-"))
        appendDigits(UInt64(dayOfMonth), width: 2, to: &out)
    }

    /// `HH:mm:ss` and a fraction of exactly `fractionDigits` digits.
    public static func appendTime(micros: Int64, fractionDigits: Int, to out: inout [UInt8]) {
        let seconds = UInt64(micros / 1_000_000)
        appendDigits(seconds / 3600, width: 2, to: &out)
        out.append(UInt8(ascii: ":"))
        appendDigits(seconds / 60 % 60, width: 2, to: &out)
        out.append(UInt8(ascii: ":"))
        appendDigits(seconds % 60, width: 2, to: &out)
        guard fractionDigits > 0 else { return }
        out.append(UInt8(ascii: "."))
        var fraction = UInt64(micros % 1_000_000)
        for _ in fractionDigits..<6 { fraction /= 10 }
        appendDigits(fraction, width: fractionDigits, to: &out)
    }

    /// Decimal digits, zero-padded to at least `width`.
    public static func appendDigits(_ value: UInt64, width: Int, to out: inout [UInt8]) {
        var buffer: InlineArray<20, UInt8> = .init(repeating: 0)
        var rest = value, n = 0
        repeat {
            buffer[n] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
            n += 1
        } while rest != 0
        for _ in n..<max(n, width) { out.append(UInt8(ascii: "0")) }
        while n > 0 {
            n -= 1
            out.append(buffer[n])
        }
    }
}

extension Int64 {
    /// Quotient rounded down and the remainder in `0..<divisor`.
    public func flooredDivision(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (q, r) = quotientAndRemainder(dividingBy: divisor)
        return r < 0 ? (q - 1, r + divisor) : (q, r)
    }
}

/// UUIDs as 16 bytes and as lower-case text.
public enum UUIDText {
    static let hex: [UInt8] = Array("0123456789abcdef".utf8)

    public static func string(_ bytes: some Collection<UInt8>) -> String {
        var out: [UInt8] = []
        append(bytes, to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    public static func append(_ bytes: some Collection<UInt8>, to out: inout [UInt8]) {
        for (i, byte) in bytes.enumerated() {
            if i == 4 || i == 6 || i == 8 || i == 10 { out.append(UInt8(ascii: "-")) }
            out.append(hex[Int(byte >> 4)])
            out.append(hex[Int(byte & 15)])
        }
    }
}
