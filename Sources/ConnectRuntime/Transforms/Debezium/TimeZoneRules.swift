import ConnectAPI

/// How far local time is from UTC: a fixed offset, or a zone of the system's time zone database (TZif, RFC 8536).
struct TimeZoneRules: Sendable {
    /// Seconds since 1970 from which on an offset holds, ascending; the first entry holds before its time as well.
    private let transitions: [(from: Int64, offset: Int64)]
    /// For times after the last transition.
    private let rule: YearlyRule?

    private static let directory = "/usr/share/zoneinfo/"

    /// `+08:00`, `-05:30`, `UTC`, `Europe/Berlin`; nil: there is no such zone here.
    init?(_ name: String) {
        if let offset = Self.fixedOffset(name) {
            self.init(offset: offset)
            return
        }
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard !parts.isEmpty, parts.allSatisfy({ !$0.isEmpty && !$0.hasPrefix(".") }), let bytes = try? WorkerFile.read(Self.directory + name) else {
            return nil
        }
        self.init(tzif: bytes)
    }

    init(offset: Int64) {
        transitions = [(.min, offset)]
        rule = nil
    }

    private static func fixedOffset(_ text: String) -> Int64? {
        if text == "UTC" || text == "Z" || text == "GMT" { return 0 }
        guard let sign = text.first, sign == "+" || sign == "-" else { return nil }
        let parts = text.dropFirst().split(separator: ":", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { $0.count == 2 ? Int64($0) : nil }
        guard numbers.count == parts.count, numbers.count == 2 || numbers.count == 3, numbers[0] <= 18, numbers.dropFirst().allSatisfy({ $0 < 60 }) else {
            return nil
        }
        let seconds = numbers[0] * 3600 + numbers[1] * 60 + (numbers.count == 3 ? numbers[2] : 0)
        return sign == "-" ? -seconds : seconds
    }

    /// Reads the second, 64-bit part of a TZif file and its footer. nil: it is no such file.
    init?(tzif bytes: [UInt8]) {
        func number(_ at: Int, _ size: Int) -> Int64 {
            let value = bytes[at..<at + size].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return size == 8 ? Int64(bitPattern: value) : Int64(Int32(bitPattern: UInt32(value)))
        }
        func counts(_ header: Int) -> [Int]? {
            guard header >= 0, bytes.count >= header + 44, Array(bytes[header..<header + 4]) == Array("TZif".utf8) else { return nil }
            let counts = (0..<6).map { Int(number(header + 20 + $0 * 4, 4)) }
            return counts.allSatisfy { (0...1_000_000).contains($0) } ? counts : nil
        }
        // isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt
        guard let first = counts(0), bytes[4] >= UInt8(ascii: "2") else { return nil }
        let header = 44 + first[3] * 5 + first[4] * 6 + first[5] + first[2] * 8 + first[1] + first[0]
        guard let second = counts(header), second[4] > 0 else { return nil }
        let times = header + 44, types = times + second[3] * 8, offsets = types + second[3]
        let footer = offsets + second[4] * 6 + second[5] + second[2] * 12 + second[1] + second[0]
        guard bytes.count >= footer else { return nil }
        var found: [(from: Int64, offset: Int64)] = [(.min, number(offsets, 4))]
        for i in 0..<second[3] {
            let type = Int(bytes[types + i])
            guard type < second[4] else { return nil }
            found.append((number(times + i * 8, 8), number(offsets + type * 6, 4)))
        }
        transitions = found
        rule = YearlyRule(String(decoding: bytes[footer...].filter { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
    }

    /// Seconds east of UTC at an instant.
    func offset(at instant: Int64) -> Int64 {
        var low = 0, high = transitions.count
        while low + 1 < high {
            let middle = (low + high) / 2
            if transitions[middle].from <= instant { low = middle } else { high = middle }
        }
        if low == transitions.count - 1, let rule { return rule.offset(at: instant) }
        return transitions[low].offset
    }

    /// Seconds east of UTC where clocks show this local time. Where clocks jumped over it, or show it twice, the offset before the change, as
    /// Java's `ZoneRules.getOffset(LocalDateTime)`.
    func offset(atLocal local: Int64) -> Int64 {
        // No offset is more than a day from UTC, and changes are further apart: what held a day before is the offset before a change.
        let before = offset(at: local - 86_400), after = offset(at: local + 86_400)
        if before == after { return before }
        return offset(at: local - before) == before ? before : offset(at: local - after) == after ? after : before
    }
}
