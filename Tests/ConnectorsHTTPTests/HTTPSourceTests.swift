import ConnectAPI
import ConnectorsHTTP
import Foundation
import TestSupport
import Testing

/// The HTTP source against a real server.
@Suite(.serialized) struct HTTPSourceTests {
    private let server: HTTPAPIServer
    init() throws { server = try HTTPAPIServer() }

    private func poll(
        _ path: String, _ config: [String: String] = [:], from: [SourcePosition] = [], until done: @escaping @Sendable (RecordingOutput) -> Bool
    ) async throws -> RecordingOutput {
        try await run(
            HTTPSource.self, ["kafka.topic": "t", "http.request.url": server.url + path, "retry.backoff.ms": "10"].merging(config) { $1 }, from: from,
            until: done)
    }
    private func ids(_ output: RecordingOutput) -> [Int64] {
        output.values("t").map { if case .struct(let members) = $0 { members[0].integerValue ?? -1 } else { -1 } }
    }

    private static let fx = [
        "http.request.params": "currencies=EUR,DKK,NOK,SEK", "http.auth.type": "API_Key", "http.auth.api.key": "sesame", "http.response.list.pointer": "/data",
        "http.response.map": "currency:rate", "http.response.columns": "rate double", "http.record.fields": "timestamp=${poll.time}, base_currency=USD",
        "batch.boundary.header": "batch.boundary",
    ]

    @Test(arguments: ["header", "query"]) func exchangeRatesAreRows(_ location: String) async throws {
        let output = try await poll("/v1/latest", Self.fx.merging(["http.auth.api.key.location": location, "http.timer.interval.millis": "50"]) { $1 }) {
            $0.frames.count >= 2
        }
        let batch = output.frames[0].batches[0], value = batch.value!
        #expect(value.schema.fields.map(\.name) == ["timestamp", "base_currency", "currency", "rate"])
        #expect(value.schema.fields[3].schema.type == .float64)
        #expect((0..<4).map { value.child("currency")![$0] } == ["EUR", "DKK", "NOK", "SEK"])
        #expect((0..<4).map { value.child("rate")![$0] } == [.double(0.9215101), .double(6.8), .double(10), .double(10.5)])
        let time = value.child("timestamp")![0].stringValue!
        #expect(time.hasSuffix("Z") && time.count == 20 && value.child("timestamp")![3].stringValue == time)
        // One poll is one frame, all of one time, and its last record says so.
        #expect(Set((0..<4).map { batch.timestamps[$0] }).count == 1)
        #expect(batch.headers[0].name == "batch.boundary" && batch.headers[0].present == Bitmap([false, false, false, true]))
        #expect(output.position?.partition["url"]?.stringValue == server.url + "/v1/latest")
    }

    @Test func conditionsAreSentBackAndSurviveARestart() async throws {
        let output = try await poll("/conditional", ["http.timer.interval.millis": "20"]) { $0.frames.count >= 3 }
        #expect(ids(output) == [1, 2] && output.position?.offset["etag"] == "\"v1\"" && output.position?.offset["last_modified"] != nil)
        let again = try await poll("/conditional", ["http.timer.interval.millis": "20"], from: [output.position!]) { !$0.frames.isEmpty }
        #expect(again.count("t") == 0 && !again.frames.isEmpty)
    }

    @Test(
        arguments: [
            ("/link", ["http.paging.mode": "link"], 3),
            ("/page", ["http.paging.mode": "page", "http.paging.size": "10", "http.paging.size.param": "per_page", "http.response.list.pointer": "/items"], 3),
            ("/offset", ["http.paging.mode": "offset", "http.paging.param": "start", "http.paging.size": "5", "http.paging.size.param": "limit"], 6),
            ("/cursor", ["http.paging.mode": "cursor", "http.paging.cursor.pointer": "/next", "http.response.list.pointer": "/items"], 3),
        ])
    func readsAllPages(_ path: String, _ config: [String: String], _ requests: Int) async throws {
        let output = try await poll(path, config) { !$0.frames.isEmpty }
        #expect(ids(output) == Array(1...25) && output.frames.count == 1)
        #expect(try server.requests().count == requests)
    }

    @Test func continuesFromTheLastRecord() async throws {
        let config = [
            "http.request.params": "after=${offset.after}", "http.offset.initial": "after=1",
            "http.response.record.offset.pointer": "after=/id, timestamp=/at, key=/name",
            "http.timer.interval.millis": "20",
        ]
        let first = try await poll("/since", config) { $0.count("t") >= 10 }
        let rest = try await poll("/since", config, from: [first.frames[0].position!]) { $0.count("t") >= 15 }
        #expect(ids(first).prefix(10) == Array(1...10)[...] && ids(rest) == Array(11...25))
        let batch = first.frames[0].batches[0]
        #expect(batch.key![2] == "item 3" && batch.timestamps[2].integerValue == 1_795_651_203_000)
    }

    @Test func triesAgainAndHonoursRetryAfter() async throws {
        let start = ContinuousClock.now
        let output = try await poll("/flaky") { !$0.frames.isEmpty }
        #expect(ids(output) == [1, 2, 3] && ContinuousClock.now - start >= .seconds(1))
        #expect(try server.requests().count == 3)
    }

    @Test(
        arguments: [
            ["http.auth.type": "Basic", "http.auth.user": "u", "http.auth.password": "p ä"], ["http.auth.type": "Bearer", "http.auth.bearer.token": "fixed"],
        ])
    func authenticates(_ config: [String: String]) async throws {
        #expect(ids(try await poll("/private", config) { !$0.frames.isEmpty }) == [1])
    }

    @Test func fetchesATokenAndAnotherWhenItIsWithdrawn() async throws {
        let config = ["http.auth.type": "OAuth2", "oauth2.token.url": server.url + "/token", "oauth2.client.id": "client", "oauth2.client.secret": "s/cret"]
        #expect(ids(try await poll("/private", config) { !$0.frames.isEmpty }) == [1])
        #expect(try server.requests().filter { $0.hasPrefix("POST /token") }.count == 2)
    }

    @Test func credentialsDoNotFollowARedirectToAnotherHost() async throws {
        let output = try await poll("/away", ["http.auth.type": "API_Key", "http.auth.api.key": "sesame"]) { !$0.frames.isEmpty }
        #expect(output.values("t") == [.struct([.null, "headers"])])
    }

    @Test(
        arguments: [
            ("/v1/latest", ["http.auth.type": "API_Key", "http.auth.api.key": "wrong-secret", "http.auth.api.key.location": "query"], "http.refused"),
            ("/nowhere?token=wrong-secret", [:], "http.refused"), ("/html", [:], "http.bad_json"),
            ("/csv", ["http.response.list.pointer": "/x"], "http.bad_json"),
            ("/link", ["http.response.list.pointer": "/x"], "http.no_rows"), ("/link", ["http.response.columns": "name double"], "http.bad_value"),
            ("/link", ["http.paging.mode": "link", "http.paging.max.pages": "2"], "http.too_many_pages"),
        ])
    func failuresSayWhereAndNeverWhat(_ path: String, _ config: [String: String], _ code: String) async throws {
        let error = await #expect(throws: ConnectorError.self) {
            _ = try await poll(path, config.merging(["http.request.params": "currencies=EUR&secret=wrong-secret", "max.retries": "0"]) { $1 }) {
                !$0.frames.isEmpty
            }
        }
        #expect(error?.code == code)
        let text = "\(error!)"
        #expect(text.contains(server.url) && !text.contains("wrong-secret") && !text.contains("secret-row") && !text.contains("item 1"))
    }

    @Test func aServerThatIsAwayIsRetriedAndSaid() async throws {
        let error = await #expect(throws: ConnectorError.self) {
            try await run(
                HTTPSource.self, ["kafka.topic": "t", "http.request.url": "http://127.0.0.1:1/x?key=wrong-secret", "max.retries": "1", "retry.backoff.ms": "1"]
            ) { _ in false }
        }
        #expect(error?.code == "http.unavailable" && error?.disposition == .retry && error?.description.contains("wrong-secret") == false)
    }

    @Test func csvAndJSONLines() async throws {
        let csv = try await poll("/csv", ["http.response.format": "csv"]) { !$0.frames.isEmpty }
        #expect(csv.values("t") == [.struct(["EUR", .double(1.5), "007"]), .struct(["DKK", .double(2), "010"])])
        let lines = try await poll("/lines", ["http.response.format": "jsonl"]) { !$0.frames.isEmpty }
        #expect(lines.values("t") == [.struct([1, .null]), .struct([2, "y"])])
        let text = try await poll("/lines", ["http.response.format": "jsonl", "http.response.record.mapper": "StringKvSourceRecordMapper"]) {
            !$0.frames.isEmpty
        }
        #expect(text.values("t") == ["{\"id\":1}", "{\"id\":2,\"x\":\"y\"}"])
    }

    @Test func aRestartDoesNotAskBeforeTheIntervalIsOver() async throws {
        let first = try await poll("/link", ["http.timer.interval.millis": "600000"]) { !$0.frames.isEmpty }
        let again = try await run(
            HTTPSource.self, ["kafka.topic": "t", "http.request.url": server.url + "/link", "http.timer.interval.millis": "600000"], from: [first.position!],
            seconds: 0.3
        ) { !$0.frames.isEmpty }
        #expect(again.frames.isEmpty)
        #expect(try server.requests().count == 1)
    }

    @Test func noMoreRequestsAMinuteThanAllowedPagesIncluded() async throws {
        let start = ContinuousClock.now
        let output = try await poll("/link", ["http.paging.mode": "link", "http.timer.interval.millis": "1", "http.requests.per.minute": "600"]) {
            $0.frames.count >= 3
        }
        let requests = try server.requests().count
        // The first goes at once, each other one a tenth of a second after the one before; how much later a busy machine is does not matter.
        #expect(requests >= 9 && ContinuousClock.now - start >= .milliseconds(100) * (requests - 1))
        #expect(ids(output).prefix(25) == Array(1...25)[...])
    }

    @Test func pollsWhenTheCronExpressionIsDue() async throws {
        let start = Int64(Date().timeIntervalSince1970)
        let output = try await poll("/link", ["http.timer.cron": "* * * * * *"]) { $0.frames.count >= 2 }
        let polls = output.frames.compactMap { $0.position?.offset["polled_at"]?.integerValue }.map { $0 / 1000 }
        // Not before the next second begins, and once a second.
        #expect(polls.count >= 2 && polls[0] > start && polls[1] > polls[0])
    }

    /// The clock is the machine's; when the last poll was is the offset's.
    @Test func aPollThatFellIntoAStopIsMadeUpForOnce() async throws {
        let now = Int64(Date().timeIntervalSince1970) * 1000, hour: Int64 = 3_600_000
        func expect(_ isDue: Bool, _ cron: String, _ zone: String, lastPoll: Int64) async throws {
            let config = ["kafka.topic": "t", "http.request.url": server.url + "/link", "http.timer.cron": cron, "http.timer.zone": zone]
            var position = SourcePosition(partition: ["url": .string(server.url + "/link")], offset: ["polled_at": .integer(lastPoll)])
            if isDue {
                let output = try await run(HTTPSource.self, config, from: [position]) { !$0.frames.isEmpty }
                position = try #require(output.position, "\(cron) in \(zone)")
            }
            let after = try await run(HTTPSource.self, config, from: [position], seconds: 0.3) { !$0.frames.isEmpty }
            #expect(after.frames.isEmpty, "\(cron) in \(zone)")
        }
        try await expect(true, "0 0 1 1 *", "UTC", lastPoll: now - 3 * 366 * 24 * hour)
        try await expect(false, "0 0 29 2 *", "UTC", lastPoll: now)
        // Due half an hour ago where clocks show UTC, and in half a day on the other side of the world.
        let minutes = (now - hour / 2) / 60_000, daily = "\(minutes % 60) \(minutes / 60 % 24) * * *"
        try await expect(true, daily, "UTC", lastPoll: now - 3 * hour / 2)
        try await expect(false, daily, "+12:00", lastPoll: now - 3 * hour / 2)
        #expect(try server.requests().count == 2)
    }

    @Test(
        arguments: [
            (["http.request.url": "ftp://x"], "http.request.url"), (["http.request.url": "http://x", "http.timer.cron": "61 * * * *"], "http.timer.cron"),
            (["http.request.url": "http://x", "http.auth.type": "Bearer"], "http.auth.bearer.token"),
            (["http.request.url": "http://x", "http.request.params": "a=${offset.t?long}"], "http.request.params"),
            (["http.request.url": "http://x", "http.response.list.pointer": "/a~2"], "http.response.list.pointer"),
            (["http.request.url": "http://x", "http.response.map": "a"], "http.response.map"),
            (["http.request.url": "http://x", "http.paging.mode": "cursor"], "http.paging.cursor.pointer"),
        ])
    func refusesWhatItCannotDo(_ config: [String: String], _ key: String) {
        #expect(HTTPSource.Configuration.parse(config.merging(["kafka.topic": "t"]) { $1 }).findings.map(\.key) == [key])
    }
}
