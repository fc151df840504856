import ConnectAPI

/// Which tables, columns and logical messages a configuration captures.
///
/// A table is captured when it passes the schema lists and the table lists; the signal table always is. Subjects are `schema`,
/// `schema.table` and `schema.table.column`, without quotes.
struct CaptureFilter: Sendable {
    private let schemas: Rule
    private let tables: Rule
    private let columns: Rule
    private let messages: Rule
    private let snapshot: PatternList?
    private let signalTable: String?
    private let database: String
    private let ignoresBuiltin: Bool
    private let propagatedColumns: PatternList?
    private let propagatedTypes: PatternList?
    private let masks: ColumnMaskRules
    private let keys: [(table: PatternList, columns: [String])]

    /// Include or exclude, never both.
    private struct Rule: Sendable {
        let include: PatternList?
        let exclude: PatternList?
        init(_ include: String?, _ exclude: String?) throws {
            self.include = try include.map(PatternList.init).flatMap { $0.texts.isEmpty ? nil : $0 }
            self.exclude = try exclude.map(PatternList.init)
        }
        func passes(_ subject: String) -> Bool {
            if let include { return include.matches(subject) }
            return !(exclude?.matches(subject) ?? false)
        }
    }

    init(_ configuration: PostgresConfiguration) throws {
        schemas = try Rule(configuration.schemaIncludeList, configuration.schemaExcludeList)
        tables = try Rule(configuration.tableIncludeList, configuration.tableExcludeList)
        columns = try Rule(configuration.columnIncludeList, configuration.columnExcludeList)
        messages = try Rule(configuration.messagePrefixIncludeList, configuration.messagePrefixExcludeList)
        snapshot = try configuration.snapshotIncludeCollectionList.map(PatternList.init).flatMap { $0.texts.isEmpty ? nil : $0 }
        signalTable = configuration.signalDataCollection
        database = configuration.databaseDbname ?? ""
        ignoresBuiltin = configuration.tableIgnoreBuiltin
        propagatedColumns = try configuration.columnPropagateSourceType.map(PatternList.init)
        propagatedTypes = try configuration.datatypePropagateSourceType.map(PatternList.init)
        masks = try ColumnMaskRules(configuration)
        keys = try Self.keyRules(configuration.messageKeyColumns ?? "")
    }

    /// `tableRegex:c1,c2;tableRegex:c3`
    private static func keyRules(_ text: String) throws -> [(table: PatternList, columns: [String])] {
        try text.split(separator: ";").map { rule in
            guard let colon = rule.lastIndex(of: ":") else {
                throw ConnectorError(
                    "config.invalid", .stop, "message.key.columns has an entry without a colon",
                    hint: "Write tableRegex:column,column and separate entries by semicolons")
            }
            let columns = rule[rule.index(after: colon)...].split(separator: ",").map { $0.trimmingSpaces() }
            return (try PatternList(String(rule[..<colon]).replacing(",", with: "\\,")), columns)
        }
    }

    func captures(schema: String, table: String) -> Bool {
        let subject = "\(schema).\(table)"
        if subject == signalTable { return true }
        // PostGIS keeps its table of reference systems among the user's own.
        if ignoresBuiltin, table == "spatial_ref_sys" { return false }
        return schemas.passes(schema) && tables.passes(subject)
    }

    func capturesColumn(_ column: String, schema: String, table: String) -> Bool { columns.passes("\(schema).\(table).\(column)") }

    /// Whether the column's field tells its type, by the column's name or by the type's.
    func propagatesType(of column: String, _ type: String, schema: String, table: String) -> Bool {
        func matches(_ patterns: PatternList?, _ name: String) -> Bool {
            guard let patterns else { return false }
            let subject = "\(schema).\(table).\(name)"
            return patterns.matches(subject) || patterns.matches("\(database).\(subject)")
        }
        return matches(propagatedColumns, column) || matches(propagatedTypes, type)
    }

    /// What hides or cuts a column; nil: nothing.
    func mask(_ column: String, schema: String, table: String) -> ColumnMask? { masks.mask(column, schema: schema, table: table) }

    func capturesMessage(prefix: String) -> Bool { messages.passes(prefix) }

    func snapshots(schema: String, table: String) -> Bool { snapshot?.matches("\(schema).\(table)") ?? true }

    /// The columns `message.key.columns` names for a table; nil: its own key.
    func keyColumns(schema: String, table: String) -> [String]? { keys.first { $0.table.matches("\(schema).\(table)") }?.columns }

    /// The order of a snapshot: by the first expression of the include list that matches, then by name.
    func snapshotOrder(_ a: TableDefinition, _ b: TableDefinition) -> Bool {
        func rank(_ table: TableDefinition) -> Int { tables.include?.firstMatch("\(table.schema).\(table.name)") ?? Int.max }
        let (ra, rb) = (rank(a), rank(b))
        if ra != rb { return ra < rb }
        // Java compares strings by UTF-16 code units.
        if a.schema != b.schema { return a.schema.utf16.lexicographicallyPrecedes(b.schema.utf16) }
        return a.name.utf16.lexicographicallyPrecedes(b.name.utf16)
    }
}
