import ConnectAPI

/// `ISO8601.appendTimestamp` for the data path: the same text, written where it is to stand.
enum TimestampText {
    /// Writes at most 40 bytes and returns how many.
    static func write(micros: Int64, fractionDigits: Int, to out: UnsafeMutablePointer<UInt8>) -> Int {
        if micros == .max || micros == .min { return write(micros == .max ? "infinity" : "-infinity", to: out) }
        let (day, inDay) = micros.flooredDivision(by: 86_400_000_000)
        let (year, month, dayOfMonth) = ISO8601.civil(day: day)
        var n = 0
        @inline(__always) func put(_ c: UInt8) {
            out[n] = c
            n &+= 1
        }
        @inline(__always) func put(_ value: UInt64, width: Int) {
            DecimalDigits.write(value, width: width, to: out + n)
            n &+= width
        }
        if year > 9999 { put(UInt8(ascii: "+")) } else if year < 0 { put(UInt8(ascii: "-")) }
        put(year.magnitude, width: max(4, DecimalDigits.length(year.magnitude)))
        put(UInt8(ascii: "-"))
        put(UInt64(month), width: 2)
        put(UInt8(ascii: "-"))
        put(UInt64(dayOfMonth), width: 2)
        put(UInt8(ascii: "T"))
        let (seconds, fraction) = UInt64(inDay).quotientAndRemainder(dividingBy: 1_000_000)
        put(seconds / 3600, width: 2)
        put(UInt8(ascii: ":"))
        put(seconds / 60 % 60, width: 2)
        put(UInt8(ascii: ":"))
        put(seconds % 60, width: 2)
        if fractionDigits > 0 {
            put(UInt8(ascii: "."))
            put(fraction / DecimalDigits.powers[6 - fractionDigits], width: fractionDigits)
        }
        put(UInt8(ascii: "Z"))
        return n
    }

    private static func write(_ text: StaticString, to out: UnsafeMutablePointer<UInt8>) -> Int {
        for i in 0..<text.utf8CodeUnitCount { out[i] = text.utf8Start[i] }
        return text.utf8CodeUnitCount
    }
}
