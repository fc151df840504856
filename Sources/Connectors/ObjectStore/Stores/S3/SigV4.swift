import ConnectAPI

/// AWS Signature Version 4 in headers, for S3. Sans-I/O: a request in, headers out.
///
/// S3's rules differ from other services': every path segment is encoded once, nothing is normalised, and the payload's hash is a header.
/// `Expect`, `User-Agent` and `Content-Length` are never signed, since libraries and proxies touch them.
struct SigV4: Sendable {
    struct Request: Sendable {
        var method: String
        /// Encoded, beginning with `/`, exactly as on the wire.
        var path: String
        /// Decoded names and values.
        var query: [(name: String, value: String)] = []
        /// Host with its port when that is not the scheme's default.
        var host: String
        /// Headers to sign and to send.
        var headers: [(name: String, value: String)] = []
        /// Lower-case hex SHA-256 of the body, or `UNSIGNED-PAYLOAD`.
        var payloadHash: String
    }

    var credentials: Credentials
    var region: String
    var service = "s3"

    static let unsignedPayload = "UNSIGNED-PAYLOAD"

    /// The query as it is signed and sent: encoded, sorted by name then value, every name with `=`.
    static func queryString(_ query: [(name: String, value: String)]) -> String {
        query.map { (PercentCoding.encode($0.name), PercentCoding.encode($0.value)) }
            .sorted { ($0.0, $0.1) < ($1.0, $1.1) }
            .map { "\($0.0)=\($0.1)" }.joined(separator: "&")
    }

    /// The request's headers and those that authorize it, at `seconds` since 1970.
    func sign(_ request: Request, at seconds: Int64) -> [(name: String, value: String)] {
        let time = Self.time(seconds), date = String(time.prefix(8))
        var headers = request.headers
        headers.append(("x-amz-date", time))
        headers.append(("x-amz-content-sha256", request.payloadHash))
        if let token = credentials.sessionToken { headers.append(("x-amz-security-token", token)) }

        let signed = (headers + [("host", request.host)]).map { ($0.name.lowercased(), Self.collapsed($0.value)) }.sorted { $0.0 < $1.0 }
        let names = signed.map(\.0).joined(separator: ";")
        let canonical = """
            \(request.method)
            \(request.path)
            \(Self.queryString(request.query))
            \(signed.map { "\($0.0):\($0.1)\n" }.joined())
            \(names)
            \(request.payloadHash)
            """
        let scope = "\(date)/\(region)/\(service)/aws4_request"
        let text = "AWS4-HMAC-SHA256\n\(time)\n\(scope)\n\(Digest.hex(Digest.sha256(Array(canonical.utf8))))"
        var key = Array("AWS4\(credentials.secretKey.value)".utf8)
        for part in [date, region, service, "aws4_request"] { key = Digest.hmacSHA256(key: key, Array(part.utf8)) }
        let signature = Digest.hex(Digest.hmacSHA256(key: key, Array(text.utf8)))
        headers.append(
            ("Authorization", "AWS4-HMAC-SHA256 Credential=\(credentials.accessKey)/\(scope), SignedHeaders=\(names), Signature=\(signature)"))
        return headers
    }

    /// Trimmed, with runs of spaces as one.
    static func collapsed(_ value: String) -> String {
        value.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ").trimmingSpaces()
    }

    /// `20261121T081500Z`.
    static func time(_ seconds: Int64) -> String {
        let (days, inDay) = seconds.flooredDivision(by: 86_400)
        let date = ISO8601.civil(day: days)
        var out: [UInt8] = []
        ISO8601.appendDigits(date.year.magnitude, width: 4, to: &out)
        ISO8601.appendDigits(UInt64(date.month), width: 2, to: &out)
        ISO8601.appendDigits(UInt64(date.day), width: 2, to: &out)
        out.append(UInt8(ascii: "T"))
        for part in [inDay / 3600, inDay / 60 % 60, inDay % 60] { ISO8601.appendDigits(UInt64(part), width: 2, to: &out) }
        out.append(UInt8(ascii: "Z"))
        return String(decoding: out, as: UTF8.self)
    }
}
