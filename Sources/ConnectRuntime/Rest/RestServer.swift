import ConnectAPI
import JSON

/// How the REST API is served: the worker's keys of the same meaning in parentheses.
package struct RestOptions: Sendable {
    /// (`listeners`)
    package var host = "0.0.0.0"
    /// 0: any free port; `RestServer.port` says which.
    package var port: UInt16 = 8083
    package var limits = HTTPServer.Limits()
    /// Origins that browsers may call from, separated by commas, or `*`; empty: none (`access.control.allow.origin`).
    package var allowedOrigins = ""
    /// (`access.control.allow.methods`)
    package var allowedMethods = ""
    /// (`topic.tracking.enable`)
    package var isTopicTrackingEnabled = true
    /// (`topic.tracking.allow.reset`)
    package var isTopicTrackingResetAllowed = true
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
    private let server: HTTPServer

    /// Binds and begins to accept; `run` serves. Throws `rest.listen`.
    package init(_ herder: any Herder, _ options: RestOptions) throws {
        let router = Router(
            routes: WorkerRoutes(herder: herder, options: options).routes + ConnectorRoutes(herder: herder, options: options).routes
                + TaskRoutes(herder: herder).routes + PluginRoutes(herder: herder).routes + TopicRoutes(herder: herder).routes)
        let origins = AllowedOrigins(options.allowedOrigins, methods: options.allowedMethods)
        server = try HTTPServer(
            host: options.host, port: options.port, limits: options.limits,
            deadlineAnswer: { RestError.response(500, "Request timed out") },
            tooLargeAnswer: RestError.response(413, "The request body is larger than \(options.limits.bodyBytes) bytes")
        ) { request in
            origins.mark(await router.answer(request), for: request)
        }
    }

    /// The port bound.
    package var port: UInt16 { server.port }

    /// Serves until `stop`, or until the task is cancelled.
    package func run() async { await server.run() }

    /// Makes `run` return once running requests are answered.
    package func stop() { server.stop() }
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
