import ConnectAPI

/// `replica.identity.autoset.values`: `tableRegex:FULL,tableRegex:INDEX name`.
struct ReplicaIdentityRules: Sendable {
    private let rules: [(tables: PatternList, identity: String)]

    init(_ text: String?) throws {
        rules = try PatternList.split(text ?? "").map { entry in
            guard let colon = entry.lastIndex(of: ":") else { throw Self.invalid(entry) }
            let identity = entry[entry.index(after: colon)...].trimmingSpaces()
            guard ["DEFAULT", "FULL", "NOTHING"].contains(identity.uppercased()) || identity.uppercased().hasPrefix("INDEX ") else {
                throw Self.invalid(entry)
            }
            return (try PatternList(String(entry[..<colon])), identity)
        }
    }

    private static func invalid(_ entry: String) -> ConnectorError {
        ConnectorError(
            "config.invalid", .stop, "replica.identity.autoset.values has the entry \(entry)",
            hint: "Write schema.table:FULL, :DEFAULT, :NOTHING or :INDEX name, separated by commas")
    }

    /// Alters the tables whose identity differs from what the rules say.
    func apply(_ connection: Connection, _ captured: [CatalogQueries.TableName], _ log: Logger) async throws {
        for table in captured {
            let subject = "\(table.schema).\(table.name)"
            let matching = rules.filter { $0.tables.matches(subject) }
            guard let rule = matching.first else { continue }
            guard matching.count == 1 else {
                throw ConnectorError("config.invalid", .stop, "replica.identity.autoset.values names \(subject) more than once", hint: "Keep one entry a table")
            }
            let words = rule.identity.split(separator: " ", maxSplits: 1)
            let isIndex = words[0].uppercased() == "INDEX"
            let wanted: Character = isIndex ? "i" : words[0].uppercased() == "FULL" ? "f" : words[0].uppercased() == "NOTHING" ? "n" : "d"
            guard table.replicaIdentity != wanted || isIndex else { continue }
            let clause = isIndex ? "USING INDEX \(quoted(words[1].trimmingSpaces()))" : words[0].uppercased()
            try await connection.query(
                "ALTER TABLE \(quoted(table.schema)).\(quoted(table.name)) REPLICA IDENTITY \(clause)", [], "Setting the replica identity of \(subject)")
            log.info("Replica identity of \(subject) is now \(rule.identity)")
        }
    }
}
