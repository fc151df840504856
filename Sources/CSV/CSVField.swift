/// Where the text of one field lies: in the bytes that were read, or, where quotes or escapes had to be taken out, in the copy beside them.
package struct CSVField: Sendable {
    package let start: UInt32
    private let lengthAndFlags: UInt32

    private static let copied: UInt32 = 1 << 31, quoted: UInt32 = 1 << 30

    init(_ start: Int, _ end: Int, isQuoted: Bool = false, isCopied: Bool = false) {
        self.start = UInt32(truncatingIfNeeded: start)
        lengthAndFlags = UInt32(truncatingIfNeeded: end &- start) | (isQuoted ? Self.quoted : 0) | (isCopied ? Self.copied : 0)
    }

    package var count: Int { Int(lengthAndFlags & ~(Self.copied | Self.quoted)) }
    package var isQuoted: Bool { lengthAndFlags & Self.quoted != 0 }
    /// The text lies in `CSVRows.copies`.
    package var isCopied: Bool { lengthAndFlags & Self.copied != 0 }
}
