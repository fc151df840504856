import ConnectAPI
import Synchronization
import Transport

/// One request to Cloud Storage.
struct GCSCall: Sendable {
    var method: String
    var url: String
    var query: [(name: String, value: String)] = []
    var headers: [(name: String, value: String)] = []
    var body: [UInt8] = []
    /// For messages: `create 'a/b'`.
    var what: String
    /// What a refused caller lacks, such as `storage.objects.create`.
    var permission: String
}

/// Sends calls with a token and tries again: everything between a call and its answer.
///
///     call ─▶ token (renewed before it ends) ─▶ send ─▶ 2xx, 308: answer
///               ▲                                └▶ GCSError.decision: another token once, wait with full jitter, or fail
///               └─────────────────────────────────────────┘
final class GCSClient: Sendable {
    struct Settings: Sendable {
        var endpoint: GCSEndpoint
        var credentials: GoogleCredentialChain
        var retry = GCSRetry()
        var userAgent = "sluice"
        /// A PEM file of the certificates to trust.
        var trust: String?
        var proxy: HTTPProxy?
    }

    let settings: Settings
    private let transport: HTTPTransport
    private let pool: BlockingPool
    private let log: Logger
    private let onRetry: @Sendable (_ code: String) -> Void
    /// When the token last used ends, in milliseconds since 1970.
    private let tokenEnd = Mutex<Int64?>(nil)
    private let source = Mutex<(tokens: GoogleTokens, description: String)?>(nil)

    init(_ settings: Settings, pool: BlockingPool, log: Logger, onRetry: @escaping @Sendable (String) -> Void = { _ in }) {
        self.settings = settings
        transport = HTTPTransport(trust: settings.trust, proxy: settings.proxy)
        self.pool = pool
        self.log = log
        self.onRetry = onRetry
    }

    var place: String { settings.endpoint.description }

    var credentialsExpireIn: Double? { tokenEnd.withLock { $0 }.map { Double($0 - WallClock.milliseconds) / 1000 } }

    /// The answer of status 2xx or 308, or the refusal that is not worth another attempt. Throws `.retry` when attempts are used up.
    func send(_ call: GCSCall) async throws -> Result<HTTPResponse, GCSError> {
        var pace = pace()
        while true {
            switch try await attempt(call) {
            case .answer(let response): return .success(response)
            case .refused(let error): return .failure(error)
            case .again(let error, let code, let retryAfter): try await pace.wait(error, code, retryAfter)
            }
        }
    }

    func connectorError(_ error: GCSError, _ call: GCSCall) -> ConnectorError {
        error.connectorError(call.what, at: settings.endpoint, permission: call.permission, credentials: source.withLock { $0?.description } ?? "")
    }

    /// Gets a token, and says for what.
    func authorize() async throws -> String {
        let token = try await tokens().token()
        tokenEnd.withLock { $0 = token?.expires }
        return source.withLock { $0?.description } ?? ""
    }

    // MARK: One attempt

    enum Attempt: Sendable {
        case answer(HTTPResponse)
        case refused(GCSError)
        /// Worth another attempt after a while.
        case again(ConnectorError, code: String, retryAfter: Int64?)
    }

    /// Sends once, and once more with another token when the first was refused.
    func attempt(_ call: GCSCall) async throws -> Attempt {
        var renewed = false
        while true {
            try Task.checkCancellation()
            let tokens = try tokens(), token: GoogleTokenRequest.Token?
            do {
                token = try await tokens.token()
                tokenEnd.withLock { $0 = token?.expires }
            } catch let error as ConnectorError where error.disposition == .retry {
                return .again(error, code: "token", retryAfter: nil)
            }
            let response: HTTPResponse
            do {
                let request = request(call, token)
                response = try await pool.run { [transport] cancel in try transport.perform(request, cancel: cancel) }
            } catch let error as TransportError {
                return .again(unanswered(call, error), code: error.isUnreachable ? "unreachable" : "transport", retryAfter: nil)
            }
            if response.status < 300 || response.status == 308 { return .answer(response) }
            let error = GCSError(response)
            switch error.decision {
            case .renewToken where token != nil && !renewed:
                renewed = true
                if let token { await tokens.discard(token) }
            case .retry:
                let seconds = response.headers["retry-after"].flatMap { Int64($0) }
                return .again(connectorError(error, call), code: String(error.status), retryAfter: seconds.map { $0 * 1000 })
            default: return .refused(error)
            }
        }
    }

    private func unanswered(_ call: GCSCall, _ error: TransportError) -> ConnectorError {
        ConnectorError(
            error.isUnreachable ? "gcs.unreachable" : "gcs.transport", .retry, "\(place) gave no answer to the request to \(call.what): \(error)",
            hint: error.isUnreachable ? "Check the network, gcs.endpoint and STORAGE_EMULATOR_HOST" : nil)
    }

    /// The credentials are looked for with the first request, so that a missing file is an error of the task and not of its making.
    private func tokens() throws -> GoogleTokens {
        if let known = source.withLock({ $0 }) { return known.tokens }
        let credentials = try settings.credentials.resolve()
        return source.withLock { state in
            if let known = state { return known.tokens }
            log.debug("Requests to \(place) carry \(credentials.description)")
            let made = GoogleTokens(credentials, transport: transport, pool: pool)
            state = (made, credentials.description)
            return made
        }
    }

    private func request(_ call: GCSCall, _ token: GoogleTokenRequest.Token?) -> HTTPRequest {
        let query = call.query.map { "\(PercentCoding.encode($0.name))=\(PercentCoding.encode($0.value))" }.joined(separator: "&")
        var headers = call.headers
        if let token { headers.append(("Authorization", "Bearer \(token.value.value)")) }
        headers.append(("User-Agent", settings.userAgent))
        headers.append(("Expect", HTTPTransport.absent))
        // libcurl would invent one for a POST.
        if !headers.contains(where: { $0.name == "Content-Type" }) { headers.append(("Content-Type", "application/octet-stream")) }
        return HTTPRequest(method: call.method, url: query.isEmpty ? call.url : "\(call.url)?\(query)", headers: headers, body: call.body)
    }

    // MARK: Pace

    func pace() -> Pace { Pace(retry: settings.retry, onRetry: onRetry) }

    /// Counts the attempts of one step and waits between them.
    struct Pace {
        let retry: GCSRetry
        let onRetry: @Sendable (String) -> Void
        private var attempts = 0
        private var started = ContinuousClock.now

        init(retry: GCSRetry, onRetry: @escaping @Sendable (String) -> Void) {
            self.retry = retry
            self.onRetry = onRetry
        }

        /// Something was achieved: the count begins anew.
        mutating func reset() {
            attempts = 0
            started = .now
        }

        /// Waits for the next attempt, or throws the reason when there shall be none.
        mutating func wait(_ error: ConnectorError, _ code: String, _ retryAfter: Int64?) async throws {
            attempts += 1
            let elapsed = started.duration(to: .now)
            let milliseconds = elapsed.components.seconds * 1000 + elapsed.components.attoseconds / 1_000_000_000_000_000
            guard let delay = retry.delay(after: attempts, elapsed: milliseconds, retryAfter: retryAfter) else { throw error }
            onRetry(code)
            try await Task.sleep(for: .milliseconds(delay))
        }
    }
}
