import ConnectAPI

/// Where a bucket is reached: AWS's host of a region, or `store.url`.
struct S3Endpoint: Sendable, Equatable {
    let scheme: String
    /// nil: AWS's host of the region.
    private let customHost: String?
    private let basePath: String
    let bucket: String
    let virtualHost: Bool
    /// AWS's transfer acceleration: one host for all regions.
    private let isAccelerated: Bool

    var isSecure: Bool { scheme == "https" }

    /// `url` without a scheme is taken as https. Throws a sentence.
    init(url: String?, bucket: String, pathStyle: Bool, accelerated: Bool = false) throws {
        self.bucket = bucket
        isAccelerated = accelerated
        guard let url, !url.isEmpty else {
            scheme = "https"
            customHost = nil
            basePath = ""
            // A dot in the bucket's name would not match the certificate.
            virtualHost = !bucket.contains(".")
            return
        }
        let parts = url.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
        scheme = parts.count == 2 ? parts[0].lowercased() : "https"
        guard scheme == "http" || scheme == "https" else {
            throw ConnectorError("s3.endpoint", .stop, "store.url has the scheme '\(scheme)'", hint: "Use http://, https:// or file:///")
        }
        let rest = parts[parts.count - 1]
        let host = rest.prefix { $0 != "/" }
        guard !host.isEmpty, !host.contains("@"), !host.contains(" ") else {
            throw ConnectorError("s3.endpoint", .stop, "store.url names no host", hint: "Write it as http://host:9000")
        }
        var name = String(host)
        let defaultPort = scheme == "http" ? ":80" : ":443"
        if name.hasSuffix(defaultPort) { name.removeLast(defaultPort.count) }
        customHost = name
        var path = String(rest.dropFirst(host.count))
        while path.hasSuffix("/") { path.removeLast() }
        basePath = path
        virtualHost = !pathStyle
    }

    func host(region: String) -> String {
        if isAccelerated, customHost == nil { return "\(bucket).s3-accelerate.amazonaws.com" }
        let service = customHost ?? "s3.\(region).amazonaws.com\(region.hasPrefix("cn-") ? ".cn" : "")"
        return virtualHost ? "\(bucket).\(service)" : service
    }

    /// The encoded path of a key, or of the bucket.
    func path(_ key: String?) -> String {
        let object = key.map { "/" + PercentCoding.encode($0, keepingSlash: true) }
        if virtualHost { return basePath + (object ?? "/") }
        return "\(basePath)/\(PercentCoding.encode(bucket))\(object ?? "")"
    }

    func describe(region: String) -> String {
        "s3://\(bucket) at \(scheme)://\(customHost ?? "s3.\(region).amazonaws.com") (region \(region))"
    }
}
