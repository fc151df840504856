import ConnectAPI

/// Cuts bytes into lines that end with `\n`, `\r` or `\r\n`, however the bytes were cut on the way here.
struct LineSplitter {
    private var pending: [UInt8] = []
    /// Where the first line not yet taken begins, and how far it was searched for an end.
    private var start = 0, searched = 0

    struct Lines {
        var texts = VarBytes()
        /// Bytes taken, line ends included.
        var consumed = 0
    }

    /// Bytes of a line whose end has not come.
    var pendingCount: Int { pending.count - start }

    mutating func append(_ bytes: some Sequence<UInt8>) {
        if start > 0 {
            pending.removeFirst(start)
            searched -= start
            start = 0
        }
        pending.append(contentsOf: bytes)
    }

    /// The next whole lines, at most so many; nil when there is none. A `\r` at the very end waits: a `\n` may follow.
    mutating func next(atMost limit: Int) -> Lines? {
        var lines = Lines()
        let before = start
        while lines.texts.count < limit, let end = lineEnd() {
            lines.texts.append(Self.repaired(pending[start..<end.text]))
            start = end.next
            searched = start
        }
        lines.consumed = start - before
        return lines.texts.count == 0 ? nil : lines
    }

    private mutating func lineEnd() -> (text: Int, next: Int)? {
        while searched < pending.count {
            switch pending[searched] {
            case UInt8(ascii: "\n"): return (searched, searched + 1)
            case UInt8(ascii: "\r"):
                guard searched + 1 < pending.count else { return nil }
                return (searched, pending[searched + 1] == UInt8(ascii: "\n") ? searched + 2 : searched + 1)
            default: searched += 1
            }
        }
        return nil
    }

    /// Text columns hold UTF-8; what is not becomes U+FFFD, as Java decodes it.
    private static func repaired(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        if line.allSatisfy({ $0 < 0x80 }) || String(validating: line, as: UTF8.self) != nil { return line }
        return Array(String(decoding: line, as: UTF8.self).utf8)[...]
    }
}
