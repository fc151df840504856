import Testing
import TestSupport

@Suite struct PostgresServerTests {
    @Test func answersWithLogicalReplicationOn() async throws {
        try await withPostgres { database in
            try #expect(database.sql("show wal_level") == "logical")
            try #expect(database.sql("select current_database()") == database.name)
        }
    }

    @Test func survivesACrash() throws {
        let server = try PostgresServer.start()
        try server.sql("create table t(a int); insert into t values (1)")
        try server.stop(immediately: true)
        try server.start()
        try #expect(server.sql("select a from t") == "1")
    }
}
