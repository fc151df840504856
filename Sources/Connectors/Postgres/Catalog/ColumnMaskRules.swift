import ConnectAPI

/// Which columns are cut, masked or hashed: the keys `column.truncate.to.N.chars`, `column.mask.with.N.chars`,
/// `column.mask.hash.ALG.with.salt.SALT` and `column.mask.hash.v2.ALG.with.salt.SALT`, whose values are lists of expressions over
/// `schema.table.column`. The first rule that matches a column wins, in that order.
struct ColumnMaskRules: Sendable {
    private var rules: [(columns: PatternList, mask: ColumnMask)] = []

    /// Throws `config.invalid` for a key with another shape than the above, an unknown digest or a malformed expression: a mask that is not
    /// understood must not be ignored.
    init(_ configuration: PostgresConfiguration) throws {
        try add(configuration.columnTruncate, "column.truncate.to.") { key in
            Self.count(key, before: ".chars").flatMap { $0 > 0 ? .truncate($0) : nil }
        }
        try add(configuration.columnMask, "column.mask.with.") { Self.count($0, before: ".chars").map { .asterisks($0) } }
        try add(configuration.columnMaskHash, "column.mask.hash.") { key in
            let isSecond = key.hasPrefix("v2."), rest = isSecond ? key.dropFirst(3) : key[...]
            guard let range = rest.firstRange(of: ".with.salt.") else { return nil }
            let algorithm = String(rest[..<range.lowerBound])
            guard Digest.isKnown(algorithm) else { return nil }
            return .hash(algorithm: algorithm, salt: String(rest[range.upperBound...]), version: isSecond ? 2 : 1)
        }
    }

    private mutating func add(_ keys: [String: String], _ prefix: String, _ mask: (String) -> ColumnMask?) throws {
        for (key, columns) in keys.sorted(by: { $0.key < $1.key }) {
            guard let mask = mask(key) else {
                // The rest of the key may be a salt: it is not repeated (Invariant 10).
                throw ConnectorError(
                    "config.invalid", .stop, "A key that begins with \(prefix) is not complete or names an unknown digest",
                    hint: "Write column.truncate.to.N.chars, column.mask.with.N.chars or column.mask.hash.v2.SHA-256.with.salt.SALT")
            }
            rules.append((try PatternList(columns), mask))
        }
    }

    private static func count(_ key: String, before suffix: String) -> Int? {
        key.hasSuffix(suffix) ? Int(key.dropLast(suffix.count)).flatMap { $0 >= 0 ? $0 : nil } : nil
    }

    func mask(_ column: String, schema: String, table: String) -> ColumnMask? {
        rules.first { $0.columns.matches("\(schema).\(table).\(column)") }?.mask
    }
}
