import ConnectAPI
import Foundation
import TestSupport
import Testing

@testable import ConnectorsSnowflake

@Suite struct NamesTests {
    /// As `Utils.generateValidName` of Snowflake's connector 3.5: hash codes by Java.
    @Test(arguments: [
        ("orders", "orders"), ("_x", "_x"), ("a$1", "a$1"), ("x", "x_120"), ("a.b", "a_b_94741"), ("a-b", "a_b_94710"), ("1abc", "_1abc_1556113"),
        ("banking_server.public.customers", "banking_server_public_customers_2016125250"), ("logs.*", "logs_1097327701"), ("größe", "gr__e_98762257"),
    ]) func namesAreTheVendors(topic: String, name: String) throws { #expect(VendorNames.valid(topic) == name) }

    @Test func stagesAndPipesAreTheVendors() {
        let table = ObjectName(["D", "S", "ORDERS"])
        #expect(VendorNames.stage("my-sink", table: table).parts == ["D", "S", "SNOWFLAKE_KAFKA_CONNECTOR_MY_SINK_1462869524_STAGE_ORDERS"])
        #expect(VendorNames.pipe("sink", table: table, partition: 3).name == "SNOWFLAKE_KAFKA_CONNECTOR_SINK_PIPE_ORDERS_3")
        #expect(VendorNames.streamingPipe(table).name == "ORDERS-STREAMING")
    }

    @Test func configuredNamesFollowSQL() {
        #expect(ObjectName(configured: "orders")?.parts == ["ORDERS"])
        #expect(ObjectName(configured: "\"or.d\"\"ers\"")?.parts == ["or.d\"ers"])
        #expect(ObjectName(configured: "db.\"sc\".t")?.parts == ["DB", "sc", "T"])
        #expect(ObjectName(configured: "db.\"sc\".t")?.sql == "\"DB\".\"sc\".\"T\"")
        for bad in ["", "a..b", "a.b.c.d", "\"a", "a\"b", "."] { #expect(ObjectName(configured: bad) == nil, "\(bad)") }
        #expect(ObjectName(["D", "my stage"]).stageReference == "@D.\"my stage\"")
    }

    @Test func topicsFindTheirTables() throws {
        let map = try TableMap("a:T1, b.*:T2,\u{20}c:db.sc.t3")
        #expect(map.table(for: "a").parts == ["T1"])
        #expect(map.table(for: "bcd").parts == ["T2"])
        #expect(map.table(for: "c").parts == ["DB", "SC", "T3"])
        #expect(map.table(for: "other-topic").name.hasPrefix("OTHER_TOPIC_"))
        for (text, part) in [
            ("a", "is not topic:table"), ("a:1x", "is not a name"), ("a:T1,a:T2", "twice"), ("a.*:T1,ab:T2", "same topics"), ("(:T1", "regular"),
        ] {
            let error = #expect(throws: ConnectorError.self) { try TableMap(text) }
            #expect(error?.message.contains(part) == true, "\(text): \(error?.message ?? "")")
        }
    }

    /// Whatever a name or text holds, Snowflake's grammar (sqlglot) reads the same name or text back.
    @Test func quotedTextReadsBackAsItWas() throws {
        var random = SeededGenerator.printed()
        let alphabet: [Character] = ["'", "\"", "\\", "$", "a", "Z", " ", ";", "-", "/", "*", "é", "\u{1F600}", "%", "(", ")", ":", "?", "@", "\n", "{"]
        let texts = (0..<400).map { _ in String((0..<Int.random(in: 1...12, using: &random)).map { _ in alphabet.randomElement(using: &random)! }) }
        let input = try JSONSerialization.data(withJSONObject: texts.map { [$0, SQL.identifier($0), SQL.literal($0)] })
        let output = try Subprocess.run(
            Checkout.root + "/.venv-fakesnow/bin/python",
            [
                "-c",
                """
                import json, sys, sqlglot
                bad = []
                for text, identifier, literal in json.load(sys.stdin):
                    e = sqlglot.parse_one(f"SELECT {literal} AS {identifier} FROM t", read="snowflake")
                    a = e.expressions[0]
                    if a.this.this != text or a.args["alias"].this != text or len(sqlglot.parse(e.sql("snowflake"), read="snowflake")) != 1: bad.append(text)
                print(json.dumps(bad))
                """,
            ], input: String(decoding: input, as: UTF8.self))
        #expect(output.trimmingCharacters(in: .whitespacesAndNewlines) == "[]")
    }

    @Test func pathsHoldOnlyWhatNeedsNoQuotes() {
        var random = SeededGenerator.printed(), seen: [String: String] = [:]
        for _ in 0..<2000 {
            let name = String(decoding: (0..<Int.random(in: 1...6, using: &random)).map { _ in UInt8.random(in: 32...126, using: &random) }, as: UTF8.self)
            let part = StagePath.part(name)
            #expect(part.utf8.allSatisfy { ($0 >= 48 && $0 <= 57) || ($0 >= 65 && $0 <= 90) || ($0 >= 97 && $0 <= 122) || "_-.=".utf8.contains($0) }, "\(name)")
            #expect(part != "." && part != "..")
            #expect(seen[part] == nil || seen[part] == name, "\(name) and \(seen[part] ?? "") are \(part)")
            seen[part] = name
        }
    }

    @Test func fileNamesTellTheirOffsets() {
        #expect(StagedFile.offsets(of: "0-99.parquet") == 0...99)
        #expect(StagedFile.offsets(of: "5_7_1700000000000.json.gz") == 5...7)
        for bad in ["", "a-b.parquet", "9-5.parquet", "5.parquet", "-1-5.parquet", "99999999999999999999-5.parquet"] {
            #expect(StagedFile.offsets(of: bad) == nil, "\(bad)")
        }
    }
}
