import ConnectAPI
import JSON
import Transport

/// The exchanges that give an access token, without I/O: requests out, tokens in.
enum GoogleTokenRequest {
    struct Token: Sendable, Equatable {
        let value: Secret
        /// Milliseconds since 1970.
        let expires: Int64

        static func == (a: Token, b: Token) -> Bool { a.value.value == b.value.value && a.expires == b.expires }
    }

    /// RFC 7523: a signed assertion of an hour for a service account.
    static func serviceAccount(_ account: GoogleCredentials.ServiceAccount, at seconds: Int64) -> HTTPRequest {
        var header: [(String, JSONValue)] = [("alg", "RS256"), ("typ", "JWT")]
        if let id = account.keyID { header.append(("kid", .string(id))) }
        let claims: JSONValue = .object([
            ("iss", .string(account.email)), ("scope", .string(GoogleCredentials.scope)), ("aud", .string(account.tokenURL)),
            ("iat", .integer(seconds)), ("exp", .integer(seconds + 3600)),
        ])
        let assertion = account.key.token(header: .object(header), claims: claims)
        return form(account.tokenURL, [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion)])
    }

    static func refresh(clientID: String, clientSecret: Secret, refreshToken: Secret, url: String) -> HTTPRequest {
        form(
            url,
            [
                ("grant_type", "refresh_token"), ("client_id", clientID), ("client_secret", clientSecret.value), ("refresh_token", refreshToken.value),
            ])
    }

    static func metadata(host: String) -> HTTPRequest {
        var request = HTTPRequest(
            method: "GET", url: "http://\(host)/computeMetadata/v1/instance/service-accounts/default/token", headers: [("Metadata-Flavor", "Google")])
        // Anywhere but on Google's machines the name does not resolve, or nobody answers.
        request.connectTimeoutMilliseconds = 1000
        request.timeoutMilliseconds = 5000
        return request
    }

    /// RFC 8693: Google's token for a token of another issuer.
    static func exchange(_ account: GoogleCredentials.ExternalAccount, subjectToken: String) -> HTTPRequest {
        form(
            account.tokenURL,
            [
                ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"), ("audience", account.audience),
                // The impersonated account's token is narrowed in the next step.
                ("scope", account.impersonationURL == nil ? GoogleCredentials.scope : "https://www.googleapis.com/auth/cloud-platform"),
                ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"), ("subject_token_type", account.subjectTokenType),
                ("subject_token", subjectToken),
            ])
    }

    static func impersonate(_ url: String, delegates: [String], with token: Token) -> HTTPRequest {
        let body: JSONValue = .object([
            ("scope", [.string(GoogleCredentials.scope)]), ("lifetime", "3600s"), ("delegates", .array(delegates.map { .string($0) })),
        ])
        return HTTPRequest(
            method: "POST", url: url,
            headers: [("Content-Type", "application/json"), ("Authorization", "Bearer \(token.value.value)"), ("Expect", HTTPTransport.absent)],
            body: body.compactBytes)
    }

    private static func form(_ url: String, _ fields: [(String, String)]) -> HTTPRequest {
        let body = fields.map { "\(PercentCoding.encode($0.0))=\(PercentCoding.encode($0.1))" }.joined(separator: "&")
        return HTTPRequest(
            method: "POST", url: url, headers: [("Content-Type", "application/x-www-form-urlencoded"), ("Expect", HTTPTransport.absent)],
            body: Array(body.utf8))
    }

    /// The token of an answer of status 200; nil when there is none in it.
    static func token(_ body: [UInt8], at milliseconds: Int64) -> Token? {
        guard let answer = try? JSONValue.parse(body) else { return nil }
        if let token = answer["access_token"]?.stringValue, !token.isEmpty {
            let seconds = answer["expires_in"].flatMap { $0.integerValue ?? $0.stringValue.flatMap { Int64($0) } } ?? 3600
            return Token(value: Secret(token), expires: milliseconds + min(max(seconds, 0), 86_400) * 1000)
        }
        // iamcredentials.generateAccessToken spells it otherwise.
        guard let token = answer["accessToken"]?.stringValue, !token.isEmpty, let expires = answer["expireTime"]?.stringValue,
            let time = TimestampText.milliseconds(Array(expires.utf8)[...])
        else { return nil }
        return Token(value: Secret(token), expires: time)
    }

    /// What a refusal means, in words: the code and description that OAuth answers carry hold no secret.
    static func refusal(_ response: HTTPResponse, from url: String, for credentials: GoogleCredentials) -> ConnectorError {
        let answer = try? JSONValue.parse(response.body)
        let code = answer?["error"]?.stringValue ?? answer?["error"]?["status"]?.stringValue ?? ""
        let detail = answer?["error_description"]?.stringValue ?? answer?["error"]?["message"]?.stringValue ?? ""
        let what =
            "The token endpoint \(url) refused \(credentials.description) with \(response.status)\(code.isEmpty ? "" : " \(code)")\(detail.isEmpty ? "" : " (\(detail))")"
        if response.status == 429 || response.status == 408 || response.status >= 500 { return ConnectorError("gcs.token", .retry, what) }
        switch code {
        case "invalid_grant" where detail.lowercased().contains("iat") || detail.lowercased().contains("token must be a short-lived"):
            return ConnectorError("gcs.clock", .stop, what, hint: "Set this machine's clock (NTP): a token's times must be within the service's hour")
        case "invalid_grant":
            return ConnectorError(
                "gcs.credentials_refused", .stop, what,
                hint:
                    "The key or refresh token was revoked, belongs to a deleted account, or this machine's clock is wrong (NTP): create a new key and check the time"
            )
        case "PERMISSION_DENIED":
            return ConnectorError(
                "gcs.credentials_refused", .stop, what, hint: "Grant iam.serviceAccounts.getAccessToken (role Service Account Token Creator) on the account")
        default:
            return ConnectorError("gcs.credentials_refused", .stop, what, hint: "Check the credentials file; create a new key when in doubt")
        }
    }
}
