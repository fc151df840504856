import ConnectAPI
import ConnectRuntime
import Glibc
import JSON

/// `sluice tap`: the records of a topic, from a running worker or straight from a data directory.
struct TapCommand {
    private let topic: String
    private let fromBeginning: Bool
    private let follows: Bool
    private let limit: Int
    private let url: String?
    private let dataDirectory: String?
    private let printer: RecordPrinter

    init(_ arguments: some Sequence<String>) throws {
        let arguments = try Arguments(
            arguments, options: ["--max", "--url", "--data-dir"], flags: ["--from-beginning", "--follow", "--pretty"])
        guard arguments.operands.count == 1 else { throw UsageError("tap takes one topic") }
        topic = arguments.operands[0]
        fromBeginning = arguments.has("--from-beginning")
        follows = arguments.has("--follow") || !fromBeginning
        if let text = arguments["--max"] {
            guard let number = Int(text), number > 0 else { throw UsageError("--max takes a number above 0, not '\(text)'") }
            limit = number
        } else {
            limit = .max
        }
        if arguments["--url"] != nil, arguments["--data-dir"] != nil { throw UsageError("--url and --data-dir exclude each other") }
        dataDirectory = arguments["--data-dir"]
        url = arguments["--url"]
        printer = RecordPrinter(pretty: arguments.has("--pretty"))
    }

    func run() async throws {
        if let dataDirectory { try await read(dataDirectory) } else { try request(url ?? "http://127.0.0.1:8083") }
    }

    private func request(_ base: String) throws {
        var query = "offset=\(fromBeginning ? "earliest" : "latest")&follow=\(follows)"
        if limit != .max { query += "&max=\(limit)" }
        let path = "/sluice/v1/topics/\(PercentEncoding.encode(topic))/records?\(query)"
        let response = try HTTPStream(base: base, path: path)
        guard response.status == 200 else {
            var body: [UInt8] = []
            while let part = try response.next() { body += part }
            let message = (try? JSONValue.parse(body))?["message"]?.stringValue ?? String(decoding: body, as: UTF8.self)
            throw ConnectorError("tap.refused", .stop, "\(base) answered \(response.status): \(message)")
        }
        var line: [UInt8] = []
        while let part = try response.next() {
            // Whole lines at once; a reader that left ends the command.
            guard let end = part.lastIndex(of: UInt8(ascii: "\n")) else {
                line += part
                continue
            }
            guard printer.print(line + part[...end]) else { return }
            line = Array(part[(end + 1)...])
        }
        _ = printer.print(line)
    }

    private func read(_ directory: String) async throws {
        let log = try await EmbeddedLog.openReadOnly(directory)
        var next: [Int32: Int64] = [:], lines = RecordLines(), left = limit
        let topics = try await log.topics()
        guard topics[topic] != nil || follows else {
            let nearest = ConfigValidator.nearest(to: topic, in: Set(topics.keys))
            throw ConnectorError(
                "tap.no_topic", .stop, "The log in \(directory) has no topic \(topic)\(nearest.map { "; did you mean '\($0)'?" } ?? "")")
        }
        reading: while true {
            var moved = false
            for range in try await log.topics()[topic] ?? [] {
                let from = max(next[range.partition] ?? (fromBeginning ? range.start : range.end), range.start)
                next[range.partition] = from
                guard from < range.end else { continue }
                for stored in try await log.read(TopicPartition(topic, range.partition), from: from, maxBytes: 1 << 20) {
                    var out = JSONWriter()
                    let count = try lines.append(stored, limit: left, to: &out)
                    moved = true
                    left -= count
                    next[range.partition] = stored.firstOffset + Int64(count)
                    guard out.withBytes({ printer.print(Array($0)) }), left > 0 else { break reading }
                }
            }
            if moved { continue }
            guard follows else { break }
            await log.waitForRecords(
                past: Dictionary(uniqueKeysWithValues: next.map { (TopicPartition(topic, $0.key), $0.value) }), timeout: .seconds(1))
        }
        await log.close()
    }
}

/// Prints record lines as they are, or for people.
struct RecordPrinter {
    let pretty: Bool

    /// False when the reader has left.
    func print(_ lines: [UInt8]) -> Bool {
        guard pretty else { return Output.bytes(lines) }
        for line in lines.split(separator: UInt8(ascii: "\n")) where !Output.bytes(Array(Self.readable(line).utf8)) { return false }
        return true
    }

    private static func readable(_ line: ArraySlice<UInt8>) -> String {
        guard let record = try? JSONValue.parse(line) else { return String(decoding: line, as: UTF8.self) + "\n" }
        func text(_ key: String) -> String {
            guard let raw = record[key]?.stringValue else { return "null" }
            guard let json = try? JSONValue.parse(raw), json.objectValue != nil || json.arrayValue != nil else { return raw }
            return String(decoding: json.prettyBytes, as: UTF8.self)
        }
        let time = record["ts"]?.integerValue.map { ISO8601.timestamp(micros: $0 * 1000, fractionDigits: 3) } ?? "-"
        var out =
            "\(record["topic"]?.stringValue ?? "") partition \(record["partition"]?.scalarText ?? "0") offset \(record["offset"]?.scalarText ?? "?") \(time)\n"
        let headers = record["headers"]?.arrayValue ?? []
        for i in stride(from: 0, to: headers.count - 1, by: 2) { out += "  \(headers[i].scalarText ?? ""): \(headers[i + 1].scalarText ?? "null")\n" }
        return out + "key \(text("key"))\nvalue \(text("payload"))\n\n"
    }
}
