/// Runs one statement in the database that these `database.*` keys name, and returns its rows as text, nil for null.
///
/// What a transform is given that must look something up where the records came from; the PostgreSQL connector provides it. Throws `.retry` errors
/// for a server that is away. Every wait has a deadline (`database.connectTimeout`, `database.query.timeout.ms`) and ends when the task is cancelled.
public typealias DatabaseQuery = @Sendable (_ configuration: [String: String], _ sql: String) async throws -> [[String?]]
