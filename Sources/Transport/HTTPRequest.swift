package import ConnectAPI

/// One request, as it goes over the wire.
package struct HTTPRequest: Sendable {
    package var method: String
    package var url: String
    package var headers: [(name: String, value: String)] = []
    package var body: [UInt8] = []
    package var proxy: String?
    package var proxyUser: String?
    package var proxyPassword: String?
    package var tls = HTTPTLS()
    package var connectTimeoutMilliseconds = 10_000
    /// For the whole exchange; nil: a minute, and more for a large body.
    package var timeoutMilliseconds: Int?
    /// Seconds of less than 1 KiB/s after which the exchange is given up; nil: never, for servers that hold an answer back.
    package var stallSeconds: Int? = 30

    package init(
        method: String, url: String, headers: [(name: String, value: String)] = [], body: [UInt8] = [], proxy: String? = nil,
        proxyUser: String? = nil, proxyPassword: String? = nil
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.proxy = proxy
        self.proxyUser = proxyUser
        self.proxyPassword = proxyPassword
    }
}

/// A server that requests go through.
package struct HTTPProxy: Sendable {
    package var url: String
    package var user: String?
    package var password: Secret?

    package init(url: String, user: String? = nil, password: Secret? = nil) {
        self.url = url
        self.user = user
        self.password = password
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
