import CSV
import ConnectAPI
import JSON

/// The configuration's texts, read: templates, pointers, ranges.
struct HTTPSourceSettings: Sendable {
    /// What is wrong with which key.
    struct Problem: Error {
        let key: String
        let message: String
        init(_ key: String, _ message: String) {
            self.key = key
            self.message = message
        }
    }

    let schedule: PollSchedule
    let url: RequestTemplate
    let headers: [(name: String, value: RequestTemplate)]
    let params: [(name: String, value: RequestTemplate)]
    let body: RequestTemplate
    let initialOffsets: [(String, String)]
    let listPointer: JSONPointer
    let recordPointer: JSONPointer
    let cursorPointer: JSONPointer?
    let offsetPointers: [(name: String, pointer: JSONPointer)]
    let map: (key: String, value: String)?
    let columns: [CSVColumn]
    let fields: [(name: String, value: String)]
    let processCodes: [ClosedRange<Int>]
    let skipCodes: [ClosedRange<Int>]

    init(_ configuration: HTTPSourceConfiguration) throws(Problem) {
        schedule = try PollSchedule(configuration)
        url = try RequestTemplate(configuration.url, "http.request.url")
        body = try RequestTemplate(configuration.body, "http.request.body")
        headers = try Self.pairs(configuration.headers, by: ",", ":", "http.request.headers")
            .map { (pair) throws(Problem) in (pair.0, try RequestTemplate(pair.1, "http.request.headers")) }
        params = try Self.pairs(configuration.params, by: "&", "=", "http.request.params")
            .map { (pair) throws(Problem) in (pair.0, try RequestTemplate(pair.1, "http.request.params")) }
        initialOffsets = try Self.pairs(configuration.initialOffset, by: ",", "=", "http.offset.initial")
        listPointer = try Self.pointer(configuration.listPointer, "http.response.list.pointer")
        recordPointer = try Self.pointer(configuration.recordPointer, "http.response.record.pointer")
        cursorPointer = try configuration.cursorPointer.map { (text) throws(Problem) in try Self.pointer(text, "http.paging.cursor.pointer") }
        offsetPointers = try Self.pairs(configuration.offsetPointers, by: ",", "=", "http.response.record.offset.pointer")
            .map { (pair) throws(Problem) in (pair.0, try Self.pointer(pair.1, "http.response.record.offset.pointer")) }
        fields = try Self.pairs(configuration.fields, by: ",", "=", "http.record.fields")
        if let text = configuration.map {
            let names = text.split(separator: ":").map { $0.trimmingSpaces() }
            guard names.count == 2, names.allSatisfy({ !$0.isEmpty }) else { throw Problem("http.response.map", "It must be two names, such as currency:rate") }
            map = (names[0], names[1])
        } else {
            map = nil
        }
        do { columns = try CSVColumn.list(configuration.columns ?? "") } catch { throw Problem("http.response.columns", error.description) }
        processCodes = try Self.ranges(configuration.processCodes, "http.response.policy.codes.process")
        skipCodes = try Self.ranges(configuration.skipCodes, "http.response.policy.codes.skip")
    }

    private static func pointer(_ text: String, _ key: String) throws(Problem) -> JSONPointer {
        guard let pointer = JSONPointer(text) else { throw Problem(key, "It is no JSON pointer: ~ must be ~0 or ~1") }
        return pointer
    }

    private static func pairs(_ text: String, by separator: Character, _ inner: Character, _ key: String) throws(Problem) -> [(String, String)] {
        var pairs: [(String, String)] = []
        for part in text.split(separator: separator) where !part.allSatisfy({ $0 == " " }) {
            guard let place = part.firstIndex(of: inner) else { throw Problem(key, "It must be pairs such as name\(inner)value, separated by '\(separator)'") }
            pairs.append((part[..<place].trimmingSpaces(), part[part.index(after: place)...].trimmingSpaces()))
        }
        return pairs
    }

    /// `200..205, 207`
    private static func ranges(_ text: String, _ key: String) throws(Problem) -> [ClosedRange<Int>] {
        var ranges: [ClosedRange<Int>] = []
        for part in text.split(separator: ",") {
            let ends = part.replacing("..", with: "-").split(separator: "-").map { Int($0.trimmingSpaces()) }
            guard (1...2).contains(ends.count), let low = ends[0], let high = ends[ends.count - 1], low <= high else {
                throw Problem(key, "It must be status codes and ranges such as 200..204, 206")
            }
            ranges.append(low...high)
        }
        return ranges
    }
}
