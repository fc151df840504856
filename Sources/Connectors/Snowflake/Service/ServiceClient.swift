import ConnectAPI
import JSON
import Synchronization
import Transport

/// One request to Snowflake's HTTP interface.
struct ServiceCall: Sendable {
    var method = "POST"
    var path: String
    var query: [(name: String, value: String)] = []
    var headers: [(name: String, value: String)] = []
    var body: [UInt8] = []
    var contentType = "application/json"
    var accept = "application/json"
    /// How it says that it is sent again: with the same `requestId` Snowflake runs a statement once.
    enum Repetition: Sendable {
        case silent
        /// By `retryCount`, as drivers do.
        case counted
        /// By `retry=true`, as the SQL API wants it.
        case marked
    }
    var repetition = Repetition.silent
    /// nil: a minute and a half, and more for a large body.
    var timeoutMilliseconds: Int?
    /// For error texts: `login`, `insertFiles of pipe …`.
    var what: String

    static func json(_ what: String, _ path: String, _ body: JSONValue) -> ServiceCall {
        ServiceCall(path: path, body: body.compactBytes, what: what)
    }
}

struct ServiceAnswer: Sendable {
    let status: Int
    let headers: [String: String]
    let body: [UInt8]
    /// nil: not JSON.
    var json: JSONValue? { try? JSONValue.parse(body) }
}

/// Sends requests and tries again what is worth it: no answer, 408, 429 and 5xx, with full jitter. Every other status is an answer.
struct ServiceClient: Sendable {
    struct Settings: Sendable {
        var retries = 6
        var baseDelay: Int64 = 300
    }

    let url: AccountURL
    let settings: Settings
    let transport: HTTPTransport
    let pool: BlockingPool
    let onRetry: @Sendable (_ code: String) -> Void

    /// The same client for another host.
    func at(_ url: AccountURL) -> ServiceClient { ServiceClient(url: url, settings: settings, transport: transport, pool: pool, onRetry: onRetry) }

    var withoutRetries: ServiceClient {
        var once = settings
        once.retries = 0
        return ServiceClient(url: url, settings: once, transport: transport, pool: pool, onRetry: onRetry)
    }

    func send(_ call: ServiceCall) async throws -> ServiceAnswer {
        let started = WallClock.milliseconds
        var attempt = 0
        while true {
            try Task.checkCancellation()
            let problem: ConnectorError, code: String, retryAfter: Int64?
            do {
                let request = request(call, attempt: attempt, started: started)
                let response = try await pool.run { [transport] cancel in try transport.perform(request, cancel: cancel) }
                guard [408, 429].contains(response.status) || (500...599).contains(response.status) else {
                    return ServiceAnswer(status: response.status, headers: response.headers, body: response.body)
                }
                code = String(response.status)
                retryAfter = response.headers["retry-after"].flatMap { Int64($0) }.map { min(60_000, max(0, $0) * 1000) }
                problem = ConnectorError(
                    response.status == 429 ? "snowflake.throttled" : "snowflake.unavailable", .retry,
                    "\(url.text) answered \(response.status) to \(call.what)")
            } catch let error as TransportError {
                code = error.isUnreachable ? "unreachable" : "transport"
                retryAfter = nil
                problem = ConnectorError(
                    error.isUnreachable ? "snowflake.unreachable" : "snowflake.transport", .retry, "\(url.text) gave no answer to \(call.what): \(error)",
                    hint: error.isUnreachable ? "Check snowflake.url.name, the network, and the proxy keys (jvm.proxy.host) where one is needed" : nil)
            }
            guard attempt < settings.retries else { throw problem }
            onRetry(code)
            let delay = retryAfter ?? Int64.random(in: 0...min(16_000, settings.baseDelay << Int64(min(attempt, 16))))
            try await Task.sleep(for: .milliseconds(delay))
            attempt += 1
        }
    }

    private func request(_ call: ServiceCall, attempt: Int, started: Int64) -> HTTPRequest {
        var query = call.query
        switch call.repetition {
        case .silent: break
        case .counted:
            if attempt > 0 { query += [("clientStartTime", String(started)), ("retryCount", String(attempt))] }
            query.append(("request_guid", RequestID.make()))
        case .marked: if attempt > 0 { query.append(("retry", "true")) }
        }
        var headers = call.headers
        headers.append(("Accept", call.accept))
        if !call.body.isEmpty || call.method == "POST" || call.method == "PUT" { headers.append(("Content-Type", call.contentType)) }
        headers.append(("Expect", HTTPTransport.absent))
        headers.append(("User-Agent", "sluice/0.1 (kafka-connect)"))
        let text = query.map { "\(URLText.encode($0.name))=\(URLText.encode($0.value))" }.joined(separator: "&")
        let separator = call.path.contains("?") ? "&" : "?"
        var request = HTTPRequest(
            method: call.method, url: "\(url.text)\(call.path)\(text.isEmpty ? "" : separator + text)", headers: headers, body: call.body)
        // A statement's answer is held back for 45 seconds while it runs.
        request.timeoutMilliseconds = call.timeoutMilliseconds ?? 90_000 + call.body.count / 64
        request.stallSeconds = nil
        return request
    }
}

/// Percent-encoding of RFC 3986 for parts of paths and queries.
enum URLText {
    static func encode(_ text: String) -> String {
        var out = ""
        for c in text.utf8 {
            switch c {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                out.unicodeScalars.append(UnicodeScalar(c))
            default:
                out += "%"
                for nibble in [c >> 4, c & 15] { out.unicodeScalars.append(UnicodeScalar(nibble < 10 ? 48 + nibble : 55 + nibble)) }
            }
        }
        return out
    }
}

/// Random UUIDs, version 4.
enum RequestID {
    static func make() -> String {
        var bytes = (0..<16).map { _ in UInt8.random(in: 0...255) }
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        return UUIDText.string(bytes)
    }
}
