import ConnectAPI

/// Finds the narrowest type that every text of a column has: boolean, long, double, date, timestamp, or string.
///
/// Numbers with leading zeros (`00501`) are strings, since as numbers they would come out changed; integers too large for 64 bits, too. A column
/// without any text is a string.
package struct CSVTypeInference: Sendable {
    private struct Candidates: OptionSet {
        let rawValue: UInt8
        static let boolean = Candidates(rawValue: 1), long = Candidates(rawValue: 2), double = Candidates(rawValue: 4)
        static let date = Candidates(rawValue: 8), timestamp = Candidates(rawValue: 16)
        static let all: Candidates = [.boolean, .long, .double, .date, .timestamp]
    }
    private var candidates: [Candidates]
    private var seen: [Bool]
    /// A timestamp had digits finer than milliseconds.
    private var isFine: [Bool]
    private let nullText: [UInt8]

    package init(width: Int, nullText: [UInt8] = []) {
        candidates = Array(repeating: .all, count: width)
        seen = Array(repeating: false, count: width)
        isFine = seen
        self.nullText = nullText
    }

    package mutating func observe(_ rows: CSVRows, _ bytes: UnsafeRawBufferPointer) {
        let width = candidates.count
        rows.copies.withUnsafeBytes { copies in
            for column in 0..<width where !candidates[column].isEmpty {
                for row in 0..<rows.count {
                    let field = rows.fields[row * width + column], base = field.isCopied ? copies : bytes
                    let text = NumberText.trimmed(UnsafeRawBufferPointer(rebasing: base[Int(field.start)..<Int(field.start) + field.count]))
                    if text.count == 0 || !nullText.isEmpty && !field.isQuoted && text.elementsEqual(nullText) { continue }
                    observe(text, column)
                    if candidates[column].isEmpty { break }
                }
            }
        }
    }

    private mutating func observe(_ text: UnsafeRawBufferPointer, _ column: Int) {
        seen[column] = true
        var left = candidates[column]
        if left.contains(.boolean) {
            let word = text.count <= 5 ? String(decoding: text, as: UTF8.self).lowercased() : ""
            if word != "true", word != "false" { left.remove(.boolean) }
        }
        if left.contains(.long) || left.contains(.double) {
            let digits = text[0] == UInt8(ascii: "-") || text[0] == UInt8(ascii: "+") ? text.dropFirst() : text[...]
            let isInteger = !digits.isEmpty && digits.allSatisfy { $0 &- 48 < 10 }
            let hasLeadingZero = digits.count > 1 && digits.first == 48 && digits.dropFirst().first! &- 48 < 10
            let isDigitFirst = digits.first.map { $0 &- 48 < 10 || $0 == UInt8(ascii: ".") } ?? false
            if !isInteger || hasLeadingZero || NumberText.int64(text) == nil { left.remove(.long) }
            if hasLeadingZero || !isDigitFirst || NumberText.double(text) == nil || isInteger && NumberText.int64(text) == nil { left.remove(.double) }
        }
        if left.contains(.date), CivilTime.iso(text, .utc, date: true) == nil { left.remove(.date) }
        if left.contains(.timestamp) {
            if let (_, digits) = CivilTime.iso(text, .utc, date: false) {
                if digits > 3 { isFine[column] = true }
            } else {
                left.remove(.timestamp)
            }
        }
        candidates[column] = left
    }

    package var types: [CSVColumnType] {
        candidates.indices.map { i in
            let left = candidates[i]
            if !seen[i] { return .string }
            if left.contains(.boolean) { return .boolean }
            if left.contains(.long) { return .int64 }
            if left.contains(.double) { return .float64 }
            if left.contains(.date) { return .date(nil) }
            if left.contains(.timestamp) { return .timestamp(nil, micros: isFine[i]) }
            return .string
        }
    }
}
