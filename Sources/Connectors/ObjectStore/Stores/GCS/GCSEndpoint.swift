import ConnectAPI

/// Where Cloud Storage's JSON API is reached, and the paths of a bucket there.
struct GCSEndpoint: Sendable, Equatable {
    /// Scheme, host and perhaps a path, without a slash at the end.
    let base: String
    let bucket: String

    static let google = "https://storage.googleapis.com"

    /// `url` is `gcs.endpoint` or the emulator; without a scheme it is taken as https. Throws a sentence.
    init(url: String?, bucket: String) throws {
        self.bucket = bucket
        guard let url, !url.isEmpty else {
            base = Self.google
            return
        }
        let parts = url.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
        let scheme = parts.count == 2 ? parts[0].lowercased() : "https"
        var rest = String(parts[parts.count - 1])
        while rest.hasSuffix("/") { rest.removeLast() }
        guard scheme == "http" || scheme == "https" else {
            throw ConnectorError("gcs.endpoint", .stop, "gcs.endpoint has the scheme '\(scheme)'", hint: "Use http:// or https://")
        }
        guard let first = rest.first, first != "/", !rest.contains(where: { $0 == "@" || $0 == " " || $0 == "?" }) else {
            throw ConnectorError("gcs.endpoint", .stop, "gcs.endpoint names no host", hint: "Write it as http://host:9023")
        }
        base = "\(scheme)://\(rest)"
    }

    /// The bucket's objects, or one of them: every character of a key but the unreserved ones is encoded, the slash too.
    func object(_ key: String?) -> String {
        "\(base)/storage/v1/b/\(PercentCoding.encode(bucket))/o\(key.map { "/" + PercentCoding.encode($0) } ?? "")"
    }

    var upload: String { "\(base)/upload/storage/v1/b/\(PercentCoding.encode(bucket))/o" }

    var description: String { "gs://\(bucket)\(base == Self.google ? "" : " at \(base)")" }
}
