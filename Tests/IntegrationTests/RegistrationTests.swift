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

    /// The calls of the public projects' `generate_and_post.py` and `create_connector.py --recreate`, by the library they use; what they print depends on these answers.
    private static let originals = """
        import json, sys, time
        import requests
        url, config = sys.argv[1] + '/connectors', json.loads(sys.argv[2])
        JSON = {'Content-Type': 'application/json'}

        def generate_and_post(name):
            return requests.post(url, headers=JSON, data=json.dumps({'name': name, 'config': config})).status_code

        def recreate(name, recreate=True):
            for _ in range(100):
                try:
                    if requests.get(url, timeout=5).status_code == 200:
                        break
                except requests.RequestException:
                    time.sleep(0.1)
            said = []
            if recreate and name in requests.get(url, timeout=10).json():
                said.append(requests.delete(f'{url}/{name}', timeout=10).status_code)
            without_schemas = config | {f'{part}.converter{key}': value for part in ('key', 'value')
                                        for key, value in (('', 'org.apache.kafka.connect.json.JsonConverter'), ('.schemas.enable', 'false'))}
            said.append(requests.put(f'{url}/{name}/config', headers=JSON, data=json.dumps(without_schemas), timeout=20).status_code)
            for _ in range(100):
                answer = requests.get(f'{url}/{name}/status', timeout=10)
                status = answer.json()
                if answer.status_code == 200 and status['connector']['state'] == 'RUNNING' and [t['state'] for t in status['tasks']] == ['RUNNING']:
                    break
                time.sleep(0.1)
            return said + [status['name'], status['connector']['state'], [(t['id'], t['state']) for t in status['tasks']]]

        print(json.dumps({'post': lambda: generate_and_post('postgres-connector'), 'recreate': lambda: recreate('postgres-connector'),
                          'again': lambda: recreate('postgres-connector', False)}[sys.argv[3]]()))
        """

    @Test func theOriginalsMeetTheAnswersTheyKnow() async throws {
        try await withPostgres { database in
            try database.sql("create table customers (id serial primary key, balance numeric(18,2)); insert into customers (balance) values (1.25), (2.5)")
            try await withTemporaryDirectory { directory in
                let worker = try SluiceWorker(directory: directory)
                defer { worker.kill() }
                let url = "http://127.0.0.1:\(worker.port)"
                let config = database.connection.merging([
                    "connector.class": "io.debezium.connector.postgresql.PostgresConnector", "topic.prefix": "banking_server",
                    "table.include.list": "public.customers, public.accounts, public.transactions", "plugin.name": "pgoutput",
                    "publication.autocreate.mode": "filtered", "tombstones.on.delete": "false", "decimal.handling.mode": "double",
                ]) { $1 }
                let json = String(decoding: try JSONSerialization.data(withJSONObject: config), as: UTF8.self)
                func original(_ verb: String) throws -> String {
                    try Python.run(Self.originals, [url, json, verb]).trimmingCharacters(in: .whitespacesAndNewlines)
                }
                func events() throws -> [[String: Any]] {
                    try Subprocess.run(SluiceWorker.binary, ["tap", "banking_server.public.customers", "--from-beginning", "--url", url]).split(separator: "\n")
                        .map {
                            let record = try JSONSerialization.jsonObject(with: Data($0.utf8)) as! [String: Any]
                            return try JSONSerialization.jsonObject(with: Data((record["payload"] as! String).utf8)) as! [String: Any]
                        }
                }
                try worker.start()
                try await worker.waitUntilReady()
                #expect(try original("post") == "201")
                try await worker.wait("the snapshot is there") { try events().count == 2 }
                #expect(try original("post") == "409")
                #expect(try original("recreate") == #"[204, 201, "postgres-connector", "RUNNING", [[0, "RUNNING"]]]"#)
                #expect(try original("again") == #"[200, "postgres-connector", "RUNNING", [[0, "RUNNING"]]]"#)
                try database.sql("insert into customers (balance) values (3.75)")
                try await worker.wait("the change is there") { try events().count == 3 }
                let events = try events()
                // With schemas as the consumers read them, and without after the other script, which says so.
                #expect(((events[1]["payload"] as? [String: Any])?["after"] as? [String: Any])?["balance"] as? Double == 2.5)
                #expect((events[2]["after"] as? [String: Any])?["balance"] as? Double == 3.75 && events[2]["schema"] == nil)
                #expect(worker.stop() == 0)
            }
        }
    }
}
