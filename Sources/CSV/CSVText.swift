/// Text columns hold UTF-8.
package enum CSVText {
    /// What the text is in UTF-8, ill-formed parts as U+FFFD; nil: as it stands.
    static func utf8(_ text: UnsafeRawBufferPointer, _ charset: CSVColumnReader.Charset) -> [UInt8]? {
        guard text.contains(where: { $0 >= 0x80 }) else { return nil }
        switch charset {
        case .latin1: return Array(String(String.UnicodeScalarView(text.map { UnicodeScalar($0) })).utf8)
        case .utf8:
            let isValid = text.withMemoryRebound(to: UInt8.self) { (try? UTF8Span(validating: $0.span)) != nil }
            return isValid ? nil : Array(String(decoding: text, as: UTF8.self).utf8)
        }
    }

    /// The texts of one row, as of a header.
    package static func row(_ index: Int, of rows: CSVRows, width: Int, _ bytes: UnsafeRawBufferPointer, _ charset: CSVColumnReader.Charset)
        -> [String]
    {
        rows.copies.withUnsafeBytes { copies in
            (0..<width).map { column in
                let field = rows.fields[index * width + column], base = field.isCopied ? copies : bytes
                let text = UnsafeRawBufferPointer(rebasing: base[Int(field.start)..<Int(field.start) + field.count])
                return String(decoding: utf8(text, charset) ?? Array(text), as: UTF8.self)
            }
        }
    }
}
