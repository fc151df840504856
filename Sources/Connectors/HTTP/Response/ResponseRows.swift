import CSV
import ConnectAPI
import JSON
import Transport

/// The rows of an answer.
struct ResponseRows {
    private let format: String
    private let settings: HTTPSourceSettings
    private let place: String

    init(_ configuration: HTTPSourceConfiguration, _ settings: HTTPSourceSettings) {
        format = configuration.format
        self.settings = settings
        place = URLText.shown(configuration.url)
    }

    /// The rows, and the document where there is one.
    func read(_ body: [UInt8]) throws -> (rows: [JSONValue], document: JSONValue?) {
        switch format {
        case "csv": return (try csv(body), nil)
        case "jsonl":
            let lines = body.split(whereSeparator: { $0 == 10 || $0 == 13 }).filter { line in !line.allSatisfy { $0 == 32 || $0 == 9 } }
            return (try lines.map { try parse(Array($0)) }, nil)
        default:
            let document = try parse(body)
            return (try rows(document), document)
        }
    }

    private func parse(_ bytes: [UInt8]) throws -> JSONValue {
        do {
            return try JSONValue.parse(bytes)
        } catch {
            // A page of a proxy, or an answer cut short: the next try may be better. The parser's words could hold data.
            throw ConnectorError(
                "http.bad_json", .retry, "\(place) answered with \(bytes.count) bytes that are not JSON",
                hint: "Check http.request.url and http.response.format")
        }
    }

    private func rows(_ document: JSONValue) throws -> [JSONValue] {
        guard let list = settings.listPointer.value(in: document) else {
            throw ConnectorError(
                "http.no_rows", .stop, "The answer of \(place) has nothing at \(settings.listPointer.text)", hint: "Correct http.response.list.pointer")
        }
        if let map = settings.map {
            guard case .object(let entries) = list else {
                throw ConnectorError(
                    "http.no_map", .stop, "The answer of \(place) has no object at \(settings.listPointer.text)",
                    hint: "Correct http.response.list.pointer, or leave http.response.map out")
            }
            return entries.members.map { .object([(map.key, .string($0.key)), (map.value, $0.value)]) }
        }
        let items = if case .array(let items) = list { items } else if list.isNull { [JSONValue]() } else { [list] }
        return try items.map { item in
            guard let record = settings.recordPointer.value(in: item) else {
                throw ConnectorError(
                    "http.no_record", .stop, "A row of \(place) has nothing at \(settings.recordPointer.text)", hint: "Correct http.response.record.pointer")
            }
            return record
        }
    }

    private func csv(_ body: [UInt8]) throws -> [JSONValue] {
        try body.withUnsafeBytes { bytes in
            var rows = CSVRows()
            CSVTokenizer(CSVDialect()).scan(bytes, into: &rows, width: nil, limit: .max, isFinal: true)
            if let bad = rows.malformed.first {
                throw ConnectorError("http.bad_csv", .retry, "The answer of \(place) has a bad row at line \(bad.line + 1): \(bad.reason)")
            }
            guard rows.count > 1 else { return [] }
            let width = rows.fields.count / rows.count, names = CSVText.row(0, of: rows, width: width, bytes, .utf8)
            var inference = CSVTypeInference(width: width)
            rows.dropFirst()
            inference.observe(rows, bytes)
            let types = inference.types
            return (0..<rows.count).map { row in
                let texts = CSVText.row(row, of: rows, width: width, bytes, .utf8)
                return .object((0..<width).map { (names[$0], Self.value(texts[$0], types[$0])) })
            }
        }
    }

    private static func value(_ text: String, _ type: CSVColumnType) -> JSONValue {
        if text.isEmpty { return .null }
        return switch type {
        case .int64, .float64: .number(text.trimmingSpaces())
        case .boolean: .bool(text.trimmingSpaces().lowercased() == "true")
        default: .string(text)
        }
    }
}
