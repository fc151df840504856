import ConnectAPI

/// What Snowflake said when it refused a request: code, SQLSTATE, and a message of which no row data is kept.
struct SnowflakeError: Error, Sendable, Equatable {
    /// Six digits: `002003`.
    let code: String
    let sqlState: String
    let message: String
    let queryID: String?

    init(code: String, sqlState: String, message: String, queryID: String?) {
        self.code = code
        self.sqlState = sqlState
        // Invariant 10: texts about bad values quote them ("Numeric value 'abc' is not recognized").
        self.message = Self.isAboutData(code: code, sqlState: sqlState) ? Self.withoutValues(message) : Self.oneLine(message)
        self.queryID = queryID
    }

    /// A value, not the statement, is wrong.
    var isAboutData: Bool { Self.isAboutData(code: code, sqlState: sqlState) }

    private static func isAboutData(code: String, sqlState: String) -> Bool {
        sqlState.hasPrefix("22") || (code.count == 6 && code.hasPrefix("100"))
    }

    /// The session is over: log in, or renew, and send the same request again.
    enum SessionEnd: Equatable { case renew, login }
    var sessionEnd: SessionEnd? {
        switch code {
        case "390112": .renew
        case "390103", "390104", "390110", "390111", "390113", "390114", "390115": .login
        default: nil
        }
    }

    /// What is there to do about it, for a statement that was to do `what`.
    func connectorError(_ what: String) -> ConnectorError {
        let text =
            "Snowflake refused \(what): \(message) (code \(code)\(sqlState.isEmpty ? "" : ", SQLSTATE \(sqlState)")\(queryID.map { ", query \($0)" } ?? ""))"
        switch code {
        case "390100", "390102", "390195":
            return ConnectorError(
                "snowflake.login_refused", .stop, text,
                hint: "Check snowflake.user.name with snowflake.password or snowflake.private.key, and the account in snowflake.url.name")
        case "390144", "394300", "394301", "394302", "394303", "394304", "394305", "394306":
            return ConnectorError(
                "snowflake.key_refused", .stop, text,
                hint:
                    "Give the user this public key (ALTER USER … SET RSA_PUBLIC_KEY), check that snowflake.user.name and the account in snowflake.url.name are the key's, and this machine's clock"
            )
        case "390303", "390318": return ConnectorError("snowflake.oauth_refused", .stop, text, hint: "Renew the refresh token in snowflake.oauth.refresh.token")
        case "390186", "390189", "390191":
            return ConnectorError("snowflake.role_refused", .stop, text, hint: "GRANT ROLE … TO USER …, or correct snowflake.role.name")
        case "390201":
            return ConnectorError("snowflake.not_found", .stop, text, hint: "Check snowflake.database.name, snowflake.schema.name and the role's USAGE on them")
        case "390420", "390422":
            return ConnectorError("snowflake.network_policy", .stop, text, hint: "Allow this machine's address in the account's network policy")
        case "000606", "000607":
            return ConnectorError(
                "snowflake.no_warehouse", .stop, text,
                hint:
                    "Set snowflake.warehouse.name to a warehouse the role may use (GRANT USAGE ON WAREHOUSE … TO ROLE …), or give the user a DEFAULT_WAREHOUSE")
        case "002003", "002043":
            return ConnectorError(
                "snowflake.not_found", .stop, text, hint: "Create it, or grant the role USAGE on database and schema and the privilege on the object")
        case "003001": return ConnectorError("snowflake.not_granted", .stop, text, hint: "Grant the missing privilege to the role of snowflake.role.name")
        case "000625", "000630", "000629", "000604", "000605", "000603", "261000", "200001":
            return ConnectorError("snowflake.statement_ended", .retry, text)
        default: break
        }
        if isAboutData {
            return ConnectorError(
                "snowflake.bad_value", .stop, text,
                hint: "A value does not fit its column; alter the column, or correct the records and let the connector read on behind them")
        }
        // 57: the server, 40: a conflict, 53: no resources, 08: the connection.
        let passes = ["57", "40", "53", "08"].contains { sqlState.hasPrefix($0) }
        return ConnectorError("snowflake.refused", passes ? .retry : .stop, text)
    }

    // MARK: Texts

    private static func oneLine(_ text: String) -> String {
        String(text.split(whereSeparator: \.isNewline).map { $0.trimmingSpaces() }.joined(separator: " ").prefix(1000))
    }

    /// The text with quoted parts left out, but for file and column names.
    static func withoutValues(_ text: String) -> String {
        var out = "", rest = Substring(oneLine(text))
        while let open = rest.firstIndex(where: { $0 == "'" || $0 == "\"" }) {
            let mark = rest[open]
            out += rest[..<open]
            let inside = rest[rest.index(after: open)...]
            // An unfinished quote hides everything after it.
            let close = inside.firstIndex(of: mark) ?? inside.endIndex
            let isName = ["File ", "file ", "column ", "Column ", "Table "].contains { out.hasSuffix($0) }
            out += isName ? "\(mark)\(inside[..<close])\(mark)" : "\(mark)…\(mark)"
            rest = close < inside.endIndex ? inside[inside.index(after: close)...] : ""
        }
        return out + rest
    }
}
