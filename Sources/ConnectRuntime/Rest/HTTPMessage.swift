/// A request as it came: the target still percent-encoded, since `Router` judges the path before it is decoded.
package struct HTTPRequest: Sendable {
    package let method: String
    /// The path before `?`, percent-encoded.
    package let rawPath: String
    /// The part after `?`, percent-encoded; empty when absent.
    package let rawQuery: String
    /// Names in lower case, in the order they came.
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]

    package init(method: String, target: String, headers: [(name: String, value: String)] = [], body: [UInt8] = []) {
        self.method = method
        let cut = target.utf8.firstIndex(of: UInt8(ascii: "?"))
        rawPath = cut.map { String(target[..<$0]) } ?? target
        rawQuery = cut.map { String(target[target.utf8.index(after: $0)...]) } ?? ""
        self.headers = headers
        self.body = body
    }

    package func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }

    /// The decoded parameters of the query, in order; what does not decode is left as it is.
    package var query: [(name: String, value: String)] {
        rawQuery.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            func decoded(_ part: Substring?) -> String {
                let spaced = String(part ?? "").replacing("+", with: " ")
                return PercentEncoding.decode(spaced) ?? spaced
            }
            return (decoded(parts.first), decoded(parts.count > 1 ? parts[1] : nil))
        }
    }
    package func parameters(_ name: String) -> [String] { query.filter { $0.name == name }.map(\.value) }
    /// `true` in any case is true, anything else false.
    package func flag(_ name: String, default fallback: Bool = false) -> Bool { parameters(name).first.map { $0.lowercased() == "true" } ?? fallback }
}

package struct HTTPResponse: Sendable {
    package enum Body: Sendable {
        case bytes([UInt8])
        /// Sent in chunks while the closure writes; the response ends when it returns. It is cancelled when the client leaves.
        case stream(@Sendable (HTTPBodyWriter) async throws -> Void)
    }
    package var status: Int
    package var headers: [(name: String, value: String)]
    package var body: Body

    package init(_ status: Int, type: String? = nil, _ body: [UInt8] = [], headers: [(name: String, value: String)] = []) {
        self.status = status
        self.headers = (type.map { [("Content-Type", $0)] } ?? []) + headers
        self.body = .bytes(body)
    }

    package init(streaming type: String, _ produce: @escaping @Sendable (HTTPBodyWriter) async throws -> Void) {
        status = 200
        headers = [("Content-Type", type), ("Cache-Control", "no-cache")]
        body = .stream(produce)
    }
}

/// `%XX` in paths and queries.
package enum PercentEncoding {
    /// nil: an escape is cut short, or the bytes are not UTF-8.
    package static func decode(_ text: some StringProtocol) -> String? {
        let bytes = Array(text.utf8)
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var i = 0
        while i < bytes.count {
            if bytes[i] == UInt8(ascii: "%") {
                guard i + 2 < bytes.count, let high = digit(bytes[i + 1]), let low = digit(bytes[i + 2]) else { return nil }
                out.append(high << 4 | low)
                i += 3
            } else {
                out.append(bytes[i])
                i += 1
            }
        }
        return String(validating: out, as: UTF8.self)
    }

    /// Escapes everything but RFC 3986's unreserved characters.
    package static func encode(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                out.append(byte)
            default: out += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
