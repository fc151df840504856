/// How a file separates and quotes its fields. RFC 4180 by default.
package struct CSVDialect: Sendable, Hashable {
    package var separator = UInt8(ascii: ",")
    /// nil: quotes are text.
    package var quote: UInt8? = UInt8(ascii: "\"")
    /// Takes the next byte as it is, inside and outside of quotes; nil: only a doubled quote stands for a quote.
    package var escape: UInt8?
    /// Blanks before a field, or before its opening quote, are no part of it.
    package var ignoresLeadingBlanks = false

    package init() {}
}
