import ConnectAPI
import JSON
import Transport

/// What Cloud Storage said when it refused: the `error` document of the JSON API, or the status alone where there is none.
struct GCSError: Error, Sendable, Equatable {
    let status: Int
    /// Such as `forbidden`, `notFound`, `conditionNotMet`.
    let reason: String
    let message: String

    init(_ response: HTTPResponse) {
        status = response.status
        let error = (try? JSONValue.parse(response.body))?["error"]
        reason = error?["errors"]?[0]?["reason"]?.stringValue ?? error?["status"]?.stringValue ?? ""
        // A body that is no error document (a proxy's page) is not repeated.
        message = error?["message"]?.stringValue ?? ""
    }

    init(status: Int, reason: String, message: String = "") {
        self.status = status
        self.reason = reason
        self.message = message
    }

    enum Decision: Equatable {
        case fail, retry, renewToken
        /// `ifGenerationMatch` did not hold.
        case exists
    }

    /// Sans-I/O: Google's list of what is worth another attempt, and the rest.
    var decision: Decision {
        switch status {
        case 401: .renewToken
        case 408, 429, 500, 502, 503, 504: .retry
        case 403 where reason == "rateLimitExceeded" || reason == "userRateLimitExceeded": .retry
        case 412: .exists
        default: .fail
        }
    }

    /// In words: what, where, and what to do. `permission` is what the call needs.
    func connectorError(_ what: String, at endpoint: GCSEndpoint, permission: String, credentials: String) -> ConnectorError {
        let detail = [reason, message].filter { !$0.isEmpty }.joined(separator: ": ")
        let text = "\(endpoint.description) refused to \(what) with \(status)\(detail.isEmpty ? "" : " (\(detail))")"
        switch (status, reason) {
        case (_, _) where decision == .retry: return ConnectorError("gcs.refused", .retry, text)
        case (401, _):
            return ConnectorError(
                "gcs.credentials_refused", .stop, text,
                hint: credentials == GoogleCredentials.anonymous.description
                    ? "Requests are sent without credentials: set gcs.credentials.path, gcs.credentials.json or gcs.credentials.default=true"
                    : "Check the credentials (\(credentials)); the key may have been revoked")
        case (403, "accountDisabled"), (403, "UserProjectAccountProblem"):
            return ConnectorError("gcs.billing", .stop, text, hint: "The project's billing is disabled or in arrears: check it in the Google Cloud console")
        case (403, _):
            return ConnectorError(
                "gcs.access_denied", .stop, text,
                hint:
                    "Grant \(permission) on the bucket to \(credentials), for example with the role Storage Object User (roles/storage.objectUser); a retention policy or VPC Service Controls also answer so"
            )
        case (404, _):
            return ConnectorError(
                "gcs.bucket_missing", .stop, text, hint: "Create the bucket \(endpoint.bucket), or correct gcs.bucket.name and gcs.endpoint")
        default: return ConnectorError("gcs.refused", .stop, text)
        }
    }
}

/// How often and how soon a request is tried again: `gcs.retry.backoff.*`, as Google's Java library understands them.
struct GCSRetry: Sendable {
    /// Milliseconds.
    var initialDelay: Int64 = 1000
    var multiplier = 2.0
    var maxDelay: Int64 = 32_000
    /// Over all attempts; 0: no limit.
    var totalTimeout: Int64 = 50_000
    /// 0: as many as the time allows.
    var maxAttempts = 6

    /// Milliseconds to wait before the attempt after `attempt` (from 1), or nil to give up. Full jitter.
    func delay(after attempt: Int, elapsed: Int64, retryAfter: Int64?, random: (ClosedRange<Int64>) -> Int64 = { .random(in: $0) }) -> Int64? {
        if maxAttempts == 0, totalTimeout == 0 { return nil }
        if maxAttempts > 0, attempt >= maxAttempts { return nil }
        var ceiling = Double(initialDelay)
        for _ in 1..<max(1, min(attempt, 64)) { ceiling = min(ceiling * multiplier, Double(maxDelay)) }
        let wait = retryAfter.map { min(max($0, 0), 60_000) } ?? random(0...Int64(min(ceiling, Double(maxDelay))))
        if totalTimeout > 0, elapsed + wait > totalTimeout { return nil }
        return wait
    }
}
