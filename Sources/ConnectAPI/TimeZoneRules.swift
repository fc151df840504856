/// Offsets from UTC of a time zone: a fixed offset, or an IANA zone read from the system's TZif file (RFC 8536). A value without shared state,
/// so any number of threads may ask.
///
///     transitions[i]   the instant (s) from which offsets[i + 1] holds;  offsets[0] before all of them
///     tail             the POSIX rule that holds after the last transition
package struct TimeZoneRules: Sendable {
    package let name: String
    private let transitions: [Int64]
    /// Seconds east of UTC; one more than transitions.
    private let offsets: [Int32]
    private let tail: PosixTimeZone?

    package struct Unknown: Error, CustomStringConvertible {
        package let description: String
    }

    package static let utc = TimeZoneRules(fixed: 0, name: "UTC")

    private init(fixed seconds: Int32, name: String) {
        self.name = name
        transitions = []
        offsets = [seconds]
        tail = nil
    }

    /// An IANA name, `UTC`, `Z`, or an offset such as `+02:00`.
    package init(_ name: String, directory: String = "/usr/share/zoneinfo") throws(Unknown) {
        if ["UTC", "Z", "GMT"].contains(name.uppercased()) { self = TimeZoneRules(fixed: 0, name: name); return }
        if let seconds = Self.offset(name) { self = TimeZoneRules(fixed: seconds, name: name); return }
        let plain = name.utf8.allSatisfy { c in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(c) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(c)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(c) || "_-+/".utf8.contains(c)
        }
        guard plain, !name.isEmpty, !name.hasPrefix("/"), let bytes = SmallFile.read("\(directory)/\(name)", limit: 1 << 20) else {
            throw Unknown(
                description:
                    "The datetime zone id '\(name)' is not recognised; use an IANA name such as Europe/Paris, UTC or an offset such as +02:00 (the Debian package tzdata holds the names)"
            )
        }
        guard let parsed = Self.parse(bytes) else { throw Unknown(description: "The file of time zone '\(name)' is damaged") }
        self.name = name
        (transitions, offsets, tail) = parsed
    }

    /// The zone in the bytes of a TZif file; nil: they are none.
    package init?(tzif bytes: [UInt8]) {
        guard let parsed = Self.parse(bytes) else { return nil }
        name = "tzif"
        (transitions, offsets, tail) = parsed
    }

    /// `+hh`, `+hh:mm`, `+hhmm`, `+hh:mm:ss`, `+hhmmss` in seconds.
    private static func offset(_ text: String) -> Int32? {
        guard let sign = text.first, sign == "+" || sign == "-" else { return nil }
        let parts = text.dropFirst().split(separator: ":", omittingEmptySubsequences: false)
        let digits = Array(parts.joined().utf8)
        guard parts.count == 1 || parts.allSatisfy({ $0.utf8.count == 2 }), [2, 4, 6].contains(digits.count), digits.allSatisfy({ (48...57).contains($0) })
        else { return nil }
        var seconds: Int32 = 0
        for (i, unit) in [Int32(3600), 60, 1].prefix(digits.count / 2).enumerated() {
            let number = Int32(digits[2 * i] - 48) * 10 + Int32(digits[2 * i + 1] - 48)
            guard number < (i == 0 ? 24 : 60) else { return nil }
            seconds += number * unit
        }
        return sign == "-" ? -seconds : seconds
    }

    /// The offset in force at an instant, and the instants between which it holds (milliseconds, half-open).
    package func period(at milliseconds: Int64) -> (offset: Int64, from: Int64, until: Int64) {
        let seconds = milliseconds.flooredDivision(by: 1000).quotient
        if let last = transitions.last, seconds >= last, let tail {
            let (offset, from, until) = tail.period(at: seconds)
            return (Int64(offset) * 1000, max(from, last) * 1000, until >= .max / 1000 ? .max : until * 1000)
        }
        if transitions.isEmpty, let tail {
            let (offset, from, until) = tail.period(at: seconds)
            return (Int64(offset) * 1000, from <= .min / 1000 ? .min : from * 1000, until >= .max / 1000 ? .max : until * 1000)
        }
        // The first transition after the instant.
        var low = 0, high = transitions.count
        while low < high {
            let middle = (low + high) / 2
            if transitions[middle] <= seconds { low = middle + 1 } else { high = middle }
        }
        return (
            Int64(offsets[low]) * 1000, low == 0 ? .min : transitions[low - 1] * 1000, low == transitions.count ? .max : transitions[low] * 1000
        )
    }

    /// Milliseconds east of UTC at an instant.
    package func offset(at milliseconds: Int64) -> Int64 {
        if transitions.isEmpty, tail == nil { return Int64(offsets[0]) * 1000 }
        return period(at: milliseconds).offset
    }

    /// The instant of a local time, both in milliseconds: the earlier one where clocks show it twice; where they jumped over it, as much later as they
    /// jumped. So do Java's `LocalDateTime.atZone` and Joda's `convertLocalToUTC(_, false)`. `later`: of two instants the second, as Java's
    /// `SimpleDateFormat` has it.
    package func instant(local: Int64, later: Bool = false) -> Int64 {
        if transitions.isEmpty, tail == nil { return local &- Int64(offsets[0]) * 1000 }
        guard local.magnitude < .max / 4 else { return local }
        // No offset is more than a day from UTC: the period a day before begins the search, and the first that shows the time ends it.
        var period = period(at: local - 86_400_000)
        while local - period.offset >= period.until {
            let next = self.period(at: period.until)
            if local - next.offset < next.from { break }
            period = next
        }
        if later, period.until < .max, period.until - (local - period.offset) < 86_400_000 {
            let next = self.period(at: period.until)
            if next.from <= local - next.offset, local - next.offset < next.until { return local - next.offset }
        }
        return local - period.offset
    }

    // MARK: TZif

    private static func parse(_ bytes: [UInt8]) -> ([Int64], [Int32], PosixTimeZone?)? {
        var cursor = BoundedReader(bytes)
        guard let first = header(&cursor) else { return nil }
        if first.version == 0 { return block(&cursor, first, wide: false).map { ($0.0, $0.1, nil) } }
        guard cursor.skip(first.size(timeWidth: 4)), let second = header(&cursor), let (transitions, offsets) = block(&cursor, second, wide: true)
        else { return nil }
        guard cursor.next() == UInt8(ascii: "\n") else { return nil }
        let footer = cursor.rest.prefix { $0 != UInt8(ascii: "\n") }
        return (transitions, offsets, footer.isEmpty ? nil : PosixTimeZone(Array(footer)))
    }

    private struct Header {
        let version: UInt8
        let isUT, isStandard, leaps, times, types, characters: Int
        func size(timeWidth: Int) -> Int {
            times * timeWidth + times + types * 6 + characters + leaps * (timeWidth + 4) + isStandard + isUT
        }
    }

    private static func header(_ cursor: inout BoundedReader) -> Header? {
        guard cursor.take(4).map({ Array($0) }) == Array("TZif".utf8), let version = cursor.next(), cursor.skip(15),
            let counts = (0..<6).reduce(into: [Int]?([]), { list, _ in if let n = cursor.bigEndian(4) { list?.append(Int(n)) } else { list = nil } }),
            counts.allSatisfy({ $0 >= 0 && $0 <= 1 << 20 })
        else { return nil }
        return Header(
            version: version, isUT: counts[0], isStandard: counts[1], leaps: counts[2], times: counts[3], types: counts[4],
            characters: counts[5])
    }

    private static func block(_ cursor: inout BoundedReader, _ header: Header, wide: Bool) -> ([Int64], [Int32])? {
        var times: [Int64] = [], types: [(Int32, Bool)] = [], offsets: [Int32] = []
        for _ in 0..<header.times {
            guard let time = cursor.bigEndian(wide ? 8 : 4) else { return nil }
            times.append(time)
        }
        guard let indices = cursor.take(header.times).map({ Array($0) }) else { return nil }
        for _ in 0..<header.types {
            guard let offset = cursor.bigEndian(4), let daylight = cursor.next(), cursor.next() != nil, abs(offset) < 200_000 else { return nil }
            types.append((Int32(offset), daylight != 0))
        }
        guard cursor.skip(header.characters + header.leaps * ((wide ? 8 : 4) + 4) + header.isStandard + header.isUT), !types.isEmpty,
            indices.allSatisfy({ Int($0) < types.count }), zip(times, times.dropFirst()).allSatisfy({ $0 < $1 })
        else { return nil }
        offsets = [types[0].0] + indices.map { types[Int($0)].0 }
        // The oldest zic marks "since ever" with a first transition in the far past.
        return (times.map { min(max($0, -1 << 48), 1 << 48) }, offsets)
    }
}
