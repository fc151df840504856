package import ConnectAPI
import JSON

/// The headers of a batch, for a value's converter that takes parts of what it writes from them.
///
/// A header's converter has turned them into bytes by then, in Kafka Connect; JSON with schemas reads back as the columns themselves.
package struct RecordHeaders {
    private let columns: [HeaderColumn]
    private let converter: any Converter

    package init(_ columns: [HeaderColumn], _ converter: any Converter) {
        self.columns = columns
        self.converter = converter
    }

    /// Which column holds the last header of this name that a row has; nil: none.
    func last(_ name: String, row: Int) -> Int? { columns.lastIndex { $0.name == name && ($0.present.map { $0[row] } ?? true) } }

    /// The values of a column at these rows, as JSON with schemas reads them.
    func column(_ place: Int, rows: [Int], topic: String) throws -> Column {
        let header = columns[place], values = rows.count == header.values.count ? header.values : header.values.select(rows)
        if let json = converter as? JsonConverter, json.options.schemasEnabled { return values }
        let rendered = try converter.render(values, count: rows.count, nullSchemaRows: nil, topic: topic)
        do {
            return try JsonConverter(JsonConverter.Configuration(["converter.type": "header"])).parse(rendered, topic: topic)
        } catch let error as ConnectorError {
            throw ConnectorError(
                error.code, error.disposition, "Header `\(header.name)`: \(error.message)",
                hint: "Topic \(topic): set header.converter to org.apache.kafka.connect.json.JsonConverter and header.converter.schemas.enable to true",
                underlying: error)
        }
    }
}
