import ConnectAPI
import JSON

/// Values without schemas as one column of JSON texts (`parquet.schemaless=json`).
enum JSONTexts {
    private static let schema = Schema(.string, optional: true, name: LogicalName.json)
    private static let options = ConnectJSONOptions(schemasEnabled: false)

    static func column(_ values: Column) throws -> Column {
        var texts = VarBytes()
        texts.offsets.reserveCapacity(values.count + 1)
        let renderer = ConnectJSONRenderer(values, options)
        for row in 0..<values.count {
            guard !values.isNull(row) else {
                texts.appendEmpty()
                continue
            }
            var out = JSONWriter()
            try renderer.write(row, to: &out)
            texts.append(out.take())
        }
        return Column(schema, count: values.count, .utf8(texts), validity: values.validRows)
    }
}
