import ConnectAPI
import Foundation
import JSON
import Testing

@testable import ConnectorsPostgres

@Suite struct SourceConfigurationTests {
    private static let complete = [
        "topic.prefix": "p", "database.hostname": "h", "database.user": "u", "database.dbname": "d", "database.password": "secret-word",
    ]

    @Test func keysAreDebeziumsInNameTypeDefaultAndOrder() throws {
        let url = Bundle.module.url(forResource: "Golden/connector-keys", withExtension: "json")!
        let recorded = try JSONValue.parse(String(contentsOf: url, encoding: .utf8)).arrayValue!
        let ours = PostgresConfiguration.keys
        #expect(ours.count == recorded.count)
        for (key, expected) in zip(ours, recorded) {
            #expect(key.name == expected["name"]!.stringValue!)
            #expect(key.kind.rawValue == expected["type"]!.stringValue!, "\(key.name)")
            #expect(key.isRequired == expected["required"]!.boolValue!, "\(key.name)")
            #expect(key.defaultValue == expected["default_value"]!.stringValue, "\(key.name)")
            #expect(key.importance.rawValue == expected["importance"]!.stringValue!, "\(key.name)")
            #expect(key.group == expected["group"]!.stringValue, "\(key.name)")
            #expect(key.order == Int(expected["order"]!.integerValue!), "\(key.name)")
            #expect(key.width.rawValue == expected["width"]!.stringValue!, "\(key.name)")
            #expect(key.displayName == expected["display_name"]!.stringValue!, "\(key.name)")
            #expect(key.dependents == expected["dependents"]!.arrayValue!.map { $0.stringValue! }, "\(key.name)")
            #expect(!key.documentation.isEmpty, "\(key.name)")
        }
    }

    @Test func missingKeysAreNamedInDebeziumsWords() {
        let findings = PostgresConfiguration.parse(["name": "v1"]).findings
        #expect(
            findings
                == ["topic.prefix", "database.hostname", "database.user", "database.dbname"].map {
                    Diagnostic($0, "The '\($0)' value is invalid: A value is required")
                })
    }

    @Test func badValuesAreNamedInDebeziumsWords() {
        let findings = PostgresConfiguration.parse(
            Self.complete.merging([
                "database.port": "abc", "topic.prefix": "bad prefix!", "slot.name": "Bad-Slot!", "decimal.handling.mode": "bogus", "snapshot.mode": "bogus",
            ]) { $1 }
        ).findings
        #expect(
            Dictionary(grouping: findings, by: \.key).mapValues { $0.map(\.message) } == [
                "topic.prefix": [
                    "The 'topic.prefix' value is invalid: bad prefix! has invalid format (only the underscore, hyphen, dot and alphanumeric characters are allowed)"
                ],
                "database.port": Array(repeating: "The 'database.port' value is invalid: An integer is expected", count: 2),
                "slot.name": [
                    "The 'slot.name' value is invalid: Valid replication slot name must contain only digits, lowercase characters and underscores with length <= 63"
                ],
                "decimal.handling.mode": ["The 'decimal.handling.mode' value is invalid: Value must be one of string, double, precise"],
                "snapshot.mode": [
                    "The 'snapshot.mode' value is invalid: Value must be one of always, initial_only, configuration_based, when_needed, initial, custom, no_data"
                ],
            ])
    }

    @Test func includeAndExcludeTogetherAreRefused() {
        let findings = PostgresConfiguration.parse(Self.complete.merging(["table.include.list": "a", "table.exclude.list": "b"]) { $1 }).findings
        #expect(findings == [Diagnostic("table.exclude.list", "The 'table.exclude.list' value is invalid: \"table.include.list\" is already specified")])
    }

    @Test func olderNamesAndModesAreTaken() throws {
        let configuration = try PostgresConfiguration([
            "database.server.name": "old", "database.hostname": "h", "database.user": "u", "database.dbname": "d", "table.whitelist": "s.t",
            "snapshot.mode": "never", "toasted.value.placeholder": "x", "slot.drop_on_stop": "true", "topic.heartbeat.prefix": "hb",
        ])
        #expect(configuration.topicPrefix == "old")
        #expect(configuration.tableIncludeList == "s.t")
        #expect(configuration.mode == .noData)
        #expect(configuration.valueConversion.unavailablePlaceholder == "x")
        #expect(configuration.slotDropOnStop)
        #expect(configuration.heartbeatTopicsPrefix == "hb")
    }

    @Test func topicNamesAreMadeOfWhatKafkaTakes() throws {
        let configuration = try PostgresConfiguration(Self.complete)
        #expect(configuration.topic("p", "s 1", "dbz_878_some-test@data") == "p.s_1.dbz_878_some-test_data")
        #expect(configuration.topic("p", "ž😀") == "p.___")
    }

    @Test func passwordsAreInNoDescription() throws {
        let configuration = try PostgresConfiguration(Self.complete)
        #expect(!"\(configuration)".contains("secret-word"))
        #expect(!String(reflecting: configuration.databasePassword).contains("secret-word"))
    }

    @Test func statementsAreSplitAtSemicolonsAndTwoStandForOne() {
        #expect(ConnectionParameters.statements("SET a = 1; SELECT ';;';") == ["SET a = 1", "SELECT ';'"])
        #expect(ConnectionParameters.statements("") == [])
    }

    @Test func filtersMatchWholeNamesWithoutRegardToCase() throws {
        let list = try PatternList("public\\.orders, inv.*\\.A , x\\,y")
        #expect(list.firstMatch("PUBLIC.Orders") == 0)
        #expect(list.firstMatch("public.orders2") == nil)
        #expect(list.firstMatch("inventory.a") == 1)
        #expect(list.firstMatch("x,y") == 2)
    }

    @Test func tablesPassSchemaAndTableListsAndTheSignalTableAlways() throws {
        let filter = try CaptureFilter(
            PostgresConfiguration(
                Self.complete.merging([
                    "schema.include.list": "s", "table.exclude.list": "s\\.hidden", "signal.data.collection": "sig.nals", "column.exclude.list": "s.t.secret",
                    "message.key.columns": "s.t:a,b; s.(u|v):c",
                ]) { $1 }))
        #expect(filter.captures(schema: "s", table: "t"))
        #expect(!filter.captures(schema: "s", table: "hidden"))
        #expect(!filter.captures(schema: "other", table: "t"))
        #expect(filter.captures(schema: "sig", table: "nals"))
        #expect(!filter.capturesColumn("secret", schema: "s", table: "t"))
        #expect(filter.keyColumns(schema: "s", table: "t") == ["a", "b"])
        #expect(filter.keyColumns(schema: "s", table: "v") == ["c"])
        #expect(filter.keyColumns(schema: "s", table: "w") == nil)
    }
}
