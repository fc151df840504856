import ConnectAPI
import JSON
import Synchronization
import Transport

/// Access tokens for one set of credentials: one at a time, renewed five minutes before it ends, shared by all requests.
///
/// While a renewal fails, the token goes on being used until it really ends.
actor GoogleTokens {
    private let credentials: GoogleCredentials
    private let transport: HTTPTransport
    private let pool: BlockingPool
    private let clock: @Sendable () -> Int64
    private var current: GoogleTokenRequest.Token?
    /// All callers wait for the same renewal.
    private var renewal: Task<GoogleTokenRequest.Token, any Error>?

    static let margin: Int64 = 300_000

    init(
        _ credentials: GoogleCredentials, transport: HTTPTransport, pool: BlockingPool,
        clock: @escaping @Sendable () -> Int64 = { WallClock.milliseconds }
    ) {
        self.credentials = credentials
        self.transport = transport
        self.pool = pool
        self.clock = clock
    }

    /// nil: requests carry none.
    func token() async throws -> GoogleTokenRequest.Token? {
        if case .anonymous = credentials { return nil }
        if let current, current.expires - clock() > Self.margin { return current }
        do {
            let renewed = try await renew()
            current = renewed
            return renewed
        } catch {
            if let current, current.expires > clock() { return current }
            throw error
        }
    }

    /// The service refused this token: the next caller gets another one.
    func discard(_ token: GoogleTokenRequest.Token) { if current == token { current = nil } }

    private func renew() async throws -> GoogleTokenRequest.Token {
        if let renewal { return try await renewal.value }
        let task = Task { try await fetch(credentials) }
        renewal = task
        defer { renewal = nil }
        return try await task.value
    }

    private func fetch(_ credentials: GoogleCredentials) async throws -> GoogleTokenRequest.Token {
        switch credentials {
        case .anonymous: throw ConnectorError("gcs.token", .stop, "Anonymous requests carry no token")
        case .serviceAccount(let account):
            return try await ask(GoogleTokenRequest.serviceAccount(account, at: clock() / 1000), credentials)
        case .authorizedUser(let id, let secret, let refresh, let url):
            return try await ask(GoogleTokenRequest.refresh(clientID: id, clientSecret: secret, refreshToken: refresh, url: url), credentials)
        case .metadataServer(let host):
            return try await ask(GoogleTokenRequest.metadata(host: host), credentials)
        case .externalAccount(let account):
            let token = try await ask(GoogleTokenRequest.exchange(account, subjectToken: try await subjectToken(account)), credentials)
            guard let url = account.impersonationURL else { return token }
            return try await ask(GoogleTokenRequest.impersonate(url, delegates: [], with: token), credentials)
        case .impersonated(let url, let delegates, let source):
            return try await ask(GoogleTokenRequest.impersonate(url, delegates: delegates, with: try await fetch(source)), credentials)
        }
    }

    private func ask(_ request: HTTPRequest, _ credentials: GoogleCredentials) async throws -> GoogleTokenRequest.Token {
        let response = try await send(request, credentials)
        guard response.status == 200 else { throw GoogleTokenRequest.refusal(response, from: request.url, for: credentials) }
        if case .metadataServer = credentials, response.headers["metadata-flavor"] != "Google" {
            throw ConnectorError(
                "gcs.credentials_missing", .stop, "\(request.url) is not Google's metadata server: the answer has no Metadata-Flavor header",
                hint: "Set gcs.credentials.path, or GOOGLE_APPLICATION_CREDENTIALS")
        }
        guard let token = GoogleTokenRequest.token(response.body, at: clock()) else {
            throw ConnectorError("gcs.token", .retry, "The answer of \(request.url) holds no access token")
        }
        return token
    }

    private func send(_ request: HTTPRequest, _ credentials: GoogleCredentials) async throws -> HTTPResponse {
        do {
            return try await pool.run { [transport] cancel in try transport.perform(request, cancel: cancel, limit: 1 << 20) }
        } catch let error as TransportError {
            if case .metadataServer = credentials {
                throw ConnectorError(
                    "gcs.credentials_missing", .stop,
                    "No Google credentials were found: not in GOOGLE_APPLICATION_CREDENTIALS, not in gcloud's application_default_credentials.json, and no metadata server answers (\(error))",
                    hint: "Set gcs.credentials.path to a service account's key file, or run 'gcloud auth application-default login'")
            }
            throw ConnectorError("gcs.token", .retry, "The token endpoint \(request.url) gave no answer: \(error)")
        }
    }

    /// Read anew every time: such tokens are short-lived and renewed by someone else.
    private func subjectToken(_ account: GoogleCredentials.ExternalAccount) async throws -> String {
        let text: [UInt8]
        let place: String
        switch account.source {
        case .file(let path):
            place = path
            guard let bytes = SmallFile.read(path, limit: 1 << 20) else {
                throw ConnectorError("gcs.credentials_missing", .retry, "The token file \(path) of workload identity federation cannot be read")
            }
            text = bytes
        case .url(let url, let headers):
            place = url
            let response = try await send(HTTPRequest(method: "GET", url: url, headers: headers), credentials)
            guard response.status == 200 else {
                throw ConnectorError("gcs.token", .retry, "\(url) refused the token for workload identity federation with \(response.status)")
            }
            text = response.body
        }
        guard let field = account.tokenField else { return String(decoding: text, as: UTF8.self).trimmingSpaces() }
        guard let token = (try? JSONValue.parse(text))?[field]?.stringValue else {
            throw ConnectorError("gcs.credentials_invalid", .stop, "\(place) has no member '\(field)' with a token")
        }
        return token
    }
}
