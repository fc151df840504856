import ConnectAPI
import JSON
import Transport

/// Access tokens of an OAuth server: by a refresh token, or by client credentials where there is none. Kept until a minute before they end.
actor OAuthTokens {
    struct Settings: Sendable {
        var endpoint: String
        var clientID: String
        var clientSecret: Secret
        var refreshToken: Secret?
        var scope: String?
    }

    private let settings: Settings
    private let client: ServiceClient
    private var current: (token: String, endsAt: Int64)?

    init(_ settings: Settings, _ client: ServiceClient) {
        self.settings = settings
        self.client = client
    }

    func forget() { current = nil }

    func access() async throws -> String {
        if let current, current.endsAt > WallClock.milliseconds + 60_000 { return current.token }
        let (url, path) = try Self.split(settings.endpoint)
        var form = [("grant_type", "client_credentials")]
        if let refresh = settings.refreshToken { form = [("grant_type", "refresh_token"), ("refresh_token", refresh.value)] }
        if let scope = settings.scope, !scope.isEmpty { form.append(("scope", scope)) }
        let body = form.map { "\($0.0)=\(URLText.encode($0.1))" }.joined(separator: "&")
        let basic = Base64.encode(Array("\(settings.clientID):\(settings.clientSecret.value)".utf8))
        var call = ServiceCall(path: path, what: "the request for an OAuth token")
        call.headers = [("Authorization", "Basic \(basic)")]
        call.contentType = "application/x-www-form-urlencoded"
        call.body = Array(body.utf8)
        let answer = try await client.at(url).send(call)
        guard answer.status == 200, let json = answer.json, let token = json["access_token"]?.stringValue else {
            let reason = answer.json.flatMap { $0["error"]?.stringValue ?? $0["message"]?.stringValue } ?? "no access_token"
            throw ConnectorError(
                "snowflake.oauth_refused", .stop, "\(settings.endpoint) gave no OAuth token: status \(answer.status), \(reason)",
                hint: "Check snowflake.oauth.client.id, .client.secret, .refresh.token and .token.endpoint")
        }
        current = (token, WallClock.milliseconds + (json["expires_in"]?.integerValue ?? 600) * 1000)
        return token
    }

    /// A URL divided into where it leads and the path there.
    private static func split(_ endpoint: String) throws -> (AccountURL, String) {
        let scheme = endpoint.hasPrefix("http://") ? "http://" : endpoint.hasPrefix("https://") ? "https://" : ""
        let rest = endpoint.dropFirst(scheme.count)
        let host = rest.prefix { $0 != "/" }
        return (try AccountURL(scheme + host), rest.count > host.count ? String(rest.dropFirst(host.count)) : "/")
    }
}
