/// Why bytes are not JSON, and where: Jackson's sentence, byte offset, line and column (from 1, in bytes).
package struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
    package let message: String
    package let offset: Int
    package let line: Int
    package let column: Int

    init(_ message: String, _ bytes: UnsafeRawBufferPointer, at offset: Int) {
        self.message = message
        self.offset = offset
        (line, column) = Self.position(of: offset, in: bytes)
    }

    static func position(of offset: Int, in bytes: UnsafeRawBufferPointer) -> (line: Int, column: Int) {
        var line = 1, lineStart = 0
        for i in 0..<min(offset, bytes.count) where bytes[i] == 10 {
            line += 1
            lineStart = i + 1
        }
        return (line, offset - lineStart + 1)
    }

    static func location(_ position: (line: Int, column: Int)) -> String {
        "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: \(position.line), column: \(position.column)]"
    }

    /// `'x' (code 120)`.
    static func named(_ c: UInt8) -> String {
        c < 32 || c > 126 ? "CTRL-CHAR, code \(c)" : "'\(Character(UnicodeScalar(c)))' (code \(c))"
    }

    static func hex(_ c: UInt8) -> String { (c < 16 ? "0" : "") + String(c, radix: 16) }

    /// The whole text as Jackson words it; the second line is the location.
    package var description: String { "\(message)\n at \(Self.location((line, column)))" }
}
