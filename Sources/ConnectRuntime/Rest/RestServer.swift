import ConnectAPI
import JSON

/// How the REST API is served: the worker's keys of the same meaning in parentheses.
package struct RestOptions: Sendable {
    /// (`listeners`) A port of 0 is any free one; `RestServer.port` says which.
    package var listeners = [Listener(.http, ListenAddress(host: "", port: 8083))]
    /// (`admin.listeners`) nil: the admin routes are where the others are; none: they are nowhere.
    package var adminListeners: [Listener]?
    /// (`listeners.https.ssl.*`, `admin.listeners.https.ssl.*`)
    package var tls: ServerTLS?
    package var adminTLS: ServerTLS?
    /// (`rest.extension.classes`)
    package var authentication: BasicAuthentication?
    /// (`response.http.headers.config`)
    package var responseHeaders: ResponseHeaders?
    package var limits = HTTPServer.Limits()
    /// Origins that browsers may call from, separated by commas, or `*`; empty: none (`access.control.allow.origin`).
    package var allowedOrigins = ""
    /// (`access.control.allow.methods`)
    package var allowedMethods = ""
    /// (`topic.tracking.enable`)
    package var isTopicTrackingEnabled = true
    /// (`topic.tracking.allow.reset`)
    package var isTopicTrackingResetAllowed = true
    /// Sends a request on for which the herder threw that another worker must answer it; throws the error where it is none of these.
    package var forward: @Sendable (_ request: HTTPRequest, _ reason: any Error) async throws -> HTTPResponse = { throw $1 }
    /// The text of `GET /metrics`, in Prometheus's format.
    package var metrics: @Sendable () async -> String = { "" }
    package init() {}
}

/// Kafka Connect's REST API over a herder, `/metrics`, and what is ours below `/sluice/v1`.
///
///     HTTPServer (sockets, limits, deadlines) ─▶ Router (path, method, media types) ─▶ …Routes (bodies, views) ─▶ Herder, Log
///
/// Shapes, codes and texts are those recorded from Kafka Connect 4.1, where it is silent those of its source.
package struct RestServer: Sendable {
    private let servers: [HTTPServer]

    /// Binds and begins to accept; `run` serves. Throws `rest.listen`.
    package init(_ herder: any Herder, _ options: RestOptions) throws {
        let main = Router(herder, options), admin = Router(routes: WorkerRoutes(herder: herder, options: options).adminRoutes)
        var servers: [HTTPServer] = []
        for listener in options.listeners { servers.append(try Self.serve(main, listener, options.tls, options)) }
        for listener in options.adminListeners ?? [] { servers.append(try Self.serve(admin, listener, options.adminTLS, options)) }
        self.servers = servers
    }

    private static func serve(_ router: Router, _ listener: Listener, _ tls: ServerTLS?, _ options: RestOptions) throws -> HTTPServer {
        let origins = AllowedOrigins(options.allowedOrigins, methods: options.allowedMethods)
        let authentication = options.authentication, headers = options.responseHeaders
        return try HTTPServer(
            host: listener.address.host.isEmpty ? "0.0.0.0" : listener.address.host, port: listener.address.port,
            tls: listener.scheme == .https ? tls : nil, limits: options.limits,
            deadlineAnswer: { RestError.response(500, "Request timed out") },
            tooLargeAnswer: RestError.response(413, "The request body is larger than \(options.limits.bodyBytes) bytes")
        ) { request in
            let response = if let refusal = authentication?.refusal(of: request) { refusal } else { await router.answer(request) }
            let marked = origins.mark(response, for: request)
            return headers?.mark(marked) ?? marked
        }
    }

    /// The port of each listener, in the order configured; those of the admin routes come last.
    package var ports: [UInt16] { servers.map(\.port) }

    /// The port of the first listener.
    package var port: UInt16 { servers.first?.port ?? 0 }

    /// Serves until `stop`, or until the task is cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            for server in servers { group.addTask { await server.run() } }
        }
    }

    /// Makes `run` return once running requests are answered.
    package func stop() { for server in servers { server.stop() } }
}

extension Router {
    /// Every route, those of the admin only where they have no listeners of their own.
    init(_ herder: any Herder, _ options: RestOptions) {
        let worker = WorkerRoutes(herder: herder, options: options)
        self.init(
            routes: worker.routes + (options.adminListeners == nil ? worker.adminRoutes : []) + ConnectorRoutes(herder: herder, options: options).routes
                + TaskRoutes(herder: herder).routes + PluginRoutes(herder: herder).routes + TopicRoutes(herder: herder).routes,
            forward: options.forward)
    }
}

/// Cross-origin access for browser UIs, off unless origins are configured.
private struct AllowedOrigins: Sendable {
    private let origins: [String]
    private let methods: String

    init(_ origins: String, methods: String) {
        self.origins = ConfigValidator.list(origins).filter { !$0.isEmpty }
        self.methods = methods.isEmpty ? "GET,POST,HEAD" : methods
    }

    func mark(_ response: HTTPResponse, for request: HTTPRequest) -> HTTPResponse {
        guard let origin = request.header("origin"), origins.contains("*") || origins.contains(origin) else { return response }
        var response = response
        response.headers.append(("Access-Control-Allow-Origin", origin))
        response.headers.append(("Vary", "Origin"))
        if request.method == "OPTIONS" {
            response.headers.append(("Access-Control-Allow-Methods", methods))
            response.headers.append(("Access-Control-Allow-Headers", "X-Requested-With,Content-Type,Accept,Origin"))
        }
        return response
    }
}
