import ConnectAPI
import JSON

/// Statements by Snowflake's SQL API (`/api/v2/statements`): no login, every request carries a token.
///
///     POST statement ─┬─ 200 ─▶ rows, and the other parts of a large result
///                     ├─ 202 ─▶ ask for the handle until it is done
///                     └─ 422 ─▶ what it was refused for
///
/// What has no answer is sent again with the same requestId and `retry=true`, which Snowflake executes once. It knows no PUT and no USE: files go to
/// external stages, and every statement names its database, schema, warehouse and role.
struct StatementAPI: Statements {
    let settings: Session.Settings
    private let credential: Credential
    private let client: ServiceClient

    init(_ settings: Session.Settings, _ credential: Credential, _ client: ServiceClient) {
        self.settings = settings
        self.credential = credential
        self.client = client
    }

    func run(_ sql: String, _ what: String) async throws -> Result<QueryAnswer, SnowflakeError> {
        var members: [(String, JSONValue)] = [
            ("statement", .string(sql)), ("timeout", .integer(settings.statementTimeout)), ("database", .string(settings.database)),
            ("schema", .string(settings.schema)),
            ("parameters", ["QUERY_TAG": .string(settings.queryTag), "TIMEZONE": "UTC"]),
        ]
        // As Snowflake stores them: here case counts.
        if let warehouse = settings.warehouse { members.append(("warehouse", .string(SnowflakeSinkConfiguration.stored(warehouse)))) }
        if let role = settings.role { members.append(("role", .string(SnowflakeSinkConfiguration.stored(role)))) }
        var call = ServiceCall.json(what, "/api/v2/statements", .object(members))
        call.query = [("requestId", RequestID.make())]
        call.repetition = .marked
        var answer = try await send(call)
        let deadline = ContinuousClock.now + .seconds(settings.statementTimeout + 120)
        var pause = Duration.milliseconds(100)
        while true {
            switch try Self.parse(answer, what) {
            case .refused(let error): return .failure(error)
            case .running(let path):
                guard ContinuousClock.now < deadline else {
                    throw ConnectorError("snowflake.statement_timeout", .retry, "Snowflake did not finish \(what) within \(settings.statementTimeout) s")
                }
                try await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(2))
                answer = try await send(ServiceCall(method: "GET", path: path, what: what))
            case .done(var result):
                guard let handle = result.queryID else { return .success(result) }
                for part in 1..<max(1, Self.parts(result.data)) {
                    var call = ServiceCall(method: "GET", path: "/api/v2/statements/\(URLText.encode(handle))", what: "a part of a result")
                    call.query = [("partition", String(part))]
                    result.rows += try Self.rows(try Self.part(try await send(call)))
                }
                return .success(result)
            }
        }
    }

    func abandon() {}
    func close() {}

    private func send(_ call: ServiceCall) async throws -> ServiceAnswer {
        var call = call
        for attempt in 0..<2 {
            call.headers = try await credential.headers(now: WallClock.milliseconds / 1000)
            let answer = try await client.send(call)
            guard answer.status == 401 else { return answer }
            await credential.forget()
            guard attempt > 0 else { continue }
            throw SnowflakeError(
                code: answer.json?["code"]?.scalarText ?? "390144", sqlState: "08001", message: answer.json?["message"]?.stringValue ?? "no message",
                queryID: nil
            ).connectorError(call.what)
        }
        throw QueryAnswer.unreadable("\(call.what) was not answered")
    }

    // MARK: Answers

    /// A parser of outside bytes.
    static func parse(_ answer: ServiceAnswer, _ what: String) throws -> QueryAnswer.Outcome {
        guard let json = answer.json, [200, 202, 422].contains(answer.status) else {
            throw ConnectorError(
                "snowflake.url", .stop, "The SQL API answered \(answer.status) to \(what): \(answer.json?["message"]?.stringValue ?? "no message")",
                hint: "Check the account in snowflake.url.name, and that a network policy lets this machine use the SQL API")
        }
        let handle = json["statementHandle"]?.stringValue
        switch answer.status {
        case 200:
            let columns = (json["resultSetMetaData"]?["rowType"]?.arrayValue ?? []).map { $0["name"]?.stringValue?.lowercased() ?? "" }
            return .done(QueryAnswer(queryID: handle, columns: columns, rows: try rows(json), chunks: [], data: json))
        case 202:
            guard let path = json["statementStatusUrl"]?.stringValue, path.hasPrefix("/") else {
                throw QueryAnswer.unreadable("a running statement has no statementStatusUrl")
            }
            return .running(resultPath: path)
        default:
            return .refused(
                SnowflakeError(
                    code: json["code"]?.scalarText ?? "none", sqlState: json["sqlState"]?.stringValue ?? "",
                    message: json["message"]?.stringValue ?? "no message", queryID: handle))
        }
    }

    /// In how many parts the result comes, the answer's own included.
    static func parts(_ answer: JSONValue) -> Int { answer["resultSetMetaData"]?["partitionInfo"]?.arrayValue?.count ?? 1 }

    /// Parts after the first are compressed.
    static func part(_ answer: ServiceAnswer) throws -> JSONValue {
        let body = answer.body.starts(with: [0x1F, 0x8B]) ? try Gunzip.inflate(answer.body, limit: 64 << 20) : answer.body
        guard answer.status == 200, let json = try? JSONValue.parse(body) else { throw QueryAnswer.unreadable("a part of a result of the SQL API is not JSON") }
        return json
    }

    static func rows(_ answer: JSONValue) throws -> [[String?]] {
        guard let list = answer["data"]?.arrayValue else { throw QueryAnswer.unreadable("a result of the SQL API has no data") }
        return try list.map(QueryAnswer.row)
    }
}
