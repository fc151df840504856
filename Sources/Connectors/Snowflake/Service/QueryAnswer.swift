import ConnectAPI
import JSON

/// The answer to a statement. A parser of outside bytes: whatever they are, it returns or throws.
struct QueryAnswer: Sendable {
    enum Outcome: Sendable {
        case done(QueryAnswer)
        /// Ask this path for the result.
        case running(resultPath: String)
        case refused(SnowflakeError)
    }

    let queryID: String?
    let columns: [String]
    /// Every value as text; nil is NULL.
    var rows: [[String?]]
    /// Parts of a large result that are to be fetched.
    let chunks: [Chunk]
    /// The whole `data`: what a PUT says about the stage.
    let data: JSONValue

    struct Chunk: Sendable, Equatable {
        let url: String
        let headers: [Header]
        struct Header: Sendable, Equatable {
            let name: String
            let value: String
        }
    }

    static func parse(_ json: JSONValue) throws -> Outcome {
        let data = json["data"] ?? .null
        let code = json["code"]?.scalarText ?? data["errorCode"]?.scalarText ?? ""
        if code == "333333" || code == "333334" {
            guard let path = data["getResultUrl"]?.stringValue, path.hasPrefix("/") else { throw unreadable("a running statement has no getResultUrl") }
            return .running(resultPath: path)
        }
        guard json["success"]?.boolValue == true else {
            return .refused(
                SnowflakeError(
                    code: code.isEmpty ? "none" : code, sqlState: data["sqlState"]?.stringValue ?? "", message: json["message"]?.stringValue ?? "no message",
                    queryID: data["queryId"]?.stringValue))
        }
        let columns = (data["rowtype"]?.arrayValue ?? []).map { $0["name"]?.stringValue?.lowercased() ?? "" }
        let rows = try (data["rowset"]?.arrayValue ?? []).map(Self.row)
        var headers = (data["chunkHeaders"]?.objectValue?.members ?? []).compactMap { member in
            member.value.stringValue.map { Chunk.Header(name: member.key, value: $0) }
        }
        if headers.isEmpty, let key = data["qrmk"]?.stringValue {
            headers = [
                .init(name: "x-amz-server-side-encryption-customer-algorithm", value: "AES256"),
                .init(name: "x-amz-server-side-encryption-customer-key", value: key),
            ]
        }
        let chunks = (data["chunks"]?.arrayValue ?? []).compactMap { $0["url"]?.stringValue }.map { Chunk(url: $0, headers: headers) }
        return .done(QueryAnswer(queryID: data["queryId"]?.stringValue, columns: columns, rows: rows, chunks: chunks, data: data))
    }

    /// The rows of a fetched chunk: JSON arrays with commas between them, without the brackets around.
    static func chunkRows(_ body: [UInt8]) throws -> [[String?]] {
        guard let list = try? JSONValue.parse([UInt8(ascii: "[")] + body + [UInt8(ascii: "]")]).arrayValue else {
            throw unreadable("a part of a result is not JSON")
        }
        return try list.map(row)
    }

    static func row(_ value: JSONValue) throws -> [String?] {
        guard let cells = value.arrayValue else { throw unreadable("a row is not an array") }
        return cells.map(\.scalarText)
    }

    static func unreadable(_ why: String) -> ConnectorError {
        ConnectorError("snowflake.answer", .retry, "Snowflake's answer could not be read: \(why)")
    }

    /// The values of a column by name, whatever the order of columns; nil where the column is missing.
    func values(_ column: String) -> [String?] {
        guard let i = columns.firstIndex(of: column) else { return rows.map { _ in nil } }
        return rows.map { i < $0.count ? $0[i] : nil }
    }

    /// Rows as dictionaries: for the small answers of SHOW, DESCRIBE and LIST.
    var named: [[String: String]] {
        rows.map { row in Dictionary(zip(columns, row).compactMap { name, value in value.map { (name, $0) } }, uniquingKeysWith: { first, _ in first }) }
    }

    /// Throws when the result is in a form that was not asked for.
    func requireRows() throws {
        if data["queryResultFormat"]?.stringValue == "arrow", data["rowsetBase64"]?.stringValue?.isEmpty == false {
            throw ConnectorError(
                "snowflake.answer", .stop, "Snowflake answered in Arrow format although JSON was asked for",
                hint: "ALTER USER … UNSET PYTHON_CONNECTOR_QUERY_RESULT_FORMAT, or set it to JSON for the user")
        }
    }
}
