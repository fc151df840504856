import ConnectAPI

/// Rows on their way into one file: the values, and beside them what the files of keys and headers get.
struct FileRows {
    var values: Column
    var keys: Column?
    var headers: Column?

    var count: Int { values.count }

    func slice(_ rows: Range<Int>) -> FileRows {
        FileRows(values: values.slice(rows), keys: keys?.slice(rows), headers: headers?.slice(rows))
    }

    func select(_ rows: [Int]) -> FileRows {
        FileRows(values: values.select(rows), keys: keys?.select(rows), headers: headers?.select(rows))
    }
}

/// The headers of a batch as one column: a list of names and texts a row, as Confluent's files of headers hold them.
enum HeaderRows {
    private static let pair = Schema.struct([Schema.Field("key", Schema(.string)), Schema.Field("value", Schema(.string, optional: true))])
    private static let schema = Schema(.array, element: pair)

    static func column(_ batch: RecordBatch) -> Column {
        let texts = batch.headers.map { header in (0..<batch.count).map { HeaderText.text(header, $0) } }
        let rows = (0..<batch.count).map { row in
            Value.array(
                batch.headers.indices.compactMap { i in
                    batch.headers[i].present?[row] == false ? nil : .struct([.string(batch.headers[i].name), texts[i][row].map { .string($0) } ?? .null])
                })
        }
        return Column(schema, rows)
    }
}
