/// Reads the parts of a date and time; every read is checked.
struct TextCursor {
    private let bytes: UnsafeRawBufferPointer
    private(set) var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isAtEnd: Bool { position == bytes.count }

    @inline(__always) mutating func skip(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position &+= 1
        return true
    }

    mutating func skip(_ literal: [UInt8]) -> Bool {
        for byte in literal where !skip(byte) { return false }
        return true
    }

    /// Exactly so many digits.
    @inline(__always) mutating func digits(_ count: Int) -> Int64? {
        guard position &+ count <= bytes.count else { return nil }
        var value: Int64 = 0
        for k in 0..<count {
            let digit = bytes[position &+ k] &- 48
            guard digit < 10 else { return nil }
            value = value &* 10 &+ Int64(digit)
        }
        position &+= count
        return value
    }

    /// One digit at least.
    mutating func number(atMost limit: Int) -> Int64? {
        var value: Int64 = 0, count = 0
        while count < limit, position < bytes.count, case let digit = bytes[position] &- 48, digit < 10 {
            value = value * 10 + Int64(digit)
            position += 1
            count += 1
        }
        return count > 0 ? value : nil
    }

    /// Digits of a fraction of a second as microseconds; what is finer is cut.
    mutating func fraction() -> Int64? {
        var value: Int64 = 0, count = 0
        while position < bytes.count, case let digit = bytes[position] &- 48, digit < 10 {
            if count < 6 { value = value * 10 + Int64(digit) }
            count += 1
            position += 1
        }
        guard count > 0, count <= 9 else { return nil }
        for _ in min(count, 6)..<6 { value *= 10 }
        return value
    }

    /// `Z`, `+02`, `+0200`, `+02:00`, `UTC` or `GMT`, as minutes.
    mutating func zone() -> Int? {
        if skip(UInt8(ascii: "Z")) { return 0 }
        for name in ["UTC", "GMT"] {
            let before = position
            if skip(Array(name.utf8)) { return 0 }
            position = before
        }
        let isWest = skip(UInt8(ascii: "-"))
        guard isWest || skip(UInt8(ascii: "+")), let hours = digits(2), hours <= 18 else { return nil }
        var minutes = Int(hours) * 60
        let hasColon = skip(UInt8(ascii: ":"))
        if let rest = digits(2) {
            guard rest < 60 else { return nil }
            minutes += Int(rest)
        } else if hasColon {
            return nil
        }
        return isWest ? -minutes : minutes
    }

    /// One of these words in lower case, or a longer one that begins so; the word's other letters are skipped.
    mutating func name(_ words: [[UInt8]]) -> Int? {
        for (i, word) in words.enumerated() where position + word.count <= bytes.count {
            guard (0..<word.count).allSatisfy({ bytes[position + $0] | 0x20 == word[$0] }) else { continue }
            position += word.count
            while position < bytes.count, case let letter = bytes[position] | 0x20, letter >= 97, letter <= 122 { position += 1 }
            return i
        }
        return nil
    }
}
