import ConnectAPI
import JSON

/// The worker itself: who it is, how it is, its log levels and metrics.
struct WorkerRoutes: Sendable {
    let herder: any Herder
    let options: RestOptions

    var routes: [Router.Route] {
        [
            Router.Route("GET", "/") { _ in .json(200, JSONValue(herder.workerInfo())) },
            Router.Route("GET", "/health") { _ in await health() },
            Router.Route("GET", "/metrics", isJSON: false) { _ in
                HTTPResponse(200, type: "text/plain; version=0.0.4; charset=utf-8", Array(await options.metrics().utf8))
            },
        ]
    }

    /// Log levels: where `admin.listeners` says.
    var adminRoutes: [Router.Route] {
        [
            Router.Route("GET", "/admin/loggers") { _ in
                .json(200, .object(Logger.levels.sorted { $0.key < $1.key }.map { ($0.key, Self.view($0.value.level, $0.value.lastModified)) }))
            },
            Router.Route("GET", "/admin/loggers/{logger}") { try logger($0.name) },
            Router.Route("PUT", "/admin/loggers/{logger}") { try setLevel($0) },
        ]
    }

    private enum Health: Sendable { case ready, starting, late }

    /// The herder has ten seconds to answer.
    private func health() async -> HTTPResponse {
        let state = await withTaskGroup(of: Health.self) { group in
            group.addTask { await herder.isReady() ? .ready : .starting }
            group.addTask { (try? await Task.sleep(for: .seconds(10))) == nil ? .ready : .late }
            defer { group.cancelAll() }
            return await group.next() ?? .late
        }
        func answer(_ status: Int, _ word: String, _ message: String) -> HTTPResponse {
            .json(status, .object([("status", .string(word)), ("message", .string(message))]))
        }
        return switch state {
        case .ready: answer(200, "healthy", "Worker has completed startup and is ready to handle requests.")
        case .starting: answer(503, "starting", "Worker is still starting up.")
        case .late: answer(500, "unhealthy", "Worker was unable to handle this request and may be unable to handle other requests.")
        }
    }

    // MARK: - Log levels

    private static func view(_ level: Logger.Level, _ lastModified: Int64?) -> JSONValue {
        .object([("level", .string(level.name)), ("last_modified", lastModified.map { .integer($0) } ?? .null)])
    }

    private func logger(_ given: String) throws -> HTTPResponse {
        let name = given.lowercased() == "root" ? "root" : given
        if let setting = Logger.levels[name] { return .json(200, Self.view(setting.level, setting.lastModified)) }
        guard Self.known(name) else { throw HerderError(404, "Logger \(given) not found.") }
        return .json(200, Self.view(Logger.effectiveLevel(of: name), nil))
    }

    /// Sets the level of a logger and of every logger below it; with `scope=cluster` nothing is listed. This worker is the whole cluster.
    private func setLevel(_ request: RestRequest) throws -> HTTPResponse {
        guard let body = try RestBody.stringMap(RestBody.parse(request.http)) else {
            // Kafka Connect's own answer to an empty body.
            throw HerderError(500, "Cannot invoke \"java.util.Map.get(Object)\" because \"levelMap\" is null")
        }
        guard let given = body.first(where: { $0.key == "level" })?.value else {
            throw HerderError(400, "Desired 'level' parameter was not specified in request.")
        }
        guard let level = Logger.Level(name: given) else { throw HerderError(404, "invalid log level '\(given)'.") }
        let name = request.name.lowercased() == "root" ? "root" : request.name
        let below = Set(Logger.levels.keys).union(Self.names).filter { name == "root" || $0.hasPrefix(name + ".") }
        let affected = below.union([name]).sorted()
        let now = WallClock.milliseconds
        for logger in affected { Logger.setLevel(level, of: logger, at: now) }
        if request.http.parameters("scope").first?.lowercased() == "cluster" { return HTTPResponse(204) }
        return .json(200, .array(affected.map { .string($0) }))
    }

    /// A logger is known when it, or one below it, writes lines.
    private static func known(_ name: String) -> Bool { names.contains(name) || names.contains { $0.hasPrefix(name + ".") } }

    /// The names this product's log lines bear.
    private static let names: Set<String> = [
        "sluice", "sluice.config", "sluice.connectors", "sluice.herder", "sluice.log.checkpoint", "sluice.log.housekeeping", "sluice.progress", "sluice.rest",
        "sluice.sink", "sluice.sink.s3", "sluice.source",
        "io.debezium.connector.postgresql", "org.apache.kafka.connect", "org.apache.kafka.connect.file",
    ]
}
