import ConnectAPI

/// Values of table columns in JSON lines: what Snowflake's columns take as text, where a file of Parquet would hold the number.
enum LineValues {
    /// The rows of a column, with dates and times of Connect and Debezium as ISO text.
    static func arranged(_ column: Column, _ values: VendorValues) -> Column {
        switch column.schema.name {
        case LogicalName.date, LogicalName.connectDate: text(column) { day, out in ISO8601.appendDate(day: day, to: &out) }
        case LogicalName.time, LogicalName.connectTime: text(column) { ISO8601.appendTime(micros: $0 &* 1000, fractionDigits: 3, to: &$1) }
        case LogicalName.microTime: text(column) { ISO8601.appendTime(micros: $0, fractionDigits: 6, to: &$1) }
        case LogicalName.nanoTime: text(column) { ISO8601.appendTime(micros: $0 / 1000, fractionDigits: 6, to: &$1) }
        case LogicalName.timestamp, LogicalName.connectTimestamp: text(column) { Self.timestamp($0 &* 1000, &$1) }
        case LogicalName.microTimestamp: text(column) { Self.timestamp($0, &$1) }
        case LogicalName.nanoTimestamp: text(column) { Self.timestamp($0 / 1000, &$1) }
        default: values.arranged(column)
        }
    }

    /// Without a zone: these columns are TIMESTAMP_NTZ.
    private static func timestamp(_ micros: Int64, _ out: inout [UInt8]) {
        ISO8601.appendTimestamp(micros: micros, fractionDigits: 6, to: &out)
        if out.last == UInt8(ascii: "Z") { out.removeLast() }
    }

    private static func text(_ column: Column, _ write: (Int64, inout [UInt8]) -> Void) -> Column {
        let whole = column.materialized()
        var out = VarBytes()
        for row in 0..<whole.count {
            if !whole.isNull(row) {
                switch whole.storage {
                case .int32(let v): write(Int64(v[row]), &out.bytes)
                case .int64(let v): write(v[row], &out.bytes)
                default: break
                }
            }
            out.offsets.append(Int32(out.bytes.count))
        }
        return Column(Schema(.string, optional: column.schema.isOptional), count: column.count, .utf8(out), validity: whole.validity)
    }
}
