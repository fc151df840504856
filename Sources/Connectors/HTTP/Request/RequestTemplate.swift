/// A text with `${offset.NAME}` in it.
struct RequestTemplate: Sendable {
    private enum Part: Sendable {
        case text(String)
        case offset(String)
    }
    private let parts: [Part]

    /// Throws for any other expression: FreeMarker's built-ins are not known here.
    init(_ text: String, _ key: String) throws(HTTPSourceSettings.Problem) {
        var parts: [Part] = [], rest = text[...]
        while let open = rest.firstRange(of: "${") {
            guard let close = rest[open.upperBound...].firstIndex(of: "}") else { throw .init(key, "${ is not closed") }
            let expression = rest[open.upperBound..<close]
            guard expression.hasPrefix("offset."), expression.dropFirst(7).allSatisfy({ $0.isLetter || $0.isNumber || "_-.".contains($0) }) else {
                throw .init(key, "${\(expression)} is not known; only ${offset.NAME} is")
            }
            parts.append(.text(String(rest[..<open.lowerBound])))
            parts.append(.offset(String(expression.dropFirst(7))))
            rest = rest[rest.index(after: close)...]
        }
        parts.append(.text(String(rest)))
        self.parts = parts
    }

    func text(_ progress: PollProgress, encoding: Bool = false) -> String {
        parts.reduce(into: "") { text, part in
            switch part {
            case .text(let literal): text += literal
            case .offset(let name): text += encoding ? PercentEncoding.encode(progress.text(name)) : progress.text(name)
            }
        }
    }
}

/// Encodes what stands in a query: everything but letters, digits and `-._~`.
enum PercentEncoding {
    static func encode(_ text: String) -> String {
        var out = ""
        for byte in text.utf8 {
            let c = Character(UnicodeScalar(byte))
            if byte < 128, c.isLetter || c.isNumber || "-._~".contains(c) {
                out.append(c)
            } else {
                out += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return out
    }
}
