import ConnectAPI
import TestSupport
import Testing

@testable import ConnectRuntime

extension Schema {
    /// A schema of any type and depth.
    static func random(depth: Int = 3, using random: inout some RandomNumberGenerator) -> Schema {
        let scalars: [SchemaType] = [.int8, .int16, .int32, .int64, .float32, .float64, .boolean, .string, .bytes]
        let type = depth > 0 ? SchemaType.allCases.randomElement(using: &random)! : scalars.randomElement(using: &random)!
        let optional = Bool.random(using: &random)
        let name = Bool.random(using: &random) ? ["a.Name", LogicalName.decimal, LogicalName.uuid].randomElement(using: &random) : nil
        let parameters = Bool.random(using: &random) ? [Parameter("scale", "2"), Parameter("ü", "")] : []
        switch type {
        case .array: return Schema(type, optional: optional, element: .random(depth: depth - 1, using: &random))
        case .map:
            return Schema(type, optional: optional, element: .random(depth: depth - 1, using: &random), key: .random(depth: 0, using: &random))
        case .struct:
            let n = Int.random(in: 0...5, using: &random)
            return Schema(
                type, optional: optional, name: name, doc: "doc",
                fields: (0..<n).map { .init("f\($0)", .random(depth: depth - 1, using: &random)) })
        default:
            return Schema(
                type, optional: optional, name: name, version: Bool.random(using: &random) ? 1 : nil, parameters: parameters,
                default: optional ? .random(of: Schema(type), using: &random) : nil)
        }
    }
}

extension Value {
    static func random(of schema: Schema, using random: inout some RandomNumberGenerator) -> Value {
        func small(_ random: inout some RandomNumberGenerator) -> Range<Int> { 0..<Int.random(in: 0...4, using: &random) }
        switch schema.type {
        case .int8: return .integer(Int64(Int8.random(in: .min ... .max, using: &random)))
        case .int16: return .integer(Int64(Int16.random(in: .min ... .max, using: &random)))
        case .int32: return .integer(Int64(Int32.random(in: .min ... .max, using: &random)))
        case .int64: return .integer(Int64.random(in: .min ... .max, using: &random) >> Int64.random(in: 0...63, using: &random))
        case .float32: return .float(Float.random(in: -1e9...1e9, using: &random))
        case .float64: return .double(Double.random(in: -1e9...1e9, using: &random))
        case .boolean: return .boolean(Bool.random(using: &random))
        case .string: return .string(String(repeating: "ä", count: Int.random(in: 0...20, using: &random)))
        case .bytes: return .bytes(small(&random).map { _ in UInt8.random(in: 0...255, using: &random) })
        case .array: return .array(small(&random).map { _ in .random(of: schema.element!, using: &random) })
        case .map:
            return .map(small(&random).map { _ in Entry(.random(of: schema.key!, using: &random), .random(of: schema.element!, using: &random)) })
        case .struct: return .struct(schema.fields.map { .random(of: $0.schema, using: &random) })
        }
    }
}

extension Column {
    /// Rows of a schema in any storage it may have.
    static func random(_ schema: Schema, count: Int, using random: inout some RandomNumberGenerator) -> Column {
        if Int.random(in: 0..<6, using: &random) == 0 {
            return .constant(Bool.random(using: &random) ? .null : .random(of: schema, using: &random), schema, count: count)
        }
        func bits(_ random: inout some RandomNumberGenerator) -> Bitmap? {
            Bool.random(using: &random) ? Bitmap((0..<count).map { _ in Bool.random(using: &random) }) : nil
        }
        let base = Int64.random(in: .min ... .max, using: &random), step = Int64.random(in: -1000...1_000_000, using: &random)
        let shift = Int64.random(in: 0...63, using: &random)
        /// Constant steps, steps that wrap, small ranges and everything: each way integers are packed.
        func integer(_ i: Int, _ random: inout some RandomNumberGenerator) -> Int64 {
            base &+ Int64(i) &* step &+ Int64.random(in: .min ... .max, using: &random) >> shift
        }
        let storage: Storage
        let other = Bool.random(using: &random)
        switch schema.type {
        case .int8: storage = .int32((0..<count).map { _ in Int32(Int8.random(in: .min ... .max, using: &random)) })
        case .int16: storage = .int32((0..<count).map { _ in Int32(Int16.random(in: .min ... .max, using: &random)) })
        case .int32: storage = .int32((0..<count).map { Int32(truncatingIfNeeded: integer($0, &random)) })
        case .int64: storage = .int64((0..<count).map { integer($0, &random) })
        case .float32: storage = .float32((0..<count).map { _ in Float.random(in: -1...1, using: &random) })
        case .float64: storage = .float64((0..<count).map { _ in Double.random(in: -1...1, using: &random) })
        case .boolean: storage = .boolean((0..<count).map { _ in UInt8.random(in: 0...1, using: &random) })
        case .string where schema.name == LogicalName.uuid:
            storage = .uuid((0..<count * 16).map { _ in UInt8.random(in: 0...255, using: &random) })
        case .string where other:
            let micros = (0..<count).map { _ in Int64.random(in: 0...4_000_000_000_000_000, using: &random) }
            storage = .utcMicros(micros, fractionDigits: Int.random(in: 0...6, using: &random))
        case .bytes where schema.name == LogicalName.decimal:
            storage = .decimal128((0..<count).map { other ? Int128(integer($0, &random)) : Int128(integer($0, &random)) << 64 })
        case .string, .bytes:
            return Column(schema, (0..<count).map { _ in .random(of: schema, using: &random) }).with(validity: bits(&random))
        case .array, .map:
            var offsets: [Int32] = [0]
            for _ in 0..<count { offsets.append(offsets[offsets.count - 1] + Int32.random(in: 0...3, using: &random)) }
            let n = Int(offsets[count]), values = Column.random(schema.element!, count: n, using: &random)
            storage =
                schema.type == .array
                ? .list(offsets: offsets, values) : .map(offsets: offsets, keys: .random(schema.key!, count: n, using: &random), values: values)
        case .struct: storage = .struct(schema.fields.map { .random($0.schema, count: count, using: &random) })
        }
        return Column(schema, count: count, storage, validity: bits(&random), unavailable: bits(&random))
    }
}

extension RecordBatch {
    static func random(topic: String, rows: Int, using random: inout some RandomNumberGenerator) -> RecordBatch {
        func maybe<T>(_ random: inout some RandomNumberGenerator, _ value: (inout SeededGenerator) -> T) -> T? {
            var inner = SeededGenerator(seed: random.next())
            return inner.next() % 4 == 0 ? nil : value(&inner)
        }
        let key = maybe(&random) { Column.random(.random(depth: 1, using: &$0), count: rows, using: &$0) }
        let value = maybe(&random) { Column.random(.random(using: &$0), count: rows, using: &$0) }
        let tombstones = maybe(&random) { r in Bitmap((0..<rows).map { _ in Bool.random(using: &r) }) }
        let headers = (0..<Int.random(in: 0...2, using: &random)).map { i in
            HeaderColumn(
                "h\(i)", .random(.random(depth: 1, using: &random), count: rows, using: &random),
                present: maybe(&random) { r in Bitmap((0..<rows).map { _ in Bool.random(using: &r) }) })
        }
        return RecordBatch(
            topic: topic, count: rows, key: key, value: value, tombstones: tombstones,
            timestamps: Column(RecordBatch.timestampSchema, count: rows, .int64((0..<rows).map { 1_700_000_000_000 + Int64($0) })),
            headers: headers)
    }

    /// Every row with all that can be seen of it.
    var rows: [[Value]] {
        (0..<count).map { row in
            var seen: [Value] = []
            seen.append(key.map { $0[row] } ?? "no key")
            seen.append(value.map { $0[row] } ?? "no value")
            seen.append(timestamps[row])
            seen.append(.boolean(isTombstone(row)))
            seen.append(.boolean(value?.unavailable.map { $0[row] } ?? false))
            for header in headers where header.present.map({ $0[row] }) ?? true {
                seen.append(.string(header.name))
                seen.append(header.values[row])
            }
            return seen
        }
    }
}
