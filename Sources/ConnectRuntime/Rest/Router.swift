import ConnectAPI

/// Finds the route of a request and holds it to what all routes share, in the order Kafka Connect's stack judges:
///
///     path: 400 malformed ─▶ 404 unknown ─▶ method: OPTIONS, HEAD as GET, 405 ─▶ body: 415 ─▶ Accept: 406 ─▶ handler ─▶ errors as JSON
struct Router: Sendable {
    struct Route: Sendable {
        enum Segment: Sendable {
            case literal(String)
            /// One segment of any text, handed to the handler decoded.
            case text
            /// Digits only; anything else is another path.
            case number
        }
        let method: String
        let path: [Segment]
        /// Metrics and record lines are not JSON; their Accept header is not looked at.
        let isJSON: Bool
        let handle: @Sendable (RestRequest) async throws -> HTTPResponse

        /// `path` as in `/connectors/{name}/tasks/{task:int}/status`.
        init(_ method: String, _ path: String, isJSON: Bool = true, _ handle: @escaping @Sendable (RestRequest) async throws -> HTTPResponse) {
            self.method = method
            self.path = path.split(separator: "/").map {
                $0.hasSuffix(":int}") ? .number : $0.hasPrefix("{") ? .text : .literal(String($0))
            }
            self.isJSON = isJSON
            self.handle = handle
        }
    }

    let routes: [Route]
    /// See `RestOptions.forward`.
    var forward: @Sendable (HTTPRequest, any Error) async throws -> HTTPResponse = { throw $1 }
    let log = Logger("sluice.rest")

    func answer(_ request: HTTPRequest) async -> HTTPResponse {
        var rawSegments = request.rawPath.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        if rawSegments.last == "" { rawSegments.removeLast() }
        guard request.rawPath.hasPrefix("/"), !rawSegments.contains("") else { return Self.ambiguous(request, "empty segment") }
        // What was sent on by a worker, or says so, may name any connector.
        guard !request.parameters("forward").isEmpty || !rawSegments.contains(where: { $0.lowercased().contains("%2f") }) else {
            return Self.ambiguous(request, "path separator. \(Self.slashAdvice)")
        }
        var segments: [String] = []
        for raw in rawSegments {
            guard let segment = PercentEncoding.decode(raw) else {
                return RestError.response(400, "The path's percent-encoding is not valid UTF-8")
            }
            segments.append(segment)
        }

        let here = routes.filter { Self.matches($0.path, segments) }
        guard !here.isEmpty else { return RestError.response(404, "HTTP 404 Not Found") }
        let allowed = Self.allowed(here)
        if request.method == "OPTIONS" { return HTTPResponse(200, type: "application/json", headers: [("Allow", allowed)]) }
        let method = request.method == "HEAD" ? "GET" : request.method
        guard let route = here.first(where: { $0.method == method }) else {
            var response = RestError.response(405, "HTTP 405 Method Not Allowed")
            response.headers.append(("Allow", allowed))
            return response
        }
        if !Self.isJSONBody(request) { return RestError.response(415, "HTTP 415 Unsupported Media Type") }
        if route.isJSON, !Self.acceptsJSON(request) { return RestError.response(406, "HTTP 406 Not Acceptable") }

        let parameters = zip(route.path, segments).filter { if case .literal = $0.0 { false } else { true } }.map(\.1)
        do {
            do {
                return try await route.handle(RestRequest(http: request, parameters: parameters))
            } catch let reason where !(reason is HerderError) {
                return try await forward(request, reason)
            }
        } catch let error as HerderError {
            return RestError.response(error.status, error.message)
        } catch let error as ConnectorError {
            log.warn("\(request.method) \(request.rawPath): \(error)")
            return RestError.response(500, error.description)
        } catch is CancellationError {
            return RestError.response(503, "The worker is stopping")
        } catch {
            log.error("\(request.method) \(request.rawPath): \(error)")
            return RestError.response(500, "\(error)")
        }
    }

    /// What to do about a connector whose name a path does not hold.
    static let slashAdvice =
        "As in Kafka Connect, a path with %2F is refused, so requests cannot name a connector with '/' in its name; append ?forward=true to the path, and they can"

    /// What Jetty, Kafka Connect's server, refuses before any route sees it. It writes a body for GET, HEAD and POST only.
    private static func ambiguous(_ request: HTTPRequest, _ part: String) -> HTTPResponse {
        ["GET", "HEAD", "POST"].contains(request.method) ? RestError.response(400, "Ambiguous URI \(part)") : HTTPResponse(400)
    }

    private static func matches(_ path: [Route.Segment], _ segments: [String]) -> Bool {
        guard path.count == segments.count else { return false }
        return zip(path, segments).allSatisfy { pattern, segment in
            switch pattern {
            case .literal(let text): text == segment
            case .text: true
            case .number: !segment.isEmpty && segment.utf8.allSatisfy { (48...57).contains($0) }
            }
        }
    }

    private static func allowed(_ routes: [Route]) -> String {
        let methods = Set(routes.map(\.method))
        return ((methods.contains("GET") ? ["HEAD"] : []) + methods.sorted(by: >) + ["OPTIONS"]).joined(separator: ",")
    }

    /// A request without a body needs no Content-Type, and one that it has is not looked at.
    private static func isJSONBody(_ request: HTTPRequest) -> Bool {
        if request.body.isEmpty { return true }
        guard let type = request.header("content-type") else { return false }
        let essence = type.prefix { $0 != ";" }.trimmingSpaces().lowercased()
        return essence == "application/json" || essence == "application/*" || essence == "*/*"
    }

    private static func acceptsJSON(_ request: HTTPRequest) -> Bool {
        let accepted = request.headers.filter { $0.name == "accept" }.flatMap { $0.value.split(separator: ",") }
        if accepted.isEmpty { return true }
        return accepted.contains { range in
            let parts = range.split(separator: ";").map { $0.trimmingSpaces().lowercased() }
            guard let type = parts.first, !parts.dropFirst().contains(where: { $0.hasPrefix("q=0") && Double($0.dropFirst(2)) == 0 }) else { return false }
            return ["application/json", "application/*", "*/*", "*"].contains(type)
        }
    }
}

/// A request with the variable segments of its path, decoded.
struct RestRequest: Sendable {
    let http: HTTPRequest
    let parameters: [String]
    /// The connector, plugin, logger or topic the path names.
    var name: String { parameters[0] }
    /// The task the path names; no task has a number past `Int32.max`.
    var task: Int { Int(parameters[1]).map { min($0, Int(Int32.max)) } ?? Int(Int32.max) }
}
