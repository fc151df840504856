package import ConnectAPI

/// One request, as it goes over the wire.
package struct HTTPRequest: Sendable {
    package var method: String
    package var url: String
    package var headers: [(name: String, value: String)] = []
    package var body: [UInt8] = []
    package var proxy: HTTPProxy?
    package var tls = HTTPTLS()
    package var connectTimeoutMilliseconds = 10_000
    /// For the whole exchange; nil: a minute, and more for a large body.
    package var timeoutMilliseconds: Int?
    /// Seconds of less than 1 KiB/s after which the exchange is given up; nil: never, for servers that hold an answer back.
    package var stallSeconds: Int? = 30

    package init(
        method: String, url: String, headers: [(name: String, value: String)] = [], body: [UInt8] = [], proxy: HTTPProxy? = nil
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.proxy = proxy
    }
}

/// A server that requests go through, but for those to hosts of `bypass`, of the environment's NO_PROXY and of the link-local network.
package struct HTTPProxy: Sendable {
    package var url: String
    package var user: String?
    package var password: Secret?
    /// Hosts and, with a dot before them, domains.
    package var bypass: [String]

    package init(url: String, user: String? = nil, password: Secret? = nil, bypass: [String] = []) {
        self.url = url
        self.user = user
        self.password = password
        self.bypass = bypass
    }
}

/// What a connection over TLS trusts and shows; texts are PEM.
package struct HTTPTLS: Sendable {
    /// Certificates of authorities; nil: the system's.
    package var authorities: String?
    /// The client's certificate, those that lead to its signer, and its key.
    package var certificates: String?
    package var key: Secret?
    package var keyPassword: Secret?
    /// Whether the server's certificate must be for the host that is asked.
    package var verifiesHost = true

    package init() {}
}
