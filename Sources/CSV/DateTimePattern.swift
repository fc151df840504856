import ConnectAPI

/// A date and time as Java's `SimpleDateFormat` spells them: `y M d D H h m s S a X Z`, month names in English, quoted text.
package struct DateTimePattern: Sendable, Hashable {
    private enum Part: Sendable, Hashable {
        case text([UInt8])
        case field(UInt8, Int)
    }
    package let text: String
    private let parts: [Part]

    package static func == (a: Self, b: Self) -> Bool { a.text == b.text }
    package func hash(into hasher: inout Hasher) { hasher.combine(text) }

    package init(_ text: String) throws(CSVTypeError) {
        self.text = text
        var parts: [Part] = [], literal: [UInt8] = [], bytes = Array(text.utf8)[...]
        while let c = bytes.popFirst() {
            if c == UInt8(ascii: "'") {
                if bytes.first == c {
                    literal.append(bytes.removeFirst())
                    continue
                }
                guard let close = bytes.firstIndex(of: c) else { throw CSVTypeError("The pattern \(text) has a quote that is not closed") }
                literal += bytes[..<close]
                bytes = bytes[(close + 1)...]
            } else if c | 0x20 >= UInt8(ascii: "a"), c | 0x20 <= UInt8(ascii: "z") {
                guard "yMdDHhmsSaXZ".utf8.contains(c) else {
                    throw CSVTypeError("The pattern \(text) has the letter \(Character(UnicodeScalar(c))); known are y M d D H h m s S a X Z and quoted text")
                }
                var width = 1
                while bytes.first == c {
                    bytes.removeFirst()
                    width += 1
                }
                if !literal.isEmpty { parts.append(.text(literal)) }
                literal = []
                parts.append(.field(c, width))
            } else {
                literal.append(c)
            }
        }
        if !literal.isEmpty { parts.append(.text(literal)) }
        self.parts = parts
    }

    private static let months: [[UInt8]] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"].map { Array($0.utf8) }

    /// Nanoseconds are cut to microseconds; nil: the text is not of this pattern. `zone`: of texts without one.
    func micros(_ bytes: UnsafeRawBufferPointer, _ zone: TimeZoneRules) -> Int64? {
        var civil = CivilTime(), cursor = TextCursor(bytes)
        for (i, part) in parts.enumerated() {
            guard case .field(let letter, let width) = part else {
                guard case .text(let literal) = part, cursor.skip(literal) else { return nil }
                continue
            }
            // Digits of a neighbour that follows at once are not this field's.
            var isAlone = true
            if i + 1 < parts.count, case .field = parts[i + 1] { isAlone = false }
            guard take(letter, width, isAlone: isAlone, &cursor, &civil) else { return nil }
        }
        guard cursor.isAtEnd else { return nil }
        return civil.micros(zone)
    }

    private func take(_ letter: UInt8, _ width: Int, isAlone: Bool, _ cursor: inout TextCursor, _ civil: inout CivilTime) -> Bool {
        func number(_ most: Int) -> Int64? { cursor.number(atMost: isAlone ? most : width) }
        switch letter {
        case UInt8(ascii: "y"):
            guard let year = number(width == 2 ? 4 : 9) else { return false }
            // As Java reads two digits: within the century that ends 20 years from now, taken as fixed here so that a file means the same always.
            civil.year = width <= 2 && year < 100 ? (year < 70 ? 2000 + year : 1900 + year) : year
        case UInt8(ascii: "M"):
            if width >= 3 {
                guard let month = cursor.name(Self.months) else { return false }
                civil.month = Int64(month + 1)
            } else {
                guard let month = number(2) else { return false }
                civil.month = month
            }
        case UInt8(ascii: "d"):
            guard let day = number(2) else { return false }
            civil.day = day
        case UInt8(ascii: "D"):
            guard let day = number(3), (1...366).contains(day) else { return false }
            civil.dayOfYear = day
        case UInt8(ascii: "H"):
            guard let hour = number(2) else { return false }
            civil.hour = hour
        case UInt8(ascii: "h"):
            guard let hour = number(2), (1...12).contains(hour) else { return false }
            civil.hour = hour % 12
        case UInt8(ascii: "m"):
            guard let minute = number(2) else { return false }
            civil.minute = minute
        case UInt8(ascii: "s"):
            guard let second = number(2) else { return false }
            civil.second = second
        case UInt8(ascii: "S"):
            guard let micros = cursor.fraction() else { return false }
            civil.micro = micros
        case UInt8(ascii: "a"):
            guard let half = cursor.name([Array("am".utf8), Array("pm".utf8)]) else { return false }
            civil.isAfternoon = half == 1
        default:
            guard let zone = cursor.zone() else { return false }
            civil.zone = zone
        }
        return true
    }
}
