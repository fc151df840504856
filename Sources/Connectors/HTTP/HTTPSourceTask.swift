public import ConnectAPI
import JSON
import Transport

/// Polls, and emits a frame a poll.
public struct HTTPSourceTask: SourceTask {
    private let configuration: HTTPSourceConfiguration
    private let settings: HTTPSourceSettings
    private let endpoint: String
    private let rows: ResponseRows
    private let columns: RecordColumns
    private let context: TaskContext
    private var progress: PollProgress

    init(
        _ configuration: HTTPSourceConfiguration, _ settings: HTTPSourceSettings, _ endpoint: String, _ progress: PollProgress, _ context: TaskContext
    ) {
        self.configuration = configuration
        self.settings = settings
        self.endpoint = endpoint
        self.progress = progress
        self.context = context
        rows = ResponseRows(configuration, settings)
        columns = RecordColumns(configuration, settings)
    }

    public mutating func run(_ output: any SourceOutput) async throws {
        var caller = HTTPCaller(configuration, accepting: settings.processCodes + settings.skipCodes, context.log)
        var isCatchingUp = false
        while true {
            let now = WallClock.milliseconds
            let due = settings.schedule.next(after: progress.polledAt, catchingUp: isCatchingUp, now: now)
            if due > now { try await Task.sleep(for: .milliseconds(min(due - now, 3_600_000))) }
            if due > WallClock.milliseconds { continue }
            let count = try await poll(&caller, output)
            isCatchingUp = count > 0 && !settings.offsetPointers.isEmpty
            context.metrics.add("sluice_http_polls_total", ["connector": context.connector], 1)
        }
    }

    private func request(_ parameters: [(name: String, value: String)]) -> HTTPRequest {
        var headers = settings.headers.map { (name: $0.name, value: $0.value.text(progress)) }
        if let etag = progress.etag { headers.append(("If-None-Match", etag)) }
        if let lastModified = progress.lastModified { headers.append(("If-Modified-Since", lastModified)) }
        let query = settings.params.map { (name: $0.name, value: $0.value.text(progress)) } + parameters
        let body = settings.body.text(progress)
        return HTTPRequest(
            method: configuration.method.uppercased(), url: URLText.adding(query, to: settings.url.text(progress, encoding: true)), headers: headers,
            body: Array(body.utf8))
    }

    /// Reads all pages; how many records there were.
    private mutating func poll(_ caller: inout HTTPCaller, _ output: any SourceOutput) async throws -> Int {
        let polledAt = WallClock.milliseconds, before = progress.offsets
        var paging = Paging(configuration, settings), request = request(paging.first)
        var batches: [RecordBatch] = [], bytes = 0, count = 0
        while true {
            let response = try await caller.send(request)
            guard response.status != 304, settings.processCodes.contains(where: { $0.contains(response.status) }) else { break }
            let (all, document) = try rows.read(response.body)
            let fresh = unseen(all, before)
            if let last = fresh.last { note(last) }
            if paging.pages == 1 { (progress.etag, progress.lastModified) = (response.headers["etag"], response.headers["last-modified"]) }
            if !fresh.isEmpty {
                let batch = try columns.batch(fresh, polledAt: polledAt)
                bytes += batch.byteCount
                count += batch.count
                batches.append(batch)
            }
            guard let next = try paging.next(after: response, document, rows: all.count) else { break }
            if bytes > context.memoryBudget / 4, batches.count > 1 {
                // Too much for one frame: what is sent early comes again if the worker ends before the poll does.
                try await output.emit(Array(batches.dropLast()), at: nil)
                batches.removeFirst(batches.count - 1)
                bytes = batches[0].byteCount
            }
            switch next {
            case .parameters(let parameters): request = following(parameters)
            case .url(let url):
                let target = URLText.resolve(url, from: request.url)
                guard URLText.origin(target) == URLText.origin(request.url) else {
                    throw ConnectorError(
                        "http.foreign_page", .stop, "\(endpoint) says that its next page is on another host", hint: "Credentials are not sent there")
                }
                request.url = target
            }
        }
        progress.polledAt = polledAt
        if let name = configuration.boundaryHeader, let last = batches.last {
            batches[batches.count - 1].headers.append(Self.boundary(name, last.count))
        }
        try await output.emit(batches, at: progress.sourcePosition(endpoint))
        return count
    }

    /// The same request for another page; conditions are the first page's business.
    private func following(_ parameters: [(name: String, value: String)]) -> HTTPRequest {
        var next = request(parameters)
        next.headers.removeAll { ["If-None-Match", "If-Modified-Since"].contains($0.name) }
        return next
    }

    private static func boundary(_ name: String, _ count: Int) -> HeaderColumn {
        var present = Bitmap(repeating: false, count: count)
        present[count - 1] = true
        return HeaderColumn(name, .constant(.boolean(true), Schema(.boolean), count: count), present: present)
    }

    /// Without the rows up to the one the last poll ended with: APIs that answer from an offset on often repeat it.
    private func unseen(_ rows: [JSONValue], _ before: OffsetMap) -> [JSONValue] {
        guard !settings.offsetPointers.isEmpty,
            let seen = rows.lastIndex(where: { row in settings.offsetPointers.allSatisfy { before[$0.name] == Self.offset($0.pointer, row) } })
        else { return rows }
        return Array(rows[(seen + 1)...])
    }

    private mutating func note(_ row: JSONValue) {
        for (name, pointer) in settings.offsetPointers { progress.offsets[name] = Self.offset(pointer, row) }
    }

    private static func offset(_ pointer: JSONPointer, _ row: JSONValue) -> Value {
        switch pointer.value(in: row) {
        case .string(let text): .string(text)
        case .number(let text): Int64(text).map { .integer($0) } ?? .string(text)
        case .bool(let flag): .boolean(flag)
        default: .null
        }
    }
}
