import ConnectAPI
import JSON

/// `/sluice/v1/topics`: the topics of the log and their records. Not part of Kafka Connect, hence the prefix.
struct TopicRoutes: Sendable {
    let herder: any Herder

    var routes: [Router.Route] {
        [
            Router.Route("GET", "/sluice/v1/topics") { _ in try await list() },
            Router.Route("GET", "/sluice/v1/topics/{topic}/records", isJSON: false) { try await records($0) },
        ]
    }

    private func list() async throws -> HTTPResponse {
        let topics = try await herder.log.topics()
        return .json(
            200,
            .array(
                topics.sorted { $0.key < $1.key }.map { name, ranges in
                    .object([
                        ("topic", .string(name)),
                        (
                            "partitions",
                            .array(
                                ranges.map {
                                    .object([("partition", .integer($0.partition)), ("start", .integer($0.start)), ("end", .integer($0.end))])
                                })
                        ),
                    ])
                }))
    }

    /// `partition` (all), `offset` (`earliest`, `latest`, a number, or a negative number of records from the end), `max` (all), `follow` (false: ends
    /// with the last record there is).
    private func records(_ request: RestRequest) async throws -> HTTPResponse {
        let topic = request.name, log = herder.log
        let follows = request.http.flag("follow")
        let limit = try number(request.http, "max") ?? .max
        let wanted = try number(request.http, "partition").map { Int32(clamping: $0) }
        let origin = try Origin(request.http.parameters("offset").first)
        let topics = try await log.topics()
        guard topics[topic] != nil || follows else {
            let hint = ConfigValidator.nearest(to: topic, in: Set(topics.keys)).map { "; did you mean '\($0)'?" } ?? ""
            throw HerderError(404, "Topic \(topic) not found\(hint)")
        }
        return HTTPResponse(streaming: "application/x-ndjson") { writer in
            var cursor = TopicCursor(topic: topic, partition: wanted, origin: origin, limit: limit)
            while try await cursor.advance(log, writer) || follows && cursor.remaining > 0 {
                if !cursor.hasMoved, !writer.isClosed { await log.waitForRecords(past: cursor.waitingFor, timeout: .seconds(1)) }
                try Task.checkCancellation()
                if writer.isClosed { return }
            }
        }
    }

    private func number(_ request: HTTPRequest, _ name: String) throws -> Int? {
        guard let text = request.parameters(name).first else { return nil }
        guard let number = Int(text), number >= 0 else { throw HerderError(400, "'\(name)' must be a number of 0 or more") }
        return number
    }
}

/// Where reading a topic begins.
enum Origin: Sendable {
    case earliest, latest
    case offset(Int64)
    case beforeEnd(Int64)

    init(_ text: String?) throws {
        switch text?.lowercased() {
        case nil, "", "earliest", "beginning": self = .earliest
        case "latest", "end": self = .latest
        case let text?:
            guard let number = Int64(text) else {
                throw HerderError(400, "'offset' must be earliest, latest, a number, or a negative number of records before the end")
            }
            self = number < 0 ? .beforeEnd(number.magnitude > UInt64(Int64.max) ? .max : -number) : .offset(number)
        }
    }

    func first(in range: PartitionRange) -> Int64 {
        switch self {
        case .earliest: range.start
        case .latest: range.end
        case .offset(let offset): max(offset, range.start)
        case .beforeEnd(let count): max(range.end - min(count, range.end), range.start)
        }
    }
}

/// Reads the partitions of a topic in turn and writes their lines.
struct TopicCursor {
    private static let readBytes = 1 << 20
    private let topic: String
    private let partition: Int32?
    private let origin: Origin
    private var next: [Int32: Int64] = [:]
    private var lines = RecordLines()
    private(set) var remaining: Int
    /// Whether the last round found records.
    private(set) var hasMoved = false

    init(topic: String, partition: Int32?, origin: Origin, limit: Int) {
        self.topic = topic
        self.partition = partition
        self.origin = origin
        remaining = limit
    }

    /// One read of every partition; false when the end is reached everywhere, or the limit.
    mutating func advance(_ log: any Log, _ writer: HTTPBodyWriter) async throws -> Bool {
        hasMoved = false
        for range in try await log.topics()[topic] ?? [] where partition ?? range.partition == range.partition {
            let from = next[range.partition] ?? origin.first(in: range)
            next[range.partition] = from
            guard from < range.end, remaining > 0 else { continue }
            for batch in try await log.read(TopicPartition(topic, range.partition), from: from, maxBytes: Self.readBytes) {
                let (bytes, count) = try render(batch)
                remaining -= count
                next[range.partition] = batch.firstOffset + Int64(count)
                try await writer.write(bytes)
                if remaining == 0 { return false }
            }
            hasMoved = true
        }
        return hasMoved
    }

    var waitingFor: [TopicPartition: Int64] {
        Dictionary(uniqueKeysWithValues: next.map { (TopicPartition(topic, $0.key), $0.value) })
    }

    private mutating func render(_ batch: StoredBatch) throws -> (bytes: [UInt8], count: Int) {
        var out = JSONWriter()
        let count = try lines.append(batch, limit: remaining, to: &out)
        return (out.take(), count)
    }
}
