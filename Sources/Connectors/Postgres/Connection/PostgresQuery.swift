public import ConnectAPI

/// What transforms ask PostgreSQL, over a connection of its own for each statement: questions are rare, and a server's connections are few.
public enum PostgresQuery {
    public static let run: DatabaseQuery = { values, sql in
        let configuration = PostgresConfiguration.parse(values.merging(["topic.prefix": "transform"]) { own, _ in own }).configuration
        let connection = try await Connection.open(ConnectionParameters(configuration))
        let rows = try await connection.query(sql, [], "Looking up where records belong")
        await connection.close()
        return rows.texts
    }
}
