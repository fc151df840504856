import ConnectAPI
import JSON

/// How the user proves who it is.
enum Credential: Sendable {
    case password(Secret)
    case keyPair(KeyPair)
    case oauth(OAuthTokens)

    /// What a login's `data` needs beside the user's name.
    func loginMembers(now: Int64) async throws -> [(String, JSONValue)] {
        switch self {
        case .password(let secret): [("PASSWORD", .string(secret.value))]
        case .keyPair(let pair): [("AUTHENTICATOR", "SNOWFLAKE_JWT"), ("TOKEN", .string(pair.token(now: now, lifetime: 60)))]
        case .oauth(let tokens): [("AUTHENTICATOR", "OAUTH"), ("TOKEN", .string(try await tokens.access()))]
        }
    }

    /// Headers of the REST interfaces that know no session: Snowpipe and Snowpipe Streaming.
    func headers(now: Int64) async throws -> [(name: String, value: String)] {
        switch self {
        case .password:
            throw ConnectorError(
                "config.invalid", .stop, "Snowpipe takes no password", hint: "Set snowflake.private.key, or use snowflake.ingestion.method=COPY")
        case .keyPair(let pair):
            [("Authorization", "Bearer \(pair.token(now: now, lifetime: 3540))"), ("X-Snowflake-Authorization-Token-Type", "KEYPAIR_JWT")]
        case .oauth(let tokens):
            [("Authorization", "Bearer \(try await tokens.access())"), ("X-Snowflake-Authorization-Token-Type", "OAUTH")]
        }
    }

    /// What was refused may be out of date: ask for it again.
    func forget() async { if case .oauth(let tokens) = self { await tokens.forget() } }
}
