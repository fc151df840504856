import ConnectAPI
import JSON

/// `/connectors/{name}/tasks` and `/connectors/{name}/offsets`.
struct TaskRoutes: Sendable {
    let herder: any Herder

    var routes: [Router.Route] {
        [
            Router.Route("GET", "/connectors/{name}/tasks") { request in
                .json(200, .array(try await herder.tasks(request.name).map { JSONValue($0, of: request.name) }))
            },
            Router.Route("GET", "/connectors/{name}/tasks/{task:int}/status") {
                .json(200, JSONValue(try await herder.taskStatus($0.name, $0.task)))
            },
            Router.Route("POST", "/connectors/{name}/tasks/{task:int}/restart") {
                try await herder.restartTask($0.name, $0.task)
                return HTTPResponse(204)
            },
            Router.Route("GET", "/connectors/{name}/offsets") { .json(200, JSONValue(try await herder.offsets($0.name))) },
            Router.Route("PATCH", "/connectors/{name}/offsets") {
                message(try await herder.alterOffsets($0.name, try RestBody.offsets($0.http)))
            },
            Router.Route("DELETE", "/connectors/{name}/offsets") { message(try await herder.resetOffsets($0.name)) },

            // Workers of a cluster talk to each other here, with signed requests. This worker has no others, and takes none.
            Router.Route("POST", "/connectors/{name}/tasks") { request in
                let body = try RestBody.parse(request.http)
                if case .object = body {
                    throw HerderError(
                        500,
                        "Cannot deserialize value of type `java.util.ArrayList<java.util.Map<java.lang.String,java.lang.String>>` from Object value "
                            + "(token `JsonToken.START_OBJECT`)")
                }
                throw HerderError(400, "Internal request missing required signature")
            },
            Router.Route("PUT", "/connectors/{name}/fence") { _ in throw HerderError(400, "Internal request missing required signature") },
        ]
    }

    private func message(_ text: String) -> HTTPResponse { .json(200, .object([("message", .string(text))])) }
}
