import Foundation
import TestSupport
import Testing

/// Scripts that post connectors meet the answers they know from Kafka Connect, and the rows go on after a connector was made anew.
@Suite struct RegistrationTests {
    @Test func scriptsThatPostConnectorsGoOnWorking() async throws {
        try await withPostgres { database in
            try database.sql("create table customers (id serial primary key, email text); insert into customers (email) values ('a'), ('b')")
            try await withTemporaryDirectory { directory in
                let worker = try SluiceWorker(directory: directory)
                defer { worker.kill() }
                let connection = database.connection
                let environment = [
                    "PGHOST": connection["database.hostname"]!, "PGPORT": connection["database.port"]!, "PGUSER": connection["database.user"]!,
                    "PGPASSWORD": connection["database.password"] ?? "", "PGDATABASE": connection["database.dbname"]!,
                ]
                try worker.start(environment: environment)
                try await worker.waitUntilReady()
                let url = "http://127.0.0.1:\(worker.port)", source = Checkout.root + "/examples/banking-s3/connectors/source.json"
                func register(_ arguments: String...) throws -> [Substring] {
                    try Subprocess.run(Python.path, [Checkout.root + "/examples/common/register.py"] + arguments + [source, url]).split(separator: "\n")
                }
                func ids() throws -> [Int] {
                    let lines = try Subprocess.run(
                        SluiceWorker.binary, ["tap", "banking_server.public.customers", "--from-beginning", "--url", url]
                    ).split(separator: "\n")
                    return try lines.map { line in
                        let record = try JSONSerialization.jsonObject(with: Data(line.utf8)) as! [String: Any]
                        let event = try JSONSerialization.jsonObject(with: Data((record["payload"] as! String).utf8)) as! [String: Any]
                        let payload = event["payload"] as? [String: Any] ?? event
                        return (payload["after"] as! [String: Any])["id"] as! Int
                    }
                }
                #expect(try register() == ["POST /connectors 201", "RUNNING"])
                try await worker.wait("the snapshot is there") { try ids() == [1, 2] }
                #expect(try register() == ["POST /connectors 409", "RUNNING"])
                #expect(try register("--recreate") == ["DELETE /connectors/banking-source 204", "PUT /connectors/banking-source/config 201", "RUNNING"])
                try database.sql("insert into customers (email) values ('c')")
                // Positions outlive the connector, as they do in Kafka Connect.
                try await worker.wait("the change is there") { try ids() == [1, 2, 3] }
                #expect(worker.stop() == 0)
            }
        }
    }
}
