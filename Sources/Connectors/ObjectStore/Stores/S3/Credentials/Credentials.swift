import Transport
import ConnectAPI

/// What signs requests.
struct Credentials: Sendable {
    var accessKey: String
    var secretKey: Secret
    var sessionToken: String?
    /// Milliseconds since 1970; nil: they do not expire.
    var expiration: Int64?
}

/// Credentials, and where they came from: named in the log, never with a value (Invariant 10).
struct FoundCredentials: Sendable {
    var credentials: Credentials
    var source: String
}

/// How credential sources ask services: the S3 client's transport, without its signing and retries.
struct CredentialHTTP: Sendable {
    let exchange: @Sendable (HTTPRequest) async throws -> HTTPResponse
    /// Runs what blocks.
    let pool: BlockingPool

    /// A request of a few seconds at most, with up to three attempts.
    func ask(_ request: HTTPRequest, _ service: String, timeout: Int = 5000, connectTimeout: Int = 2000) async throws -> HTTPResponse {
        var request = request
        request.connectTimeoutMilliseconds = connectTimeout
        request.timeoutMilliseconds = timeout
        var failure = "no answer"
        for attempt in 0..<3 {
            if attempt > 0 { try await Task.sleep(for: .milliseconds(Int.random(in: 50...250) << attempt)) }
            do {
                let response = try await exchange(request)
                if response.status < 500, response.status != 429 { return response }
                failure = "status \(response.status)"
            } catch let error as TransportError {
                failure = error.description
                if error.isUnreachable { break }
            }
        }
        throw ConnectorError("s3.credentials_unavailable", .retry, "\(service) could not be asked for credentials: \(failure)")
    }
}
