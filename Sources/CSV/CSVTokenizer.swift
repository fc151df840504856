/// Finds rows and fields in bytes: one pass, eight bytes at a time.
///
///     bytes ─▶ CSVTokenizer.scan ─▶ CSVRows (ranges, nothing copied but unescaped texts) ─▶ CSVColumns.parse ─▶ columns
///
/// Rows end with `\n`, `\r\n` or `\r`; blank lines are no rows. A row whose end has not come is left for the next call, unless `isFinal`.
/// A malformed row reaches to the end of its line and is reported; the rows around it are unharmed.
package struct CSVTokenizer: Sendable {
    private let dialect: CSVDialect
    private let separators: UInt64
    private let escapes: UInt64
    private let quotes: UInt64

    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let highs: UInt64 = 0x8080_8080_8080_8080
    private static let newline = UInt8(ascii: "\n"), carriage = UInt8(ascii: "\r")

    package init(_ dialect: CSVDialect) {
        self.dialect = dialect
        separators = Self.ones &* UInt64(dialect.separator)
        // Without an escape the quote, or the separator, is looked for twice.
        quotes = Self.ones &* UInt64(dialect.quote ?? dialect.separator)
        escapes = Self.ones &* UInt64(dialect.escape ?? dialect.separator)
    }

    /// High bit of every byte that is zero, and, harmlessly, of some bytes after such a one.
    @inline(__always) private static func zeros(_ word: UInt64) -> UInt64 { (word &- ones) & ~word & highs }

    /// The next separator, line end or escape at or after `i`; `count` when there is none. Collects the high bits of what it passes.
    @inline(__always) private func plainEnd(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ high: inout UInt64) -> Int {
        var i = start
        while i &+ 8 <= bytes.count {
            let word = bytes.loadUnaligned(fromByteOffset: i, as: UInt64.self)
            high |= word
            let hits =
                Self.zeros(word ^ separators) | Self.zeros(word ^ (Self.ones &* UInt64(Self.newline)))
                | Self.zeros(word ^ (Self.ones &* UInt64(Self.carriage))) | Self.zeros(word ^ escapes)
            if hits != 0 { return i &+ hits.trailingZeroBitCount >> 3 }
            i &+= 8
        }
        while i < bytes.count {
            let byte = bytes[i]
            high |= UInt64(byte)
            if byte == dialect.separator || byte == Self.newline || byte == Self.carriage || byte == dialect.escape { return i }
            i &+= 1
        }
        return i
    }

    /// The next quote, escape or line end at or after `i`, inside of quotes.
    @inline(__always) private func quotedEnd(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ high: inout UInt64) -> Int {
        let escapes = dialect.escape == nil ? quotes : self.escapes
        var i = start
        while i &+ 8 <= bytes.count {
            let word = bytes.loadUnaligned(fromByteOffset: i, as: UInt64.self)
            high |= word
            let hits =
                Self.zeros(word ^ quotes) | Self.zeros(word ^ escapes) | Self.zeros(word ^ (Self.ones &* UInt64(Self.newline)))
                | Self.zeros(word ^ (Self.ones &* UInt64(Self.carriage)))
            if hits != 0 { return i &+ hits.trailingZeroBitCount >> 3 }
            i &+= 8
        }
        while i < bytes.count {
            let byte = bytes[i]
            high |= UInt64(byte)
            if byte == dialect.quote || byte == dialect.escape || byte == Self.newline || byte == Self.carriage { return i }
            i &+= 1
        }
        return i
    }

    private enum FieldEnd { case separator, row, incomplete, textAfterQuote, unclosedQuote }

    /// Replaces `rows` by the next rows of `bytes`, at most `limit`. `width` nil: the first row says how many fields a row has.
    package func scan(_ bytes: UnsafeRawBufferPointer, into rows: inout CSVRows, width given: Int?, limit: Int, isFinal: Bool) {
        precondition(bytes.count < 1 << 30, "a CSV chunk of \(bytes.count) bytes")
        rows.removeAll()
        var width = given ?? 0, high: UInt64 = 0, i = 0, line = 0
        while rows.count < limit, i < bytes.count {
            // Blank lines.
            if bytes[i] == Self.newline || bytes[i] == Self.carriage {
                guard let next = lineEnd(bytes, i, isFinal) else { break }
                i = next
                line += 1
                continue
            }
            let rowStart = i, firstField = rows.fields.count, copied = rows.copies.count
            var rowLines = 1, end = FieldEnd.separator
            while end == .separator { end = field(bytes, &i, &rows, &rowLines, &high, isFinal) }
            if end == .incomplete {
                rows.fields.removeLast(rows.fields.count - firstField)
                rows.copies.removeLast(rows.copies.count - copied)
                i = rowStart
                break
            }
            if end == .unclosedQuote {
                // The quote may have been meant as text: the lines behind it are rows again.
                (i, rowLines) = (nextLine(bytes, rowStart), 1)
            }
            let fields = rows.fields.count - firstField, rowEnd = textEnd(bytes, rowStart, i)
            if width == 0, end == .row { width = fields }
            if end == .row, fields == width {
                rows.count += 1
                rows.starts.append(UInt32(truncatingIfNeeded: rowStart))
                rows.ends.append(UInt32(truncatingIfNeeded: rowEnd))
                rows.lines.append(UInt32(truncatingIfNeeded: line))
            } else {
                rows.fields.removeLast(fields)
                let reason: CSVRowError =
                    switch end {
                    case .textAfterQuote: .textAfterQuote
                    case .unclosedQuote: .unclosedQuote
                    default: .fieldCount(fields, expected: width)
                    }
                rows.malformed.append(.init(range: rowStart..<rowEnd, line: line, reason: reason))
            }
            line += rowLines
        }
        rows.consumed = i
        rows.consumedLines = line
        rows.hasHighBytes = high & Self.highs != 0
    }

    private func nextLine(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> Int {
        var i = start
        while i < bytes.count, bytes[i] != Self.newline, bytes[i] != Self.carriage { i += 1 }
        return i < bytes.count ? lineEnd(bytes, i, true)! : i
    }

    /// The row's bytes without its line end.
    private func textEnd(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> Int {
        var end = end
        if end > start, bytes[end - 1] == Self.newline { end -= 1 }
        if end > start, bytes[end - 1] == Self.carriage { end -= 1 }
        return end
    }

    /// What follows the line end at `i`; nil: a `\r` at the very end, which a `\n` may follow.
    @inline(__always) private func lineEnd(_ bytes: UnsafeRawBufferPointer, _ i: Int, _ isFinal: Bool) -> Int? {
        if bytes[i] == Self.newline { return i &+ 1 }
        guard i &+ 1 < bytes.count else { return isFinal ? i &+ 1 : nil }
        return bytes[i &+ 1] == Self.newline ? i &+ 2 : i &+ 1
    }

    /// Reads one field and what ends it.
    @inline(__always) private func field(
        _ bytes: UnsafeRawBufferPointer, _ i: inout Int, _ rows: inout CSVRows, _ lines: inout Int, _ high: inout UInt64, _ isFinal: Bool
    ) -> FieldEnd {
        if dialect.ignoresLeadingBlanks { while i < bytes.count, bytes[i] == 32 || bytes[i] == 9 { i += 1 } }
        if let quote = dialect.quote, i < bytes.count, bytes[i] == quote { return quotedField(bytes, &i, &rows, &lines, &high, isFinal) }
        let start = i
        i = plainEnd(bytes, i, &high)
        if let escape = dialect.escape, i < bytes.count, bytes[i] == escape {
            return escapedField(bytes, from: start, &i, &rows, &lines, &high, isFinal)
        }
        rows.fields.append(CSVField(start, i))
        return fieldEnd(bytes, &i, isFinal)
    }

    @inline(__always) private func fieldEnd(_ bytes: UnsafeRawBufferPointer, _ i: inout Int, _ isFinal: Bool) -> FieldEnd {
        guard i < bytes.count else { return isFinal ? .row : .incomplete }
        if bytes[i] == dialect.separator {
            i &+= 1
            return .separator
        }
        guard let next = lineEnd(bytes, i, isFinal) else { return .incomplete }
        i = next
        return .row
    }

    /// A field outside of quotes that holds an escape.
    private func escapedField(
        _ bytes: UnsafeRawBufferPointer, from start: Int, _ i: inout Int, _ rows: inout CSVRows, _ lines: inout Int, _ high: inout UInt64,
        _ isFinal: Bool
    ) -> FieldEnd {
        let copy = rows.copies.count
        var from = start
        while i < bytes.count, bytes[i] == dialect.escape {
            rows.copies.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[from..<i]))
            guard i + 1 < bytes.count else {
                if !isFinal { return .incomplete }
                // An escape with nothing behind it is itself.
                from = i
                i += 1
                break
            }
            high |= UInt64(bytes[i + 1])
            if bytes[i + 1] == Self.newline { lines += 1 }
            rows.copies.append(bytes[i + 1])
            i += 2
            from = i
            i = plainEnd(bytes, i, &high)
        }
        rows.copies.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[from..<i]))
        rows.fields.append(CSVField(copy, rows.copies.count, isCopied: true))
        return fieldEnd(bytes, &i, isFinal)
    }

    /// A field in quotes; `i` stands at the opening one.
    private func quotedField(
        _ bytes: UnsafeRawBufferPointer, _ i: inout Int, _ rows: inout CSVRows, _ lines: inout Int, _ high: inout UInt64, _ isFinal: Bool
    ) -> FieldEnd {
        let copy = rows.copies.count
        var from = i + 1, isCopied = false
        i = from
        while true {
            i = quotedEnd(bytes, i, &high)
            guard i < bytes.count else { return isFinal ? .unclosedQuote : .incomplete }
            let byte = bytes[i]
            if byte == Self.newline || byte == Self.carriage {
                if byte == Self.newline || i + 1 >= bytes.count || bytes[i + 1] != Self.newline { lines += 1 }
                i += 1
                continue
            }
            let isEscape = byte == dialect.escape
            // Whether a quote closes the field is known once the byte behind it is.
            guard i + 1 < bytes.count else {
                if !isFinal { return .incomplete }
                if isEscape, byte != dialect.quote { return .unclosedQuote }
                break
            }
            if isEscape && byte != dialect.quote || bytes[i + 1] == byte {
                rows.copies.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[from..<i]))
                rows.copies.append(bytes[i + 1])
                high |= UInt64(bytes[i + 1])
                if bytes[i + 1] == Self.newline { lines += 1 }
                isCopied = true
                i += 2
                from = i
                continue
            }
            break
        }
        if isCopied {
            rows.copies.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[from..<i]))
            rows.fields.append(CSVField(copy, rows.copies.count, isQuoted: true, isCopied: true))
        } else {
            rows.fields.append(CSVField(from, i, isQuoted: true))
        }
        i += 1
        guard i < bytes.count, bytes[i] != dialect.separator, bytes[i] != Self.newline, bytes[i] != Self.carriage else {
            return fieldEnd(bytes, &i, isFinal)
        }
        // The row is lost; what is known to be whole again is the next line.
        let next = nextLine(bytes, i)
        if !isFinal, next == bytes.count, bytes[next - 1] != Self.newline { return .incomplete }
        i = next
        return .textAfterQuote
    }
}
