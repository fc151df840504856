import CSV
import ConnectAPI
import JSON

/// Makes a batch of rows: the added columns first, then the rows' members.
struct RecordColumns {
    private let topic: String
    private let settings: HTTPSourceSettings
    private let isText: Bool
    private let place: String

    init(_ configuration: HTTPSourceConfiguration, _ settings: HTTPSourceSettings) {
        topic = configuration.topic
        self.settings = settings
        isText = configuration.mapper != nil
        place = URLText.shown(configuration.url)
    }

    /// `polledAt`: milliseconds since 1970.
    func batch(_ rows: [JSONValue], polledAt: Int64) throws -> RecordBatch {
        let value = isText ? Column(Schema(.string), rows.map { .string($0.compactText) }) : try typed(rows, polledAt)
        var key: Column?, timestamps = Column.constant(.integer(polledAt), RecordBatch.timestampSchema, count: rows.count)
        for (name, pointer) in settings.offsetPointers {
            let values = rows.map { pointer.value(in: $0) }
            if name == "key" { key = Column(Schema(.string, optional: true), values.map { $0?.scalarText.map { .string($0) } ?? .null }) }
            if name == "timestamp" {
                timestamps = Column(RecordBatch.timestampSchema, values.map { .integer(Self.milliseconds($0) ?? polledAt) })
            }
        }
        return RecordBatch(topic: topic, count: rows.count, key: key, value: value, timestamps: timestamps)
    }

    private static func milliseconds(_ value: JSONValue?) -> Int64? {
        if let number = value?.scalarText.flatMap({ Int64($0) }) { return number }
        guard let text = value?.stringValue else { return nil }
        let column = CSVColumnReader([CSVColumn("timestamp", .timestamp(nil, micros: false))]).parse([[text]])
        return column.bad.isEmpty ? column.columns[0][0].integerValue : nil
    }

    private func typed(_ rows: [JSONValue], _ polledAt: Int64) throws -> Column {
        guard rows.allSatisfy({ if case .object = $0 { true } else { false } }) else {
            throw ConnectorError(
                "http.no_object", .stop, "A row of \(place) is no JSON object",
                hint: "Correct the pointers, name the columns with http.response.map, or set http.response.record.mapper=StringKvSourceRecordMapper")
        }
        var texts = VarBytes()
        for row in rows { texts.append(row.compactBytes) }
        var reader = ConnectJSONReader(ConnectJSONOptions(schemasEnabled: false))
        var names: [String] = [], columns: [Column] = []
        for (name, text) in settings.fields {
            names.append(name)
            columns.append(Self.added(text, polledAt, rows.count))
        }
        if let inferred = try reader.read(texts, present: nil).first?.column {
            for (i, field) in inferred.schema.fields.enumerated() where !names.contains(field.name) {
                names.append(field.name)
                columns.append(inferred.child(at: i))
            }
        }
        for declared in settings.columns {
            let column = try declaredColumn(declared, rows)
            if let i = names.firstIndex(of: declared.name) {
                columns[i] = column
            } else {
                names.append(declared.name)
                columns.append(column)
            }
        }
        let schema = Schema.struct(zip(names, columns).map { Schema.Field($0, $1.schema) })
        return Column(schema, count: rows.count, .struct(columns))
    }

    private static func added(_ text: String, _ polledAt: Int64, _ count: Int) -> Column {
        switch text {
        case "${poll.millis}": .constant(.integer(polledAt), Schema(.int64), count: count)
        case "${poll.time}": .constant(.string(ISO8601.timestamp(micros: polledAt * 1000, fractionDigits: 0)), Schema(.string), count: count)
        default: .constant(.string(text), Schema(.string), count: count)
        }
    }

    private func declaredColumn(_ column: CSVColumn, _ rows: [JSONValue]) throws -> Column {
        let texts = rows.map { row -> [String?] in
            guard let value = row[column.name], !value.isNull else { return [nil] }
            return [value.scalarText ?? value.compactText]
        }
        let result = CSVColumnReader([column]).parse(texts)
        if let bad = result.bad.first {
            throw ConnectorError(
                "http.bad_value", .stop, "Row \(bad.row + 1) of the answer of \(place): \(bad.reason)", hint: "Correct http.response.columns")
        }
        return result.columns[0]
    }
}
