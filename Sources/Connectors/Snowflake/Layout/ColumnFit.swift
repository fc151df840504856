import ConnectAPI

/// Finds values that are too long or too large for their columns, before a file of ten thousand others is refused for their sake.
///
/// Only what a column's type tells by itself is judged: VARCHAR(n), BINARY(n), NUMBER(p,s). Whether a text is a date is Snowflake's to say.
struct ColumnFit: Sendable {
    enum Limit: Equatable {
        /// Characters.
        case text(Int)
        case bytes(Int)
        /// Digits before the point.
        case digits(Int)
    }

    /// What DESCRIBE TABLE calls a type, where it is narrower than what anybody could send; nil: no limit.
    static func limit(_ type: String) -> Limit? {
        let name = type.prefix { $0 != "(" }
        let numbers = type.dropFirst(name.count).dropFirst().prefix { $0 != ")" }.split(separator: ",").map { Int($0.trimmingSpaces()) }
        switch (name, numbers.first ?? nil) {
        case ("VARCHAR", let n?) where n < 16_777_216: return .text(n)
        case ("BINARY", let n?) where n < 8_388_608: return .bytes(n)
        case ("NUMBER", let p?):
            let scale = numbers.count > 1 ? numbers[1] ?? 0 : 0
            return p < 38 && scale <= p ? .digits(p - scale) : nil
        default: return nil
        }
    }

    /// The rows that do not fit, with the columns they do not fit into.
    static func misfits(_ rows: TableRows, types: [String: String]) -> [(row: Int, column: String, type: String)] {
        var found: [(row: Int, column: String, type: String)] = []
        for (i, column) in rows.columns.enumerated() where column.content == .plain {
            guard let type = types[column.name], let limit = limit(type) else { continue }
            let values = rows.values.child(at: i).materialized()
            for row in 0..<values.count where !values.isNull(row) && !fits(values, row, limit) { found.append((row, column.name, type)) }
        }
        return found
    }

    private static func fits(_ values: Column, _ row: Int, _ limit: Limit) -> Bool {
        switch (values.storage, limit) {
        case (.utf8(let texts), .text(let n)):
            let range = texts.range(row)
            // Bytes that begin a character are counted only where there are more bytes than characters allowed.
            return range.count <= n || texts.bytes[range].count(where: { $0 & 0xC0 != 0x80 }) <= n
        case (.binary(let bytes), .bytes(let n)): return bytes.range(row).count <= n
        case (.int32(let v), .digits(let n)): return isBelow(Int128(v[row]), digits: n)
        case (.int64(let v), .digits(let n)): return values.schema.name != nil || isBelow(Int128(v[row]), digits: n)
        case (.decimal128(let v), .digits(let n)): return isBelow(v[row], digits: n + scale(values.schema))
        case (.binary(let bytes), .digits(let n)) where values.schema.name == LogicalName.decimal:
            return Int128(bigEndianTwosComplement: bytes[row]).map { isBelow($0, digits: n + scale(values.schema)) } ?? false
        case (.float64(let v), .digits(let n)): return v[row].magnitude < power(n)
        default: return true
        }
    }

    private static func scale(_ schema: Schema) -> Int { schema.parameter("scale").flatMap { Int($0) } ?? 0 }

    private static func isBelow(_ value: Int128, digits: Int) -> Bool {
        guard digits < 38 else { return true }
        return value.magnitude < (0..<digits).reduce(UInt128(1)) { power, _ in power * 10 }
    }

    private static func power(_ digits: Int) -> Double { (0..<digits).reduce(1) { power, _ in power * 10 } }
}
