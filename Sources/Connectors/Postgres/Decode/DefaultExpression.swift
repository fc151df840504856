import ConnectAPI

/// A column's default as the catalog prints it (`pg_get_expr`), and what becomes of it in the schema.
///
/// A constant is parsed as the column's type; anything computed (`now()`, `nextval(…)`) becomes the type's zero, as Debezium does.
struct DefaultExpression {
    private let expression: String

    init(_ expression: String) { self.expression = expression }

    /// nil: the schema gets no default.
    func value(of resolved: TypeResolver.Resolved) -> Value? {
        switch constant {
        case .null: return nil
        case .computed: return resolved.schema.type == .struct ? nil : resolved.zero
        case .text(let text):
            // A constant is decoded by the very decoder of the column, as a batch of one row.
            var cells = ElementCells()
            Array(text.utf8).withUnsafeBytes { cells.append($0) }
            var context = DecodeContext(origin: .stream)
            if case .name = resolved.decoder { return .string(text) }
            let column = cells.withView { resolved.decoder.decode($0, resolved.schema, filler: nil, &context) }
            let value = column[0]
            if resolved.schema.type == .struct { return nil }
            return value.isNull ? nil : value
        }
    }

    private enum Constant {
        case null, computed
        case text(String)
    }

    /// `42`, `'-1'::integer`, `1.50`, `'a''b'::character varying`, `true`, `NULL::text`, `E'a\nb'::text`, `B'101'::"bit"`, `(-1)`.
    private var constant: Constant {
        var rest = Substring(expression)
        while rest.first == "(", rest.last == ")" { rest = rest.dropFirst().dropLast() }
        let isEscaped = rest.hasPrefix("E'")
        if isEscaped || rest.hasPrefix("B'") { rest = rest.dropFirst() }
        if rest.first == "'" {
            guard let (text, tail) = Self.quoted(rest.dropFirst(), isEscaped: isEscaped), tail.isEmpty || Self.isCast(tail) else { return .computed }
            return .text(text)
        }
        let head = rest.range(ofCast: ()).map { rest[..<$0] } ?? rest
        var number = head
        while number.first == "(", number.last == ")" { number = number.dropFirst().dropLast() }
        switch number.lowercased() {
        case "null": return .null
        case "true": return .text("t")
        case "false": return .text("f")
        default: break
        }
        let isNumber = !number.isEmpty && number.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == 0x2E || $0 == 0x2D || $0 == 0x2B || $0 == 0x65 }
        return isNumber && number.utf8.contains(where: { (0x30...0x39).contains($0) }) ? .text(String(number)) : .computed
    }

    private static func quoted(_ text: Substring, isEscaped: Bool) -> (String, Substring)? {
        var out = "", rest = text
        while let character = rest.popFirst() {
            if character == "'" {
                guard rest.first == "'" else { return (out, rest) }
                rest.removeFirst()
                out.append("'")
            } else if isEscaped, character == "\\", let escaped = rest.popFirst() {
                switch escaped {
                case "n": out.append("\n")
                case "t": out.append("\t")
                case "r": out.append("\r")
                case "b": out.append("\u{8}")
                case "f": out.append("\u{C}")
                default: out.append(escaped)
                }
            } else {
                out.append(character)
            }
        }
        return nil
    }

    /// `::numeric(10,2)`, `::character varying(20)[]`, `::"bit"`: nothing but a cast follows.
    private static func isCast(_ tail: Substring) -> Bool {
        tail.hasPrefix("::") && !tail.contains("'") && !tail.contains("||") && !tail.dropFirst(2).contains("::regclass")
    }
}

extension Substring {
    /// Where the first cast begins.
    fileprivate func range(ofCast: Void) -> Index? {
        var i = startIndex
        while i < endIndex {
            let next = index(after: i)
            if self[i] == ":", next < endIndex, self[next] == ":" { return i }
            i = next
        }
        return nil
    }
}
