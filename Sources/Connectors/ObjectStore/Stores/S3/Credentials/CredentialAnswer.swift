import ConnectAPI
import JSON

/// The JSON document in which containers, instances and processes give credentials.
enum CredentialAnswer {
    static func read(_ body: [UInt8], token: String = "Token", source: String) throws -> FoundCredentials {
        guard let json = try? JSONValue.parse(body), let key = json["AccessKeyId"]?.stringValue, let secret = json["SecretAccessKey"]?.stringValue else {
            throw ConnectorError("s3.credentials_unavailable", .retry, "\(source) answered without credentials")
        }
        return FoundCredentials(
            credentials: Credentials(
                accessKey: key, secretKey: Secret(secret), sessionToken: json[token]?.stringValue,
                expiration: json["Expiration"]?.stringValue.flatMap(CredentialTime.milliseconds)), source: source)
    }
}
