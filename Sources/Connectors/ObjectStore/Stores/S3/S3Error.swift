import ConnectAPI
import Transport

/// What S3 said when it refused: the `<Error>` document, or the status alone where there is no body.
struct S3Error: Sendable, Equatable {
    let status: Int
    let code: String
    let message: String
    let requestID: String
    /// The region the bucket is in, when the answer says so.
    let region: String?

    init(_ response: HTTPResponse) {
        status = response.status
        let code = XMLText.element("Code", in: response.body)
        self.code =
            code ?? [301: "PermanentRedirect", 403: "AccessDenied", 404: "NoSuchKey", 412: "PreconditionFailed", 503: "SlowDown"][response.status]
            ?? "HTTP \(response.status)"
        message = XMLText.element("Message", in: response.body) ?? ""
        requestID = XMLText.element("RequestId", in: response.body) ?? response.headers["x-amz-request-id"] ?? response.headers["x-amz-id-2"] ?? "none"
        region = response.headers["x-amz-bucket-region"] ?? XMLText.element("Region", in: response.body)
    }

    /// The `<Error>` of an answer of status 200, as CompleteMultipartUpload may give it.
    static func inSuccess(_ response: HTTPResponse) -> S3Error? {
        guard XMLText.element("Error", in: response.body) != nil else { return nil }
        return S3Error(response)
    }

    /// What the store does about a refusal.
    enum Decision: Equatable {
        case fail, retry, adoptRegion(String), adoptClock, reloadCredentials
    }

    /// The service is overloaded, or is asked too often.
    var asksForLess: Bool { status == 429 || status == 503 || ["SlowDown", "ServiceUnavailable", "Throttling", "ThrottlingException"].contains(code) }

    /// Sans-I/O: which refusals are worth another attempt.
    var decision: Decision {
        switch code {
        case "AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect", "IllegalLocationConstraintException":
            return region.map { .adoptRegion($0) } ?? .fail
        case "RequestTimeTooSkewed": return .adoptClock
        case "ExpiredToken", "TokenRefreshRequired": return .reloadCredentials
        case "RequestTimeout", "SlowDown", "InternalError", "ServiceUnavailable", "OperationAborted", "ConditionalRequestConflict", "BadDigest":
            return .retry
        default: return [408, 429, 500, 502, 503, 504].contains(status) ? .retry : .fail
        }
    }
}

/// Reads text out of the small XML documents of S3: elements without attributes, in any namespace. Not a general parser.
enum XMLText {
    /// The text of the first element with this name.
    static func element(_ name: String, in xml: [UInt8]) -> String? { elements(name, in: xml, limit: 1).first }

    static func elements(_ name: String, in xml: [UInt8], limit: Int = .max) -> [String] {
        var found: [String] = []
        let open = Array("<\(name)>".utf8), close = Array("</\(name)>".utf8)
        var at = 0
        while found.count < limit, let start = index(of: open, in: xml, from: at), let end = index(of: close, in: xml, from: start + open.count) {
            found.append(unescaped(xml[start + open.count..<end]))
            at = end + close.count
        }
        return found
    }

    private static func index(of needle: [UInt8], in hay: [UInt8], from: Int) -> Int? {
        guard hay.count >= needle.count, from <= hay.count - needle.count else { return nil }
        return (from...hay.count - needle.count).first { i in hay[i] == needle[0] && hay[i..<i + needle.count].elementsEqual(needle) }
    }

    private static func unescaped(_ text: ArraySlice<UInt8>) -> String {
        var out = String(decoding: text, as: UTF8.self)
        guard out.contains("&") else { return out }
        for (entity, character) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")] {
            out = out.split(separator: entity, omittingEmptySubsequences: false).joined(separator: character)
        }
        return out
    }

    static func escape(_ text: String) -> String {
        var out = ""
        for c in text {
            switch c {
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "&": out += "&amp;"
            case "\"": out += "&quot;"
            default: out.append(c)
            }
        }
        return out
    }
}

/// How often and how soon a request is tried again.
struct RetryPolicy: Sendable {
    var retries: Int
    /// Milliseconds before the first retry at most; doubles.
    var base: Int64
    /// The longest wait.
    var cap: Int64 = 20_000

    /// Full jitter: anything up to the doubled base.
    func delay(attempt: Int, retryAfter: Int64?, random: (ClosedRange<Int64>) -> Int64 = { .random(in: $0) }) -> Int64 {
        if let retryAfter { return min(max(retryAfter, 0), 60_000) }
        return random(0...min(cap, base << Int64(min(attempt, 20))))
    }
}

/// Keeps a whole task from hammering a service in trouble: retries spend tokens, successes earn them back.
struct RetryBudget: Sendable {
    private(set) var tokens = 500
    mutating func spend(timeout: Bool) -> Bool {
        let cost = timeout ? 10 : 5
        guard tokens >= cost else { return false }
        tokens -= cost
        return true
    }
    mutating func earn() { tokens = min(500, tokens + 1) }
}
