import ConnectAPI
import JSON

/// Snowpipe Streaming's REST interface: channels that take rows with offset tokens.
///
///     hostname ─▶ scoped token ─▶ open channel ─▶ rows, rows, … ─▶ status: the offset up to which they are committed
actor StreamingClient {
    struct Place: Sendable, Hashable {
        let pipe: ObjectName
        let channel: String
    }

    /// What the service says of a channel when it is opened and asked about.
    struct ChannelStatus: Sendable, Equatable {
        var committed: Int64?
        var errorRows: Int64 = 0
        var lastError: String?
        var lastErrorOffset: Int64?
        /// False: the channel must be opened again.
        var isValid = true
    }

    /// The channel was opened by another, or its token is out of step: open it again.
    struct StaleChannel: Error {}

    private let account: ServiceClient
    private let credential: Credential
    private let user: String
    private var ingest: ServiceClient?
    private var scoped: (token: String, until: ContinuousClock.Instant)?

    init(_ account: ServiceClient, _ credential: Credential, user: String) {
        self.account = account
        self.credential = credential
        self.user = user
    }

    /// Opens a channel, which shuts out whoever had it open.
    func open(_ place: Place) async throws -> (continuation: String, status: ChannelStatus) {
        let call = ServiceCall(
            method: "PUT", path: "\(base(place.pipe, "streaming"))/channels/\(URLText.encode(place.channel))", body: Array("{}".utf8),
            what: "the opening of channel \(place.channel)")
        let json = try await send(call)
        guard let continuation = json["next_continuation_token"]?.stringValue else {
            throw QueryAnswer.unreadable("an opened channel has no continuation token")
        }
        return (continuation, Self.status(json["channel_status"] ?? .null))
    }

    /// Appends lines of JSON; returns the next continuation token. Throws `StaleChannel`.
    func append(_ rows: [UInt8], to place: Place, continuation: String, from start: Int64, to end: Int64) async throws -> String {
        var call = ServiceCall(
            path: "\(base(place.pipe, "streaming/data"))/channels/\(URLText.encode(place.channel))/rows", body: rows, what: "rows of channel \(place.channel)")
        call.query = [
            ("continuationToken", continuation), ("offsetToken", String(end)), ("startOffsetToken", String(start)), ("endOffsetToken", String(end)),
            ("requestId", RequestID.make()),
        ]
        call.contentType = "application/x-ndjson"
        let json = try await send(call)
        guard let next = json["next_continuation_token"]?.stringValue else { throw QueryAnswer.unreadable("appended rows have no continuation token") }
        return next
    }

    func status(of channels: [String], in pipe: ObjectName) async throws -> [String: ChannelStatus] {
        let call = ServiceCall.json(
            "the status of channels of \(pipe)", "\(base(pipe, "streaming")):bulk-channel-status", ["channel_names": .array(channels.map { .string($0) })])
        let json = try await send(call)
        let list = json["channel_statuses"]?.objectValue?.members ?? []
        return Dictionary(list.map { ($0.key, Self.status($0.value)) }, uniquingKeysWith: { first, _ in first })
    }

    static func status(_ json: JSONValue) -> ChannelStatus {
        func offset(_ name: String) -> Int64? { json[name]?.scalarText.flatMap { Int64($0) } }
        let code = json["channel_status_code"]?.stringValue?.uppercased() ?? "SUCCESS"
        let isLost = ["STALE", "INVALID", "NOT_FOUND", "NOT_EXIST", "ERR_"].contains { code.contains($0) }
        return ChannelStatus(
            committed: offset("last_committed_offset_token"), errorRows: offset("rows_error_count") ?? offset("rows_errors") ?? 0,
            lastError: json["last_error_message"]?.stringValue.map { SnowflakeError.withoutValues($0) },
            lastErrorOffset: offset("last_error_offset_upper_bound"),
            isValid: !isLost)
    }

    // MARK: Host and token

    private func base(_ pipe: ObjectName, _ kind: String) -> String {
        let names = pipe.parts.map { URLText.encode($0) }
        return "/v2/\(kind)/databases/\(names[0])/schemas/\(names[1])/pipes/\(names[2])"
    }

    private func host() async throws -> ServiceClient {
        if let ingest { return ingest }
        var call = ServiceCall(method: "GET", path: "/v2/streaming/hostname", what: "the host of Snowpipe Streaming")
        call.headers = try await credential.headers(now: WallClock.milliseconds / 1000)
        let answer = try await account.send(call)
        guard answer.status == 200 else { throw refusal(answer, call.what) }
        // JSON, or the name alone.
        let name = answer.json?["hostname"]?.stringValue ?? answer.json?.stringValue ?? String(decoding: answer.body, as: UTF8.self).trimmingSpaces()
        // Names may hold underscores, which certificates do not.
        let host = account.url.scheme == "http" ? "http://\(name)" : name.split(separator: "_").joined(separator: "-")
        let client = account.at(try AccountURL(host))
        ingest = client
        return client
    }

    private func token(_ ingest: ServiceClient) async throws -> String {
        if let scoped, scoped.until > .now { return scoped.token }
        let form = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&scope=\(URLText.encode(ingest.url.host))"
        var call = ServiceCall(
            path: "/oauth/token", body: Array(form.utf8), contentType: "application/x-www-form-urlencoded", what: "the token of Snowpipe Streaming")
        call.headers = try await credential.headers(now: WallClock.milliseconds / 1000)
        let answer = try await ingest.send(call)
        guard answer.status == 200 else { throw refusal(answer, call.what) }
        // JSON, or the token alone.
        let text = answer.json?["token"]?.stringValue ?? answer.json?.stringValue ?? String(decoding: answer.body, as: UTF8.self).trimmingSpaces()
        guard !text.isEmpty else { throw QueryAnswer.unreadable("the token of Snowpipe Streaming is empty") }
        scoped = (text, .now + .seconds(50 * 60))
        return text
    }

    private func send(_ call: ServiceCall) async throws -> JSONValue {
        for attempt in 0..<2 {
            let ingest = try await host()
            var call = call
            call.headers = [("Authorization", "Bearer \(try await token(ingest))")]
            let answer = try await ingest.send(call)
            if (200...299).contains(answer.status) { return answer.json ?? .object(JSONObject()) }
            if answer.status == 401, attempt == 0 {
                scoped = nil
                await credential.forget()
                continue
            }
            throw refusal(answer, call.what)
        }
        throw QueryAnswer.unreadable("\(call.what) was not answered")
    }

    private func refusal(_ answer: ServiceAnswer, _ what: String) -> any Error {
        let code = answer.json?["code"]?.scalarText ?? "none", message = answer.json?["message"]?.stringValue ?? "no message"
        if code.uppercased().hasPrefix("STALE_") || code.uppercased().contains("CONTINUATION_TOKEN") || code.uppercased().contains("INVALID_CHANNEL") {
            return StaleChannel()
        }
        let text = "Snowflake refused \(what): \(SnowflakeError.withoutValues(message)) (status \(answer.status), code \(code))"
        switch answer.status {
        case 401: return SnowflakeError(code: "390144", sqlState: "08001", message: message, queryID: nil).connectorError(what)
        case 403, 404:
            return ConnectorError(
                "snowflake.stream_refused", .stop, text,
                hint:
                    "Check that the table exists and that the role of user \(user) may INSERT into it (GRANT INSERT, SELECT ON TABLE …, USAGE on database and schema)"
            )
        case 413: return ConnectorError("snowflake.too_large", .reject, text)
        default: return ConnectorError("snowflake.stream_refused", .stop, text)
        }
    }
}

extension String {
    fileprivate func contains(_ needle: String) -> Bool { split(separator: needle, omittingEmptySubsequences: false).count > 1 }
}
