import ConnectAPI
import Testing

@testable import ConnectRuntime

/// The validation engine where the recorded transcripts do not reach.
@Suite struct ValidatorTests {
    private let plugins: PluginRegistry = {
        var registry = PluginRegistry.model
        registry.register(.model(.source, "example.SecretSourceConnector", SecretKeys.self))
        registry.register(.model(.source, "one.TwinConnector"))
        registry.register(.model(.sink, "two.TwinConnector"))
        return registry
    }()

    struct SecretKeys: ConnectConfiguration {
        @Field("password", default: "changeit", doc: "") var password: Secret
        @Field("port", default: "1", doc: "", check: .between(1, 10), aliases: ["old.port"]) var port: Int
        @Field("tables", default: "", doc: "") var tables: [String]
        @FieldPrefix("driver.") var driver: [String: String]
        init() {}
    }

    private func infos(_ config: [String: String], worker: [String: String] = [:]) throws -> ConfigInfos {
        let base = ["name": "n", "connector.class": "FileStreamSource", "topic": "t"]
        let all = base.merging(config) { $1 }.sorted { $0.key < $1.key }.map { ConfigEntry($0.key, $0.value) }
        return try ConfigValidator(plugins: plugins, workerValues: worker).validate(all)
    }
    private func errors(_ config: [String: String], worker: [String: String] = [:]) throws -> [String] {
        try infos(config, worker: worker).entries.flatMap(\.errors)
    }
    private func sink(_ config: [String: String]) throws -> [String] {
        try errors(config.merging(["connector.class": "FileStreamSink"]) { a, _ in a })
    }

    @Test(arguments: [
        "FileStreamSource", "FileStreamSourceConnector", "org.apache.kafka.connect.file.FileStreamSourceConnector", " FileStreamSource ",
    ])
    func resolvesClassesByEveryNamePeopleUse(_ name: String) throws {
        let info = try infos(["connector.class": name])
        #expect(info.errorCount == 0 && info.name == name)
    }

    @Test func refusesClassesThatAreUnknownAmbiguousOrNotConnectors() throws {
        let validator = ConfigValidator(plugins: plugins, workerValues: [:])
        for name in ["nope", "org.apache.kafka.connect.json.JsonConverter", "StreamSource"] {
            let error = #expect(throws: HerderError.self) { try validator.resolve(connectorClass: name) }
            #expect(error?.status == 400)
            #expect(
                error?.message.hasPrefix(
                    "Failed to find any class that implements Connector and which name matches \(name), available connectors are: PluginDesc{") == true)
        }
        let twin = #expect(throws: HerderError.self) { try validator.resolve(connectorClass: "Twin") }
        #expect(twin?.message.hasPrefix("More than one connector matches alias Twin. Please use full package and class name instead. Classes found: ") == true)
        #expect(try validator.resolve(connectorClass: "two.TwinConnector").kind == .sink)
    }

    @Test func namesNoValuesWhenTheClassIsMissing() throws {
        let validator = ConfigValidator(plugins: plugins, workerValues: [:])
        let error = #expect(throws: HerderError.self) { try validator.validate([ConfigEntry("name", "x"), ConfigEntry("database.password", "hunter2")]) }
        #expect(error?.message == "Connector config {name, database.password} contains no connector type")
    }

    @Test func saysKafkasWords() throws {
        #expect(
            try errors(["transforms": "a, a", "transforms.a.type": "RegexRouter", "transforms.a.regex": "x", "transforms.a.replacement": "y"]) == [
                "Invalid value [a, a] for configuration transforms: Duplicate alias provided."
            ])
        #expect(
            try errors(["exactly.once.support": "x", "transaction.boundary": "INTERVAL"]) == [
                "Invalid value x for configuration exactly.once.support: String must be one of (case insensitive): REQUESTED, REQUIRED"
            ])
        #expect(
            try errors(["errors.log.enable": "yes"]) == ["Invalid value yes for configuration errors.log.enable: Expected value to be either true or false"])
        #expect(try errors(["errors.retry.timeout": " 5 "]) == [])
        #expect(try errors(["offsets.storage.topic": ""]) == ["Invalid value  for configuration offsets.storage.topic: String must be non-empty"])
        #expect(try errors(["key.converter": "no.Such"]) == ["Invalid value no.Such for configuration key.converter: Class no.Such could not be found."])
        #expect(try errors(["topic": ""]) == ["Invalid value  for configuration topic: String must be non-empty"])
    }

    @Test func judgesTransformsAndTheirPredicates() throws {
        let router = ["transforms": "r", "transforms.r.type": "RegexRouter", "transforms.r.regex": "a", "transforms.r.replacement": "b"]
        #expect(try errors(router) == [])
        #expect(
            try errors(router.merging(["transforms.r.negate": "true"]) { $1 }) == [
                "Config 'transforms.r.negate' was provided but there is no config 'transforms.r.predicate' defining a predicate to be negated."
            ])
        #expect(try errors(router.merging(["transforms.r.predicate": "p"]) { $1 }).count == 1)
        #expect(
            try errors(router.merging(["transforms.r.predicate": "p", "predicates": "p", "predicates.p.type": "RecordIsTombstone"]) { $1 }) == [])
        #expect(
            try errors(["transforms": "r", "transforms.r.type": "RegexRouter", "transforms.r.regex": "a"]) == [
                "Missing required configuration \"transforms.r.replacement\" which has no default value."
            ])
        #expect(try errors(["transforms": "r"]) == ["Missing required configuration \"transforms.r.type\" which has no default value."])
        #expect(try infos(router).groups.last == "Transforms: r")
    }

    @Test func wantsTheFiguresOfTopicCreation() throws {
        #expect(
            try errors(["topic.creation.default.partitions": "0"]) == [
                "Missing required configuration \"topic.creation.default.replication.factor\" which has no default value.",
                "Invalid value 0 for configuration topic.creation.default.partitions: Number of partitions must be positive, or -1 to use the broker's default",
            ])
        let good = ["topic.creation.default.partitions": "-1", "topic.creation.default.replication.factor": "1", "topic.creation.groups": "g"]
        #expect(try errors(good.merging(["topic.creation.g.include": "a.*"]) { $1 }) == [])
        #expect(try errors(good.merging(["topic.creation.g.include": "a.*, ("]) { $1 }).first?.contains("Invalid regex: ") == true)
    }

    @Test func wantsExactlyOneWayToNameASinksTopics() throws {
        #expect(try sink(["topics": "a"]) == [])
        #expect(try sink(["topics.regex": "a.*"]) == [])
        #expect(try sink([:]).count == 2)
        #expect(try sink(["topics": "a", "topics.regex": "b"]).count == 2)
        #expect(try sink(["topics.regex": "("]).first?.hasPrefix("Invalid value ( for configuration topics.regex: Invalid regex: ") == true)
        #expect(
            try sink(["topics.regex": "d.*", "errors.deadletterqueue.topic.name": "dlq"]) == [
                "The DLQ topic 'dlq' may not be included in the regex matching the list of topics ('topics.regex=d.*') consumed by the connector"
            ])
        #expect(try sink(["topics.regex": "d", "errors.deadletterqueue.topic.name": "dlq"]) == [])
    }

    @Test func appliesTheWorkersPolicyToClientSettings() throws {
        let config = ["producer.override.acks": "1", "producer.override.sasl.mechanism": "PLAIN"]
        #expect(try errors(config) == [])
        #expect(
            try errors(config, worker: ["connector.client.config.override.policy": "None"]).sorted() == [
                "The 'None' policy does not allow 'acks' to be overridden in the connector configuration.",
                "The 'None' policy does not allow 'sasl.mechanism' to be overridden in the connector configuration.",
            ])
        #expect(try errors(config, worker: ["connector.client.config.override.policy": "Principal"]).count == 1)
    }

    @Test func judgesTheKeysOfAConverterSetHere() throws {
        let json = "org.apache.kafka.connect.json.JsonConverter"
        #expect(
            try errors(["value.converter": json, "value.converter.schemas.enable": "maybe"]) == [
                "Invalid value maybe for configuration schemas.enable: Expected value to be either true or false"
            ])
        let entries = try infos(["value.converter": "JsonConverter"]).entries
        #expect(entries.first { $0.name == "value.converter" }?.value == json)
        #expect(entries.first { $0.name == "value.converter.decimal.format" }?.value == "BASE64")
    }

    @Test func showsValuesAsTheyWereParsedAndSecretsNever() throws {
        let entries = try infos([
            "connector.class": "SecretSource", "password": "hunter2", "tables": "a ,  b", "tasks.max": " 07 ", "errors.log.enable": "TRUE",
        ]).entries
        func value(_ key: String) -> String? { entries.first { $0.name == key }?.value }
        #expect(value("password") == "[hidden]" && value("tables") == "a,b" && value("tasks.max") == "7" && value("errors.log.enable") == "true")
        #expect(!"\(entries.map(\.value))".contains("hunter2"))
    }

    @Test func tellsKeysNobodyReads() throws {
        func notice(_ key: String, _ config: [String: String] = [:]) throws -> String? {
            try infos(["connector.class": "SecretSource", "topic": ""].merging(config) { $1 }.merging([key: "x"]) { $1 })
                .notices.first { $0.key == key }?.message
        }
        #expect(try notice("erors.tolerance") == "Nothing reads 'erors.tolerance'; did you mean 'errors.tolerance'?")
        #expect(try notice("tasks.mxa") == "Nothing reads 'tasks.mxa'; did you mean 'tasks.max'?")
        #expect(try notice("completely.different.thing") == "Nothing reads 'completely.different.thing'")
        #expect(try notice("old.port") == "'old.port' is an older name of 'port'; it is read")
        #expect(try notice("driver.anything") == nil)
        #expect(try notice("producer.override.acks") == nil)
        #expect(try notice("value.converter.schemas.enable")?.contains("has no effect") == true)
        #expect(try notice("value.converter.schemas.enable", ["value.converter": "JsonConverter"]) == nil)
        #expect(try notice("transforms.r.regex") == "Nothing reads 'transforms.r.regex': 'r' is not listed in 'transforms'")
        #expect(
            try notice("transforms.r.regx", ["transforms": "r", "transforms.r.type": "RegexRouter"])
                == "Nothing reads 'transforms.r.regx'; did you mean 'transforms.r.regex'?")
    }

    @Test(arguments: [("abc", "abc", 0), ("abc", "acb", 1), ("abc", "abcd", 1), ("abc", "xyz", 3), ("", "ab", 2), ("abcdefgh", "", 4)])
    func countsEdits(_ a: String, _ b: String, _ distance: Int) {
        #expect(ConfigValidator.editDistance(a, b, limit: 3) == distance)
        #expect(ConfigValidator.editDistance(b, a, limit: 3) == distance)
    }
}
