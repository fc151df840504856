import ConnectAPI
import Foundation
import JSON
import TestSupport
import Testing

@testable import ConnectRuntime

/// AvroConverter and a schema registry; with `SLUICE_SCHEMA_REGISTRY` a real one, too.
@Suite struct AvroConverterTests {
    private static let row = Schema.struct([.init("id", Schema(.int64)), .init("name", Schema(.string, optional: true))], name: "shop.public.items.Value")
    private static let values: [Value] = [.struct([1, "one"]), .struct([2, nil]), .struct([3, "drei"])]
    private var column: Column { Column(Self.row, Self.values) }
    private let topic = "items-\(UUID().uuidString.lowercased())"

    private func converter(_ url: String, isKey: Bool = false, _ more: [String: String] = [:]) throws -> any Converter {
        let quick = ["schema.registry.url": url, "retries.wait.ms": "10"]
        return try Converters.make(.init(AvroConverter.className, quick.merging(more) { $1 }), isKey: isKey)
    }

    private func render(_ converter: any Converter, _ column: Column, topic: String? = nil, nulls: Bitmap? = nil) async throws -> RenderedRows {
        try await Lookup.resolving { try converter.render(column, count: column.count, nullSchemaRows: nulls, topic: topic ?? self.topic) }
    }

    private func parse(_ converter: any Converter, _ rows: RenderedRows, topic: String? = nil) async throws -> [(rows: Range<Int>, column: Column?)] {
        try await Lookup.resolving { try converter.parseRuns(rows, topic: topic ?? self.topic) }
    }

    private func refusal(_ body: () async throws -> Void) async -> ConnectorError? {
        do { try await body() } catch { return error as? ConnectorError }
        return nil
    }

    private func rows(_ parts: [[UInt8]?]) -> RenderedRows {
        var values = VarBytes()
        for part in parts { if let part { values.append(part) } else { values.appendEmpty() } }
        return RenderedRows(values: values, present: Bitmap(parts.map { $0 != nil }))
    }

    static let urls: [String?] = [nil] + (SchemaRegistryServer.real.map { [$0] } ?? [])

    @Test(arguments: urls) func rowsGoThroughARegistryAndBack(_ real: String?) async throws {
        let server = try real == nil ? SchemaRegistryServer() : nil, url = real ?? server!.url
        let writer = try converter(url), tombstones = Bitmap([false, true, false])
        let rendered = try await render(writer, column, nulls: tombstones)
        #expect(rendered.bytes(1) == nil)
        let first = Array(rendered.bytes(0)!)
        #expect(first[0] == 0 && Array(first[5...]) == [2, 2, 6] + Array("one".utf8))
        _ = try await render(writer, column)
        let reader = try converter(url)
        let runs = try await parse(reader, rendered)
        #expect(runs.map(\.rows) == [0..<1, 1..<2, 2..<3] && runs[1].column == nil)
        #expect(runs[0].column?.schema == Self.row.with(version: 1) && runs[2].column?[0] == Self.values[2])
        _ = try await parse(reader, rendered)
        // The schema was asked for once each way, whatever the number of batches.
        if let server {
            let path = "/subjects/\(topic)-value"
            #expect(try server.requests() == ["POST \(path)/versions", "GET /schemas/ids/1", "POST \(path)?deleted=true"])
        }
    }

    @Test(arguments: urls) func schemasOfATopicFollowEachOther(_ real: String?) async throws {
        let server = try real == nil ? SchemaRegistryServer() : nil, url = real ?? server!.url
        try server?.send("PUT", "/config/\(topic)-value", #"{"compatibility":"BACKWARD"}"#)
        let converter = try converter(url)
        let wider = Schema.struct(Self.row.fields + [.init("price", Schema(.float64, optional: true))], name: Self.row.name)
        let old = try await render(converter, column), new = try await render(converter, Column(wider, [.struct([4, "four", .double(1.5)])]))
        // Rows of two writers in turn, and of one that is no Avro.
        let mixed = rows([Array(old.bytes(0)!), Array(old.bytes(1)!), Array(new.bytes(0)!), nil, Array(old.bytes(2)!)])
        let runs = try await parse(converter, mixed)
        #expect(runs.map(\.rows) == [0..<2, 2..<3, 3..<4, 4..<5] && runs.map { $0.column?.schema.version } == [1, 2, nil, 1])
        #expect(runs[1].column?[0] == .struct([4, "four", .double(1.5)]))
        #expect(ParsedRun.joining(runs, present: mixed.present).map(\.rows) == [0..<2, 2..<4, 4..<5])

        let required = Schema.struct(Self.row.fields + [.init("since", Schema(.int64))], name: Self.row.name)
        let error = await refusal { _ = try await render(converter, Column(required, [.struct([1, "a", 2])])) }
        #expect(error?.code == "avro.schema_incompatible" && error?.disposition == .reject && error?.hint?.contains("compatibility") == true)
        // Those that fit go on.
        #expect(try await render(converter, column).values == old.values)
    }

    @Test func rowsThatAreNoAvroAreRefusedOneByOne() async throws {
        let server = try SchemaRegistryServer(), converter = try converter(server.url)
        let good = Array(try await render(converter, column).bytes(0)!)
        for (bad, code) in [
            (Array("{\"id\":1}".utf8), "avro.not_framed"), ([], "avro.not_framed"), ([0, 0, 0], "avro.not_framed"),
            ([0, 0, 0, 0, 99, 2], "avro.schema_unknown"),
            (Array(good.dropLast()), "avro.data_invalid"), (good.dropLast(3) + [0xFF, 0xFF, 0xFF], "avro.data_invalid"),
        ] {
            let error = await refusal { _ = try await parse(converter, rows([good, bad])) }
            #expect(error?.code == code && error?.disposition == .reject && error?.hint?.contains(topic) == true, "\(String(describing: error))")
        }
        #expect(try await parse(converter, rows([good, good])).count == 1)
    }

    @Test func subjectsAreNamedByStrategy() async throws {
        let server = try SchemaRegistryServer(), space = "io.confluent.kafka.serializers.subject."
        for (strategy, subject) in [
            ("TopicNameStrategy", "t-value"), ("RecordNameStrategy", Self.row.name!), ("TopicRecordNameStrategy", "t-" + Self.row.name!),
        ] {
            _ = try await render(try converter(server.url, ["value.subject.name.strategy": space + strategy]), column, topic: "t")
            #expect(try server.requests().last == "POST /subjects/\(subject)/versions")
        }
        let key = Column(Schema(.int64), [.integer(7)])
        let bytes = try await render(try converter(server.url, isKey: true), key, topic: "a b/c")
        #expect(Array(bytes.bytes(0)!.dropFirst(5)) == [14])
        #expect(try server.requests().last == "POST /subjects/a%20b%2Fc-key/versions")
        let error = await refusal {
            _ = try await render(try converter(server.url, isKey: true, ["key.subject.name.strategy": space + "RecordNameStrategy"]), key)
        }
        #expect(error?.code == "avro.no_record_name")
    }

    @Test func withoutRegisteringTheSchemaMustBeThere() async throws {
        let server = try SchemaRegistryServer(), settings = ["auto.register.schemas": "false"]
        #expect(await refusal { _ = try await render(try converter(server.url, settings), column) }?.code == "avro.schema_unknown")
        let registered = try await render(try converter(server.url), column)
        #expect(try await render(try converter(server.url, settings), column).values == registered.values)
        // The latest version, whose fields stand in another order and are more.
        let latest =
            #"{"type":"record","name":"Value","namespace":"shop.public.items","fields":[{"name":"name","type":["null","string"]},{"name":"id","type":"long"},{"name":"n","type":"int","default":1}]}"#
        try server.send("POST", "/subjects/\(topic)-value/versions", JSONValue.object([("schema", .string(latest))]).compactText)
        let rows = try await render(try converter(server.url, settings.merging(["use.latest.version": "true"]) { $1 }), column)
        #expect(Array(rows.bytes(0)!) == [0, 0, 0, 0, 2, 2, 6] + Array("one".utf8) + [2, 2])
    }

    @Test func referencesAndOtherTypesOfSchemas() async throws {
        let server = try SchemaRegistryServer(), converter = try converter(server.url)
        func register(_ subject: String, _ schema: String, _ more: [(String, JSONValue)] = []) throws {
            try server.send("POST", "/subjects/\(subject)/versions", JSONValue.object([("schema", .string(schema))] + more).compactText)
        }
        try register("point", #"{"type":"record","name":"g.Point","fields":[{"name":"x","type":"int"}]}"#)
        let reference: JSONValue = .array([.object([("name", "g.Point"), ("subject", "point"), ("version", 1)])])
        try register(
            "\(topic)-value", #"{"type":"record","name":"g.Line","fields":[{"name":"a","type":"Point"},{"name":"b","type":"g.Point"}]}"#,
            [("references", reference)])
        try register("p", "\"string\"", [("schemaType", "PROTOBUF")])
        let runs = try await parse(converter, rows([[0, 0, 0, 0, 2, 2, 4]]))
        #expect(runs[0].column?[0] == .struct([.struct([1]), .struct([2])]) && runs[0].column?.schema.version == 1)
        #expect(
            await refusal { _ = try await parse(converter, rows([[0, 0, 0, 0, 3, 2]])) }?.message
                == "The schema with id 3 is of type PROTOBUF, and this converter reads AVRO")
    }

    @Test func bytesAloneHaveNoLength() async throws {
        let server = try SchemaRegistryServer(), converter = try converter(server.url)
        let column = Column(Schema(.bytes), [.bytes([7, 8, 9]), .bytes([]), .bytes(Array(repeating: 1, count: 200))])
        let rendered = try await render(converter, column)
        #expect(Array(rendered.bytes(0)!.dropFirst(5)) == [7, 8, 9] && rendered.bytes(1)!.count == 5 && rendered.bytes(2)!.count == 205)
        let read = try await parse(converter, rendered)[0].column!
        #expect((0..<3).map { read[$0] } == (0..<3).map { column[$0] })
    }

    @Test func aRegistryThatIsAwayIsTriedAgainAndTheNextAddressToo() async throws {
        let busy = try SchemaRegistryServer(failures: 2)
        _ = try await render(try converter(busy.url), column)
        #expect(try busy.requests().count == 3)
        let nobody = "http://127.0.0.1:\(try freePort())"
        _ = try await render(try converter("\(nobody),\(busy.url)/"), column)
        let error = await refusal { _ = try await render(try converter(nobody, ["max.retries": "1"]), column) }
        #expect(error?.disposition == .retry && error?.message.hasPrefix("The schema registry at \(nobody) does not answer") == true)
        #expect(await refusal { _ = try await render(try converter(busy.url + "/nowhere"), column) }?.code == "avro.registry_odd")
    }

    @Test func usersTokensAndHeaders() async throws {
        let basic = try SchemaRegistryServer(authorization: "Basic \(Data("me:hush".utf8).base64EncodedString())")
        _ = try await render(try converter(basic.url, ["basic.auth.credentials.source": "USER_INFO", "basic.auth.user.info": "me:hush"]), column)
        _ = try await render(try converter(basic.url.replacing("http://", with: "http://me:hush@")), column)
        let denied = await refusal { _ = try await render(try converter(basic.url.replacing("http://", with: "http://me:wrong@")), column) }
        #expect(denied?.code == "avro.registry_denied" && denied?.disposition == .stop)
        #expect(!"\(denied!)".contains("wrong") && !String(reflecting: denied!).contains("wrong"))
        let bearer = try SchemaRegistryServer(authorization: "Bearer t0ken")
        _ = try await render(try converter(bearer.url, ["bearer.auth.credentials.source": "STATIC_TOKEN", "bearer.auth.token": "t0ken"]), column)
        _ = try await render(try converter(bearer.url, ["request.header.Authorization": "Bearer t0ken"]), column)
    }

    @Test func httpsTrustsTheGivenAuthority() async throws {
        try await withTemporaryDirectory { directory in
            let (key, certificate) = (directory + "/key.pem", directory + "/cert.pem")
            try Subprocess.run(
                "openssl",
                [
                    "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=r", "-addext",
                    "subjectAltName=IP:127.0.0.1",
                ])
            let server = try SchemaRegistryServer(certificate: certificate, key: key)
            _ = try await render(
                try converter(server.url, ["schema.registry.ssl.truststore.location": certificate, "schema.registry.ssl.truststore.type": "PEM"]), column)
            let error = await refusal { _ = try await render(try converter(server.url, ["max.retries": "0"]), column) }
            // Asking again would end the same way.
            #expect(error?.code == "transport.certificate" && error?.disposition == .stop)
            #expect(error?.hint?.contains("schema.registry.ssl.truststore.location") == true)
        }
    }

    /// Source, Kafka, sink; the registry is away at first.
    @Test func aPipelineWaitsForItsRegistryAndGoesOn() async throws {
        let server = try SchemaRegistryServer(failures: 9), world = World(), mock = MockKafka()
        let settings = [
            "bootstrap.servers": mock.bootstrapServers, "value.converter": AvroConverter.className, "value.converter.schema.registry.url": server.url,
            "value.converter.retries.wait.ms": "10", "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        ]
        try await withWorker(world, settings, topics: MockTopics(mock: mock), converter: { try Converters.make(.init($0, $1), isKey: $2) }) { herder in
            _ = try await herder.create("source", entries(["connector.class": "Count", "until": "2000", "topic": "n"]), initialState: .started)
            _ = try await herder.create(
                "sink", entries(["connector.class": "Collect", "topics": "n", "errors.tolerance": "all", "errors.log.enable": "true"]), initialState: .started)
            try await eventually { world.collected.count >= 2000 }
            #expect(try await herder.status("source").tasks.map(\.status.state) == [.running])
            #expect(try await herder.status("sink").tasks.map(\.status.state) == [.running])
        }
        #expect(Set(world.collected) == Set(0..<2000))
        // Once a converter: the source registers; the sink asks for the schema and its version.
        #expect(try server.requests().filter { $0.hasPrefix("POST /subjects/n-value/versions") }.count <= 10)
        #expect(try server.requests().filter { $0.hasPrefix("GET /schemas/ids/") }.count == 1)
    }

    @Test func tasksEndWhileTheirRegistryIsAway() async throws {
        let server = try SchemaRegistryServer(), world = World(), mock = MockKafka(), nobody = "http://127.0.0.1:\(try freePort())"
        func avro(_ url: String) -> [String: String] {
            ["value.converter": AvroConverter.className, "value.converter.schema.registry.url": url, "value.converter.max.retries": "1"]
        }
        let settings = ["bootstrap.servers": mock.bootstrapServers, "task.shutdown.graceful.timeout.ms": "2000"]
        try await withWorker(
            world, settings.merging(avro(server.url)) { $1 }, topics: MockTopics(mock: mock), converter: { try Converters.make(.init($0, $1), isKey: $2) }
        ) { herder in
            _ = try await herder.create("source", entries(["connector.class": "Count", "until": "50", "topic": "n"]), initialState: .started)
            try await eventually { try await herder.offsets("source").map(\.offset) == [["position": 50]] }
        }
        // The same with a registry nobody answers at: nothing is lost, nothing fails, and the worker ends in time.
        let start = ContinuousClock.now
        try await withWorker(
            world, settings.merging(avro(nobody)) { $1 }, topics: MockTopics(mock: mock), converter: { try Converters.make(.init($0, $1), isKey: $2) }
        ) { herder in
            _ = try await herder.create("late", entries(["connector.class": "Count", "until": "50", "topic": "m"]), initialState: .started)
            _ = try await herder.create("sink", entries(["connector.class": "Collect", "topics": "n", "errors.tolerance": "all"]), initialState: .started)
            try await Task.sleep(for: .seconds(5))
            #expect(try await herder.status("late").tasks.map(\.status.state) == [.running])
            #expect(try await herder.status("sink").tasks.map(\.status.state) == [.running])
            #expect(try await herder.offsets("late").isEmpty && world.collected.isEmpty)
        }
        #expect(start.duration(to: .now) < .seconds(20))
    }

    /// The embedded log keeps how records look, and no credentials; a dead letter is written with the sink's own.
    @Test func credentialsAreNotKeptWithTheRecords() async throws {
        let server = try SchemaRegistryServer(authorization: "Basic \(Data("me:hush".utf8).base64EncodedString())"), world = World()
        let user = server.url.replacing("http://", with: "http://me:hush@")
        let settings = ["value.converter": AvroConverter.className, "value.converter.schema.registry.url": user]
        try await withWorker(world, settings, converter: { try Converters.make(.init($0, $1), isKey: $2) }) { herder in
            _ = try await herder.create("source", entries(["connector.class": "Count", "until": "30", "topic": "n"]), initialState: .started)
            let sink = ["connector.class": "Collect", "topics": "n", "reject": "17", "errors.tolerance": "all", "errors.deadletterqueue.topic.name": "dead"]
            _ = try await herder.create("sink", entries(sink), initialState: .started)
            try await eventually { world.collected.count == 29 }
            try await eventually {
                let stored = try await herder.log.read(TopicPartition("dead", 0), from: 0, maxBytes: 1 << 20).first
                if case .bytes(let bytes)? = stored?.batch.value?[0] { return bytes == [0, 0, 0, 0, 1, 34] }
                return false
            }
        }
        // What SQLite keeps beside its file may go with the last connection.
        #expect(FileManager.default.fileExists(atPath: world.directory + "/sluice.db"))
        for file in ["sluice.db", "sluice.db-wal"] {
            guard let bytes = FileManager.default.contents(atPath: world.directory + "/" + file) else { continue }
            #expect(bytes.range(of: Data("hush".utf8)) == nil, "\(file)")
        }
        let converter = Rendering.Converter(
            "A", ["basic.auth.user.info": "a:b", "request.header.X": "y", "schema.registry.url": "http://u:p@a/x,https://b", "auto.register.schemas": "true"])
        #expect(converter.withoutSecrets.settings == ["schema.registry.url": "http://a/x,https://b", "auto.register.schemas": "true"])
    }

    @Test func aConfigurationIsJudgedBeforeItRuns() {
        func findings(_ values: [String: String]) -> [String] {
            AvroConverter.Configuration.parse(values.merging(["converter.type": "value"]) { a, _ in a }).findings.map(\.key)
        }
        let url = ["schema.registry.url": "http://a:8081, https://b:8081"]
        #expect(findings(url).isEmpty && findings([:]) == ["schema.registry.url"] && findings(["schema.registry.url": "a:8081"]) == ["schema.registry.url"])
        for (key, value) in [
            ("basic.auth.credentials.source", "SASL_INHERIT"), ("value.subject.name.strategy", "com.acme.Mine"), ("generalized.sum.type.support", "true"),
            ("auto.register.schemas", "maybe"), ("schemas.cache.config", "0"), ("schema.registry.ssl.truststore.location", "/x.jks"),
            ("bearer.auth.credentials.source", "OAUTHBEARER"),
        ] {
            #expect(findings(url.merging([key: value]) { $1 }) == [key], "\(key)=\(value)")
        }
        #expect(findings(url.merging(["basic.auth.credentials.source": "USER_INFO"]) { $1 }) == ["basic.auth.user.info"])
        // Confluent's default strategy is by topic.
        #expect(findings(url.merging(["value.subject.name.strategy": "io.confluent.kafka.serializers.subject.AssociatedNameStrategy"]) { $1 }).isEmpty)
        #expect(throws: ConnectorError.self) { try Converters.make(.init("io.apicurio.registry.utils.converter.AvroConverter", url), isKey: false) }
    }
}
