/// One strict pass over JSON text, for every reader of JSON here: REST bodies and configuration files as much as records.
///
///     bytes ──▶ JSONTape.parse ──▶ tokens in document order ──▶ JSONValue        (control plane: small documents, ordered objects)
///                                                          └──▶ ConnectJSONReader (data path: columns, nothing allocated a record)
///     columns ──▶ ConnectJSONRenderer ──▶ JSONWriter ──▶ bytes, as Kafka Connect's JsonConverter writes them
///
/// A token is a kind and a range of the input; a container's token also says where the token after it stands, so that a subtree is skipped
/// in one step. Nothing is copied or decoded here: strings stay escaped, numbers stay text. What is checked is all of RFC 8259 plus UTF-8,
/// so whoever walks the tape need not check again. Errors say what Jackson says, since that is what people search for.
package struct JSONTape: ~Copyable {
    package enum Kind: UInt8, Sendable {
        case null, `true`, `false`, integer, decimal, string, escapedString, array, object
    }

    package struct Token: Sendable {
        package let kind: Kind
        /// Strings: without the quotes. Containers: the opening bracket.
        package let start: UInt32
        /// Scalars: past the last byte. Containers: past the closing bracket.
        package internal(set) var end: UInt32
        /// The token after this value and all it holds.
        package internal(set) var next: UInt32
    }

    /// As Jackson limits it.
    package static let maximumDepth = 1000

    package private(set) var tokens: [Token] = []
    private var open: [Int] = []

    package init() {}

    /// Replaces the tape by that of one document; nothing but white space may follow it.
    package mutating func parse(_ bytes: UnsafeRawBufferPointer) throws(JSONError) {
        tokens.removeAll(keepingCapacity: true)
        open.removeAll(keepingCapacity: true)
        guard bytes.count < Int(UInt32.max) else { throw JSONError("Document of \(bytes.count) bytes is too long", bytes, at: 0) }
        let scanner = JSONScanner(bytes)
        var i = scanner.skipSpace(0)
        while true {
            // Here a value must begin at `i`.
            i = try value(scanner, at: i)
            // Close what ends here, until another value must follow.
            var expectsValue = false
            while !expectsValue {
                i = scanner.skipSpace(i)
                guard let container = open.last else {
                    if i < bytes.count { throw scanner.unexpected(i, "Expected end of the document") }
                    return
                }
                let isObject = tokens[container].kind == .object
                guard i < bytes.count else { throw scanner.endInside(isObject, start: Int(tokens[container].start)) }
                let byte = bytes[i]
                let isEmpty = tokens.count == container + 1
                if byte == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
                    i += 1
                    tokens[container].end = UInt32(i)
                    tokens[container].next = UInt32(tokens.count)
                    open.removeLast()
                    continue
                }
                if !isEmpty {
                    guard byte == UInt8(ascii: ",") else {
                        throw scanner.unexpected(i, "was expecting comma to separate \(isObject ? "Object" : "Array") entries")
                    }
                    i = scanner.skipSpace(i + 1)
                }
                if isObject { i = try key(scanner, at: i) }
                expectsValue = true
            }
        }
    }

    /// Reads `"name":` and returns where its value begins.
    private mutating func key(_ scanner: JSONScanner, at start: Int) throws(JSONError) -> Int {
        guard start < scanner.count else {
            throw JSONError("Unexpected end-of-input within/between Object entries", scanner.bytes, at: start)
        }
        guard scanner.bytes[start] == UInt8(ascii: "\"") else {
            throw scanner.unexpected(start, "was expecting double-quote to start field name")
        }
        var i = scanner.skipSpace(try string(scanner, at: start))
        guard i < scanner.count else { throw JSONError("Unexpected end-of-input within/between Object entries", scanner.bytes, at: i) }
        guard scanner.bytes[i] == UInt8(ascii: ":") else {
            throw scanner.unexpected(i, "was expecting a colon to separate field name and value")
        }
        i = scanner.skipSpace(i + 1)
        guard i < scanner.count else { throw JSONError("Unexpected end-of-input within/between Object entries", scanner.bytes, at: i) }
        return i
    }

    /// Reads a scalar, or the opening of a container; returns the position after it.
    private mutating func value(_ scanner: JSONScanner, at i: Int) throws(JSONError) -> Int {
        guard i < scanner.count else {
            if let container = open.last {
                throw scanner.endInside(tokens[container].kind == .object, start: Int(tokens[container].start))
            }
            throw JSONError("No content to map due to end-of-input", scanner.bytes, at: i)
        }
        switch scanner.bytes[i] {
        case UInt8(ascii: "\""): return try string(scanner, at: i)
        case UInt8(ascii: "{"): return try begin(.object, scanner, at: i)
        case UInt8(ascii: "["): return try begin(.array, scanner, at: i)
        case UInt8(ascii: "t"): return try word("true", .true, scanner, at: i)
        case UInt8(ascii: "f"): return try word("false", .false, scanner, at: i)
        case UInt8(ascii: "n"): return try word("null", .null, scanner, at: i)
        default:
            let (end, isInteger) = try scanner.number(i)
            push(isInteger ? .integer : .decimal, i, end)
            return end
        }
    }

    private mutating func begin(_ kind: Kind, _ scanner: JSONScanner, at i: Int) throws(JSONError) -> Int {
        guard open.count < Self.maximumDepth else {
            throw JSONError(
                "Document nesting depth (\(open.count + 1)) exceeds the maximum allowed (\(Self.maximumDepth))", scanner.bytes, at: i)
        }
        open.append(tokens.count)
        push(kind, i, i + 1)
        return i + 1
    }

    private mutating func string(_ scanner: JSONScanner, at i: Int) throws(JSONError) -> Int {
        let (end, hasEscapes) = try scanner.string(i + 1)
        push(hasEscapes ? .escapedString : .string, i + 1, end)
        return end + 1
    }

    private mutating func word(_ text: StaticString, _ kind: Kind, _ scanner: JSONScanner, at i: Int) throws(JSONError) -> Int {
        let end = try scanner.word(text, i)
        push(kind, i, end)
        return end
    }

    private mutating func push(_ kind: Kind, _ start: Int, _ end: Int) {
        tokens.append(Token(kind: kind, start: UInt32(start), end: UInt32(end), next: UInt32(tokens.count + 1)))
    }
}
