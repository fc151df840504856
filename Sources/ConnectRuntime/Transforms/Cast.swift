import ConnectAPI
import JSON

/// `Cast`: members, or the whole value, as another primitive type.
struct Cast<Side: RecordSide>: Transform {
    static var className: String { Side.className("Cast") }

    struct Configuration: ConnectConfiguration {
        @Field("spec", importance: .high, doc: "member:type, separated by commas; or one type for the whole value", check: check) var spec: [String]
        @Field("replace.null.with.default", default: "true", doc: "Put the default of a member instead of its null") var replacesNulls: Bool
        init() {}

        private static var check: Check {
            Check { text in
                let entries = [String](configText: text) ?? []
                if entries.isEmpty { return "Must specify at least one field to cast." }
                for entry in entries {
                    let type = entry.split(separator: ":", omittingEmptySubsequences: false).last.map(String.init) ?? ""
                    if CastKernel.type(type.trimmingSpaces()) == nil { return "Invalid type found in casting spec: \(type)" }
                    if !entry.contains(":"), entries.count > 1 {
                        return
                            "Cast transformations that specify a type to cast the entire value to may ONLY specify a single cast in their spec"
                    }
                }
                return nil
            }
        }
    }

    private let whole: SchemaType?
    private let members: [String: SchemaType]
    private let replacesNulls: Bool

    init(_ configuration: Configuration) {
        var whole: SchemaType?, members: [String: SchemaType] = [:]
        for entry in configuration.spec {
            let parts = entry.split(separator: ":", omittingEmptySubsequences: false).map { String($0).trimmingSpaces() }
            guard let type = CastKernel.type(parts[parts.count - 1]) else { continue }
            if parts.count == 1 { whole = type } else { members[parts.dropLast().joined(separator: ":")] = type }
        }
        self.whole = whole
        self.members = members
        replacesNulls = configuration.replacesNulls
    }

    func apply(_ batch: TransformedBatch) throws -> [TransformedBatch] {
        if let whole {
            guard let column = Side.column(batch.batch) else { return [batch] }
            var out = batch
            let old = column.schema
            let cast = try CastKernel.cast(column, to: whole)
            // The whole value keeps its schema's name, version and doc.
            let schema = Schema(
                whole, optional: old.isOptional, name: old.name, version: old.version, doc: old.doc, parameters: old.parameters,
                default: cast.schema.defaultValue)
            Side.set(cast.with(schema: schema), in: &out.batch)
            return [out]
        }
        return try Side.structure(batch, purpose: "type casting", replacingNulls: replacesNulls) { columns, part in
            for (i, name) in columns.names.enumerated() {
                if let type = members[name] { columns.columns[i] = try CastKernel.cast(columns.columns[i], to: type) }
            }
        }
    }
}

/// Casts columns with Java's rules: integers wrap when narrowed, floating-point numbers saturate to integers first, text must parse.
enum CastKernel {
    static func type(_ name: String) -> SchemaType? {
        switch name.lowercased() {
        case "int8": .int8
        case "int16": .int16
        case "int32": .int32
        case "int64": .int64
        case "float32": .float32
        case "float64": .float64
        case "boolean": .boolean
        case "string": .string
        default: nil
        }
    }

    static func cast(_ column: Column, to type: SchemaType) throws -> Column {
        let old = column.schema
        let standard = try old.defaultValue.flatMap { $0.isNull ? nil : try value($0, old, type) }
        let schema = Schema(type, optional: old.isOptional, default: standard)
        let validity = column.validRows
        if case .constant(let constant) = column.storage {
            return Column(
                schema, count: column.count, .constant(constant.isNull ? .null : try value(constant, old, type)), validity: column.validity)
        }
        if let storage = try numeric(column, to: type) { return Column(schema, count: column.count, storage, validity: validity) }
        let values = try (0..<column.count).map { row in
            let given = column[row]
            return given.isNull ? Value.null : try value(given, old, type)
        }
        let cast = Column(schema, values)
        return Column(schema, count: column.count, cast.storage, validity: validity)
    }

    /// Numbers to numbers and integers to text, without a value a row.
    private static func numeric(_ column: Column, to type: SchemaType) throws -> Column.Storage? {
        guard column.schema.name != LogicalName.connectDate, column.schema.name != LogicalName.connectTime,
            column.schema.name != LogicalName.connectTimestamp || type != .string
        else { return nil }
        let integers: [Int64]
        switch column.storage {
        case .int32(let values): integers = values.map(Int64.init)
        case .int64(let values): integers = values
        case .boolean(let values) where type != .string: integers = values.map { $0 != 0 ? 1 : 0 }
        case .float32(let values) where type != .string && type != .boolean && type != .float32:
            return floating(values.map(Double.init), to: type)
        case .float64(let values) where type != .string && type != .boolean: return floating(values, to: type)
        default: return nil
        }
        switch type {
        case .int8: return .int32(integers.map { Int32(Int8(truncatingIfNeeded: $0)) })
        case .int16: return .int32(integers.map { Int32(Int16(truncatingIfNeeded: $0)) })
        case .int32: return .int32(integers.map { Int32(truncatingIfNeeded: $0) })
        case .int64: return .int64(integers)
        case .float32: return .float32(integers.map { Float($0) })
        case .float64: return .float64(integers.map { Double($0) })
        case .boolean: return .boolean(integers.map { $0 != 0 ? 1 : 0 })
        case .string:
            var out = VarBytes()
            for value in integers {
                if value < 0 { out.bytes.append(UInt8(ascii: "-")) }
                ISO8601.appendDigits(value.magnitude, width: 1, to: &out.bytes)
                out.appendEmpty()
            }
            return .utf8(out)
        default: return nil
        }
    }

    private static func floating(_ values: [Double], to type: SchemaType) -> Column.Storage? {
        switch type {
        case .int8: .int32(values.map { Int32(Int8(truncatingIfNeeded: int($0))) })
        case .int16: .int32(values.map { Int32(Int16(truncatingIfNeeded: int($0))) })
        case .int32: .int32(values.map { int($0) })
        case .int64: .int64(values.map { long($0) })
        case .float32: .float32(values.map { Float($0) })
        case .float64: .float64(values)
        default: nil
        }
    }

    /// `(int) d`: NaN is 0, what is too large is the limit.
    private static func int(_ value: Double) -> Int32 {
        value.isNaN ? 0 : Int32(max(-2_147_483_648, min(2_147_483_647, value.rounded(.towardZero))))
    }
    private static func long(_ value: Double) -> Int64 { value.isNaN ? 0 : value >= 0x1p63 ? .max : value <= -0x1p63 ? .min : Int64(value) }

    /// One value that is not null.
    static func value(_ given: Value, _ schema: Schema, _ type: SchemaType) throws -> Value {
        if type == .string {
            if case .bytes(let bytes) = given, schema.name != LogicalName.decimal { return .string(Base64.encode(bytes)) }
            return .string(ConnectText.plain(given, schema))
        }
        switch given {
        case .string(let text): return try parse(text, type)
        case .boolean(let b): return number(b ? 1 : 0, type)
        case .integer(let i): return number(i, type)
        case .float(let f): return floating(Double(f), type, float: f)
        case .double(let d): return floating(d, type, float: Float(d))
        case .bytes(let bytes) where schema.name == LogicalName.decimal:
            let text = String(
                decoding: DecimalText.bytes(unscaled: bytes, scale: schema.parameter("scale").flatMap { Int($0) } ?? 0), as: UTF8.self)
            let number = Double(text) ?? 0
            if type == .int64 || type == .int32 || type == .int16 || type == .int8 {
                // The integer part, wrapped, as BigDecimal.longValue gives it.
                let whole = DecimalText.unscaled(Array(text.utf8.prefix { $0 != UInt8(ascii: ".") && $0 != UInt8(ascii: "E") }), scale: 0)
                if !text.contains("E"), let whole, let wide = Int128(bigEndianTwosComplement: whole) {
                    return Self.number(Int64(truncatingIfNeeded: wide), type)
                }
            }
            return floating(number, type, float: Float(number))
        default:
            throw ConnectorError(
                "transform.cast", .stop,
                "Cast transformation does not support casting to/from \(schema.type.rawValue.uppercased()); supported types are primitives")
        }
    }

    private static func number(_ value: Int64, _ type: SchemaType) -> Value {
        switch type {
        case .int8: .integer(Int64(Int8(truncatingIfNeeded: value)))
        case .int16: .integer(Int64(Int16(truncatingIfNeeded: value)))
        case .int32: .integer(Int64(Int32(truncatingIfNeeded: value)))
        case .float32: .float(Float(value))
        case .float64: .double(Double(value))
        case .boolean: .boolean(value != 0)
        default: .integer(value)
        }
    }

    private static func floating(_ value: Double, _ type: SchemaType, float: Float) -> Value {
        switch type {
        case .int8: .integer(Int64(Int8(truncatingIfNeeded: int(value))))
        case .int16: .integer(Int64(Int16(truncatingIfNeeded: int(value))))
        case .int32: .integer(Int64(int(value)))
        case .int64: .integer(long(value))
        case .float32: .float(float)
        // Java compares what `longValue` leaves with 0.
        case .boolean: .boolean(value != 0)
        default: .double(value)
        }
    }

    private static func parse(_ text: String, _ type: SchemaType) throws -> Value {
        let trimmed = text.trimmingSpaces()
        let value: Value? =
            switch type {
            case .int8: Int8(text).map { .integer(Int64($0)) }
            case .int16: Int16(text).map { .integer(Int64($0)) }
            case .int32: Int32(text).map { .integer(Int64($0)) }
            case .int64: Int64(text).map { .integer($0) }
            case .float32: Float(trimmed).map { .float($0) }
            case .float64: Double(trimmed).map { .double($0) }
            default: .boolean(text.lowercased() == "true")
            }
        guard let value else {
            throw ConnectorError(
                "transform.cast", .reject, "Value was out of range for requested data type \(type.rawValue.uppercased()), or is no number")
        }
        return value
    }
}
