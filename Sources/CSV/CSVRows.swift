/// Rows as the tokenizer found them: the fields of all rows one after the other, `width` a row.
package struct CSVRows: Sendable {
    /// A row that is none: a wrong number of fields, text after a closing quote, a quote that never closes.
    package struct Malformed: Sendable {
        package let range: Range<Int>
        /// Lines after the first of these bytes.
        package let line: Int
        package let reason: CSVRowError
    }

    package internal(set) var count = 0
    package internal(set) var fields: [CSVField] = []
    /// Where each row lies in the bytes, and which line it begins at, counted from the first of these bytes.
    package internal(set) var starts: [UInt32] = []
    package internal(set) var ends: [UInt32] = []
    package internal(set) var lines: [UInt32] = []
    package internal(set) var malformed: [Malformed] = []
    /// Texts whose quotes or escapes were taken out.
    package internal(set) var copies: [UInt8] = []
    /// Bytes and lines taken, malformed rows and blank lines included.
    package internal(set) var consumed = 0
    package internal(set) var consumedLines = 0
    /// Some byte of these rows is not ASCII.
    package internal(set) var hasHighBytes = false

    package init() {}

    /// Without the first row, as a header is.
    package mutating func dropFirst() {
        fields.removeFirst(fields.count / count)
        starts.removeFirst()
        ends.removeFirst()
        lines.removeFirst()
        count -= 1
    }

    /// Rows of texts that come from elsewhere; nil is null. The texts are the row's copies.
    init(_ texts: [[String?]]) {
        for row in texts {
            for text in row {
                let start = copies.count
                copies.append(contentsOf: (text ?? "").utf8)
                fields.append(CSVField(start, copies.count, isQuoted: text != nil, isCopied: true))
            }
        }
        count = texts.count
        hasHighBytes = false
    }

    mutating func removeAll() {
        count = 0
        fields.removeAll(keepingCapacity: true)
        starts.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
        lines.removeAll(keepingCapacity: true)
        malformed.removeAll(keepingCapacity: true)
        copies.removeAll(keepingCapacity: true)
        (consumed, consumedLines, hasHighBytes) = (0, 0, false)
    }
}

/// Why a row is bad. The description never holds the row's data.
package enum CSVRowError: Sendable, Hashable, CustomStringConvertible {
    case fieldCount(Int, expected: Int)
    case textAfterQuote
    case unclosedQuote
    case value(column: String, type: String)
    case missing(column: String)

    package var description: String {
        switch self {
        case .fieldCount(let count, let expected): "\(count) field\(count == 1 ? "" : "s") where \(expected) are expected"
        case .textAfterQuote: "text after a closing quote"
        case .unclosedQuote: "a quote that is never closed"
        case .value(let column, let type): "column \(column) holds no \(type)"
        case .missing(let column): "column \(column) is empty and may not be"
        }
    }
}
