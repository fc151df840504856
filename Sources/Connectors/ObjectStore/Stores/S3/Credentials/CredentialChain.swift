import ConnectAPI
import Glibc

/// Where credentials come from, in the order of AWS's own tools:
///
///     configuration ─▶ environment ─▶ web identity (EKS) ─▶ profile (keys, role, process) ─▶ container (ECS, EKS Pod Identity) ─▶ instance (EC2)
///
/// and, where the configuration names a role, the role's, asked of STS with what the chain gave.
struct CredentialChain: Sendable {
    var configured: Credentials?
    var anonymous = false
    /// `sts.role.arn` of the configuration.
    var role: AssumedRole?
    /// For STS; the store's region.
    var region = "us-east-1"
    /// Another STS than the region's.
    var stsEndpoint: String?
    /// Replaced in tests.
    var environment: @Sendable (String) -> String? = { name in getenv(name).map { String(cString: $0) } }

    /// nil: requests are not signed. Throws when nothing is found, with the name of what was looked at.
    func resolve(_ http: CredentialHTTP) async throws -> FoundCredentials? {
        if anonymous { return nil }
        let base = try await base(http)
        guard let role else { return base }
        return try await sts.assume(role, with: base, http)
    }

    private func base(_ http: CredentialHTTP) async throws -> FoundCredentials {
        if let configured { return FoundCredentials(credentials: configured, source: "the connector's configuration") }
        if let found = fromEnvironment { return found }
        let profiles = profiles
        if let found = try await fromWebIdentity(http) { return found }
        if let found = try await fromProfile(profiles.name, profiles, http) { return found }
        let container = ContainerCredentials(value: value)
        if container.isConfigured { return try await container.find(http) }
        let instance = InstanceCredentials(value: value)
        if let found = try await instance.find(http) { return found }
        throw ConnectorError(
            "s3.credentials_missing", .stop,
            "No S3 credentials were found: not in aws.access.key.id, AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE, profile '\(profiles.name)' of \(profiles.credentialsFile) or \(profiles.configFile), the container's endpoint, or the instance's metadata",
            hint: "Set aws.access.key.id and aws.secret.access.key, for example to ${env:AWS_ACCESS_KEY_ID} and ${env:AWS_SECRET_ACCESS_KEY}")
    }

    /// The region the environment or profile names, for messages and defaults.
    func namedRegion() -> String? { value("AWS_REGION") ?? value("AWS_DEFAULT_REGION") ?? profiles.settings(profiles.name)["region"] }

    /// The certificates to trust, a PEM file, as the environment or profile names it.
    func namedTrust() -> String? { value("AWS_CA_BUNDLE") ?? profiles.settings(profiles.name)["ca_bundle"] }

    private func value(_ name: String) -> String? { environment(name).flatMap { $0.isEmpty ? nil : $0 } }
    private var sts: STS { STS(region: region, endpoint: stsEndpoint ?? value("AWS_ENDPOINT_URL_STS")) }
    private var profiles: Profiles { Profiles(value: value) }

    // MARK: Sources

    private var fromEnvironment: FoundCredentials? {
        guard let key = value("AWS_ACCESS_KEY_ID"), let secret = value("AWS_SECRET_ACCESS_KEY") else { return nil }
        return FoundCredentials(
            credentials: Credentials(accessKey: key, secretKey: Secret(secret), sessionToken: value("AWS_SESSION_TOKEN")), source: "the environment")
    }

    private func fromWebIdentity(_ http: CredentialHTTP) async throws -> FoundCredentials? {
        guard let file = value("AWS_WEB_IDENTITY_TOKEN_FILE"), let arn = value("AWS_ROLE_ARN") else { return nil }
        return try await sts.assume(AssumedRole(arn: arn, sessionName: value("AWS_ROLE_SESSION_NAME") ?? "sluice"), webIdentityIn: file, http)
    }

    /// Keys, a process or a role; a role's source may be another profile.
    private func fromProfile(_ name: String, _ profiles: Profiles, _ http: CredentialHTTP, depth: Int = 0) async throws -> FoundCredentials? {
        let settings = profiles.settings(name), place = "profile '\(name)' of \(profiles.credentialsFile) and \(profiles.configFile)"
        func wrong(_ what: String) -> ConnectorError {
            ConnectorError(
                "s3.credentials_profile", .stop, "\(place): \(what)", hint: "Correct the profile, or set aws.access.key.id and aws.secret.access.key")
        }
        if let arn = settings["role_arn"] {
            var role = AssumedRole(arn: arn, sessionName: settings["role_session_name"] ?? "sluice")
            role.externalID = settings["external_id"]
            role.duration = settings["duration_seconds"].flatMap { Int($0) }
            if let file = settings["web_identity_token_file"] { return try await sts.assume(role, webIdentityIn: file, http) }
            let source: FoundCredentials?
            switch (settings["source_profile"], settings["credential_source"]) {
            case (let other?, _):
                guard depth < 5 else { throw wrong("source_profile goes in a circle") }
                // A profile that is its own source gives its keys.
                source = other == name ? keys(settings, place) : try await fromProfile(other, profiles, http, depth: depth + 1)
            case (nil, "Environment"): source = fromEnvironment
            case (nil, "EcsContainer"): source = try await ContainerCredentials(value: value).find(http)
            case (nil, "Ec2InstanceMetadata"): source = try await InstanceCredentials(value: value).find(http)
            default: throw wrong("role_arn needs source_profile, credential_source or web_identity_token_file")
            }
            guard let source else { throw wrong("the source of role_arn gives no credentials") }
            return try await sts.assume(role, with: source, http)
        }
        if let found = keys(settings, place) { return found }
        if let command = settings["credential_process"] { return try await ProcessCredentials(command: command, place: place).find(http) }
        if settings["sso_session"] != nil || settings["sso_start_url"] != nil {
            throw wrong("single sign-on (sso) is not supported; use credential_process with a tool that gives its credentials")
        }
        return nil
    }

    private func keys(_ settings: [String: String], _ place: String) -> FoundCredentials? {
        guard let key = settings["aws_access_key_id"], let secret = settings["aws_secret_access_key"] else { return nil }
        return FoundCredentials(
            credentials: Credentials(accessKey: key, secretKey: Secret(secret), sessionToken: settings["aws_session_token"]), source: place)
    }
}
