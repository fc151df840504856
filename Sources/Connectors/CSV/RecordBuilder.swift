import ConnectAPI

/// Makes records of rows: the value struct, the key, timestamps and headers.
struct RecordBuilder: Sendable {
    private let topic: String
    private let keyFields: [String]
    private let keyName: String
    private let valueName: String
    private let enrichment: CurrencyEnrichment?
    private let timestampMode: String
    private let timestampField: String
    private let hasHeaders: Bool

    init(_ configuration: CSVSourceConfiguration, _ settings: CSVSettings) {
        topic = configuration.topic
        keyFields = settings.keyFields
        keyName = configuration.keyName
        valueName = configuration.valueName
        enrichment = settings.enrichment
        timestampMode = configuration.timestampMode
        timestampField = configuration.timestampField ?? ""
        hasHeaders = configuration.metadataLocation == "HEADERS"
    }

    func batch(_ chunk: CSVChunk, _ rows: Range<Int>, _ path: String) throws -> RecordBatch {
        func column(_ name: String, _ key: String) throws -> Column {
            guard let column = chunk.columns.first(where: { $0.name == name })?.column else {
                throw ConnectorError(
                    "csv.missing_column", .stop, "\(path) has no column \(name), which \(key) names",
                    hint: "Its columns are \(chunk.columns.map(\.name).joined(separator: ", "))")
            }
            return column.slice(rows)
        }
        let key = keyFields.isEmpty ? nil : Self.struct(try keyFields.map { ($0, try column($0, "the key")) }, keyName, rows.count)
        for name in enrichment?.neededColumns ?? [] { _ = try column(name, "enrich.fx") }
        var columns = chunk.columns.map { ($0.name, $0.column.slice(rows)) }
        if let enrichment { columns = enrichment.apply(columns, rows: Array(chunk.rows[rows])) }
        let timestamps: Column =
            switch timestampMode {
            case "FIELD": try Self.milliseconds(column(timestampField, "timestamp.field"))
            case "FILE_TIME": .constant(.integer(chunk.modified), RecordBatch.timestampSchema, count: rows.count)
            default: .constant(.integer(WallClock.milliseconds), RecordBatch.timestampSchema, count: rows.count)
            }
        return RecordBatch(
            topic: topic, count: rows.count, key: key, value: Self.struct(columns, valueName, rows.count), timestamps: timestamps,
            headers: hasHeaders ? headers(chunk, rows, path) : [])
    }

    private static func `struct`(_ columns: [(name: String, column: Column)], _ name: String, _ count: Int) -> Column {
        let schema = Schema.struct(columns.map { Schema.Field($0.name, $0.column.schema) }, name: name)
        return Column(schema, count: count, .struct(columns.map(\.column)))
    }

    /// Of a timestamp, a date, or a number of seconds or milliseconds; now where there is none.
    private static func milliseconds(_ column: Column) throws -> Column {
        let now = WallClock.milliseconds
        let values = try (0..<column.count).map { row -> Int64 in
            guard !column.isNull(row) else { return now }
            guard let number = column[row].integerValue else {
                throw ConnectorError("csv.bad_timestamp_field", .stop, "timestamp.field names a column that is neither a time nor a whole number")
            }
            return switch column.schema.name {
            case LogicalName.connectTimestamp: number
            case LogicalName.microTimestamp: number.flooredDivision(by: 1000).quotient
            case LogicalName.connectDate: number * 86_400_000
            default: abs(number) >= 100_000_000_000 ? number : number * 1000
            }
        }
        return Column(RecordBatch.timestampSchema, count: column.count, .int64(values))
    }

    private func headers(_ chunk: CSVChunk, _ rows: Range<Int>, _ path: String) -> [HeaderColumn] {
        let text = Schema(.string), number = Schema(.int64), count = rows.count
        let parts = path.split(separator: "/")
        let name = parts.last.map(String.init) ?? path
        let bare = name.lastIndex(of: ".").map { String(name[..<$0]) } ?? name
        return [
            HeaderColumn("file.path", .constant(.string(path), text, count: count)),
            HeaderColumn("file.name", .constant(.string(name), text, count: count)),
            HeaderColumn("file.name.without.extension", .constant(.string(bare), text, count: count)),
            HeaderColumn("file.parent.dir.name", .constant(.string(parts.dropLast().last.map(String.init) ?? ""), text, count: count)),
            HeaderColumn("file.length", .constant(.integer(chunk.end.size), number, count: count)),
            HeaderColumn("file.last.modified", .constant(.integer(chunk.modified), number, count: count)),
            HeaderColumn("file.offset", Column(number, count: count, .int64(Array(chunk.rows[rows])))),
        ]
    }
}
