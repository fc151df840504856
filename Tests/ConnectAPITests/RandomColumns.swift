import ConnectAPI
import Foundation
import TestSupport

/// Random schemas, and random columns of them in every storage a schema may have.
struct RandomColumns {
    var random: SeededGenerator

    init(_ test: String = #function) {
        random = .printed(test)
    }

    mutating func int(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &random) }
    mutating func chance(_ n: Int) -> Bool { int(1...n) == 1 }

    mutating func schema(depth: Int = 2) -> Schema {
        let optional = Bool.random(using: &random)
        let types = depth > 0 ? SchemaType.allCases : SchemaType.allCases.filter { ![.array, .map, .struct].contains($0) }
        let type = types.randomElement(using: &random)!
        switch type {
        case .array: return .array(schema(depth: depth - 1), optional: optional)
        case .map: return .map(Schema(.string), schema(depth: depth - 1), optional: optional)
        case .struct:
            return .struct((0..<int(1...4)).map { Schema.Field("f\($0)", schema(depth: depth - 1)) }, optional: optional)
        case .string:
            return Schema(
                .string, optional: optional, name: [nil, LogicalName.zonedTimestamp, LogicalName.uuid].randomElement(using: &random)!)
        case .bytes:
            return chance(2)
                ? Schema(.bytes, optional: optional, name: LogicalName.decimal, version: 1, parameters: [.init("scale", "2")])
                : Schema(.bytes, optional: optional)
        default: return Schema(type, optional: optional)
        }
    }

    mutating func column(_ schema: Schema, count: Int, mayBeConstant: Bool = true) -> Column {
        let validity = schema.isOptional && chance(2) ? Bitmap((0..<count).map { _ in !chance(4) }) : nil
        let unavailable = chance(6) ? Bitmap((0..<count).map { _ in chance(5) }) : nil
        if mayBeConstant, chance(5) {
            if schema.isOptional, chance(3) { return .constant(.null, schema, count: count) }
            let value = column(schema, count: 1, mayBeConstant: false)
            let isNull = value.isNull(0)
            return Column(schema, count: count, .constant(value[0]), validity: isNull ? nil : validity, unavailable: unavailable)
        }
        return Column(schema, count: count, storage(schema, count), validity: validity, unavailable: unavailable)
    }

    private mutating func bytes(_ n: Int) -> [UInt8] { (0..<n).map { _ in UInt8(int(0...255)) } }

    private mutating func storage(_ schema: Schema, _ count: Int) -> Column.Storage {
        func offsets(_ lengths: [Int]) -> [Int32] { lengths.reduce(into: [0]) { $0.append($0.last! + Int32($1)) } }
        switch schema.type {
        case .boolean: return .boolean((0..<count).map { _ in UInt8(int(0...1)) })
        case .int8: return .int32((0..<count).map { _ in Int32(int(-128...127)) })
        case .int16: return .int32((0..<count).map { _ in Int32(int(-32768...32767)) })
        case .int32: return .int32((0..<count).map { _ in Int32.random(in: .min ... .max, using: &random) })
        case .int64: return .int64((0..<count).map { _ in Int64.random(in: .min ... .max, using: &random) })
        case .float32: return .float32((0..<count).map { _ in Float(int(-1000...1000)) / 8 })
        case .float64: return .float64((0..<count).map { _ in Double(int(-100_000...100_000)) / 64 })
        case .string:
            if schema.name == LogicalName.zonedTimestamp, chance(2) {
                return .utcMicros(
                    (0..<count).map { _ in Int64(int(-60_000_000_000_000_000...250_000_000_000_000_000)) }, fractionDigits: int(0...6))
            }
            if schema.name == LogicalName.uuid, chance(2) { return .uuid(bytes(count * 16)) }
            var values = VarBytes()
            for _ in 0..<count { values.append(String((0..<int(0...9)).map { _ in "aé€😀\"".randomElement(using: &random)! }).utf8) }
            return .utf8(values)
        case .bytes:
            if schema.name == LogicalName.decimal {
                let numbers = (0..<count).map { _ in Int128(Int64.random(in: .min ... .max, using: &random)) * Int128(int(1...1_000_000)) }
                if chance(2) { return .decimal128(numbers) }
                var values = VarBytes()
                for number in numbers { values.append(number.bigEndianTwosComplement) }
                return .binary(values)
            }
            var values = VarBytes()
            for _ in 0..<count { values.append(bytes(int(0...9))) }
            return .binary(values)
        case .array:
            let cut = offsets((0..<count).map { _ in int(0...3) })
            return .list(offsets: cut, column(schema.element!, count: Int(cut.last!)))
        case .map:
            let cut = offsets((0..<count).map { _ in int(0...3) })
            return .map(
                offsets: cut, keys: column(schema.key!, count: Int(cut.last!), mayBeConstant: false),
                values: column(schema.element!, count: Int(cut.last!)))
        case .struct: return .struct(schema.fields.map { column($0.schema, count: count) })
        }
    }
}

extension Column {
    var rows: [Value] { (0..<count).map { self[$0] } }
    var unavailableRows: [Bool] { (0..<count).map { i in unavailable.map { $0[i] } ?? false } }
}
