import ConnectAPI
import Testing

@Suite struct ConfigurationTests {
    struct Sample: ConnectConfiguration {
        @Field("flush.size", importance: .high, doc: "Records a file holds", check: .atLeast(1)) var flushSize: Int
        @Field("region", default: "us-west-2", doc: "Region") var region: String
        @Field("store.url", doc: "Endpoint", aliases: ["old.url"]) var storeURL: String?
        @Field("password", doc: "Secret", check: .nonEmpty) var password: Secret?
        @Field("topics", default: "", doc: "Names") var topics: [String]
        @Field("mode", default: "a", doc: "Mode", check: .oneOf(["a", "b"])) var mode: String
        @Field("fast", default: "false", doc: "Fast") var fast: Bool
        @Field("hidden.key", default: "7", doc: "Not listed", listed: false) var hidden: Int
        @FieldPrefix("provider.") var provider: [String: String]
        init() {}
        func crossCheck() -> [Diagnostic] { fast && region == "slow" ? [Diagnostic("fast", "not in slow regions")] : [] }
    }

    @Test func givenValuesAreReadAndOthersHaveTheirDefaults() throws {
        let sample = try Sample([
            "flush.size": " 100 ", "old.url": "http://x", "topics": "a, b,c", "fast": "TRUE", "provider.x.y": "1", "unknown": "?",
        ])
        #expect(sample.flushSize == 100 && sample.region == "us-west-2" && sample.storeURL == "http://x" && sample.password == nil)
        #expect(sample.topics == ["a", "b", "c"] && sample.fast && sample.hidden == 7 && sample.provider == ["x.y": "1"])
    }

    @Test func instancesDoNotShareValues() throws {
        let one = try Sample(["flush.size": "1"]), two = try Sample(["flush.size": "2"])
        #expect(one.flushSize == 1 && two.flushSize == 2)
    }

    @Test func everyFindingIsReportedInKafkasWords() {
        let findings = Sample.parse(["mode": "c", "fast": "maybe", "hidden.key": "x"]).findings
        #expect(
            findings == [
                Diagnostic("flush.size", "Missing required configuration \"flush.size\" which has no default value."),
                Diagnostic("mode", "Invalid value c for configuration mode: String must be one of: a, b"),
                Diagnostic("fast", "Invalid value maybe for configuration fast: Expected value to be either true or false"),
                Diagnostic("hidden.key", "Invalid value x for configuration hidden.key: Not a number of type INT"),
            ])
        #expect(
            Sample.parse(["flush.size": "0"]).findings.map(\.message) == [
                "Invalid value 0 for configuration flush.size: Value must be at least 1"
            ])
        #expect(
            Sample.parse(["flush.size": "99999999999"]).findings.map(\.message) == [
                "Invalid value 99999999999 for configuration flush.size: Not a number of type INT"
            ])
        #expect(
            Sample.parse(["flush.size": "1", "fast": "true", "region": "slow"]).findings == [Diagnostic("fast", "not in slow regions")])
    }

    /// Invariant 10.
    @Test func secretsAreNeverShown() throws {
        let sample = try Sample(["flush.size": "1", "password": "hunter2"])
        #expect(
            sample.password?.value == "hunter2" && "\(sample.password!)" == "[hidden]"
                && String(reflecting: sample.password!).contains("hunter2") == false)
        let findings = Sample.parse(["flush.size": "1", "password": ""]).findings
        #expect(findings.map(\.message) == ["Invalid value [hidden] for configuration password: String must be non-empty"])
    }

    @Test func listedKeysComeInTheOrderOfDeclaration() {
        #expect(Sample.keys.map(\.name) == ["flush.size", "region", "store.url", "password", "topics", "mode", "fast"])
        #expect(Sample.keyPrefixes == ["provider.", "hidden.key"])
        #expect(Sample.keys[0].isRequired && !Sample.keys[1].isRequired && !Sample.keys[2].isRequired && Sample.keys[3].kind == .password)
    }

    @Test func trimmingIsJavas() {
        #expect("\u{1} a b \n\t".trimmingSpaces() == "a b" && "".trimmingSpaces() == "" && " \u{A0} ".trimmingSpaces() == "\u{A0}")
    }
}
