import ConnectAPI
import JSON

/// Connect values as the JSON that Snowflake's connector writes: JsonConverter's without schemas, but for
///
///     Date        "2024-02-29T00:00:00.000Z"
///     Time        "11:14:15.123+0000", for streaming "11:14:15.123Z"
///     Timestamp   milliseconds as a string: "1709205255123"
///     Decimal     a number; a string past the 38 digits of Snowflake's NUMBER
struct VendorValues: Sendable {
    var isStreaming = false

    static let options: ConnectJSONOptions = {
        var options = ConnectJSONOptions(schemasEnabled: false, decimalFormat: .numeric)
        options.numericDigits = 38
        return options
    }()

    /// The JSON text of every row. `nulls`: rows that get `otherwise` instead.
    func texts(_ column: Column?, count: Int, nulls: Bitmap?, otherwise: String, rejected: inout [Int: ConnectorError]) -> VarBytes {
        var writer = JSONWriter(capacity: 1 << 16), offsets: [Int32] = [0]
        offsets.reserveCapacity(count + 1)
        let renderer = column.map { ConnectJSONRenderer(arranged($0), Self.options) }
        let filler = Array(otherwise.utf8)
        for row in 0..<count {
            let start = writer.count
            if renderer == nil || nulls?[row] == true {
                writer.raw(filler)
            } else {
                do { try renderer?.write(row, to: &writer) } catch {
                    writer.truncate(to: start)
                    rejected[row] = error
                }
            }
            offsets.append(Int32(truncatingIfNeeded: writer.count))
        }
        return VarBytes(offsets: offsets, bytes: writer.take())
    }

    /// The same rows with Connect's logical types as text, at any depth.
    func arranged(_ column: Column) -> Column {
        switch column.schema.name {
        case LogicalName.connectDate:
            return text(column) { day, out in
                ISO8601.appendDate(day: day, to: &out)
                out.append(contentsOf: "T00:00:00.000Z".utf8)
            }
        case LogicalName.connectTime:
            return text(column) { milliseconds, out in
                ISO8601.appendTime(micros: milliseconds * 1000, fractionDigits: 3, to: &out)
                out.append(contentsOf: (isStreaming ? "Z" : "+0000").utf8)
            }
        case LogicalName.connectTimestamp: return text(column) { milliseconds, out in out.append(contentsOf: String(milliseconds).utf8) }
        default: break
        }
        guard Self.holdsLogicalTypes(column.schema) else { return column }
        let whole = column.materialized()
        switch whole.storage {
        case .struct(let children):
            let moved = children.map(arranged)
            let fields = zip(column.schema.fields, moved).map { Schema.Field($0.name, $1.schema) }
            return Column(column.schema.with(fields: fields), count: column.count, .struct(moved), validity: whole.validity, unavailable: whole.unavailable)
        case .list(let offsets, let values):
            let moved = arranged(values)
            return Column(
                Schema.array(moved.schema, optional: column.schema.isOptional), count: column.count, .list(offsets: offsets, moved), validity: whole.validity)
        case .map(let offsets, let keys, let values):
            let moved = arranged(values)
            return Column(
                Schema.map(keys.schema, moved.schema, optional: column.schema.isOptional), count: column.count,
                .map(offsets: offsets, keys: keys, values: moved), validity: whole.validity)
        default: return column
        }
    }

    private static func holdsLogicalTypes(_ schema: Schema) -> Bool {
        switch schema.name {
        case LogicalName.connectDate, LogicalName.connectTime, LogicalName.connectTimestamp: true
        default: schema.fields.contains { holdsLogicalTypes($0.schema) } || schema.element.map(holdsLogicalTypes) == true
        }
    }

    private func text(_ column: Column, _ write: (Int64, inout [UInt8]) -> Void) -> Column {
        let whole = column.materialized()
        var out = VarBytes()
        func add(_ row: Int, _ value: Int64) {
            if !whole.isNull(row) { write(value, &out.bytes) }
            out.offsets.append(Int32(out.bytes.count))
        }
        switch whole.storage {
        case .int32(let values): for row in 0..<whole.count { add(row, Int64(values[row])) }
        case .int64(let values): for row in 0..<whole.count { add(row, values[row]) }
        default: for row in 0..<whole.count { add(row, 0) }
        }
        var standard: Value?
        if let value = column.schema.defaultValue?.integerValue {
            var bytes: [UInt8] = []
            write(value, &bytes)
            standard = .string(String(decoding: bytes, as: UTF8.self))
        }
        return Column(Schema(.string, optional: column.schema.isOptional, default: standard), count: column.count, .utf8(out), validity: whole.validity)
    }
}
