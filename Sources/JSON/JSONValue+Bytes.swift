extension JSONValue {
    /// Parses one document, strictly: UTF-8, no comments, no trailing commas, nothing after it, at most 1,000 levels deep.
    package static func parse(_ bytes: some Sequence<UInt8>) throws(JSONError) -> JSONValue {
        let array = Array(bytes)
        let result: Result<JSONValue, JSONError> = array.withUnsafeBytes { raw in
            var tape = JSONTape()
            do throws(JSONError) { try tape.parse(raw) } catch { return .failure(error) }
            var next = 0
            return .success(JSONValue(tape, raw, &next))
        }
        return try result.get()
    }

    package static func parse(_ text: String) throws(JSONError) -> JSONValue { try parse(text.utf8) }

    /// The value whose token stands at `next`, which moves past it. The depth limit of the tape bounds the recursion.
    package init(_ tape: borrowing JSONTape, _ bytes: UnsafeRawBufferPointer, _ next: inout Int) {
        let token = tape.tokens[next]
        next += 1
        switch token.kind {
        case .null: self = .null
        case .true: self = .bool(true)
        case .false: self = .bool(false)
        case .integer, .decimal: self = .number(JSONText.string(token, bytes))
        case .string, .escapedString: self = .string(JSONText.string(token, bytes))
        case .array:
            var items: [JSONValue] = []
            while next < Int(token.next) { items.append(JSONValue(tape, bytes, &next)) }
            self = .array(items)
        case .object:
            var members: [(String, JSONValue)] = []
            while next < Int(token.next) {
                let key = JSONText.string(tape.tokens[next], bytes)
                next += 1
                members.append((key, JSONValue(tape, bytes, &next)))
            }
            self = .object(JSONObject(members))
        }
    }

    /// Without white space, as Jackson writes by default.
    package var compactBytes: [UInt8] {
        var out = JSONWriter()
        write(to: &out)
        return out.take()
    }

    package var compactText: String { String(decoding: compactBytes, as: UTF8.self) }

    /// Indented by two spaces, `"name" : value` as Jackson's default pretty printer spaces it.
    package var prettyBytes: [UInt8] {
        var out = JSONWriter()
        writePretty(to: &out, indent: 0)
        return out.take()
    }

    package func write(to out: inout JSONWriter) {
        switch self {
        case .null: out.literal("null")
        case .bool(let b): out.literal(b ? "true" : "false")
        case .number(let text): out.raw(text.utf8)
        case .string(let text): out.string(text)
        case .array(let items):
            out.byte(UInt8(ascii: "["))
            for (i, item) in items.enumerated() {
                if i > 0 { out.byte(UInt8(ascii: ",")) }
                item.write(to: &out)
            }
            out.byte(UInt8(ascii: "]"))
        case .object(let object):
            out.byte(UInt8(ascii: "{"))
            for (i, member) in object.members.enumerated() {
                if i > 0 { out.byte(UInt8(ascii: ",")) }
                out.string(member.key)
                out.byte(UInt8(ascii: ":"))
                member.value.write(to: &out)
            }
            out.byte(UInt8(ascii: "}"))
        }
    }

    private func writePretty(to out: inout JSONWriter, indent: Int) {
        func line(_ depth: Int, _ out: inout JSONWriter) {
            out.byte(10)
            for _ in 0..<depth { out.literal("  ") }
        }
        switch self {
        case .array(let items) where !items.isEmpty:
            out.byte(UInt8(ascii: "["))
            for (i, item) in items.enumerated() {
                if i > 0 { out.byte(UInt8(ascii: ",")) }
                line(indent + 1, &out)
                item.writePretty(to: &out, indent: indent + 1)
            }
            line(indent, &out)
            out.byte(UInt8(ascii: "]"))
        case .object(let object) where !object.isEmpty:
            out.byte(UInt8(ascii: "{"))
            for (i, member) in object.members.enumerated() {
                if i > 0 { out.byte(UInt8(ascii: ",")) }
                line(indent + 1, &out)
                out.string(member.key)
                out.literal(" : ")
                member.value.writePretty(to: &out, indent: indent + 1)
            }
            line(indent, &out)
            out.byte(UInt8(ascii: "}"))
        default: write(to: &out)
        }
    }
}

/// What the tokens of strings and numbers stand for.
package enum JSONText {
    package static func string(_ token: JSONTape.Token, _ bytes: UnsafeRawBufferPointer) -> String {
        let raw = UnsafeRawBufferPointer(rebasing: bytes[Int(token.start)..<Int(token.end)])
        guard token.kind == .escapedString else { return String(decoding: raw, as: UTF8.self) }
        var out: [UInt8] = []
        appendUnescaped(raw, to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    /// Decodes the escapes of a checked string. A surrogate without its other half becomes U+FFFD.
    package static func appendUnescaped(_ raw: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        var i = 0
        while i < raw.count {
            let c = raw[i]
            guard c == UInt8(ascii: "\\") else {
                out.append(c)
                i += 1
                continue
            }
            let kind = raw[i + 1]
            i += 2
            switch kind {
            case UInt8(ascii: "b"): out.append(8)
            case UInt8(ascii: "f"): out.append(12)
            case UInt8(ascii: "n"): out.append(10)
            case UInt8(ascii: "r"): out.append(13)
            case UInt8(ascii: "t"): out.append(9)
            case UInt8(ascii: "u"):
                var scalar = codeUnit(raw, i)
                i += 4
                if scalar & 0xFC00 == 0xD800, i + 6 <= raw.count, raw[i] == UInt8(ascii: "\\"), raw[i + 1] == UInt8(ascii: "u"),
                    case let low = codeUnit(raw, i + 2), low & 0xFC00 == 0xDC00
                {
                    scalar = 0x10000 + (scalar & 0x3FF) << 10 + low & 0x3FF
                    i += 6
                }
                out.append(contentsOf: Character(UnicodeScalar(scalar) ?? "\u{FFFD}").utf8)
            default: out.append(kind)
            }
        }
    }

    private static func codeUnit(_ raw: UnsafeRawBufferPointer, _ i: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 << 4 | (JSONScanner.hexDigit(raw[i + $1]) ?? 0) }
    }
}
