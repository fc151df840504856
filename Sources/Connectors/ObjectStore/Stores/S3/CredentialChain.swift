import ConnectAPI
import Glibc

/// Where credentials come from, in AWS's order: configuration, environment, shared profile. Sources after these (web identity, containers,
/// instance metadata) are asked when they are built in; until then the error names what was looked at.
struct CredentialChain: Sendable {
    var configured: Credentials?
    var anonymous = false
    /// Replaced in tests.
    var environment: @Sendable (String) -> String? = { name in getenv(name).map { String(cString: $0) } }

    /// nil: requests are not signed. Throws when nothing is found, with the name of what was looked at and never a value (Invariant 10).
    func resolve() throws -> (credentials: Credentials, source: String)? {
        if anonymous { return nil }
        if let configured { return (configured, "the connector's configuration") }
        if let key = nonEmpty("AWS_ACCESS_KEY_ID"), let secret = nonEmpty("AWS_SECRET_ACCESS_KEY") {
            return (Credentials(accessKey: key, secretKey: Secret(secret), sessionToken: nonEmpty("AWS_SESSION_TOKEN")), "the environment")
        }
        let profile = nonEmpty("AWS_PROFILE") ?? "default"
        for (file, prefix) in profileFiles {
            guard let bytes = SmallFile.read(file, limit: 1 << 20) else { continue }
            let section = ProfileFile.section(profile == "default" ? "default" : prefix + profile, in: String(decoding: bytes, as: UTF8.self))
            if let key = section["aws_access_key_id"], let secret = section["aws_secret_access_key"] {
                return (Credentials(accessKey: key, secretKey: Secret(secret), sessionToken: section["aws_session_token"]), "profile '\(profile)' of \(file)")
            }
        }
        throw ConnectorError(
            "s3.credentials_missing", .stop,
            "No S3 credentials were found: not in aws.access.key.id, AWS_ACCESS_KEY_ID, or profile '\(profile)' of \(profileFiles.map(\.0).joined(separator: " or "))",
            hint: "Set aws.access.key.id and aws.secret.access.key, for example to ${env:AWS_ACCESS_KEY_ID} and ${env:AWS_SECRET_ACCESS_KEY}")
    }

    /// The region the environment or profile names, for messages and defaults.
    func region() -> String? {
        if let region = nonEmpty("AWS_REGION") ?? nonEmpty("AWS_DEFAULT_REGION") { return region }
        let profile = nonEmpty("AWS_PROFILE") ?? "default"
        guard let bytes = SmallFile.read(profileFiles[1].0, limit: 1 << 20) else { return nil }
        return ProfileFile.section(profile == "default" ? "default" : "profile " + profile, in: String(decoding: bytes, as: UTF8.self))["region"]
    }

    private var profileFiles: [(String, prefix: String)] {
        let home = nonEmpty("HOME") ?? "/root"
        return [
            (nonEmpty("AWS_SHARED_CREDENTIALS_FILE") ?? home + "/.aws/credentials", ""),
            (nonEmpty("AWS_CONFIG_FILE") ?? home + "/.aws/config", "profile "),
        ]
    }

    private func nonEmpty(_ name: String) -> String? { environment(name).flatMap { $0.isEmpty ? nil : $0 } }
}

/// The INI dialect of ~/.aws.
enum ProfileFile {
    static func section(_ name: String, in text: String) -> [String: String] {
        var found: [String: String] = [:], inside = false
        for line in text.split(whereSeparator: \.isNewline) {
            let trimmed = line.trimmingSpaces()
            if trimmed.isEmpty || trimmed.hasPrefix("#") || trimmed.hasPrefix(";") { continue }
            if trimmed.hasPrefix("[") {
                inside = trimmed.hasSuffix("]") && trimmed.dropFirst().dropLast().trimmingSpaces() == name
            } else if inside, !line.hasPrefix(" "), !line.hasPrefix("\t"), let equals = trimmed.firstIndex(of: "=") {
                found[trimmed[..<equals].trimmingSpaces()] = trimmed[trimmed.index(after: equals)...].trimmingSpaces()
            }
        }
        return found
    }
}
