import ConnectAPI

/// Where and how REST listens: `http://HOST:PORT` or `https://HOST:PORT`.
package struct Listener: Sendable, Hashable, CustomStringConvertible {
    package enum Scheme: String, Sendable { case http, https }
    package let scheme: Scheme
    package let address: ListenAddress

    package init(_ scheme: Scheme, _ address: ListenAddress) {
        self.scheme = scheme
        self.address = address
    }

    /// nil: it is neither.
    package init?(_ text: String) {
        let text = text.trimmingSpaces(), isSecure = text.lowercased().hasPrefix("https://")
        guard let address = ListenAddress(listener: isSecure ? "http://" + text.dropFirst(8) : text) else { return nil }
        self.init(isSecure ? .https : .http, address)
    }

    package var description: String { "\(scheme.rawValue)://\(address)" }
}

extension WorkerConfig {
    /// Where REST listens.
    package var listeners: [Listener] {
        if values["listeners"] == nil, settings.restPort != nil || settings.restHostName != nil {
            return [Listener(.http, ListenAddress(host: settings.restHostName ?? "", port: UInt16(settings.restPort ?? 8083)))]
        }
        let given = settings.listeners.compactMap { Listener($0) }
        return given.isEmpty ? [Listener(.http, ListenAddress(host: "", port: 8083))] : given
    }

    /// Where the admin routes listen: nil: with the others; none: nowhere.
    package var adminListeners: [Listener]? { settings.adminListeners?.compactMap { Listener($0) } }

    /// The listener clients are told: the first, or the first of `rest.advertised.listener`.
    package var advertisedListener: Listener {
        listeners.first { $0.scheme.rawValue == settings.advertisedListener?.lowercased() } ?? listeners[0]
    }
}

extension RestOptions {
    /// As a worker is configured. Throws `worker.config`, `worker.basic_auth` and `worker.jaas`.
    package init(_ config: WorkerConfig) throws {
        self.init()
        listeners = config.listeners
        adminListeners = config.adminListeners
        if listeners.contains(where: { $0.scheme == .https }) { tls = try ServerTLS(config.values, prefix: "listeners.https.") }
        if adminListeners?.contains(where: { $0.scheme == .https }) == true { adminTLS = try ServerTLS(config.values, prefix: "admin.listeners.https.") }
        allowedOrigins = config.settings.allowOrigin
        allowedMethods = config.settings.allowMethods
        isTopicTrackingEnabled = config.settings.topicTracking
        isTopicTrackingResetAllowed = config.settings.topicTrackingReset
        responseHeaders = try ResponseHeaders(config.settings.responseHeaders)
        if config.settings.restExtensions.contains(BasicAuthentication.extensionClass) {
            guard let file = config.jaasFile else {
                throw ConnectorError(
                    "worker.basic_auth", .stop, "BasicAuthSecurityRestExtension is configured, but no JAAS file",
                    hint: "Set java.security.auth.login.config, or KAFKA_OPTS=-Djava.security.auth.login.config=FILE")
            }
            authentication = try BasicAuthentication(jaasFile: file)
        }
    }
}
