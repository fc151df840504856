import Avro
package import ConnectAPI

extension AvroConverter {
    /// The keys of Confluent's AvroConverter and of its registry client.
    package struct Configuration: ConnectConfiguration {
        @Field(
            "converter.type", importance: .low, doc: "What the converter is for: key, value or header", check: .oneOf(["key", "value", "header"]))
        var type: String
        @Field(
            "schema.registry.url", importance: .high, doc: "Addresses of schema registries, tried in turn, with commas between them",
            check: Check { text in
                let urls = text.split(separator: ",").map { $0.trimmingSpaces() }
                if urls.isEmpty { return "List must not be empty" }
                return urls.first { !$0.hasPrefix("http://") && !$0.hasPrefix("https://") }.map {
                    "'\($0.split(separator: "@").last ?? "")' is no http:// or https:// address"
                }
            })
        var urls: [String]
        @Field("auto.register.schemas", default: "true", doc: "Register the schemas of records that are written") var registers: Bool
        @Field("use.latest.version", default: "false", importance: .low, doc: "Write by the latest schema of the subject; with auto.register.schemas=false")
        var usesLatest: Bool
        @Field(
            "latest.compatibility.strict", default: "true", importance: .low,
            doc: "Refuse records that do not fit the latest schema; they are refused without it, too")
        var latestStrict: Bool
        @Field("normalize.schemas", default: "false", doc: "Have the registry normalize schemas") var normalizes: Bool
        @Field(
            "key.subject.name.strategy", default: SubjectNaming.topic.rawValue, doc: "What subject the schema of a key has", kind: .class,
            check: SubjectNaming.check)
        var keySubjects: String
        @Field(
            "value.subject.name.strategy", default: SubjectNaming.topic.rawValue, doc: "What subject the schema of a value has", kind: .class,
            check: SubjectNaming.check)
        var valueSubjects: String

        @Field("enhanced.avro.schema.support", default: "false", doc: "Keep enums, and namespaces in the names of a union's members") var isEnhanced: Bool
        @Field("connect.meta.data", default: "true", importance: .low, doc: "Write Connect's names, versions and parameters into schemas, and read them")
        var connectMetadata: Bool
        @Field("scrub.invalid.names", default: "false", doc: "Replace characters that Avro does not have in names") var scrubs: Bool
        @Field("ignore.default.for.nullables", default: "false", doc: "Write null for a field that is null, not its default") var ignoresDefaults: Bool
        @Field("allow.optional.map.keys", default: "false", importance: .low, doc: "Write maps of optional strings as Avro maps") var optionalMapKeys: Bool
        @Field("flatten.singleton.unions", default: "true", importance: .low, doc: "Read a union of one type as that type") var flattens: Bool
        @Field("generalized.sum.type.support", default: "false", doc: "Not available", check: Self.notAvailable) var sumTypes: Bool
        @Field("discard.type.doc.default", default: "false", importance: .low, doc: "Not available", check: Self.notAvailable) var discardsDocs: Bool
        @Field("schemas.cache.config", default: "1000", importance: .low, doc: "How many schemas to remember", check: .atLeast(1)) var cacheSize: Int

        @Field(
            "basic.auth.credentials.source", default: "URL", doc: "Where user and password come from: URL or USER_INFO",
            check: Check(recommended: ["URL", "USER_INFO"]) { text in
                switch text.uppercased() {
                case "URL", "USER_INFO": nil
                case "SASL_INHERIT": "SASL_INHERIT is not available; set USER_INFO and basic.auth.user.info"
                default: "String must be one of: URL, USER_INFO"
                }
            })
        var basicSource: String
        @Field("basic.auth.user.info", doc: "USER:PASSWORD, for USER_INFO", aliases: ["schema.registry.basic.auth.user.info"]) var userInfo: Secret?
        @Field(
            "bearer.auth.credentials.source", doc: "Where the token comes from: STATIC_TOKEN",
            check: Check(recommended: ["STATIC_TOKEN"]) {
                $0.uppercased() == "STATIC_TOKEN" ? nil : "\($0) is not available; set STATIC_TOKEN and bearer.auth.token"
            })
        var bearerSource: String?
        @Field("bearer.auth.token", doc: "The token of bearer authentication") var token: Secret?
        @FieldPrefix("request.header.") var headers: [String: String]

        @Field("schema.registry.ssl.truststore.location", doc: "PEM file of the certificates that are trusted") var trustStore: String?
        @Field("schema.registry.ssl.truststore.type", doc: "PEM", listed: false) var trustStoreType: String?
        @Field("schema.registry.ssl.keystore.location", doc: "PEM file of the client's certificate and key") var keyStore: String?
        @Field("schema.registry.ssl.keystore.type", doc: "PEM", listed: false) var keyStoreType: String?
        @Field("schema.registry.ssl.key.password", doc: "The password of the key in the keystore") var keyPassword: Secret?
        @Field(
            "schema.registry.ssl.endpoint.identification.algorithm", default: "https", importance: .low,
            doc: "https: the certificate must be for the registry's host; empty: for any")
        var endpointIdentification: String

        @Field("http.connect.timeout.ms", default: "60000", importance: .low, doc: "How long to wait for a connection", check: .atLeast(1)) var connectTimeout:
            Int
        @Field("http.read.timeout.ms", default: "60000", importance: .low, doc: "How long to wait for an answer", check: .atLeast(1)) var readTimeout: Int
        @Field(
            "max.retries", default: "3", importance: .low, doc: "How often a request is tried again at once; the task tries on after that", check: .atLeast(0))
        var retries: Int
        @Field("retries.wait.ms", default: "1000", importance: .low, doc: "The first wait between tries", check: .atLeast(0)) var retryWait: Int
        @Field("retries.max.wait.ms", default: "20000", importance: .low, doc: "The longest wait between tries", check: .atLeast(0)) var retryMaximum: Int
        @Field("unavailable.value.placeholder", doc: "Stands for values the source did not send", listed: false) var unavailablePlaceholder: String?

        package init() {}

        private static func isPEM(_ file: String, _ type: String?) -> Bool {
            if file.isEmpty { return true }
            if let type { return type.uppercased() == "PEM" }
            return ![".jks", ".p12", ".pfx", ".keystore", ".truststore"].contains { file.lowercased().hasSuffix($0) }
        }

        private static var notAvailable: Check { Check { Bool(configText: $0) == true ? "It is not available here; leave it out" : nil } }

        package func crossCheck() -> [Diagnostic] {
            var findings: [Diagnostic] = []
            if basicSource.uppercased() == "USER_INFO", userInfo?.value.contains(":") != true {
                findings.append(Diagnostic("basic.auth.user.info", "USER:PASSWORD is required with basic.auth.credentials.source=USER_INFO"))
            }
            if bearerSource != nil, (token?.value ?? "").isEmpty {
                findings.append(Diagnostic("bearer.auth.token", "A token is required with bearer.auth.credentials.source=STATIC_TOKEN"))
            }
            for (store, type, name) in [(trustStore, trustStoreType, "truststore"), (keyStore, keyStoreType, "keystore")]
            where !Self.isPEM(store ?? "", type) {
                findings.append(
                    Diagnostic(
                        "schema.registry.ssl.\(name).location",
                        "Only PEM is read: convert the store (keytool -exportcert -rfc, openssl pkcs12 -in STORE -out FILE.pem) and set schema.registry.ssl.\(name).type=PEM"
                    ))
            }
            return findings
        }
    }
}

extension AvroConverter.Configuration {
    var options: AvroOptions {
        var options = AvroOptions()
        options.connectMetadata = connectMetadata
        options.isEnhanced = isEnhanced
        options.scrubsInvalidNames = scrubs
        options.ignoresDefaultForNullables = ignoresDefaults
        options.allowsOptionalMapKeys = optionalMapKeys
        options.flattensSingletonUnions = flattens
        if let unavailablePlaceholder { options.unavailablePlaceholder = JsonConverter.placeholder(unavailablePlaceholder) }
        return options
    }
}
