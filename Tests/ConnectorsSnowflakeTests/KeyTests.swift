import ConnectAPI
import Testing
import Transport

@testable import ConnectorsSnowflake

/// Every key of Snowflake's connectors, and what it becomes here.
@Suite struct KeyTests {
    struct Key: CustomTestStringConvertible {
        let name: String
        let value: String
        /// Holds with the value and not without it.
        let holds: @Sendable (SnowflakeSinkConfiguration) throws -> Bool
        /// Keys it needs beside it.
        var with: [String: String] = [:]
        var testDescription: String { name }

        init(_ name: String, _ value: String, with: [String: String] = [:], _ holds: @escaping @Sendable (SnowflakeSinkConfiguration) throws -> Bool) {
            (self.name, self.value, self.with, self.holds) = (name, value, with, holds)
        }
    }

    static let base = [
        "snowflake.url.name": "a.snowflakecomputing.com", "snowflake.user.name": "u", "snowflake.password": "p", "snowflake.database.name": "d",
        "snowflake.schema.name": "s",
    ]

    private func parsed(_ settings: [String: String]) -> (SnowflakeSinkConfiguration, [Diagnostic]) {
        let found = SnowflakeSinkConfiguration.parse(Self.base.merging(settings) { $1 })
        return (found.configuration, found.findings)
    }

    static let oauth = ["snowflake.authenticator": "oauth", "snowflake.oauth.client.id": "c", "snowflake.oauth.client.secret": "x"]
    static let proxy = ["jvm.proxy.host": "h", "jvm.proxy.port": "81"]

    static let working: [Key] = [
        // Login.
        Key("snowflake.url.name", "https://org-acct.snowflakecomputing.com:443") { try $0.accountURL.host == "org-acct.snowflakecomputing.com" },
        Key("snowflake.user.name", "LOADER") { try $0.sessionSettings(connector: "c").user == "LOADER" },
        Key("snowflake.password", "secret") { $0.authentication == .password && $0.password.value == "secret" },
        Key("snowflake.database.name", "bank") { try $0.sessionSettings(connector: "c").database == "BANK" },
        Key("snowflake.schema.name", "\"Raw\"") { try $0.sessionSettings(connector: "c").schema == "Raw" },
        Key("snowflake.role.name", "loader") { try $0.sessionSettings(connector: "c").role == "loader" },
        Key("snowflake.warehouse.name", "wh") { try $0.sessionSettings(connector: "c").warehouse == "wh" },
        Key("snowflake.oauth.client.id", "id", with: oauth) { $0.authentication == .oauth && $0.oauthClient == "id" },
        Key("snowflake.oauth.client.secret", "hush", with: oauth) { $0.oauthSecret.value == "hush" },
        Key("snowflake.oauth.refresh.token", "rt", with: oauth) { $0.oauthRefresh.value == "rt" },
        Key("snowflake.oauth.token.endpoint", "https://idp/token", with: oauth) { $0.oauthEndpoint == "https://idp/token" },
        Key("snowflake.oauth.scope", "session:role:x", with: oauth) { $0.oauthScope == "session:role:x" },
        Key("snowflake.oauth.include.scope", "false", with: oauth) { !$0.oauthIncludesScope },
        Key("jvm.proxy.host", "proxy.example", with: proxy) { $0.proxy?.url == "http://proxy.example:81" },
        Key("jvm.proxy.port", "3128", with: proxy) { $0.proxy?.url == "http://h:3128" },
        Key("jvm.nonProxy.hosts", "localhost|*.example.com", with: proxy) { $0.proxy?.bypass == ["localhost", ".example.com"] },
        Key("jvm.proxy.username", "pu", with: proxy) { $0.proxy?.user == "pu" },
        Key("jvm.proxy.password", "pp", with: proxy.merging(["jvm.proxy.username": "x"]) { $1 }) { $0.proxy?.password?.value == "pp" },
        // Tables.
        Key("snowflake.topic2table.map", "o.*:SALES") { try TableMap($0.topicMap).table(for: "orders").name == "SALES" },
        Key("snowflake.enable.schematization", "true") { $0.layout == .columns },
        Key("behavior.on.null.values", "IGNORE") { $0.rowLayout.ignoresNulls },
        Key("snowflake.metadata.all", "false") { !$0.rowLayout.metadata.isIncluded },
        Key("snowflake.metadata.topic", "false") { !$0.rowLayout.metadata.topic },
        Key("snowflake.metadata.offset.and.partition", "false") { !$0.rowLayout.metadata.offsetAndPartition },
        Key("snowflake.metadata.createtime", "false") { !$0.rowLayout.metadata.createTime },
        Key("snowflake.streaming.metadata.connectorPushTime", "false") { !$0.metadataPushTime },
        // Loading.
        Key("snowflake.ingestion.method", "SNOWPIPE_STREAMING", with: oauth) { $0.ingestionMethod == .streaming },
        Key("buffer.count.records", "77") { $0.rotation.records == 77 },
        Key("flush.size", "78") { $0.rotation.records == 78 },
        Key("buffer.size.bytes", "79") { $0.rotation.bytes == 79 },
        Key("file.max.bytes", "80") { $0.rotation.bytes == 80 },
        Key("buffer.flush.time", "81") { $0.rotation.milliseconds == 81_000 },
        Key("snowflake.streaming.max.client.lag", "30") { $0.streamingLag == 30_000 },
    ]

    @Test(arguments: working) func aKeyIsKnownAndDoesWhatItSays(_ key: Key) throws {
        let known = SnowflakeSinkConfiguration.keys.flatMap { [$0.name] + $0.aliases }
        #expect(known.contains(key.name), "\(key.name) is not among the connector's keys")
        let (without, _) = parsed(key.with), (with, findings) = parsed(key.with.merging([key.name: key.value]) { $1 })
        #expect(findings.isEmpty, "\(findings)")
        #expect(try !key.holds(without), "it holds without the key")
        #expect(try key.holds(with))
        #expect(!with.ignoredKeys.contains(key.name))
    }

    @Test func keyPairsLogInByTheirKeys() throws {
        let key = try TestKey()
        defer { key.remove() }
        // A password is there too, and does not take its place.
        let (plain, none) = parsed(["snowflake.private.key": try key.oneLine("plain")])
        #expect(none.isEmpty && plain.authentication == .keyPair)
        let secret = ["snowflake.private.key": try key.text("aes256"), "snowflake.private.key.passphrase": "open sesame"]
        let (encrypted, fine) = parsed(secret)
        #expect(fine.isEmpty)
        #expect(try encrypted.keyPair.fingerprint == plain.keyPair.fingerprint)
        #expect(parsed(secret.merging(["snowflake.private.key.passphrase": "close"]) { $1 }).1.map(\.key) == ["snowflake.private.key"])
        for (authenticator, expected) in [("SNOWFLAKE_JWT", SnowflakeSinkConfiguration.Authentication.keyPair), ("snowflake", .password)] {
            #expect(parsed(secret.merging(["snowflake.authenticator": authenticator]) { $1 }).0.authentication == expected)
        }
    }

    /// What changes nothing is said once at the start, by name.
    @Test(arguments: [
        ("provider", "CONFLUENT"), ("jmx", "false"), ("enable.mdc.logging", "true"),
        ("enable.task.fail.on.authorization.errors", "true"), ("snowflake.validation", "client_side"), ("snowflake.jdbc.trace", "ALL"),
        ("snowflake.streaming.client.provider.override.map", "a:b"), ("snowflake.streaming.classic.offset.migration", "strict"),
        ("snowflake.streaming.closeChannelsInParallel.enabled", "true"), ("snowflake.snowpipe.v2CleanerEnabled", "true"),
        ("enable.streaming.channel.offset.migration", "true"), ("enable.streaming.client.optimization", "false"),
    ]) func aKeyWithoutEffectIsAcceptedWithASentence(name: String, value: String) {
        let (configuration, findings) = parsed([name: value])
        #expect(findings.isEmpty, "\(findings)")
        #expect(configuration.ignoredKeys == [name])
    }

    /// What would make other tables than were asked for is refused, by a sentence about its own key; the value that turns it off is taken.
    @Test(arguments: [
        ("snowflake.autocreate.table.type", "iceberg", "standard"), ("snowflake.iceberg.create.table.options", "EXTERNAL_VOLUME = 'v'", ""),
        ("snowflake.streaming.iceberg.enabled", "true", "false"),
    ]) func icebergTablesAreRefused(name: String, value: String, off: String) {
        #expect(parsed([name: value]).1.map(\.key) == [name])
        #expect(parsed([name: off]).1.isEmpty)
    }

    /// None is listed that these tests do not know, but for ours.
    @Test func everyKeyOfTheVendorsGroupsIsTried() {
        let tried = Set(Self.working.map(\.name)).union([
            "snowflake.private.key", "snowflake.private.key.passphrase", "snowflake.authenticator", "provider", "jmx", "enable.mdc.logging",
            "enable.task.fail.on.authorization.errors", "snowflake.validation", "snowflake.autocreate.table.type",
            "snowflake.iceberg.create.table.options",
        ])
        let listed = Set(SnowflakeSinkConfiguration.keys.filter { $0.group != "Sluice" }.map(\.name))
        #expect(listed.subtracting(tried).isEmpty)
        #expect(SnowflakeSinkConfiguration.keys.filter { $0.kind == .password }.map(\.name).contains("snowflake.password"))
    }
}
