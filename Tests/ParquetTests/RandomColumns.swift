import ConnectAPI
import TestSupport

/// Random schemas and values of every kind that a file can hold.
struct RandomColumns {
    var generator: SeededGenerator

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    static func decimal(_ precision: Int?, _ scale: Int) -> Schema {
        var parameters = [Schema.Parameter("scale", String(scale))]
        if let precision { parameters.append(Schema.Parameter("connect.decimal.precision", String(precision))) }
        return Schema(.bytes, optional: true, name: LogicalName.decimal, version: 1, parameters: parameters)
    }

    /// One of every scalar type of the mapping.
    static let scalars: [(name: String, schema: Schema)] = {
        func named(_ type: SchemaType, _ name: String?) -> Schema { Schema(type, optional: true, name: name) }
        return [
            ("boolean", named(.boolean, nil)), ("int8", named(.int8, nil)), ("int16", named(.int16, nil)), ("int32", named(.int32, nil)),
            ("int64", named(.int64, nil)), ("float32", named(.float32, nil)), ("float64", named(.float64, nil)),
            ("text", named(.string, nil)), ("json", named(.string, LogicalName.json)), ("enumeration", named(.string, LogicalName.enum)),
            ("uuid", named(.string, LogicalName.uuid)), ("bytes", named(.bytes, nil)), ("bits", named(.bytes, LogicalName.bits)),
            ("decimal9", decimal(9, 2)), ("decimal10", decimal(10, 3)), ("decimal18", decimal(18, 2)), ("decimal19", decimal(19, 4)),
            ("decimal38", decimal(38, 10)), ("decimalUnknown", decimal(nil, 5)), ("decimalAllFraction", decimal(3, 5)),
            ("date", named(.int32, LogicalName.date)), ("connectDate", named(.int32, LogicalName.connectDate)),
            ("time", named(.int32, LogicalName.time)), ("connectTime", named(.int32, LogicalName.connectTime)),
            ("microTime", named(.int64, LogicalName.microTime)), ("nanoTime", named(.int64, LogicalName.nanoTime)),
            ("timestamp", named(.int64, LogicalName.timestamp)), ("connectTimestamp", named(.int64, LogicalName.connectTimestamp)),
            ("microTimestamp", named(.int64, LogicalName.microTimestamp)), ("nanoTimestamp", named(.int64, LogicalName.nanoTimestamp)),
            ("zonedTimestamp", named(.string, LogicalName.zonedTimestamp)), ("zonedTime", named(.string, LogicalName.zonedTime)),
            ("microDuration", named(.int64, LogicalName.microDuration)), ("interval", named(.string, LogicalName.interval)),
        ]
    }()

    mutating func int(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &generator) }
    mutating func chance(_ percent: Int64) -> Bool { int(1...100) <= percent }

    /// A schema below `depth` more levels of nesting.
    mutating func schema(depth: Int) -> Schema {
        let optional = chance(70)
        switch depth > 0 ? int(0...6) : 0 {
        case 1, 2:
            let fields = (0..<int(1...3)).map { Schema.Field("f\($0)", schema(depth: depth - 1)) }
            return Schema.struct(fields, optional: optional)
        case 3, 4: return Schema.array(schema(depth: depth - 1), optional: optional)
        case 5:
            let key = chance(60) ? Schema(.string) : Schema(.int32)
            return Schema.map(key, schema(depth: depth - 1), optional: optional)
        default: return Self.scalars[Int(int(0...Int64(Self.scalars.count) - 1))].schema.with(optional: optional)
        }
    }

    mutating func record(fields: Int, depth: Int) -> Schema {
        Schema.struct((0..<fields).map { Schema.Field("c\($0)", schema(depth: depth)) })
    }

    /// A value of the schema; null with the chance given where the schema allows it.
    mutating func value(_ schema: Schema, nulls: Int64 = 25, distinct: Int64 = .max) -> Value {
        if schema.isOptional && chance(nulls) { return .null }
        switch (schema.type, schema.name) {
        case (.boolean, _): return .boolean(chance(50))
        case (.int8, _): return .integer(int(-128...127))
        case (.int16, _): return .integer(int(-32768...32767))
        case (.int32, LogicalName.date?), (.int32, LogicalName.connectDate?): return .integer(int(-800_000...200_000))
        case (.int32, LogicalName.time?), (.int32, LogicalName.connectTime?): return .integer(int(0...86_399_999))
        case (.int32, _): return .integer(int(Int64(Int32.min)...Int64(Int32.max)) % min(distinct, Int64(Int32.max)))
        case (.int64, LogicalName.microTime?): return .integer(int(0...86_399_999_999))
        case (.int64, LogicalName.nanoTime?): return .integer(int(0...86_399_999_999_999))
        case (.int64, LogicalName.timestamp?), (.int64, LogicalName.connectTimestamp?):
            return .integer(int(-62_000_000_000_000...250_000_000_000_000))
        case (.int64, LogicalName.microTimestamp?): return .integer(int(-62_000_000_000_000_000...250_000_000_000_000_000))
        case (.int64, LogicalName.nanoTimestamp?): return .integer(int(-9_000_000_000_000_000_000...9_000_000_000_000_000_000))
        case (.int64, _): return .integer(int(.min...(.max)) % distinct)
        case (.float32, _):
            return .float(chance(5) ? .nan : chance(5) ? -0.0 : chance(5) ? .infinity : Float(bitPattern: UInt32(int(0...0x7F00_0000))))
        case (.float64, _):
            return .double(chance(5) ? .nan : chance(5) ? 0.0 : chance(5) ? -.infinity : Double(int(-1 << 53...1 << 53)) / 7)
        case (.string, LogicalName.uuid?): return .string(UUIDText.string((0..<16).map { _ in UInt8(int(0...255)) }))
        case (.string, LogicalName.zonedTimestamp?):
            let digits = Int(int(0...6))
            return .string(ISO8601.timestamp(micros: int(-62_000_000_000_000_000...250_000_000_000_000_000), fractionDigits: digits))
        case (.string, LogicalName.json?): return .string("{\"n\": \(int(0...min(distinct, 1000)))}")
        case (.string, _): return .string(text(distinct))
        case (.bytes, LogicalName.decimal?):
            let scale = Int(schema.parameter("scale")!)!
            let precision = min(max(Int(schema.parameter("connect.decimal.precision") ?? "38")!, scale), 38)
            var unscaled: Int128 = 0
            for _ in 0..<int(1...Int64(precision)) { unscaled = unscaled * 10 + Int128(int(0...9)) }
            return .bytes((chance(50) ? -unscaled : unscaled).bigEndianTwosComplement)
        case (.bytes, _): return .bytes((0..<int(0...12)).map { _ in UInt8(int(0...255)) })
        case (.array, _): return .array((0..<int(0...4)).map { _ in value(schema.element!, nulls: nulls, distinct: distinct) })
        case (.map, _):
            return .map(
                (0..<int(0...3)).map { i in
                    let key: Value = schema.key!.type == .string ? .string("k\(i)") : .integer(i)
                    return Value.Entry(key, value(schema.element!, nulls: nulls, distinct: distinct))
                })
        case (.struct, _): return .struct(schema.fields.map { value($0.schema, nulls: nulls, distinct: distinct) })
        }
    }

    private mutating func text(_ distinct: Int64) -> String {
        if distinct < 1000 { return "value \(int(0...distinct))" }
        let alphabet = ["a", "b", "ä", "€", "𝄞", " ", "0", "\"", "\u{0}", "\u{FFFF}"]
        let length = chance(3) ? int(60...90) : int(0...12)
        return (0..<length).map { _ in alphabet[Int(int(0...9))] }.joined()
    }

    mutating func column(_ schema: Schema, rows: Int, nulls: Int64 = 25, distinct: Int64 = .max) -> Column {
        Column(schema, (0..<rows).map { _ in value(schema, nulls: nulls, distinct: distinct) })
    }
}

/// The same rows in the storages that a source uses.
func inSourceStorage(_ column: Column) -> Column {
    func again(_ storage: Column.Storage) -> Column { Column(column.schema, count: column.count, storage, validity: column.validity) }
    switch (column.storage, column.schema.name) {
    case (.binary(let v), LogicalName.decimal?):
        return again(.decimal128((0..<column.count).map { column.isNull($0) ? 7 << 100 : Int128(bigEndianTwosComplement: v[$0])! }))
    case (.utf8(let v), LogicalName.uuid?):
        return again(
            .uuid(
                (0..<column.count).flatMap { row -> [UInt8] in
                    let digits = v[row].compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
                    return column.isNull(row)
                        ? [UInt8](repeating: 9, count: 16) : (0..<16).map { UInt8(digits[$0 * 2] << 4 | digits[$0 * 2 + 1]) }
                }))
    case (.struct(let children), _): return again(.struct(children.map(inSourceStorage)))
    case (.list(let offsets, let values), _): return again(.list(offsets: offsets, inSourceStorage(values)))
    case (.map(let offsets, let keys, let values), _): return again(.map(offsets: offsets, keys: keys, values: inSourceStorage(values)))
    default: return column
    }
}
