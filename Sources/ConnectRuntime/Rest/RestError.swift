import JSON

/// The one shape of every error: `{"error_code":…,"message":…}`.
enum RestError {
    static func response(_ status: Int, _ message: String?) -> HTTPResponse {
        HTTPResponse.json(status, .object([("error_code", .integer(status)), ("message", message.map { .string($0) } ?? .null)]))
    }
}

extension HTTPResponse {
    static func json(_ status: Int = 200, _ value: JSONValue, headers: [(name: String, value: String)] = []) -> HTTPResponse {
        HTTPResponse(status, type: "application/json", value.compactBytes, headers: headers)
    }
}
