import ConnectAPI
import Foundation
import JSON
import TestSupport
import Testing
import Transport

@testable import ConnectorsObjectStore
@testable import ConnectorsSnowflake

/// Keys made by OpenSSL, in the forms people have them.
struct TestKey {
    let directory: String

    init() throws {
        directory = NSTemporaryDirectory() + "sluice-test-key-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        func openssl(_ arguments: String...) throws { try Subprocess.run("openssl", arguments) }
        let key = directory + "/key"
        try openssl("genrsa", "-out", key, "2048")
        try openssl("rsa", "-in", key, "-pubout", "-out", directory + "/public")
        try openssl("pkcs8", "-topk8", "-in", key, "-nocrypt", "-out", directory + "/plain")
        try openssl("pkcs8", "-topk8", "-in", key, "-v2", "aes256", "-passout", "pass:open sesame", "-out", directory + "/aes256")
        try openssl("pkcs8", "-topk8", "-in", key, "-v2", "des3", "-passout", "pass:open sesame", "-out", directory + "/des3")
        try openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", directory + "/ec")
        try openssl("pkcs8", "-topk8", "-in", directory + "/ec", "-nocrypt", "-out", directory + "/ec8")
    }

    func text(_ name: String) throws -> String { try String(contentsOfFile: directory + "/" + name, encoding: .utf8) }
    func remove() { try? FileManager.default.removeItem(atPath: directory) }
    func oneLine(_ name: String) throws -> String { try text(name).split(separator: "\n").filter { !$0.contains("-----") }.joined() }
}

@Suite(.serialized) struct SessionTests {
    @Test func everyFormOfAKeyLogsIn() async throws {
        let key = try TestKey()
        defer { key.remove() }
        try await withSnowflake { server in
            try server.control("user", ["name": "KEYUSER", "key": try key.text("public")])
            let forms: [(String, String?)] = [
                (try key.text("plain"), nil), (try key.oneLine("plain"), nil), (try key.text("key"), nil), (try key.text("aes256"), "open sesame"),
                (try key.oneLine("aes256"), "open sesame"), (try key.text("des3"), "open sesame"),
                (try key.text("plain").split(separator: "\n").joined(separator: "\\n"), nil),
                (try key.text("plain").split(separator: "\n").joined(separator: " "), nil),
            ]
            for (i, (text, passphrase)) in forms.enumerated() {
                let harness = SnowflakeHarness(server, ["snowflake.user.name": "keyuser", "snowflake.private.key": text, "snowflake.password": ""])
                if let passphrase { harness.settings["snowflake.private.key.passphrase"] = passphrase }
                let findings = await harness.check()
                #expect(findings.isEmpty, "form \(i): \(findings)")
            }
        }
    }

    @Test func keysThatCannotBeReadAreExplained() throws {
        let key = try TestKey()
        defer { key.remove() }
        func finding(_ text: String, _ passphrase: String = "") -> String {
            let settings = ["snowflake.private.key": text, "snowflake.private.key.passphrase": passphrase]
            let base = [
                "snowflake.url.name": "a.snowflakecomputing.com", "snowflake.user.name": "u", "snowflake.database.name": "d", "snowflake.schema.name": "s",
            ]
            return SnowflakeSinkConfiguration.parse(base.merging(settings) { $1 }).findings.first { $0.key == "snowflake.private.key" }?.message ?? "none"
        }
        #expect(finding("nonsense!").contains("neither PEM nor base64"))
        #expect(finding(try key.text("aes256")).contains("passphrase is missing or wrong"))
        #expect(finding(try key.text("aes256"), "wrong").contains("passphrase is missing or wrong"))
        #expect(finding(try key.text("ec8")).contains("not an RSA key"))
        #expect(finding(try key.text("plain")) == "none")
        var random = SeededGenerator.printed()
        Fuzz.bytes(Array(try key.text("aes256").utf8), 500, &random) {
            _ = try? PrivateKey(String(decoding: $0, as: UTF8.self), passphrase: Secret("open sesame"))
        }
    }

    @Test func accountsInTokensAreCutAsTheDriversCutThem() {
        for (url, account) in [
            ("xy12345.eu-central-1.snowflakecomputing.com", "XY12345"), ("https://myorg-acct.snowflakecomputing.com:443", "MYORG-ACCT"),
            ("acct-abc.global.snowflakecomputing.com", "ACCT"),
        ] { #expect(KeyPair.account((try? AccountURL(url).account) ?? "") == account) }
        for bad in ["", "nohost", "https://", "a b.c", "x.y:99999", "ftp://a.b"] { #expect(throws: ConnectorError.self, "\(bad)") { try AccountURL(bad) } }
    }

    @Test func refusalsNameTheKeyAndHideTheSecret() async throws {
        try await withSnowflake { server in
            let harness = SnowflakeHarness(server, ["snowflake.password": "hunter2"])
            let findings = await harness.check()
            #expect(findings.first?.key == "snowflake.password")
            #expect(findings.first?.message.contains("390100") == true)
            #expect(findings.first?.message.contains("hunter2") == false)
            harness.settings["snowflake.url.name"] = "http://127.0.0.1:1"
            harness.settings["snowflake.request.retries"] = "0"
            #expect(await harness.check().first?.key == "snowflake.url.name")
        }
    }

    @Test(arguments: ["session", "master"]) func aSessionThatEndsIsRenewedOrOpenedAgain(what: String) async throws {
        try await withSnowflake { server in
            let harness = SnowflakeHarness(server)
            try await harness.start()
            for i in 0..<3 as Range<Int64> {
                try server.control("expire", ["what": what])
                try await harness.write(SnowflakeHarness.batch(i * 3..<(i + 1) * 3))
                try await harness.commit(upTo: (i + 1) * 3)
            }
            #expect(try harness.ids() == Array(0..<9))
            await harness.crash()
        }
    }

    @Test func aStatementThatTakesLongIsWaitedFor() async throws {
        try await withSnowflake { server in
            let harness = SnowflakeHarness(server)
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(0..<3))
            try server.control("set", ["slow": 4])
            try await harness.commit(upTo: 3)
            #expect(try harness.ids() == [0, 1, 2])
            await harness.crash()
        }
    }

    @Test func aStatementWhoseAnswerIsLostRunsOnce() async throws {
        try await withSnowflake { server in
            let session = try server.session()
            try await session.query("CREATE TABLE ONCE (A INT)", "a table")
            try server.control("fault", ["match": "INSERT INTO ONCE", "status": 503, "times": 2, "when": "after"])
            try await session.query("INSERT INTO ONCE VALUES (1)", "a row")
            #expect(try await session.query("SELECT COUNT(*) FROM ONCE", "a count").rows == [["1"]])
            let requests = try server.state()["requests"] as? [[String: Any]] ?? []
            let inserts = requests.filter { ($0["sql"] as? String)?.hasPrefix("INSERT INTO ONCE") == true }
            #expect(Set(inserts.compactMap { $0["id"] as? String }).count == 1)
            #expect(inserts.map { $0["retry"] as? String } == [nil, "1", "2"])
            try await session.query("DROP TABLE ONCE", "a table")
            await session.close()
        }
    }

    @Test func oauthTokensComeFromTheEndpoint() async throws {
        try await withSnowflake { server in
            let settings = [
                "snowflake.authenticator": "oauth", "snowflake.password": "", "snowflake.oauth.client.id": "client", "snowflake.oauth.client.secret": "hush",
                "snowflake.oauth.refresh.token": "rt",
            ]
            let harness = SnowflakeHarness(server, settings)
            #expect(await harness.check().isEmpty)
            harness.settings["snowflake.oauth.client.secret"] = "wrong"
            let finding = await harness.check().first
            #expect(finding?.key == "snowflake.oauth.refresh.token" && finding?.message.contains("invalid_client") == true)
        }
    }

    @Test func grantsThatAreMissingAreNamed() async throws {
        try await withSnowflake { server in
            try server.control("set", ["roles": [server.user: ["LOADER"]], "hidden": ["W", "D2", "D.S2", "ST"], "grants": ["SELECT"]])
            let harness = SnowflakeHarness(server, ["snowflake.role.name": "loader", "snowflake.stage.name": "st"])
            try server.sql("CREATE TABLE D.S.\(harness.table) (RECORD_CONTENT VARIANT)")
            let findings = await harness.check()
            func message(_ key: String) -> String { findings.first { $0.key == key }?.message ?? "none of \(findings)" }
            #expect(message("snowflake.warehouse.name").contains("GRANT USAGE ON WAREHOUSE \"W\" TO ROLE LOADER"))
            #expect(message("snowflake.stage.name").contains("GRANT READ, WRITE ON STAGE \"ST\" TO ROLE LOADER"))
            #expect(message("snowflake.topic2table.map").contains("GRANT SELECT, INSERT ON TABLE"))
            harness.settings["snowflake.database.name"] = "d2"
            #expect(await harness.check().first?.message.contains("GRANT USAGE ON DATABASE \"D2\" TO ROLE LOADER") == true)
            harness.settings["snowflake.database.name"] = "d"
            harness.settings["snowflake.schema.name"] = "s2"
            #expect(await harness.check().first?.message.contains("ON SCHEMA \"D\".\"S2\" TO ROLE LOADER") == true)
            harness.settings["snowflake.role.name"] = "admin"
            #expect(await harness.check().first?.key == "snowflake.role.name")
        }
    }

    @Test func damagedAnswersAreRefusedNotTrapped() throws {
        var random = SeededGenerator.printed()
        let good =
            #"{"data":{"rowtype":[{"name":"A"},{"name":"B"}],"rowset":[["1",null],["2","x"]],"queryId":"q","chunks":[{"url":"https://h/p"}],"chunkHeaders":{"a":"b"}},"code":null,"success":true}"#
        Fuzz.bytes(Array(good.utf8), 4000, &random) { bytes in
            guard let json = try? JSONValue.parse(bytes), let outcome = try? QueryAnswer.parse(json) else { return }
            if case .done(let answer) = outcome { _ = (answer.named, answer.values("b")) }
            if case .refused(let error) = outcome { _ = error.connectorError("a test") }
        }
        Fuzz.bytes(Array(#"["1",null],["2","x"]"#.utf8), 1000, &random) { _ = try? QueryAnswer.chunkRows($0) }
        let zipped = GzipWriter()
        Array("hello, hello, hello".utf8).withUnsafeBytes { zipped.append($0) }
        let member = zipped.finish()
        #expect(try Gunzip.inflate(member, limit: 1000) == Array("hello, hello, hello".utf8))
        Fuzz.bytes(member, 1000, &random) { _ = try? Gunzip.inflate($0, limit: 1000) }
        Fuzz.bytes(Array(#"{"files":[{"path":"a","status":"LOADED","firstError":"x 'y' z"}]}"#.utf8), 1000, &random) {
            if let json = try? JSONValue.parse($0) { _ = PipeClient.files(json) }
        }
        Fuzz.bytes(Array(#"{"last_committed_offset_token":"5","rows_error_count":2,"last_error_message":"x 'y'"}"#.utf8), 1000, &random) {
            if let json = try? JSONValue.parse($0) { _ = StreamingClient.status(json) }
        }
        Fuzz.bytes(Array("Thu, 26 Nov 2026 01:18:39 GMT".utf8), 1000, &random) { _ = StageDate.milliseconds(String(decoding: $0, as: UTF8.self)) }
        #expect(StageDate.milliseconds("Thu, 26 Nov 2026 01:18:39 GMT") == 1_795_655_919_000)
    }

    @Test func valuesAreKeptOutOfTexts() {
        #expect(
            SnowflakeError.withoutValues("Numeric value 'abc' is not recognized, File 'x.parquet', column 'A'")
                == "Numeric value '…' is not recognized, File 'x.parquet', column 'A'")
        #expect(SnowflakeError.withoutValues("an open 'quote") == "an open '…'")
    }
}

extension SnowflakeServer {
    /// A session of our own.
    func session() throws -> Session {
        let pool = BlockingPool(threads: 2)
        let client = ServiceClient(
            url: try AccountURL(url), settings: .init(retries: 3, baseDelay: 10), transport: HTTPTransport(), pool: pool, onRetry: { _ in })
        return Session(
            .init(account: "acc", user: user, database: "D", schema: "S", queryTag: "test"), .password(Secret(password)), client, log: Logger("test"))
    }
}
