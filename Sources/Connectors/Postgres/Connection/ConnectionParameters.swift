import ConnectAPI

/// What libpq needs to connect, taken from the configuration.
struct ConnectionParameters: Sendable {
    enum Purpose: Sendable { case queries, replication }

    var host: String
    var port: Int
    var user: String
    var database: String
    private var password: String?
    private var keywords: [(String, String)]
    private var sessionOptions: String
    var connectTimeout: Duration
    var queryTimeout: Duration?
    /// Run on every ordinary connection once it stands.
    var initialStatements: [String]

    init(_ configuration: PostgresConfiguration) {
        host = configuration.databaseHostname ?? ""
        port = configuration.databasePort
        user = configuration.databaseUser ?? ""
        database = configuration.databaseDbname ?? ""
        password = configuration.databasePassword?.value
        connectTimeout = .seconds(max(1, configuration.databaseConnectTimeout))
        queryTimeout = configuration.databaseQueryTimeoutMilliseconds > 0 ? .milliseconds(configuration.databaseQueryTimeoutMilliseconds) : nil
        initialStatements = Self.statements(configuration.databaseInitialStatements ?? "")
        keywords = [
            ("sslmode", configuration.databaseSslmode), ("keepalives", configuration.tcpKeepAlive ? "1" : "0"),
            ("application_name", configuration.databaseApplicationName ?? "Sluice \(configuration.topicPrefix ?? "")"),
        ]
        for (keyword, value) in [
            ("sslcert", configuration.databaseSslcert), ("sslkey", configuration.databaseSslkey),
            ("sslrootcert", configuration.databaseSslrootcert), ("sslpassword", configuration.databaseSslpassword?.value),
        ] {
            if let value, !value.isEmpty { keywords.append((keyword, value)) }
        }
        sessionOptions = configuration.databaseOptions ?? ""
    }

    /// Text formats must not depend on the server's settings: decoders and the snapshot read one style.
    private static let textStyle =
        "-c datestyle=ISO -c timezone=UTC -c intervalstyle=postgres -c extra_float_digits=3 -c bytea_output=hex -c lc_monetary=C"

    /// The keywords and values of `PQconnectStartParams`.
    func libpqKeywords(for purpose: Purpose) -> [(String, String)] {
        var all = keywords
        all += [("host", host), ("port", String(port)), ("user", user), ("dbname", database), ("client_encoding", "UTF8")]
        if let password { all.append(("password", password)) }
        // statement_timeout would also end walsender commands.
        var options = Self.textStyle + " -c statement_timeout=0 -c idle_in_transaction_session_timeout=0"
        if purpose == .replication { all.append(("replication", "database")) }
        if !sessionOptions.isEmpty { options += " " + sessionOptions }
        all.append(("options", options))
        return all
    }

    /// Splits `a; b;; c` into `a` and `b; c`.
    static func statements(_ text: String) -> [String] {
        var statements: [String] = [], current = "", previousWasSemicolon = false
        for character in text {
            if character == ";" {
                if previousWasSemicolon { current += ";" }
                previousWasSemicolon.toggle()
                continue
            }
            if previousWasSemicolon {
                statements.append(current)
                current = ""
                previousWasSemicolon = false
            }
            current.append(character)
        }
        statements.append(current)
        return statements.map { $0.trimmingSpaces() }.filter { !$0.isEmpty }
    }
}
