/// Runs SQL in an account: in a session, or by the SQL API.
protocol Statements: Sendable {
    var settings: Session.Settings { get }
    /// Runs a statement and gives what Snowflake refused it for as a value. `what` says in error texts what it was for.
    func run(_ sql: String, _ what: String) async throws -> Result<QueryAnswer, SnowflakeError>
    /// It is about to be closed: a login under way is of no use any more.
    func abandon() async
    /// An error is of no interest.
    func close() async
}

extension Statements {
    /// Runs a statement. `what` says in error texts what it was for.
    @discardableResult
    func query(_ sql: String, _ what: String) async throws -> QueryAnswer {
        switch try await run(sql, what) {
        case .success(let answer): return answer
        case .failure(let error): throw error.connectorError(what)
        }
    }
}
