import ConnectAPI
import JSON

/// Snowpipe's REST interface: files named to a pipe, and reports of what became of them.
struct PipeClient: Sendable {
    enum Status: Sendable, Equatable {
        case loaded
        case inProgress
        /// With Snowflake's reason, without values.
        case failed(String)
    }

    let client: ServiceClient
    let credential: Credential

    /// Names files to a pipe. Snowpipe passes over names it loaded within 14 days.
    func insert(_ files: [(path: String, size: Int)], into pipe: ObjectName) async throws {
        let list: [JSONValue] = files.map { ["path": .string($0.path), "size": .integer($0.size)] }
        var call = ServiceCall.json("insertFiles of the pipe \(pipe)", "\(base(pipe))/insertFiles", ["files": .array(list)])
        call.query = [("requestId", RequestID.make()), ("showSkippedFiles", "false")]
        let json = try await send(call, pipe)
        guard json["responseCode"]?.stringValue?.uppercased() == "SUCCESS" else {
            throw ConnectorError(
                "snowflake.pipe_refused", .retry,
                "The pipe \(pipe) did not take files: \(json["responseCode"]?.stringValue ?? json["message"]?.stringValue ?? "no code")")
        }
    }

    /// What was loaded since a mark, by path; a report reaches back ten minutes.
    func report(_ pipe: ObjectName, since mark: String?) async throws -> (files: [String: Status], mark: String?) {
        var call = ServiceCall(method: "GET", path: "\(base(pipe))/insertReport", what: "insertReport of the pipe \(pipe)")
        call.query = [("requestId", RequestID.make())] + (mark.map { [("beginMark", $0)] } ?? [])
        let json = try await send(call, pipe)
        return (Self.files(json), json["nextBeginMark"]?.stringValue ?? mark)
    }

    /// What was loaded since a time in milliseconds, by path.
    func history(_ pipe: ObjectName, since time: Int64) async throws -> [String: Status] {
        var call = ServiceCall(method: "GET", path: "\(base(pipe))/loadHistoryScan", what: "loadHistoryScan of the pipe \(pipe)")
        call.query = [("requestId", RequestID.make()), ("startTimeInclusive", ISO8601.timestamp(micros: time * 1000, fractionDigits: 3))]
        return Self.files(try await send(call, pipe))
    }

    static func files(_ json: JSONValue) -> [String: Status] {
        var found: [String: Status] = [:]
        for file in json["files"]?.arrayValue ?? [] {
            guard let path = file["path"]?.stringValue else { continue }
            let error = SnowflakeError.withoutValues(file["firstError"]?.stringValue ?? "no reason given")
            switch file["status"]?.stringValue?.uppercased() {
            case "LOADED": found[path] = .loaded
            case "LOAD_FAILED", "PARTIALLY_LOADED": found[path] = .failed(error)
            default: found[path] = .inProgress
            }
        }
        return found
    }

    private func base(_ pipe: ObjectName) -> String { "/v1/data/pipes/\(URLText.encode(pipe.parts.map(Self.pathName).joined(separator: ".")))" }

    /// A plain name stands as it is, others in quotes.
    private static func pathName(_ name: String) -> String { VendorNames.isPlain(name) && name == name.uppercased() ? name : SQL.identifier(name) }

    private func send(_ call: ServiceCall, _ pipe: ObjectName) async throws -> JSONValue {
        var call = call
        for attempt in 0..<2 {
            call.headers = try await credential.headers(now: WallClock.milliseconds / 1000)
            let answer = try await client.send(call)
            if (200...299).contains(answer.status), let json = answer.json { return json }
            if answer.status == 401, attempt == 0 {
                await credential.forget()
                continue
            }
            throw Self.refusal(answer, call, pipe)
        }
        throw QueryAnswer.unreadable("\(call.what) was not answered")
    }

    private static func refusal(_ answer: ServiceAnswer, _ call: ServiceCall, _ pipe: ObjectName) -> ConnectorError {
        let code = answer.json?["code"]?.scalarText ?? "none", message = answer.json?["message"]?.stringValue ?? "no message"
        let text = "Snowflake refused \(call.what): \(message) (status \(answer.status), code \(code))"
        switch answer.status {
        case 401: return SnowflakeError(code: "390144", sqlState: "08001", message: message, queryID: nil).connectorError(call.what)
        case 403, 404:
            return ConnectorError(
                "snowflake.pipe_missing", .stop, text,
                hint:
                    "Let the user's default role (Snowpipe knows no other) own the pipe: GRANT OPERATE, MONITOR ON PIPE \(pipe.sql) TO ROLE …, ALTER USER … SET DEFAULT_ROLE"
            )
        default: return ConnectorError("snowflake.pipe_refused", .stop, text)
        }
    }
}
