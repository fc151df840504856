package import ConnectAPI

/// One column of a file: its name and what its texts mean.
package struct CSVColumn: Sendable, Hashable {
    package let name: String
    package let type: CSVColumnType
    package let isOptional: Bool
    package let schema: Schema

    package init(_ name: String, _ type: CSVColumnType, optional: Bool = true) {
        self.name = name
        self.type = type
        isOptional = optional
        schema = type.schema(optional: optional)
    }

    /// Reads `id long, amt decimal(18,2), at timestamp(yyyy-MM-dd HH:mm:ss), note`; a name alone is a string. Names with blanks, commas or
    /// parentheses stand in double quotes.
    package static func list(_ text: String) throws(CSVTypeError) -> [CSVColumn] {
        var columns: [CSVColumn] = []
        for part in parts(of: text) {
            let (name, rest) = name(of: part)
            guard !name.isEmpty else { throw CSVTypeError("A column without a name in '\(text)'") }
            if columns.contains(where: { $0.name == name }) { throw CSVTypeError("Column \(name) is declared twice") }
            columns.append(CSVColumn(name, rest.isEmpty ? .string : try CSVColumnType(rest)))
        }
        return columns
    }

    /// Splits at commas outside of quotes and parentheses.
    private static func parts(of text: String) -> [String] {
        var parts: [String] = [], current = "", depth = 0, isQuoted = false
        for c in text {
            switch c {
            case "\"": isQuoted.toggle()
            case "(" where !isQuoted: depth += 1
            case ")" where !isQuoted: depth -= 1
            case "," where !isQuoted && depth == 0:
                parts.append(current)
                current = ""
                continue
            default: break
            }
            current.append(c)
        }
        parts.append(current)
        return parts.map { $0.trimmingSpaces() }.filter { !$0.isEmpty }
    }

    private static func name(of part: String) -> (String, String) {
        if part.first == "\"" {
            guard let close = part.dropFirst().firstIndex(of: "\"") else { return ("", "") }
            return (String(part[part.index(after: part.startIndex)..<close]), part[part.index(after: close)...].trimmingSpaces())
        }
        guard let end = part.firstIndex(of: " ") else { return (part, "") }
        return (String(part[..<end]), part[end...].trimmingSpaces())
    }
}

extension [CSVColumn] {
    /// What `CSVColumn.list` reads.
    package var declaration: String {
        map { column in
            let isPlain = !column.name.isEmpty && !column.name.contains { " ,()\"".contains($0) }
            return "\(isPlain ? column.name : "\"\(column.name)\"") \(column.type)"
        }.joined(separator: ", ")
    }
}

/// A type that cannot be: the message is for the person who wrote it.
package struct CSVTypeError: Error, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
}
