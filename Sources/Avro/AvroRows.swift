package import ConnectAPI
import JSON

/// The rows of a column in Avro's binary encoding. What a column is made of is decided once, not once a row.
package struct AvroRows {
    private let plan: Plan

    /// `placeholder` stands for values the source did not send.
    package init(_ column: Column, placeholder: [UInt8] = ConnectJSONOptions().unavailablePlaceholder) {
        plan = Plan(column, ConnectJSONOptions(unavailablePlaceholder: placeholder))
    }

    /// Appends a row. Throws `.reject` for a null where the schema has none; what was appended then is to be dropped.
    package func write(_ row: Int, to out: inout AvroBytes) throws(ConnectorError) { try plan.write(row, &out) }
}

private indirect enum Plan {
    case optional(Bitmap?, nullFirst: Bool, Plan)
    case required(Bitmap, Plan)
    case boolean([UInt8])
    case int32([Int32])
    case int64([Int64])
    case float([Float])
    case double([Double])
    case bytes(VarBytes)
    case decimal([Int128])
    case timestamp([Int64], digits: Int)
    case uuid([UInt8])
    case record([Plan])
    case array([Int32], Plan)
    case map([Int32], key: Plan, value: Plan)
    /// The same bytes in every row.
    case constant([UInt8])
    /// Rows without a value of the source's get the placeholder's bytes.
    case unavailable(Bitmap, [UInt8], Plan)
    case refused

    init(_ column: Column, _ options: ConnectJSONOptions) {
        let schema = column.schema
        if case .constant(let value) = column.storage, column.unavailable == nil, column.validity == nil {
            var out = AvroBytes()
            self = Self.write(value, schema, &out) ? .constant(out.bytes) : .refused
            return
        }
        let valid = column.validRows
        var plan: Plan
        switch column.storage {
        case .constant:
            plan = Plan(column.materialized(), options)
            self = plan
            return
        case .boolean(let v): plan = .boolean(v)
        case .int32(let v): plan = .int32(v)
        case .int64(let v): plan = .int64(v)
        case .float32(let v): plan = .float(v)
        case .float64(let v): plan = .double(v)
        case .utf8(let v), .binary(let v): plan = .bytes(v)
        case .decimal128(let v): plan = .decimal(v)
        case .utcMicros(let v, let digits): plan = .timestamp(v, digits: digits)
        case .uuid(let v): plan = .uuid(v)
        case .struct(let children): plan = .record(children.map { Plan($0, options) })
        case .list(let offsets, let values): plan = .array(offsets, Plan(values, options))
        case .map(let offsets, let keys, let values):
            let key = AvroSchema.isAvroMap(schema) ? Plan(keys.with(schema: Schema(.string)), options) : Plan(keys, options)
            plan = .map(offsets, key: key, value: Plan(values, options))
        }
        if schema.isOptional {
            plan = .optional(valid, nullFirst: AvroSchema.nullComesFirst(schema), plan)
        } else if let valid, !valid.allSet {
            plan = .required(valid, plan)
        }
        if let unavailable = column.unavailable, !unavailable.noneSet {
            var out = AvroBytes()
            let value = ConnectJSONValue.unavailable(schema, options)
            plan = .unavailable(unavailable, Self.write(value, schema, &out) ? out.bytes : [], plan)
        }
        self = plan
    }

    func write(_ row: Int, _ out: inout AvroBytes) throws(ConnectorError) {
        switch self {
        case .optional(let valid, let nullFirst, let plan):
            if valid.map({ $0[row] }) ?? true {
                out.byte(nullFirst ? 2 : 0)
                try plan.write(row, &out)
            } else {
                out.byte(nullFirst ? 0 : 2)
            }
        case .required(let valid, let plan):
            guard valid[row] else { throw Self.nullInRequired }
            try plan.write(row, &out)
        case .boolean(let v): out.byte(v[row])
        case .int32(let v): out.long(Int64(v[row]))
        case .int64(let v): out.long(v[row])
        case .float(let v): out.float(v[row])
        case .double(let v): out.double(v[row])
        case .bytes(let v): out.blob(v[row])
        case .decimal(let v): out.blob(Self.unscaled(v[row]))
        case .timestamp(let v, let digits):
            var text = JSONWriter(capacity: 40)
            text.timestamp(micros: v[row], fractionDigits: digits)
            out.blob(text.take().dropFirst().dropLast())
        case .uuid(let v):
            var text = JSONWriter(capacity: 40)
            v.withUnsafeBytes { text.uuid(UnsafeRawBufferPointer(rebasing: $0[row * 16..<row * 16 + 16])) }
            out.blob(text.take().dropFirst().dropLast())
        case .record(let fields): for field in fields { try field.write(row, &out) }
        case .array(let offsets, let plan):
            let items = Int(offsets[row])..<Int(offsets[row + 1])
            if !items.isEmpty {
                out.long(Int64(items.count))
                for item in items { try plan.write(item, &out) }
            }
            out.byte(0)
        case .map(let offsets, let key, let value):
            let items = Int(offsets[row])..<Int(offsets[row + 1])
            if !items.isEmpty {
                out.long(Int64(items.count))
                for item in items {
                    try key.write(item, &out)
                    try value.write(item, &out)
                }
            }
            out.byte(0)
        case .constant(let bytes): out.raw(bytes)
        case .unavailable(let rows, let bytes, let plan): if rows[row] { out.raw(bytes) } else { try plan.write(row, &out) }
        case .refused: throw Self.nullInRequired
        }
    }

    private static let nullInRequired = ConnectorError(
        "avro.null_in_required", .reject, "A field that is required has no value", hint: "Make the field optional in the source's schema")

    /// The least big-endian bytes of a number.
    private static func unscaled(_ value: Int128) -> [UInt8] {
        let all = withUnsafeBytes(of: value.bigEndian) { Array($0) }
        let sign: UInt8 = value < 0 ? 255 : 0
        var from = 0
        while from < 15, all[from] == sign, all[from + 1] & 128 == sign & 128 { from += 1 }
        return Array(all[from...])
    }

    /// One value; false for a null where the schema has none.
    private static func write(_ value: Value, _ schema: Schema, _ out: inout AvroBytes) -> Bool {
        if schema.isOptional {
            let nullFirst = AvroSchema.nullComesFirst(schema)
            out.byte(value.isNull == nullFirst ? 0 : 2)
            if value.isNull { return true }
        }
        switch value {
        case .null: return false
        case .boolean(let b): out.byte(b ? 1 : 0)
        case .integer(let i): out.long(i)
        case .float(let f): out.float(f)
        case .double(let d): out.double(d)
        case .string(let s): out.text(s)
        case .bytes(let b): out.blob(b)
        case .array(let items):
            if !items.isEmpty { out.long(Int64(items.count)) }
            for item in items { guard write(item, schema.element!, &out) else { return false } }
            out.byte(0)
        case .map(let entries):
            if !entries.isEmpty { out.long(Int64(entries.count)) }
            for entry in entries { guard write(entry.key, schema.key!, &out), write(entry.value, schema.element!, &out) else { return false } }
            out.byte(0)
        case .struct(let values): for (value, field) in zip(values, schema.fields) { guard write(value, field.schema, &out) else { return false } }
        }
        return true
    }
}
