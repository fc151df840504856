import ConnectAPI
import Foundation
import JSON
import Testing

@testable import ConnectRuntime

/// Plays the exchanges recorded from a Kafka Connect 4.1.0 worker, in their order, against the routes over a model of the herder, and
/// compares status and body as a client would see them.
@Suite struct RestTranscriptTests {
    struct Exchange: Decodable {
        struct Request: Decodable {
            let method: String, path: String, headers: [String: String], body: String?
        }
        struct Response: Decodable { let status: Int, body: String }
        let n: Int, name: String, request: Request, response: Response
    }

    static func recorded() throws -> [Exchange] {
        let url = Bundle.module.url(forResource: "exchanges", withExtension: "jsonl", subdirectory: "Golden/connect-rest")!
        return try String(contentsOf: url, encoding: .utf8).split(separator: "\n").map { try JSONDecoder().decode(Exchange.self, from: Data($0.utf8)) }
    }

    /// Exchanges whose answer depends on a real task, a database or plugins that this target does not have.
    private static func needsMore(_ exchange: Exchange) -> Bool {
        let name = exchange.name, path = exchange.request.path
        let modelPlugins = ["FileStream", "JsonConverter", "RegexRouter", "NoSuchPlugin", "RecordIsTombstone", "SimpleHeaderConverter"]
        return name.hasPrefix("create-dbz") || name.contains("debezium-") && name.hasPrefix("validate") || name.contains("failed") || name.contains("-sink")
            || name.hasPrefix("plugins") || name == "accept-gzip" || name.hasPrefix("plugin-config") && !modelPlugins.contains { path.contains($0) }
            // Positions of live tasks, and the connector's own judgement of positions.
            || name.contains("dbz") || name.contains("inventory-connector-offsets") || name.contains("inventory-connector-topics") || name.hasPrefix("offsets-patch-bad")
            || name == "offsets-patch-missing-partition"
            // Kafka's validator stumbles over the missing value and says so a second time.
            || name == "validate-bad-transform"
            // Topics fill as records flow.
            || name == "topics"
            // Deliberately better: names with a slash can be read and deleted.
            || name.contains("slash") && path.contains("%2F") || name == "list-name-slash"
    }

    /// What the recorder did between the exchanges, or in exchanges that are not in the recording.
    private static func prepare(_ name: String, _ herder: ModelHerder) async throws {
        switch name {
        case "create-dbz-missing-prefix", "create-fs-201":
            for connector in try await herder.connectors() { try await herder.delete(connector) }
        case "delete-dk2": for connector in ["dk"] { try? await herder.delete(connector) }
        case "offsets-patch-paused-400": try await herder.pause("fs-source")
        case "offsets-patch-stopped": try await herder.stop("fs-source")
        default: break
        }
    }

    @Test func answersAsKafkaConnectDid() async throws {
        let herder = ModelHerder()
        let router = Router(
            routes: WorkerRoutes(herder: herder, options: RestOptions()).routes + ConnectorRoutes(herder: herder, options: RestOptions()).routes
                + TaskRoutes(herder: herder).routes + PluginRoutes(herder: herder).routes + TopicRoutes(herder: herder).routes)
        var compared = 0
        for exchange in try Self.recorded() {
            try await Self.prepare(exchange.name, herder)
            let given = exchange.request
            var request = HTTPRequest(
                method: given.method, target: given.path, headers: given.headers.map { ($0.key.lowercased(), $0.value) } + [("host", "127.0.0.1:18083")],
                body: Array((given.body ?? "").utf8))
            if given.headers["Accept"] == nil, given.method != "GET" { request.headers.append(("accept", "*/*")) }
            let response = await router.answer(request)
            if Self.needsMore(exchange) { continue }
            compared += 1
            #expect(response.status == exchange.response.status, "\(exchange.n) \(exchange.name): \(text(response))")
            if let difference = Self.difference(exchange, text(response)) { Issue.record("\(exchange.n) \(exchange.name): \(difference)") }
        }
        #expect(compared > 180)
    }

    private func text(_ response: HTTPResponse) -> String {
        if case .bytes(let bytes) = response.body { String(decoding: bytes, as: UTF8.self) } else { "a stream" }
    }

    /// nil: equal where equality is asked for. Parser texts of Java, documentation, ids and times are not.
    private static func difference(_ exchange: Exchange, _ got: String) -> String? {
        let real = exchange.response.body
        if real.hasPrefix("<") || exchange.request.method == "HEAD" { return nil }
        guard let a = try? JSONValue.parse(real) else { return real.isEmpty && got.isEmpty ? nil : "'\(got)' is not '\(real)'" }
        guard let b = try? JSONValue.parse(got) else { return "not JSON: \(got)" }
        if exchange.response.status == 500 {
            let wanted = ["Unrecognized field", "Cannot deserialize value", "Cannot construct instance"].filter { real.contains($0) }
            return b["error_code"] == 500 && wanted.allSatisfy(got.contains) ? nil : got
        }
        if exchange.name.hasPrefix("logger") { return a["message"] == b["message"] ? nil : got }
        if exchange.name.hasPrefix("connectors-expand") || exchange.name == "connectors-list" {
            return exchange.name.hasSuffix("list") || Set(a.objectValue!.keys).isSubset(of: b.objectValue!.keys) ? nil : got
        }
        let isConfig = exchange.name.hasSuffix("-config") || exchange.name.hasSuffix("config-after")
        let (x, y) = (plain(a, isConfig ? "config" : ""), plain(b, isConfig ? "config" : ""))
        return x == y ? nil : "\(y.compactText)\n   real \(x.compactText)"
    }

    /// With what may differ blanked, and the members of config maps, which came from a Java HashMap, sorted.
    private static func plain(_ value: JSONValue, _ key: String) -> JSONValue {
        switch value {
        case .object(let object):
            let blank = ["kafka_cluster_id", "commit", "documentation", "last_modified"]
            let members = object.members.map { ($0.key, blank.contains($0.key) ? "*" : plain($0.value, $0.key)) }
            return .object(key == "config" ? members.sorted { $0.0 < $1.0 } : members)
        // Which classes there are differs.
        case .array(let items): return key == "recommended_values" ? [] : .array(items.map { plain($0, "") })
        case .string(let text):
            if let cut = text.firstRange(of: "available connectors are: ") { return .string(String(text[..<cut.upperBound])) }
            if text.hasPrefix("Connector config {") { return "Connector config {…} contains no connector type" }
            return value
        default: return value
        }
    }
}
