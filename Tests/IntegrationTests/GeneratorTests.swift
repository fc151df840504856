import Foundation
import TestSupport
import Testing

/// The bank's generator (`scripts/banking/generate.sh`) on a real database.
@Suite struct GeneratorTests {
    private static let directory = Checkout.root + "/scripts/banking"

    private func environment(_ database: PostgresDatabase) -> [String: String] {
        ["PGHOST": "127.0.0.1", "PGPORT": String(database.port), "PGUSER": "postgres", "PGPASSWORD": "postgres", "PGDATABASE": database.name]
    }

    /// Empty tables; a database of their own for whoever asks.
    private func withBank<T>(_ body: (PostgresDatabase) async throws -> T) async throws -> T {
        try await withPostgres { database in
            try database.sql("set client_min_messages = warning;\n" + String(contentsOfFile: Self.directory + "/schema.sql", encoding: .utf8))
            return try await body(database)
        }
    }

    @discardableResult
    private func generate(_ database: PostgresDatabase, _ arguments: String...) throws -> String {
        try Subprocess.run(Self.directory + "/generate.sh", arguments, environment: environment(database))
    }

    /// Its exit status and what it said.
    private func refusal(_ arguments: [String]) throws -> String {
        try Subprocess.run("bash", ["-c", "\"$0\" \"$@\" 2>&1; echo \"status $?\"", Self.directory + "/generate.sh"] + arguments)
    }

    /// Every column but the times.
    private func dump(_ database: PostgresDatabase) throws -> String {
        try ["customers", "accounts", "transactions"].map { try database.sql("select to_jsonb(t) - 'created_at' from \($0) t order by id") }.joined(
            separator: "\n")
    }

    private func counts(_ database: PostgresDatabase) throws -> String {
        try database.sql("select (select count(*) from customers), (select count(*) from accounts), (select count(*) from transactions)")
    }

    @Test func theSameSeedIsTheSameData() async throws {
        func bank(_ seeds: [String]) async throws -> String {
            try await withBank { database in
                for seed in seeds { try generate(database, "--once", "--seed", seed, "--customers", "4", "--transactions", "30") }
                return try dump(database)
            }
        }
        // Two rounds of four customers, eight accounts and thirty transactions.
        let rows = 84, first = try await bank(["1", "2"]), again = try await bank(["1", "2"])
        #expect(first.split(separator: "\n").count == rows && again == first)
        let another = try await bank(["1", "3"]), swapped = try await bank(["2", "1"])
        #expect(another != first && swapped != first)
        // The same seed again on the same database is a round like any other.
        let twice = try await bank(["1", "1"])
        #expect(twice.split(separator: "\n").count == rows)
    }

    @Test func flagsSayHowMuchOfWhat() async throws {
        try await withBank { database in
            try generate(
                database, "--once", "--customers", "3", "--accounts", "4", "--transactions", "40", "--max-amount", "20", "--currency", "EUR", "--seed", "9")
            #expect(try counts(database) == "3|12|40")
            #expect(try database.sql("select count(*) from customers c where (select count(*) from accounts where customer_id = c.id) = 4") == "3")
            #expect(try database.sql("select min(amount) >= 1 and max(amount) <= 20 and max(amount) > 10 from transactions") == "t")
            #expect(try database.sql("select distinct currency from accounts") == "EUR")
            #expect(try database.sql("select string_agg(distinct account_type, ',' order by account_type) from accounts") == "CHECKING,SAVINGS")
            #expect(try database.sql("select string_agg(distinct txn_type, ',' order by txn_type) from transactions") == "DEPOSIT,TRANSFER,WITHDRAWAL")
            #expect(try database.sql("select bool_and((txn_type = 'TRANSFER') = (related_account_id is not null)) from transactions") == "t")
            // Every customer with his accounts, and every transaction, is committed by itself.
            #expect(try database.sql("select count(distinct xmin::text) from (select xmin from customers union all select xmin from transactions) t") == "43")
        }
    }

    @Test func aFileSaysItTooAndFlagsWin() async throws {
        try await withTemporaryDirectory { directory in
            try await withBank { database in
                try """
                # The bank of a test
                NUM_CUSTOMERS: 2
                accounts_per_customer = 3   # three
                Num_Transactions: "5"
                INITIAL_BALANCE_MIN: 500
                INITIAL_BALANCE_MAX: 500.00
                currency: 'DKK'
                DEFAULT_LOOP: false
                SEED:
                """.write(toFile: directory + "/bank.yaml", atomically: true, encoding: .utf8)
                try generate(database, "--config", directory + "/bank.yaml")
                #expect(try counts(database) == "2|6|5")
                // A transaction moves a balance by one.
                #expect(try database.sql("select bool_and(currency = 'DKK' and balance between 500 and 505) from accounts") == "t")
                #expect(try database.sql("select sum(balance) from accounts") == "3005.00")
                try generate(database, "--customers", "1", "--config", directory + "/bank.yaml", "--currency", "SEK")
                #expect(try counts(database) == "3|9|10")
                #expect(try database.sql("select count(*) from accounts where currency = 'SEK'") == "3")
            }
        }
        let text = try await withTemporaryDirectory { directory in
            try "NUM_CUSTOMER: 2\n".write(toFile: directory + "/bank.yaml", atomically: true, encoding: .utf8)
            return try refusal(["--config", directory + "/bank.yaml"])
        }
        #expect(text.contains("unknown name num_customer") && text.hasSuffix("status 2\n"))
        for (arguments, said) in [
            (["--customers", "many"], "num_customers must be a number"), (["--customers"], "--customers needs a value"),
            (["--currency", "EURO"], "three letters"),
            (["--sed", "1"], "unknown argument '--sed'"), (["--config", "/nowhere"], "cannot be read"),
            (["--interval", "1; drop"], "sleep_seconds must be a number"),
        ] {
            let text = try refusal(arguments)
            #expect(text.contains(said) && text.hasSuffix("status 2\n"), "\(arguments): \(text)")
        }
    }

    @Test func roundsFollowOneAnother() async throws {
        try await withBank { database in
            let child = try Subprocess.start(
                Self.directory + "/generate.sh", ["--interval", "0.1", "--customers", "2", "--transactions", "3", "--seed", "5"],
                environment: environment(database))
            defer { child.wait() }
            defer { child.signal(SIGTERM) }
            let deadline = Date().addingTimeInterval(30)
            while try database.sql("select count(*) >= 9 from transactions") != "t" {
                try #require(Date() < deadline, "no third round")
                try await Task.sleep(for: .milliseconds(50))
            }
            // Rounds of one run draw anew.
            #expect(
                try database.sql(
                    "select count(distinct amounts) from (select array_agg(amount order by id) amounts from transactions where id <= 9 group by (id - 1) / 3) t"
                ) == "3")
        }
    }
}
