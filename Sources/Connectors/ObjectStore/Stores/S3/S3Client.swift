import ConnectAPI
import Synchronization
import Transport

/// One request to a bucket.
struct S3Call: Sendable {
    var method: String
    /// nil: the bucket itself.
    var key: String?
    var query: [(name: String, value: String)] = []
    var headers: [(name: String, value: String)] = []
    var body: [UInt8] = []
    var contentType: String?
    /// The permission a refused caller lacks.
    var action: String
    /// An answer of 200 may hold an `<Error>`.
    var mayFailInSuccess = false
}

/// Signs, sends and tries again: everything between a call and its answer.
///
///     call ─▶ sign (region, clock, credentials learned so far) ─▶ send ─▶ 2xx: answer
///               ▲                                                  └▶ S3Error.decision: retry with full jitter, adopt region or clock, fail
///               └──────────────────────────────────────────────────────┘
final class S3Client: Sendable {
    struct Settings: Sendable {
        var endpoint: S3Endpoint
        var region: String
        var credentials: CredentialChain
        var retry = RetryPolicy(retries: 3, base: 200)
        enum PayloadSigning: String, Sendable { case auto, signed, unsigned }
        var payloadSigning = PayloadSigning.auto
        var expectContinue = true
        var sendMD5 = false
        /// A PEM file of the certificates to trust.
        var trust: String?
        var proxy: HTTPProxy?
    }

    private struct Learned {
        var region: String
        /// Seconds the server's clock is ahead of ours.
        var clockOffset: Int64 = 0
        var budget = RetryBudget()
        var throttle = RequestThrottle()
    }

    let settings: Settings
    private let transport: HTTPTransport
    private let pool: BlockingPool
    private let learned: Mutex<Learned>
    let credentials: CredentialProvider
    private let log: Logger
    private let onRetry: @Sendable (_ code: String) -> Void

    /// `transport`: whose connections are used; nil: its own.
    init(
        _ settings: Settings, transport: HTTPTransport? = nil, pool: BlockingPool, log: Logger, onRetry: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.settings = settings
        self.pool = pool
        self.log = log
        self.onRetry = onRetry
        learned = Mutex(Learned(region: settings.region))
        let transport = transport ?? HTTPTransport(trust: settings.trust ?? settings.credentials.namedTrust())
        self.transport = transport
        let proxy = settings.proxy
        credentials = CredentialProvider(
            settings.credentials,
            CredentialHTTP(
                exchange: { request in
                    // Services on this host or network are not behind the proxy.
                    var request = request
                    if request.url.hasPrefix("https://") { request.proxy = proxy }
                    let sent = request
                    return try await pool.run { cancel in try transport.perform(sent, cancel: cancel) }
                }, pool: pool), log: log)
    }

    var region: String { learned.withLock { $0.region } }
    var place: String { settings.endpoint.describe(region: region) }

    /// The answer of status 2xx, or the refusal that is not worth another attempt. Throws `.retry` when attempts are used up.
    func send(_ call: S3Call) async throws -> Result<HTTPResponse, S3Refusal> {
        var attempt = 0
        var adopted: Set<String> = []
        while true {
            try Task.checkCancellation()
            let problem: ConnectorError, code: String, timeout: Bool, retryAfter: Int64?
            do {
                let response = try await exchange(call)
                let refusal = response.status < 300 ? (call.mayFailInSuccess ? S3Error.inSuccess(response) : nil) : S3Error(response)
                guard let refusal else {
                    learned.withLock {
                        $0.budget.earn()
                        $0.throttle.succeeded()
                    }
                    return .success(response)
                }
                if refusal.asksForLess { learned.withLock { $0.throttle.refused() } }
                switch refusal.decision {
                case .adoptRegion(let region) where adopted.insert("region").inserted && region != self.region:
                    log.info("The bucket \(settings.endpoint.bucket) is in region \(region), not \(self.region): set s3.region=\(region)")
                    learned.withLock { $0.region = region }
                    continue
                case .adoptClock where adopted.insert("clock").inserted:
                    guard let server = response.headers["date"].flatMap(HTTPDate.seconds) else { break }
                    let offset = server - WallClock.milliseconds / 1000
                    log.warn("The clock of \(place) is \(offset) s ahead of this machine's; requests are signed with its time. Set the clock (NTP)")
                    learned.withLock { $0.clockOffset = offset }
                    continue
                case .reloadCredentials where adopted.insert("credentials").inserted:
                    credentials.expire()
                    continue
                case .retry: break
                default: return .failure(S3Refusal(error: refusal, call: call, place: place))
                }
                problem = S3Refusal(error: refusal, call: call, place: place).connectorError
                code = refusal.code
                timeout = refusal.status == 408 || refusal.code == "RequestTimeout"
                retryAfter = response.headers["retry-after"].flatMap { Int64($0) }.map { $0 * 1000 }
            } catch let error as TransportError {
                problem = ConnectorError(
                    error.isUnreachable ? "s3.unreachable" : "s3.transport", .retry,
                    "\(call.method) \(call.key ?? "the bucket") of \(place) got no answer: \(error)",
                    hint: error.isUnreachable ? "Check store.url, the network and that the service runs" : nil)
                code = error.isUnreachable ? "unreachable" : "transport"
                timeout = true
                retryAfter = nil
            }
            guard attempt < settings.retry.retries, learned.withLock({ $0.budget.spend(timeout: timeout) }) else { throw problem }
            onRetry(code)
            try await Task.sleep(for: .milliseconds(settings.retry.delay(attempt: attempt, retryAfter: retryAfter)))
            attempt += 1
        }
    }

    /// Seconds the service's clock is ahead of this machine's, by its answer to `call`; nil: it does not say.
    func clockDifference(_ call: S3Call) async throws -> Int64? {
        let response = try await exchange(call)
        return response.headers["date"].flatMap(HTTPDate.seconds).map { $0 - WallClock.milliseconds / 1000 }
    }

    private func exchange(_ call: S3Call) async throws -> HTTPResponse {
        let wait = learned.withLock { $0.throttle.delay(now: WallClock.milliseconds) }
        if wait > 0 { try await Task.sleep(for: .milliseconds(wait)) }
        let credentials = try await credentials.current()
        let (region, offset) = learned.withLock { ($0.region, $0.clockOffset) }
        let request = try request(call, credentials, region: region, at: WallClock.milliseconds / 1000 + offset)
        return try await pool.run { [transport] cancel in try transport.perform(request, cancel: cancel) }
    }

    /// The request as it goes on the wire. Not private so that tests compare signatures.
    func request(_ call: S3Call, _ credentials: Credentials?, region: String, at seconds: Int64) throws -> HTTPRequest {
        var call = call
        if !call.body.isEmpty, settings.sendMD5 { call.headers.append(("Content-MD5", Digest.base64(Digest.md5(call.body)))) }
        if let type = call.contentType { call.headers.append(("Content-Type", type)) }
        let signsBody = call.body.isEmpty || settings.payloadSigning == .signed || (settings.payloadSigning == .auto && !settings.endpoint.isSecure)
        let path = settings.endpoint.path(call.key), host = settings.endpoint.host(region: region)
        let query = SigV4.queryString(call.query)
        var headers = call.headers
        if let credentials {
            headers = SigV4(credentials: credentials, region: region).sign(
                SigV4.Request(
                    method: call.method, path: path, query: call.query, host: host, headers: call.headers,
                    payloadHash: signsBody ? Digest.hex(Digest.sha256(call.body)) : SigV4.unsignedPayload), at: seconds)
        }
        // libcurl would invent a content type for a POST, and wait for a 100 where nobody asked for it.
        if call.contentType == nil { headers.append(("Content-Type", "application/octet-stream")) }
        if !settings.expectContinue || call.body.count <= 1 << 20 { headers.append(("Expect", HTTPTransport.absent)) }
        return HTTPRequest(
            method: call.method, url: "\(settings.endpoint.scheme)://\(host)\(path)\(query.isEmpty ? "" : "?" + query)", headers: headers, body: call.body,
            proxy: settings.proxy)
    }
}

/// A refusal, and what was asked.
struct S3Refusal: Error, Sendable {
    let error: S3Error
    let call: S3Call
    let place: String

    /// In words: what, where, the request id for the service's support, and what to do.
    var connectorError: ConnectorError {
        let what =
            "\(place) refused \(call.method) \(call.key.map { "of '\($0)'" } ?? "of the bucket") with \(error.status) \(error.code)\(error.message.isEmpty ? "" : " (\(error.message))"), request id \(error.requestID)"
        let disposition: ConnectorError.Disposition = error.decision == .retry ? .retry : .stop
        switch error.code {
        case "NoSuchBucket":
            return ConnectorError("s3.bucket_missing", .stop, what, hint: "Create the bucket, correct s3.bucket.name, or set s3.bucket.create=true")
        case "SignatureDoesNotMatch", "InvalidAccessKeyId":
            return ConnectorError(
                "s3.credentials_refused", .stop, what, hint: "Check aws.access.key.id and aws.secret.access.key (or the environment and profile they come from)"
            )
        case "AccessDenied", "AllAccessDisabled", "AccountProblem":
            return ConnectorError(
                "s3.access_denied", .stop, what,
                hint: "Allow \(call.action) for these credentials in the bucket's policy, and check that the access key and its secret belong together")
        case "AuthorizationHeaderMalformed", "PermanentRedirect":
            return ConnectorError("s3.region", .stop, what, hint: error.region.map { "Set s3.region=\($0)" } ?? "Set s3.region to the bucket's region")
        case "RequestTimeTooSkewed":
            return ConnectorError("s3.clock", .stop, what, hint: "Set this machine's clock (NTP)")
        case "ExpiredToken", "TokenRefreshRequired", "InvalidToken":
            return ConnectorError("s3.token_expired", .stop, what, hint: "Renew the session token, or use credentials that last")
        default:
            return ConnectorError("s3.refused", disposition, what)
        }
    }
}

/// Dates of HTTP headers: `Sat, 21 Nov 2026 08:15:00 GMT`.
enum HTTPDate {
    static func seconds(_ text: String) -> Int64? {
        let parts = text.split(whereSeparator: { $0 == " " || $0 == "," || $0 == ":" })
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        guard parts.count == 8, let day = Int(parts[1]), let month = months.firstIndex(of: String(parts[2])), let year = Int64(parts[3]),
            let hour = Int64(parts[4]), let minute = Int64(parts[5]), let second = Int64(parts[6]), (1...31).contains(day), (1970...9999).contains(year),
            (0..<24).contains(hour), (0..<60).contains(minute), (0...60).contains(second)
        else { return nil }
        return ISO8601.day(year: year, month: month + 1, day: day) * 86_400 + hour * 3600 + minute * 60 + second
    }
}
