import ConnectAPI
import JSON

/// `/connectors`: create, read, change, run and remove connectors.
struct ConnectorRoutes: Sendable {
    let herder: any Herder
    let options: RestOptions
    let log = Logger("sluice.rest")

    var routes: [Router.Route] {
        [
            Router.Route("GET", "/connectors") { try await list($0.http) },
            Router.Route("POST", "/connectors") { try await create($0.http) },
            Router.Route("GET", "/connectors/{name}") { .json(200, JSONValue(try await herder.info($0.name))) },
            Router.Route("DELETE", "/connectors/{name}") {
                try await herder.delete($0.name)
                return HTTPResponse(204)
            },
            Router.Route("GET", "/connectors/{name}/config") { .json(200, JSONValue(try await herder.info($0.name).config)) },
            Router.Route("PUT", "/connectors/{name}/config") { try await put($0) },
            Router.Route("PATCH", "/connectors/{name}/config") { try await patch($0) },
            Router.Route("GET", "/connectors/{name}/status") { .json(200, JSONValue(try await herder.status($0.name))) },
            Router.Route("PUT", "/connectors/{name}/pause") {
                try await herder.pause($0.name)
                return HTTPResponse(202)
            },
            Router.Route("PUT", "/connectors/{name}/resume") {
                try await herder.resume($0.name)
                return HTTPResponse(202)
            },
            Router.Route("PUT", "/connectors/{name}/stop") {
                try await herder.stop($0.name)
                return HTTPResponse(204)
            },
            Router.Route("POST", "/connectors/{name}/restart") { try await restart($0) },
            Router.Route("GET", "/connectors/{name}/topics") { try await topics($0.name) },
            Router.Route("PUT", "/connectors/{name}/topics/reset") { try await resetTopics($0.name) },
        ]
    }

    /// Names, or with `expand` an object by name. Connectors removed meanwhile are left out.
    private func list(_ request: HTTPRequest) async throws -> HTTPResponse {
        let names = try await herder.connectors()
        let expand = request.parameters("expand")
        if expand.isEmpty { return .json(200, .array(names.map { .string($0) })) }
        var members: [(String, JSONValue)] = []
        for name in names {
            do {
                var member: [(String, JSONValue)] = []
                if expand.contains("status") { member.append(("status", JSONValue(try await herder.status(name)))) }
                if expand.contains("info") { member.append(("info", JSONValue(try await herder.info(name)))) }
                members.append((name, .object(member)))
            } catch let error as HerderError where error.status == 404 {
                continue
            }
        }
        return .json(200, .object(members))
    }

    private func create(_ request: HTTPRequest) async throws -> HTTPResponse {
        let submitted = try RestBody.create(request)
        let config = try submitted.config.named(submitted.name)
        try await refuseNulls(config)
        let view = try await herder.create(submitted.name, config.entries, initialState: submitted.initialState)
        if view.name.contains("/") { log.warn("Connector \(view.name): \(Router.slashAdvice)") }
        return .json(201, JSONValue(view), headers: [location(view.name, request)])
    }

    private func put(_ request: RestRequest) async throws -> HTTPResponse {
        let config = try RestBody.config(RestBody.parse(request.http)).named(request.name)
        try await refuseNulls(config)
        let (created, view) = try await herder.put(request.name, config.entries)
        return .json(created ? 201 : 200, JSONValue(view), headers: created ? [location(view.name, request.http)] : [])
    }

    private func patch(_ request: RestRequest) async throws -> HTTPResponse {
        guard let changes = try RestBody.stringMap(RestBody.parse(request.http)) else {
            throw HerderError(500, "The request has no body: a JSON object of changes is expected")
        }
        return .json(200, JSONValue(try await herder.patch(request.name, changes)))
    }

    /// Null values are errors of the validation: they are told together with all others.
    private func refuseNulls(_ config: SubmittedConfig) async throws {
        guard !config.nullKeys.isEmpty else { return }
        let infos = try await herder.validate(config.entries, plugin: nil).adding(config.nullFindings)
        throw HerderError(400, infos.badRequestMessage ?? "A value is null")
    }

    private func restart(_ request: RestRequest) async throws -> HTTPResponse {
        let status = try await herder.restart(
            request.name, includeTasks: request.http.flag("includeTasks"), onlyFailed: request.http.flag("onlyFailed"))
        return status.map { .json(202, JSONValue($0)) } ?? HTTPResponse(204)
    }

    private func topics(_ name: String) async throws -> HTTPResponse {
        guard options.isTopicTrackingEnabled else { throw HerderError(403, "Topic tracking is disabled.") }
        let topics = try await herder.topics(name)
        return .json(200, .object([(name, .object([("topics", .array(topics.map { .string($0) }))]))]))
    }

    private func resetTopics(_ name: String) async throws -> HTTPResponse {
        guard options.isTopicTrackingEnabled else { throw HerderError(403, "Topic tracking is disabled.") }
        guard options.isTopicTrackingResetAllowed else { throw HerderError(403, "Topic tracking reset is disabled.") }
        try await herder.resetTopics(name)
        return HTTPResponse(202)
    }

    private func location(_ name: String, _ request: HTTPRequest) -> (name: String, value: String) {
        let host = request.header("host").flatMap { $0.utf8.allSatisfy { $0 > 32 && $0 < 127 } ? $0 : nil } ?? herder.workerInfo().workerID
        return ("Location", "http://\(host)/connectors/\(PercentEncoding.encode(name))")
    }
}
