import ConnectAPI
import JSON

/// `/connector-plugins`: what there is, its configuration keys, and validation.
struct PluginRoutes: Sendable {
    let herder: any Herder

    var routes: [Router.Route] {
        [
            Router.Route("GET", "/connector-plugins") { list($0.http) },
            Router.Route("GET", "/connector-plugins/{plugin}/config") { try keys($0) },
            Router.Route("PUT", "/connector-plugins/{plugin}/config/validate") { try await validate($0) },
        ]
    }

    private static let order: [PluginRegistry.Kind] = [.sink, .source, .transformation, .predicate, .converter, .headerConverter]

    private func list(_ request: HTTPRequest) -> HTTPResponse {
        let kinds = request.flag("connectorsOnly", default: true) ? Self.order.prefix(2) : Self.order[...]
        return .json(
            200,
            .array(
                kinds.flatMap { kind in
                    herder.plugins.plugins.filter { $0.kind == kind }.sorted { $0.className < $1.className }.map { JSONValue($0) }
                }))
    }

    /// The plugin's own keys, then those of the framework that it does not define itself.
    private func keys(_ request: RestRequest) throws -> HTTPResponse {
        guard let plugin = herder.plugins.any(request.name) else { throw HerderError(404, "Unknown plugin \(request.name).") }
        if let wanted = request.http.parameters("version").first?.trimmingSpaces(), wanted != plugin.version, wanted.first?.isNumber == true {
            throw HerderError(
                400,
                "Plugin \(plugin.className) not found that matches the version range [\(wanted),\(wanted)], available versions: [\(plugin.version)]")
        }
        var defaults = FrameworkKeys.Defaults()
        defaults.connectorVersion = plugin.version
        let framework: [ConfigKey] =
            switch plugin.kind {
            case .sink: FrameworkKeys.sink(defaults)
            case .source: FrameworkKeys.source(defaults)
            case .converter, .headerConverter, .transformation, .predicate: []
            }
        let own = Set(plugin.keys.map(\.name))
        return .json(200, .array((plugin.keys + framework.filter { !own.contains($0.name) }).map { JSONValue($0) }))
    }

    private func validate(_ request: RestRequest) async throws -> HTTPResponse {
        let config = try RestBody.config(RestBody.parse(request.http))
        if let given = config.entries.first(where: { $0.key == "connector.class" })?.value, !ConfigValidator.sameClass(given, request.name) {
            throw HerderError(400, "Included connector type \(given) does not match request type \(request.name)")
        }
        do {
            return .json(200, JSONValue(try await herder.validate(config.entries, plugin: request.name).adding(config.nullFindings)))
        } catch let error as HerderError where error.status == 400 {
            // Kafka Connect validates on another thread here, and a refusal comes back wrapped.
            throw HerderError(500, "org.apache.kafka.connect.runtime.rest.errors.BadRequestException: \(error.message)")
        }
    }
}
