import ConnectAPI
import JSON

/// Runs statements in a session of an account, which it opens, renews and opens again as needed.
///
///     query ─▶ token? ─no─▶ login ─▶ query-request ─┬─ rows
///                 ▲                                 ├─ still running ─▶ ask getResultUrl until done
///                 └── renew (390112) or log in ◀────┴─ the session is over: the same requestId goes again
///
/// Statements may run side by side. What has no answer is sent again with the same requestId, which Snowflake executes once.
actor Session: Statements {
    struct Settings: Sendable {
        var account: String
        var user: String
        var role: String?
        var warehouse: String?
        var database: String
        var schema: String
        /// Shown in Snowflake's query history.
        var queryTag: String
        var statementTimeout = 3600
    }

    private struct Tokens {
        var session: String
        var master: String
        var number: Int
    }

    nonisolated let settings: Settings
    private let credential: Credential
    private let client: ServiceClient
    private let log: Logger
    private var tokens: Tokens?
    private var opened = 0
    private var sequence = 0
    /// A login or renewal under way, which others wait for.
    private var entering: Task<Void, any Error>?

    init(_ settings: Settings, _ credential: Credential, _ client: ServiceClient, log: Logger) {
        self.settings = settings
        self.credential = credential
        self.client = client
        self.log = log
    }

    func run(_ sql: String, _ what: String) async throws -> Result<QueryAnswer, SnowflakeError> {
        let requestID = RequestID.make()
        sequence += 1
        var call = ServiceCall.json(
            what, "/queries/v1/query-request",
            ["sqlText": .string(sql), "asyncExec": false, "sequenceId": .integer(sequence), "querySubmissionTime": .integer(WallClock.milliseconds)])
        call.query = [("requestId", requestID)]
        call.accept = "application/snowflake"
        call.repetition = .counted
        var renewals = 0
        while true {
            let tokens = try await openTokens()
            switch try await ask(call, tokens, what) {
            case .done(var answer):
                for chunk in answer.chunks { answer.rows += try await fetch(chunk) }
                return .success(answer)
            case .running: throw QueryAnswer.unreadable("a finished statement is still running")
            case .refused(let error):
                guard let end = error.sessionEnd, renewals < 3 else { return .failure(error) }
                renewals += 1
                try await replace(tokens, end)
            }
        }
    }

    func close() async {
        guard let open = tokens else { return }
        tokens = nil
        var call = ServiceCall.json("the end of the session", "/session", .object(JSONObject()))
        call.query = [("delete", "true")]
        call.headers = [authorization(open.session)]
        call.timeoutMilliseconds = 3000
        _ = try? await client.withoutRetries.send(call)
    }

    // MARK: One exchange

    private func ask(_ first: ServiceCall, _ tokens: Tokens, _ what: String) async throws -> QueryAnswer.Outcome {
        var call = first
        call.headers = [authorization(tokens.session)]
        let deadline = ContinuousClock.now + .seconds(settings.statementTimeout + 120)
        while true {
            let answer = try await client.send(call)
            guard let json = answer.json else { throw refusedAtTheDoor(answer, what) }
            let outcome = try QueryAnswer.parse(json)
            guard case .running(let path) = outcome else { return outcome }
            guard ContinuousClock.now < deadline else {
                throw ConnectorError("snowflake.statement_timeout", .retry, "Snowflake did not finish \(what) within \(settings.statementTimeout) s")
            }
            // Snowflake holds the answer back while the statement runs; where it does not, do not hammer it.
            try await Task.sleep(for: .milliseconds(50))
            call = ServiceCall(method: "GET", path: path, what: what)
            call.headers = [authorization(tokens.session)]
            call.accept = "application/snowflake"
        }
    }

    private func authorization(_ token: String) -> (name: String, value: String) { ("Authorization", "Snowflake Token=\"\(token)\"") }

    private func refusedAtTheDoor(_ answer: ServiceAnswer, _ what: String) -> ConnectorError {
        ConnectorError(
            "snowflake.url", .stop, "\(client.url.text) answered \(answer.status) to \(what), and not as Snowflake does",
            hint: "Check the account in snowflake.url.name, and that no proxy or network policy stands between")
    }

    private func fetch(_ chunk: QueryAnswer.Chunk) async throws -> [[String?]] {
        let scheme = chunk.url.hasPrefix("http://") ? "http://" : "https://"
        let rest = chunk.url.dropFirst(scheme.count)
        let host = rest.prefix { $0 != "/" }
        var call = ServiceCall(method: "GET", path: String(rest.dropFirst(host.count)), what: "a part of a result")
        call.headers = chunk.headers.map { ($0.name, $0.value) }
        let answer = try await client.at(try AccountURL(scheme + host)).send(call)
        guard answer.status == 200 else { throw QueryAnswer.unreadable("a part of a result was refused with status \(answer.status)") }
        let isCompressed = answer.body.starts(with: [0x1F, 0x8B])
        return try QueryAnswer.chunkRows(isCompressed ? try Gunzip.inflate(answer.body, limit: 64 << 20) : answer.body)
    }

    // MARK: Tokens

    private func openTokens() async throws -> Tokens {
        while true {
            if let tokens { return tokens }
            try await enter { try await self.login() }
        }
    }

    private func replace(_ old: Tokens, _ end: SnowflakeError.SessionEnd) async throws {
        // Another statement may have seen to it already.
        guard tokens?.number == old.number else { return }
        switch end {
        case .login:
            tokens = nil
            await credential.forget()
        case .renew: try await enter { try await self.renew(old) }
        }
    }

    /// Runs a login or renewal, or waits for the one under way. It is everybody's: whoever asked first being cancelled does not end it, `abandon` does.
    private func enter(_ body: @escaping @Sendable () async throws -> Void) async throws {
        if let entering { return try await entering.value }
        let task = Task { try await body() }
        entering = task
        defer { entering = nil }
        try await task.value
    }

    func abandon() { entering?.cancel() }

    private func take(session: String, master: String) {
        opened += 1
        tokens = Tokens(session: session, master: master, number: opened)
    }

    private func login() async throws {
        var query = [("request_id", RequestID.make()), ("databaseName", settings.database), ("schemaName", settings.schema)]
        if let warehouse = settings.warehouse { query.append(("warehouse", warehouse)) }
        if let role = settings.role { query.append(("roleName", role)) }
        let members: [(String, JSONValue)] =
            [
                ("CLIENT_APP_ID", "Sluice"), ("CLIENT_APP_VERSION", "0.1.0"), ("ACCOUNT_NAME", .string(settings.account)),
                ("LOGIN_NAME", .string(settings.user)), ("CLIENT_ENVIRONMENT", ["APPLICATION": "Sluice", "OS": "Linux"]),
                (
                    "SESSION_PARAMETERS",
                    [
                        "QUERY_TAG": .string(settings.queryTag), "AUTOCOMMIT": true, "ABORT_DETACHED_QUERY": true, "TIMEZONE": "UTC",
                        "STATEMENT_TIMEOUT_IN_SECONDS": .integer(settings.statementTimeout), "PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": "JSON",
                    ]
                ),
            ] + (try await credential.loginMembers(now: WallClock.milliseconds / 1000))
        var call = ServiceCall.json("the login of user \(settings.user)", "/session/v1/login-request", ["data": .object(members)])
        call.query = query.map { (name: $0.0, value: $0.1) }
        call.accept = "application/snowflake"
        let answer = try await client.send(call)
        guard let json = answer.json, answer.status != 403 else { throw refusedAtTheDoor(answer, "the login") }
        guard json["success"]?.boolValue == true, let session = json["data"]?["token"]?.stringValue else {
            throw Self.error(json).connectorError("the login of user \(settings.user)")
        }
        take(session: session, master: json["data"]?["masterToken"]?.stringValue ?? "")
    }

    private func renew(_ old: Tokens) async throws {
        var call = ServiceCall.json(
            "the renewal of the session", "/session/token-request", ["oldSessionToken": .string(old.session), "requestType": "RENEW"])
        call.query = [("requestId", RequestID.make())]
        call.headers = [authorization(old.master)]
        let json = try await client.send(call).json ?? .null
        guard json["success"]?.boolValue == true, let session = json["data"]?["sessionToken"]?.stringValue else {
            log.debug("The session could not be renewed (code \(json["code"]?.scalarText ?? "none")); logging in")
            tokens = nil
            return
        }
        take(session: session, master: json["data"]?["masterToken"]?.stringValue ?? old.master)
    }

    private static func error(_ json: JSONValue) -> SnowflakeError {
        SnowflakeError(
            code: json["code"]?.scalarText ?? "none", sqlState: json["data"]?["sqlState"]?.stringValue ?? "",
            message: json["message"]?.stringValue ?? "no message", queryID: nil)
    }
}
