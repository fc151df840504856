/// The name of a table, stage or pipe: one to three identifiers as Snowflake stores them.
///
/// Names in a configuration follow SQL: `orders` and `ORDERS` are the same, `"orders"` keeps its case, `sales.public.orders` is qualified.
struct ObjectName: Sendable, Hashable, CustomStringConvertible {
    let parts: [String]

    init(_ parts: [String]) { self.parts = parts }

    /// nil: not a name.
    init?(configured text: String) {
        var parts: [String] = [], rest = Substring(text)
        repeat {
            guard let part = Self.takePart(&rest), !part.isEmpty, parts.count < 3 else { return nil }
            parts.append(part)
        } while Self.take(".", from: &rest)
        guard rest.isEmpty else { return nil }
        self.parts = parts
    }

    private static func take(_ c: Character, from rest: inout Substring) -> Bool {
        guard rest.first == c else { return false }
        rest.removeFirst()
        return true
    }

    private static func takePart(_ rest: inout Substring) -> String? {
        guard take("\"", from: &rest) else {
            let plain = rest.prefix { $0 != "." && $0 != "\"" }
            rest = rest[plain.endIndex...]
            return plain.uppercased()
        }
        var name = ""
        while let c = rest.popFirst() {
            if c == "\"" {
                if !take("\"", from: &rest) { return name }
            }
            name.append(c)
        }
        return nil
    }

    /// The last part: the object's own name.
    var name: String { parts[parts.count - 1] }
    /// For SQL.
    var sql: String { parts.map(SQL.identifier).joined(separator: ".") }
    /// For messages.
    var description: String { parts.joined(separator: ".") }

    /// With the database and schema that SQL without them would mean.
    func qualified(database: String, schema: String) -> ObjectName {
        ObjectName([database, schema].prefix(3 - parts.count) + parts)
    }

    /// For a stage in `@…`, where quotes are needed only for names that are not plain.
    var stageReference: String {
        "@"
            + parts.map { part in
                let plain = part.unicodeScalars.allSatisfy { ("A"..."Z").contains($0) || ("0"..."9").contains($0) || $0 == "_" || $0 == "$" }
                return plain && !("0"..."9").contains(part.unicodeScalars.first ?? "0") ? part : SQL.identifier(part)
            }.joined(separator: ".")
    }
}
