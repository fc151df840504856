import ConnectAPI

/// The keys that name whom to trust, spelled as Kafka's clients spell them.
struct TrustConfiguration: ConfigurationSection {
    @Field(
        "ssl.truststore.location", importance: .low,
        doc:
            "A PEM file of the certificates to trust instead of the system's, for an endpoint whose certificate a CA of one's own signed. AWS_CA_BUNDLE (S3) and SSL_CERT_FILE are asked too",
        group: "Sluice", aliases: ["s3.ssl.truststore.location"]) private var location: String?
    @Field(
        "ssl.truststore.type", default: "PEM", importance: .low, doc: "The kind of file ssl.truststore.location is: PEM", group: "Sluice",
        check: .oneOfIgnoringCase(["PEM"])) private var type: String

    var file: String? { location.flatMap { $0.isEmpty ? nil : $0 } }

    var findings: [Diagnostic] {
        guard let file else { return [] }
        let key = "ssl.truststore.location"
        guard let bytes = SmallFile.read(file, limit: 16 << 20) else { return [Diagnostic(key, "\(file) cannot be read")] }
        guard String(decoding: bytes, as: UTF8.self).contains("-----BEGIN CERTIFICATE-----") else {
            return [
                Diagnostic(key, "\(file) holds no certificate in PEM; of a Java keystore make one with: keytool -exportcert -rfc -alias NAME -keystore FILE")
            ]
        }
        return []
    }
}
