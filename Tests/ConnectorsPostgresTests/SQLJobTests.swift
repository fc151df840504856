import ConnectAPI
import ConnectorsPostgres
import Foundation
import TestSupport
import Testing

/// SQL jobs on a real PostgreSQL.
@Suite(.serialized) struct SQLJobTests {
    /// What the finance example runs: one of city, job and zip of a share of the users.
    private static var update: String {
        get throws { try String(contentsOfFile: Checkout.root + "/scripts/finance/update_users.sql", encoding: .utf8) }
    }

    private func users(_ database: PostgresDatabase) throws {
        try database.sql(
            """
            create table users (user_id uuid primary key default gen_random_uuid(), city text, job text, zip int);
            insert into users (city, job, zip) select 'c' || i, 'j' || i, i from generate_series(1, 1000) i;
            create table before as select * from users;
            """)
    }

    @Test func changesOneColumnOfAShareOfTheUsersOnASchedule() async throws {
        try await withPostgres { database in
            try users(database)
            let config = database.connection.merging([
                "sql": try Self.update, "sql.parameter.percentage": "0.05", "job.cron": "* * * * * *", "topic": "jobs",
            ]) { $1 }
            let output = try await run(SQLJob.self, config) { $0.count("jobs") >= 2 }
            for value in output.values("jobs") {
                guard case .struct(let members) = value else {
                    Issue.record("\(value)")
                    return
                }
                #expect(members[0] == "test" && members[3] == 50)
            }
            let changed = try database.sql(
                """
                select count(*) filter (where u.city <> b.city), count(*) filter (where u.job <> b.job), count(*) filter (where u.zip <> b.zip),
                       count(*) filter (where (u.city, u.job, u.zip) is distinct from (b.city, b.job, b.zip)) from users u join before b using (user_id)
                """
            ).split(separator: "|").map { Int($0)! }
            #expect(changed[3] > 0 && changed[3] <= 50 * output.count("jobs") && changed[0] + changed[1] + changed[2] >= changed[3])
            // A restart does not run what was run.
            let again = try await run(
                SQLJob.self, config.merging(["job.cron": "0 0 1 1 *"]) { $1 }, from: [output.position!], seconds: 0.5
            ) { !$0.frames.isEmpty }
            #expect(again.frames.isEmpty)
        }
    }

    @Test func aStatementThatFailsChangesNothingAndIsSaid() async throws {
        try await withPostgres { database in
            try users(database)
            let config = database.connection.merging(["sql": "update users set zip = 0; select 1 / 0", "job.interval.ms": "1000"]) { $1 }
            let error = await #expect(throws: ConnectorError.self) { try await run(SQLJob.self, config) { _ in false } }
            #expect(error?.description.contains("division by zero") == true)
            #expect(try database.sql("select count(*) from users where zip = 0") == "0")
        }
    }

    @Test(
        arguments: [
            (["sql": "x"], "job.cron"), (["job.cron": "* * * * *"], "sql"), (["sql": "x", "job.cron": "99 * * * *"], "job.cron"),
            (["sql": "x", "job.interval.ms": "1", "sql.parameter.a b": "1"], "sql.parameter.a b"),
        ])
    func refusesWhatItCannotDo(_ config: [String: String], _ key: String) {
        let base = ["database.hostname": "h", "database.user": "u", "database.dbname": "d"]
        #expect(SQLJob.Configuration.parse(base.merging(config) { $1 }).findings.map(\.key) == [key])
    }
}
