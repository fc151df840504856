import ConnectAPI

/// date, time, timetz, timestamp, timestamptz and interval.
extension ColumnDecoder {
    func decodeTemporal(_ view: CellView, _ schema: Schema, filler: Value?, _ context: inout DecodeContext) -> Column {
        let origin = context.origin
        let isRequired = filler != nil
        switch self {
        case .date(isText: false):
            let zero = Int32(truncatingIfNeeded: filler?.integerValue ?? 0)
            return fixed(view, schema, filler: zero, isRequired, &context, Column.Storage.int32) { bytes, isBinary in
                TemporalBinary.day(bytes, isBinary).map { Int32(truncatingIfNeeded: $0.debezium(origin)) }
            }
        case .date(isText: true):
            return variable(view, schema, filler: filler, &context, Column.Storage.utf8) { bytes, isBinary, out in
                guard let day = TemporalBinary.day(bytes, isBinary) else { return false }
                ISO8601.appendDate(day: day.debezium(origin), to: &out)
                out.append(UInt8(ascii: "Z"))
                return true
            }
        case .time(.millis):
            let zero = Int32(truncatingIfNeeded: filler?.integerValue ?? 0)
            return fixed(view, schema, filler: zero, isRequired, &context, Column.Storage.int32) { bytes, isBinary in
                TemporalBinary.time(bytes, isBinary).map { Int32(truncatingIfNeeded: $0 / 1000) }
            }
        case .time(.text):
            return variable(view, schema, filler: filler, &context, Column.Storage.utf8) { bytes, isBinary, out in
                guard let micros = TemporalBinary.time(bytes, isBinary) else { return false }
                Self.appendMinimalTime(micros % 86_400_000_000, to: &out)
                return true
            }
        case .time(let unit):
            let factor: Int64 = unit == .nanos ? 1000 : 1
            return fixed(view, schema, filler: filler?.integerValue ?? 0, isRequired, &context, Column.Storage.int64) { bytes, isBinary in
                TemporalBinary.time(bytes, isBinary).map { $0 &* factor }
            }
        case .timetz:
            return variable(view, schema, filler: filler, &context, Column.Storage.utf8) { bytes, isBinary, out in
                guard let (micros, offset) = TemporalBinary.zonedTime(bytes, isBinary) else { return false }
                let isEndOfDay = micros == 86_400_000_000 && offset == 0
                let utc = isEndOfDay ? micros : (micros - offset * 1_000_000).flooredDivision(by: 86_400_000_000).remainder
                Self.appendMinimalTime(utc, to: &out)
                return true
            }
        case .timestamp(.text):
            return variable(view, schema, filler: filler, &context, Column.Storage.utf8) { bytes, isBinary, out in
                switch TemporalBinary.instant(bytes, isBinary) {
                case .micros(let micros): Self.appendMinimalTimestamp(origin == .snapshot ? JavaCalendar.instant(micros) : micros, to: &out)
                case .infinity: out.append(contentsOf: "+292278994-08-16T23:00:00Z".utf8)
                case .negativeInfinity: out.append(contentsOf: "+292269055-12-02T23:00:00Z".utf8)
                case nil: return false
                }
                return true
            }
        case .timestamp(let unit):
            let limits = unit.infinities
            return fixed(view, schema, filler: filler?.integerValue ?? 0, isRequired, &context, Column.Storage.int64) { bytes, isBinary in
                switch TemporalBinary.instant(bytes, isBinary) {
                case .micros(let micros): unit.convert(origin == .snapshot ? JavaCalendar.instant(micros) : micros)
                case .infinity: limits.positive
                case .negativeInfinity: limits.negative
                case nil: nil
                }
            }
        case .timestamptz(let digits):
            return fixed(
                view, schema, filler: TimestampParser.micros(filler), isRequired, &context, { .utcMicros($0, fractionDigits: digits) }
            ) { bytes, isBinary in
                switch TemporalBinary.instant(bytes, isBinary) {
                case .micros(let micros): origin == .snapshot ? JavaCalendar.instant(micros) : micros
                case .infinity: .max
                case .negativeInfinity: .min
                case nil: nil
                }
            }
        case .interval(.numeric):
            return fixed(view, schema, filler: filler?.integerValue ?? 0, isRequired, &context, Column.Storage.int64) { bytes, isBinary in
                (isBinary ? IntervalValue(binary: bytes) : IntervalValue(text: bytes))?.averageMicros
            }
        case .interval(.string):
            return variable(view, schema, filler: filler, &context, Column.Storage.utf8) { bytes, isBinary, out in
                guard let interval = isBinary ? IntervalValue(binary: bytes) : IntervalValue(text: bytes) else { return false }
                interval.appendISO(to: &out)
                return true
            }
        default: preconditionFailure("\(self) is not temporal")
        }
    }

    /// `13:14:15.5Z`: as many digits of fraction as there are.
    static func appendMinimalTime(_ micros: Int64, to out: inout [UInt8]) {
        ISO8601.appendTime(micros: micros, fractionDigits: fractionDigits(micros), to: &out)
        out.append(UInt8(ascii: "Z"))
    }

    static func appendMinimalTimestamp(_ micros: Int64, to out: inout [UInt8]) {
        ISO8601.appendTimestamp(micros: micros, fractionDigits: fractionDigits(micros), to: &out)
    }

    private static func fractionDigits(_ micros: Int64) -> Int {
        var rest = micros.flooredDivision(by: 1_000_000).remainder, digits = rest == 0 ? 0 : 6
        while rest != 0, rest % 10 == 0 {
            rest /= 10
            digits -= 1
        }
        return digits
    }
}

extension ColumnDecoder.TemporalUnit {
    /// What infinite timestamps are in this unit: the Java driver's sentinels, in milliseconds scaled by 1000 where it is microseconds.
    var infinities: (positive: Int64, negative: Int64) {
        switch self {
        case .millis: (9_223_372_036_825_200, -9_223_372_036_832_400)
        case .micros, .text: (9_223_372_036_825_200_000, -9_223_372_036_832_400_000)
        case .nanos: (.max, .min)
        }
    }

    /// Microseconds in this unit. Nanoseconds beyond 1677...2262 wrap around, as Debezium's do.
    @inline(__always) func convert(_ micros: Int64) -> Int64 {
        switch self {
        case .micros, .text: micros
        case .millis: micros.flooredDivision(by: 1000).quotient
        case .nanos: micros &* 1000
        }
    }
}

/// Dates and times of either format.
enum TemporalBinary {
    @inline(__always)
    static func instant(_ bytes: UnsafeRawBufferPointer, _ isBinary: Bool) -> TemporalText.Instant? {
        guard isBinary else { return TemporalText.instant(bytes) }
        guard bytes.count == 8 else { return nil }
        let raw = Int64(bigEndian: bytes.loadUnaligned(as: Int64.self))
        if raw == .max { return .infinity }
        if raw == .min { return .negativeInfinity }
        return .micros(raw &+ PostgresEpoch.micros)
    }

    static func day(_ bytes: UnsafeRawBufferPointer, _ isBinary: Bool) -> TemporalText.Day? {
        guard isBinary else { return TemporalText.day(bytes) }
        guard bytes.count == 4 else { return nil }
        let raw = Int32(bigEndian: bytes.loadUnaligned(as: Int32.self))
        if raw == .max { return .infinity }
        if raw == .min { return .negativeInfinity }
        let day = Int64(raw) + Int64(PostgresEpoch.days)
        guard day < -719_162 else { return .day(day, year: 1, month: 1, dayOfMonth: 1, isBC: false) }
        let (year, month, dayOfMonth) = ISO8601.civil(day: day)
        return .day(day, year: 1 - year, month: month, dayOfMonth: dayOfMonth, isBC: true)
    }

    @inline(__always)
    static func time(_ bytes: UnsafeRawBufferPointer, _ isBinary: Bool) -> Int64? {
        guard isBinary else { return TemporalText.time(bytes)?.micros }
        guard bytes.count == 8, case let micros = Int64(bigEndian: bytes.loadUnaligned(as: Int64.self)), (0...86_400_000_000).contains(micros)
        else { return nil }
        return micros
    }

    /// The binary form has the offset in seconds west of UTC.
    static func zonedTime(_ bytes: UnsafeRawBufferPointer, _ isBinary: Bool) -> (micros: Int64, offset: Int64)? {
        guard isBinary else { return TemporalText.time(bytes) }
        guard bytes.count == 12 else { return nil }
        let micros = Int64(bigEndian: bytes.loadUnaligned(as: Int64.self))
        guard (0...86_400_000_000).contains(micros) else { return nil }
        return (micros, -Int64(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: Int32.self))))
    }
}

extension TemporalText.Day {
    /// Days since 1970 as Debezium reports them.
    ///
    /// Streamed infinities are Java's `LocalDate` of the driver's sentinel; in a snapshot they are the sentinel's days cut to 32 bits, and a
    /// date BC loses its era.
    func debezium(_ origin: RowOrigin) -> Int64 {
        switch (self, origin) {
        case (.infinity, .stream): -2_147_472_692
        case (.negativeInfinity, .stream): -2_147_472_691
        case (.infinity, .snapshot): -622_191_234
        case (.negativeInfinity, .snapshot): Int64(Int32(truncatingIfNeeded: ISO8601.day(year: 292_269_055, month: 12, day: 2)))
        case (.day(_, let year, let month, let dayOfMonth, isBC: true), .snapshot): ISO8601.day(year: year, month: month, day: dayOfMonth)
        case (.day(let day, _, _, _, _), _): day
        }
    }
}

/// What Java's hybrid calendar makes of early dates on Debezium's snapshot path: before 1582-10-15 it is Julian.
enum JavaCalendar {
    /// 1582-10-15T00:00:00Z.
    static let cutover: Int64 = -12_219_292_800_000_000

    /// The instant Java makes of the same calendar fields.
    @inline(__always) static func instant(_ micros: Int64) -> Int64 { micros < cutover ? julianInstant(micros) : micros }

    private static func julianInstant(_ micros: Int64) -> Int64 {
        let (day, inDay) = micros.flooredDivision(by: 86_400_000_000)
        let (year, month, dayOfMonth) = ISO8601.civil(day: day)
        return julianDay(year: year, month: month, day: dayOfMonth) &* 86_400_000_000 &+ inDay
    }

    /// Days since 1970 of a Julian calendar date; year 0 is 1 BC.
    private static func julianDay(year: Int64, month: Int, day: Int) -> Int64 {
        let y = (month <= 2 ? year - 1 : year), cycle = y.flooredDivision(by: 4)
        let dayOfYear = Int64((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1)
        return cycle.quotient * 1461 + cycle.remainder * 365 + dayOfYear - 719_470
    }
}

enum TimestampParser {
    /// Microseconds of a schema default, an ISO text; 0 where there is none.
    static func micros(_ value: Value?) -> Int64 {
        guard case .string(let text)? = value else { return 0 }
        if text == "infinity" { return .max }
        if text == "-infinity" { return .min }
        let plain = Array(text.utf8.map { $0 == UInt8(ascii: "T") ? UInt8(ascii: " ") : $0 }.dropLast())
        guard case .micros(let micros)? = plain.withUnsafeBytes({ TemporalText.instant($0) }) else { return 0 }
        return micros
    }
}
