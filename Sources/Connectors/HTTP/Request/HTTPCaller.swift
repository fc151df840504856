import ConnectAPI
import Transport

/// Sends requests: authenticated, at the allowed rate, again after what passes, along redirects.
///
///     request ─▶ wait for the rate ─▶ credentials ─▶ send ─┬─ 2xx, 304, skipped codes: answer
///                      ▲                                    ├─ 408, 425, 429, 5xx, no answer: back-off or Retry-After ─┐
///                      └────────────────────────────────────┴──────────────────────────────────────────────────────────┘
struct HTTPCaller: ~Copyable {
    private let configuration: HTTPSourceConfiguration
    private let authentication: Authentication
    private let accepted: [ClosedRange<Int>]
    private let transport = HTTPTransport()
    private let pool = BlockingPool(threads: 1)
    private let log: Logger
    private var token: (value: Secret, until: ContinuousClock.Instant)?
    private var nextAllowed = ContinuousClock.now

    init(_ configuration: HTTPSourceConfiguration, accepting: [ClosedRange<Int>], _ log: Logger) {
        self.configuration = configuration
        authentication = Authentication(configuration)
        accepted = accepting
        self.log = log
    }

    deinit { pool.stop() }

    /// The answer, whose status is one of the accepted, or 304. Throws `.retry` when tries are used up, `.stop` for what needs a person.
    mutating func send(_ request: HTTPRequest) async throws -> HTTPResponse {
        var attempt = 0, hasFreshToken = false
        while true {
            var wait: Duration?, reason: String
            do {
                let response = try await exchange(try await authenticated(request))
                if response.status == 304 || accepted.contains(where: { $0.contains(response.status) }) { return response }
                if response.status == 401, case .clientCredentials = authentication, !hasFreshToken {
                    // A token can be withdrawn before its time.
                    (token, hasFreshToken) = (nil, true)
                    continue
                }
                guard [408, 425, 429].contains(response.status) || response.status >= 500 else { throw refused(response.status, request.url) }
                reason = "status \(response.status)"
                wait = RetryAfter.wait(response.headers["retry-after"], now: WallClock.milliseconds)
            } catch let error as TransportError {
                reason = error.description
            }
            guard attempt < configuration.maxRetries else {
                throw ConnectorError(
                    "http.unavailable", .retry, "\(URLText.shown(request.url)) did not answer after \(attempt + 1) tries: \(reason)",
                    hint: "Check that it can be reached from here and is up")
            }
            let backoff = Duration.milliseconds(configuration.retryBackoff << min(attempt, 10)) * Double.random(in: 0.5...1)
            let pause = max(wait ?? .zero, min(backoff, .seconds(60)))
            attempt += 1
            log.warn("\(URLText.shown(request.url)): \(reason); trying again in \(pause.components.seconds) s (\(attempt) of \(configuration.maxRetries))")
            try await Task.sleep(for: pause)
        }
    }

    private func refused(_ status: Int, _ url: String) -> ConnectorError {
        let hint =
            switch status {
            case 401: "Check http.auth.type and its credentials"
            case 403: "The credentials are not allowed to read this"
            case 404, 410: "Check http.request.url"
            case 300...399: "It leads in circles, or to another kind of address"
            default: "Check the request: method, query and body"
            }
        return ConnectorError("http.refused", .stop, "\(URLText.shown(url)) answered with status \(status)", hint: hint)
    }

    private mutating func authenticated(_ request: HTTPRequest) async throws -> HTTPRequest {
        var request = request
        switch authentication {
        case .none: break
        case .header(let name, let value): request.headers.append((name, value.value))
        case .parameter(let name, let value): request.url = URLText.adding([(name, value.value)], to: request.url)
        case .clientCredentials(let client): request.headers.append(("Authorization", "Bearer \(try await freshToken(client).value)"))
        }
        return request
    }

    private mutating func freshToken(_ client: ClientCredentials) async throws -> Secret {
        if let token, token.until > .now { return token.value }
        let response = try await exchange(client.request)
        guard (200...299).contains(response.status) else {
            throw ConnectorError(
                "http.token_refused", response.status >= 500 || response.status == 429 ? .retry : .stop,
                "\(URLText.shown(client.url)) gave no token: status \(response.status)", hint: "Check oauth2.client.id, its secret and the scope")
        }
        let (value, seconds) = try client.token(response)
        // A little early, so that it does not run out on the way.
        token = (value, .now + .seconds(max(1, seconds - min(60, seconds / 10))))
        return value
    }

    /// One request and what it is redirected to.
    private mutating func exchange(_ request: HTTPRequest) async throws -> HTTPResponse {
        var request = request
        request.connectTimeoutMilliseconds = configuration.connectTimeout
        request.timeoutMilliseconds = configuration.readTimeout
        if !configuration.proxyHost.isEmpty {
            let user = configuration.proxyUser.isEmpty ? nil : configuration.proxyUser
            request.proxy = HTTPProxy(
                url: "http://\(configuration.proxyHost):\(configuration.proxyPort)", user: user, password: user == nil ? nil : configuration.proxyPassword)
        }
        for _ in 0..<6 {
            try await waitForTurn()
            let sent = request
            let response = try await pool.run { [transport] cancel in try transport.perform(sent, cancel: cancel) }
            guard [301, 302, 303, 307, 308].contains(response.status), request.method == "GET", let location = response.headers["location"] else {
                return response
            }
            let target = URLText.resolve(location, from: request.url)
            // Credentials stay with the host they were meant for.
            if URLText.origin(target) != URLText.origin(request.url) { request.headers = [] }
            request.url = target
        }
        throw ConnectorError("http.redirects", .stop, "\(URLText.shown(request.url)) redirects without end", hint: "Check http.request.url")
    }

    private mutating func waitForTurn() async throws {
        guard configuration.perMinute > 0 else { return }
        let now = ContinuousClock.now
        if nextAllowed > now { try await Task.sleep(until: nextAllowed) }
        nextAllowed = max(now, nextAllowed) + .nanoseconds(60_000_000_000 / configuration.perMinute + 1)
    }
}
