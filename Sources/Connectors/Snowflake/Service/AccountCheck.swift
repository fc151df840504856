import ConnectAPI
import Transport

/// Looks at an account as the sink would use it: login, role, warehouse, database, schema, stage, tables and what may be done with them.
/// Each finding is about one key and names the grant that is missing.
struct AccountCheck {
    private let configuration: SnowflakeSinkConfiguration
    private let pool: BlockingPool

    init(_ configuration: SnowflakeSinkConfiguration, pool: BlockingPool) {
        self.configuration = configuration
        self.pool = pool
    }

    /// The SQL API has no USE; DESCRIBE is refused for the same reasons.
    private var use: String { configuration.usesSQLAPI ? "DESCRIBE" : "USE" }

    func findings() async -> [Diagnostic] {
        do {
            // Somebody waits for the answer.
            let client = ServiceClient(
                url: try configuration.accountURL, settings: .init(retries: min(configuration.requestRetries, 1)),
                transport: HTTPTransport(proxy: configuration.proxy), pool: pool, onRetry: { _ in })
            let session = try configuration.statements(
                connector: "check", try configuration.credential(client), client, log: Logger("sluice.sink.snowflake"))
            let found = await findings(session)
            await session.close()
            return found
        } catch {
            return [finding(error, "snowflake.url.name")]
        }
    }

    private func findings(_ session: any Statements) async -> [Diagnostic] {
        let current: [String: String]
        do {
            let answer = try await session.query(
                "SELECT CURRENT_ROLE() AS ROLE, CURRENT_WAREHOUSE() AS WAREHOUSE, CURRENT_DATABASE() AS DATABASE, CURRENT_SCHEMA() AS SCHEMA",
                "a look at the session")
            try answer.requireRows()
            current = answer.named.first ?? [:]
        } catch {
            return [finding(error, "snowflake.user.name")]
        }
        let role = configuration.role.map(SnowflakeSinkConfiguration.stored) ?? current["role"] ?? "…"
        var found: [Diagnostic] = []
        if let wanted = configuration.role, let actual = current["role"], actual != SnowflakeSinkConfiguration.stored(wanted) {
            found.append(
                Diagnostic("snowflake.role.name", "The user cannot use the role \(wanted). GRANT ROLE \(SQL.identifier(role)) TO USER \(configuration.user)"))
        }
        let database = session.settings.database, schema = session.settings.schema
        let place = "\(SQL.identifier(database)).\(SQL.identifier(schema))"
        switch await session.result("\(use) DATABASE \(SQL.identifier(database))") {
        case .failure(let error):
            found.append(
                Diagnostic(
                    "snowflake.database.name",
                    "The database \(database) does not exist, or the role \(role) may not use it (\(error.code)). GRANT USAGE ON DATABASE \(SQL.identifier(database)) TO ROLE \(role)"
                ))
            return found
        case .success: break
        }
        if case .failure(let error) = await session.result("\(use) SCHEMA \(place)") {
            found.append(
                Diagnostic(
                    "snowflake.schema.name",
                    "The schema \(database).\(schema) does not exist, or the role \(role) may not use it (\(error.code)). GRANT USAGE, CREATE TABLE, CREATE STAGE ON SCHEMA \(place) TO ROLE \(role)"
                ))
            return found
        }
        if configuration.ingestionMethod == .copy { found += await warehouse(session, current["warehouse"], role) }
        found += await stage(session, role)
        found += await tables(session, role)
        return found
    }

    private func warehouse(_ session: any Statements, _ current: String?, _ role: String) async -> [Diagnostic] {
        guard let wanted = configuration.warehouse.map(SnowflakeSinkConfiguration.stored) else {
            guard current?.isEmpty != false else { return [] }
            return [Diagnostic("snowflake.warehouse.name", "COPY needs a warehouse, and the user has no default. Set snowflake.warehouse.name")]
        }
        guard case .failure(let error) = await session.result("\(use) WAREHOUSE \(SQL.identifier(wanted))") else { return [] }
        return [
            Diagnostic(
                "snowflake.warehouse.name",
                "The warehouse \(wanted) does not exist, or the role \(role) may not use it (\(error.code)). GRANT USAGE ON WAREHOUSE \(SQL.identifier(wanted)) TO ROLE \(role)"
            )
        ]
    }

    private func stage(_ session: any Statements, _ role: String) async -> [Diagnostic] {
        guard configuration.ingestionMethod != .streaming, let name = configuration.stageName.flatMap({ ObjectName(configured: $0) }) else { return [] }
        guard case .failure(let error) = await session.result("DESCRIBE STAGE \(name.sql)"), error.code == "002003" || error.code == "003001" else { return [] }
        return [
            Diagnostic(
                "snowflake.stage.name",
                "The stage \(name) does not exist, or the role \(role) may not use it (\(error.code)). GRANT \(configuration.stagePrivileges("READ, WRITE")) ON STAGE \(name.sql) TO ROLE \(role)"
            )
        ]
    }

    private func tables(_ session: any Statements, _ role: String) async -> [Diagnostic] {
        guard let map = try? TableMap(configuration.topicMap) else { return [] }
        var found: [Diagnostic] = []
        for table in map.tables.sorted(by: { $0.description < $1.description }) {
            switch await session.result("DESCRIBE TABLE \(table.sql)") {
            case .success:
                guard case .success(let grants) = await session.result("SHOW GRANTS ON TABLE \(table.sql)") else { continue }
                let held = Set(grants.named.filter { $0["grantee_name"] == role }.compactMap { $0["privilege"] })
                // Rights of inherited roles are not listed with this role: only what is there is judged.
                guard !held.isEmpty, held.isDisjoint(with: ["OWNERSHIP", "ALL"]), !held.contains("INSERT") else { continue }
                found.append(
                    Diagnostic(
                        "snowflake.topic2table.map",
                        "The role \(role) may not load the table \(table). GRANT SELECT, INSERT ON TABLE \(table.sql) TO ROLE \(role)"))
            case .failure(let error) where !configuration.createTables && error.code == "002003":
                found.append(
                    Diagnostic(
                        "snowflake.topic2table.map",
                        "The table \(table) does not exist, or the role \(role) may not see it. GRANT SELECT, INSERT ON TABLE \(table.sql) TO ROLE \(role), or set snowflake.table.create=true"
                    ))
            case .failure: break
            }
        }
        return found
    }

    /// The key an error is about.
    private func finding(_ error: any Error, _ otherwise: String) -> Diagnostic {
        guard let error = error as? ConnectorError else { return Diagnostic(otherwise, "\(error)") }
        let key =
            switch error.code {
            case "snowflake.unreachable", "snowflake.transport", "snowflake.url", "snowflake.unavailable": "snowflake.url.name"
            case "snowflake.key_refused", "snowflake.private_key": "snowflake.private.key"
            case "snowflake.login_refused": configuration.authentication == .password ? "snowflake.password" : "snowflake.user.name"
            case "snowflake.oauth_refused": "snowflake.oauth.refresh.token"
            case "snowflake.role_refused": "snowflake.role.name"
            case "snowflake.no_warehouse": "snowflake.warehouse.name"
            default: otherwise
            }
        return Diagnostic(key, error.description)
    }
}

extension Statements {
    /// A statement's refusal as a value, and anything else that goes wrong as one too.
    fileprivate func result(_ sql: String) async -> Result<QueryAnswer, SnowflakeError> {
        do { return try await run(sql, "a look at the account") } catch {
            return .failure(SnowflakeError(code: "none", sqlState: "08000", message: "\(error)", queryID: nil))
        }
    }
}
