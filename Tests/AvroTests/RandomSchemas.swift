import ConnectAPI
import Foundation
import TestSupport

/// Random Connect schemas that Avro can hold, and values of them.
struct RandomSchemas {
    private var random: SeededGenerator
    private var names = 0

    init(_ test: String = #function) {
        random = .printed(test)
    }

    mutating func int(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &random) }
    mutating func chance(_ n: Int) -> Bool { int(1...n) == 1 }
    mutating func bytes(_ n: Int) -> [UInt8] { (0..<n).map { _ in UInt8(int(0...255)) } }

    mutating func record(depth: Int = 3) -> Schema {
        names += 1
        let name = chance(3) ? nil : ["r\(names)", "a.b.R\(names)", "server.public.t\(names).Envelope"][int(0...2)]
        return Schema(
            .struct, optional: false, name: name, version: chance(3) ? int(1...9) : nil,
            fields: (0..<int(1...6)).map { .init("f\($0)", schema(depth: depth - 1)) })
    }

    mutating func schema(depth: Int) -> Schema {
        let optional = chance(2), doc = chance(6) ? "what it is" : nil
        let types = depth > 0 ? SchemaType.allCases : SchemaType.allCases.filter { ![.array, .map, .struct].contains($0) }
        var schema: Schema
        switch types[int(0...types.count - 1)] {
        case .array: return .array(self.schema(depth: depth - 1), optional: optional)
        case .map:
            // The key of an Avro map is a string and no more.
            let drawn = self.schema(depth: 0), key = drawn.type == .string && !drawn.isOptional ? Schema(.string) : drawn
            return .map(key, self.schema(depth: depth - 1), optional: optional)
        case .struct: return record(depth: depth).with(optional: optional)
        case .bytes:
            schema =
                chance(2)
                ? Schema(
                    .bytes, optional: optional, name: LogicalName.decimal, version: 1, doc: doc,
                    parameters: [.init("scale", String(int(0...5)))] + (chance(2) ? [.init("connect.decimal.precision", String(int(20...38)))] : []))
                : Schema(.bytes, optional: optional, doc: doc)
        case .int32 where chance(3):
            schema = Schema(.int32, optional: optional, name: chance(2) ? LogicalName.connectDate : LogicalName.connectTime, version: 1)
        case .int64 where chance(3):
            schema = Schema(.int64, optional: optional, name: chance(2) ? LogicalName.connectTimestamp : LogicalName.microTimestamp, version: 1)
        case .string where chance(3): schema = Schema(.string, optional: optional, name: LogicalName.json, version: 1, doc: doc)
        case .string where chance(4):
            schema = Schema(.string, optional: optional, name: LogicalName.enum, version: 1, parameters: [.init("allowed", "a,b")])
        case let type: schema = Schema(type, optional: optional, doc: doc)
        }
        if chance(4) { schema = schema.with(default: .some(present(schema))) }
        return schema
    }

    mutating func value(_ schema: Schema) -> Value { schema.isOptional && chance(3) ? .null : present(schema) }

    mutating func present(_ schema: Schema) -> Value {
        switch schema.type {
        case .boolean: return .boolean(chance(2))
        case .int8: return .integer(Int64(int(-128...127)))
        case .int16: return .integer(Int64(int(-32768...32767)))
        // fastavro makes dates and times of them, which have bounds.
        case .int32: return .integer(schema.name == nil ? Int64(Int32.random(in: .min ... .max, using: &random)) : Int64(int(0...86_399_999 / 100)))
        case .int64:
            return .integer(schema.name == LogicalName.connectTimestamp ? Int64(int(0...4_000_000_000_000)) : Int64.random(in: .min ... .max, using: &random))
        case .float32: return .float(Float(int(-1000...1000)) / 8)
        case .float64: return .double(Double(int(-100_000...100_000)) / 64)
        case .string: return .string(String((0..<int(0...9)).map { _ in Array("aé€😀\"")[int(0...4)] }))
        case .bytes:
            guard schema.name == LogicalName.decimal else { return .bytes(bytes(int(0...9))) }
            return .bytes((Int128(Int64.random(in: .min ... .max, using: &random)) * Int128(chance(2) ? 1 : 0)).bigEndianTwosComplement)
        case .array: return .array((0..<int(0...3)).map { _ in value(schema.element!) })
        case .map: return .map((0..<int(0...3)).map { i in .init(schema.key!.type == .string ? .string("k\(i)") : value(schema.key!), value(schema.element!)) })
        case .struct: return .struct(schema.fields.map { value($0.schema) })
        }
    }
}
