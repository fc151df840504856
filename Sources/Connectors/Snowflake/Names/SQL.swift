/// Text of Snowflake SQL: names and literals that cannot break out of their quotes.
enum SQL {
    /// A double-quoted identifier. What it holds is the name exactly as Snowflake stores it.
    static func identifier(_ name: String) -> String { "\"\(doubled("\"", in: name))\"" }

    /// A string literal. Snowflake reads backslashes as escapes, so they are doubled as quotes are.
    static func literal(_ text: String) -> String { "'\(doubled("'", in: doubled("\\", in: text)))'" }

    private static func doubled(_ mark: Character, in text: String) -> String {
        guard text.contains(mark) else { return text }
        var out = ""
        for c in text {
            out.append(c)
            if c == mark { out.append(c) }
        }
        return out
    }
}
