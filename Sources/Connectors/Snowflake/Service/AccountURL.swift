import ConnectAPI

/// Where an account is reached: `snowflake.url.name`, with or without scheme and port.
struct AccountURL: Sendable, Hashable {
    let scheme: String
    let host: String
    let port: Int

    init(_ text: String) throws {
        var rest = Substring(text.trimmingSpaces())
        var scheme = "https"
        for known in ["https", "http"] where rest.lowercased().hasPrefix("\(known)://") {
            scheme = known
            rest = rest.dropFirst(known.count + 3)
        }
        if rest.hasSuffix("/") { rest.removeLast() }
        let parts = rest.split(separator: ":", omittingEmptySubsequences: false)
        let port = parts.count == 2 ? Int(parts[1]) : scheme == "http" ? 80 : 443
        let isHost = parts.first?.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-._".contains($0)) } == true
        guard parts.count <= 2, isHost, parts[0].contains("."), let port, (1...65535).contains(port) else {
            throw ConnectorError(
                "config.invalid", .stop, "This is not the URL of a Snowflake account",
                hint: "Write it as account.snowflakecomputing.com, organization-account.snowflakecomputing.com:443 or https://…")
        }
        self.scheme = scheme
        host = String(parts[0]).lowercased()
        self.port = port
    }

    init(scheme: String, host: String) {
        self.scheme = scheme
        self.host = host
        port = scheme == "http" ? 80 : 443
    }

    /// The account: what stands before `.snowflakecomputing`, region included; the first label of other hosts.
    var account: String {
        if let end = host.range(of: ".snowflakecomputing.") { return String(host[..<end]) }
        return String(host.prefix { $0 != "." })
    }

    var text: String { "\(scheme)://\(host)" + (port == (scheme == "http" ? 80 : 443) ? "" : ":\(port)") }
}

extension String {
    /// Where a text first stands in this one.
    fileprivate func range(of needle: String) -> Index? {
        var at = startIndex
        while at < endIndex {
            if self[at...].hasPrefix(needle) { return at }
            at = index(after: at)
        }
        return nil
    }
}
