import ConnectAPI

/// Makes tables fit what is written to them: creates them, adds columns, drops NOT NULL. Remembers what a table looks like.
actor TableSetup {
    struct Column: Sendable, Equatable {
        /// As DESCRIBE TABLE tells it: `NUMBER(38,0)`.
        let type: String
        let isNullable: Bool
    }

    struct Options: Sendable {
        var createsTables = true
        /// Columns layout: ALTER TABLE where records have new fields.
        var evolves = true
        var role: String?
    }

    private let session: any Statements
    private let options: Options
    private let log: Logger
    private var known: [ObjectName: [String: Column]] = [:]
    private var stages: Set<String> = []

    init(_ session: any Statements, _ options: Options, log: Logger) {
        self.session = session
        self.options = options
        self.log = log
    }

    private var role: String { options.role.map { "role \($0)" } ?? "the user's role" }
    /// For the text of a grant.
    private var grantee: String { "ROLE \(options.role.map(SnowflakeSinkConfiguration.stored) ?? "…")" }
    private func schema(of name: ObjectName) -> String { "SCHEMA \(name.parts.dropLast().map(SQL.identifier).joined(separator: "."))" }

    /// The types of the table's columns, once it takes these.
    func types(of table: ObjectName, taking columns: [TableColumn], nullable: Set<String>, layout: TableLayout) async throws -> [String: String] {
        if known[table] == nil { known[table] = try await describe(table) }
        if known[table] == nil {
            try await create(table, columns)
            known[table] = try await describe(table) ?? [:]
        }
        var state = known[table] ?? [:]
        if !fits(state, columns, nullable, layout) {
            // Another task or a person may have changed it meanwhile.
            state = try await describe(table) ?? state
            try await evolve(table, &state, columns, nullable, layout)
            known[table] = state
        }
        return state.mapValues(\.type)
    }

    /// Forget what was known of a table: it did not take what it should have taken.
    func forget(_ table: ObjectName) { known[table] = nil }

    // MARK: Table

    private func describe(_ table: ObjectName) async throws -> [String: Column]? {
        switch try await session.run("DESCRIBE TABLE \(table.sql)", "DESCRIBE TABLE \(table)") {
        case .success(let answer):
            try answer.requireRows()
            return Dictionary(
                answer.named.compactMap { row in
                    guard let name = row["name"], let type = row["type"] else { return nil }
                    return (name, Column(type: type, isNullable: row["null?"] != "N"))
                }, uniquingKeysWith: { first, _ in first })
        case .failure(let error) where error.code == "002003" || error.sqlState == "42S02" || error.sqlState == "02000": return nil
        case .failure(let error): throw error.connectorError("DESCRIBE TABLE \(table)")
        }
    }

    private func create(_ table: ObjectName, _ columns: [TableColumn]) async throws {
        guard options.createsTables else {
            throw ConnectorError(
                "snowflake.table_missing", .stop, "The table \(table) does not exist, or \(role) may not see it",
                hint: "Create it, GRANT SELECT, INSERT ON TABLE \(table.sql) TO \(grantee), or set snowflake.table.create=true")
        }
        let list = columns.map { "\(SQL.identifier($0.name)) \($0.type)" }.joined(separator: ", ")
        switch try await session.run("CREATE TABLE IF NOT EXISTS \(table.sql) (\(list))", "CREATE TABLE \(table)") {
        case .success: log.info("Created the table \(table)")
        case .failure(let error):
            throw denied(
                error, "CREATE TABLE \(table)",
                "GRANT CREATE TABLE ON \(schema(of: table)) TO \(grantee), or create the table: CREATE TABLE \(table.sql) (\(list))")
        }
    }

    private func fits(_ state: [String: Column], _ columns: [TableColumn], _ nullable: Set<String>, _ layout: TableLayout) -> Bool {
        columns.allSatisfy { column in state[column.name].map { $0.isNullable || !nullable.contains(column.name) } ?? false }
            && (layout != .columns || unfilled(state, columns).isEmpty)
    }

    /// NOT NULL columns of the table that records do not have.
    private func unfilled(_ state: [String: Column], _ columns: [TableColumn]) -> [String] {
        let written = Set(columns.map(\.name))
        return state.filter { !$0.value.isNullable && !written.contains($0.key) }.map(\.key).sorted()
    }

    private func evolve(
        _ table: ObjectName, _ state: inout [String: Column], _ columns: [TableColumn], _ nullable: Set<String>, _ layout: TableLayout
    ) async throws {
        let missing = columns.filter { state[$0.name] == nil }
        if !missing.isEmpty {
            guard layout == .columns ? options.evolves : missing.allSatisfy({ $0.name == "RECORD_METADATA" }) else {
                let names = missing.map { "\($0.name) \($0.type)" }.joined(separator: ", ")
                throw ConnectorError(
                    "snowflake.columns_missing", .stop, "The table \(table) lacks columns that are written to it: \(names)",
                    hint:
                        "ALTER TABLE \(table.sql) ADD COLUMN \(names); or choose another snowflake.table.layout, or set snowflake.schema.evolution=true for columns"
                )
            }
            let list = missing.map { "IF NOT EXISTS \(SQL.identifier($0.name)) \($0.type) COMMENT 'column created by schema evolution from Sluice'" }
            try await alter(table, "ADD COLUMN \(list.joined(separator: ", "))")
            log.info("Added to the table \(table): \(missing.map { "\($0.name) \($0.type)" }.joined(separator: ", "))")
        }
        let strict =
            columns.map(\.name).filter { nullable.contains($0) && state[$0]?.isNullable == false } + (layout == .columns ? unfilled(state, columns) : [])
        if !strict.isEmpty, options.evolves {
            try await alter(table, strict.map { "ALTER COLUMN \(SQL.identifier($0)) DROP NOT NULL" }.joined(separator: ", "))
            log.info("Dropped NOT NULL of the table \(table): \(strict.joined(separator: ", "))")
        }
        state = try await describe(table) ?? state
    }

    private func alter(_ table: ObjectName, _ change: String) async throws {
        if case .failure(let error) = try await session.run("ALTER TABLE \(table.sql) \(change)", "ALTER TABLE \(table)") {
            throw denied(
                error, "ALTER TABLE \(table)",
                "GRANT OWNERSHIP ON TABLE \(table.sql) TO \(grantee), or make the change by hand: ALTER TABLE \(table.sql) \(change)")
        }
    }

    // MARK: Stage

    /// Creates an internal stage that Snowflake encrypts, so that other tools can read it, unless it is there.
    func createStage(_ stage: ObjectName) async throws {
        guard stages.insert(stage.sql).inserted else { return }
        switch try await session.run("CREATE STAGE IF NOT EXISTS \(stage.sql) ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE')", "CREATE STAGE \(stage)") {
        case .success: break
        case .failure(let error):
            stages.remove(stage.sql)
            throw denied(error, "CREATE STAGE \(stage)", "GRANT CREATE STAGE ON \(schema(of: stage)) TO \(grantee), or name a stage in snowflake.stage.name")
        }
    }

    /// What a refusal is, with the grant that would help where one is missing.
    private func denied(_ error: SnowflakeError, _ what: String, _ grant: String) -> ConnectorError {
        let refusal = error.connectorError(what)
        guard error.code == "003001" || error.code == "002003" else { return refusal }
        return ConnectorError("snowflake.not_granted", .stop, refusal.message, hint: grant)
    }
}
