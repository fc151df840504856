import ConnectAPI

/// `Value`s as bytes: constants, defaults, source positions. A tag byte, then the value.
enum ValueCodec {
    /// How deep arrays, maps and structs may lie in each other.
    static let deepest = 64

    static func write(_ value: Value, to out: inout ByteWriter) {
        switch value {
        case .null: out.u8(0)
        case .boolean(let b): out.u8(b ? 2 : 1)
        case .integer(let i):
            out.u8(3)
            out.signed(i)
        case .float(let f):
            out.u8(4)
            out.u32(f.bitPattern)
        case .double(let d):
            out.u8(5)
            out.u64(d.bitPattern)
        case .string(let s):
            out.u8(6)
            out.string(s)
        case .bytes(let b):
            out.u8(7)
            out.blob(b)
        case .array(let items):
            out.u8(8)
            out.count(items.count)
            for item in items { write(item, to: &out) }
        case .map(let entries):
            out.u8(9)
            out.count(entries.count)
            for entry in entries {
                write(entry.key, to: &out)
                write(entry.value, to: &out)
            }
        case .struct(let members):
            out.u8(10)
            out.count(members.count)
            for member in members { write(member, to: &out) }
        }
    }

    static func read(from reader: inout ByteReader, depth: Int = 0) throws -> Value {
        guard depth < deepest else { throw ConnectorError.corrupt("a value nested deeper than \(deepest)") }
        switch try reader.u8() {
        case 0: return .null
        case 1: return .boolean(false)
        case 2: return .boolean(true)
        case 3: return .integer(try reader.signed())
        case 4: return .float(Float(bitPattern: try reader.u32()))
        case 5: return .double(Double(bitPattern: try reader.u64()))
        case 6: return .string(try reader.string())
        case 7: return .bytes(try reader.blob())
        case 8: return .array(try items(&reader, depth))
        case 9:
            let n = try reader.count()
            var entries: [Value.Entry] = []
            for _ in 0..<n { entries.append(.init(try read(from: &reader, depth: depth + 1), try read(from: &reader, depth: depth + 1))) }
            return .map(entries)
        case 10: return .struct(try items(&reader, depth))
        case let tag: throw ConnectorError.corrupt("a value of kind \(tag)")
        }
    }

    private static func items(_ reader: inout ByteReader, _ depth: Int) throws -> [Value] {
        let n = try reader.count()
        var items: [Value] = []
        for _ in 0..<n { items.append(try read(from: &reader, depth: depth + 1)) }
        return items
    }

    /// Whether a constant is a value of the schema's type, so that reading a row of it cannot trap.
    static func fits(_ value: Value, _ schema: Schema) -> Bool {
        switch (value, schema.type) {
        case (.null, _), (.boolean, .boolean), (.float, .float32), (.double, .float64), (.string, .string), (.bytes, .bytes): true
        case (.integer(let i), .int8), (.integer(let i), .int16), (.integer(let i), .int32): Int32(exactly: i) != nil
        case (.integer, .int64): true
        case (.array(let items), .array): items.allSatisfy { fits($0, schema.element!) }
        case (.map(let entries), .map): entries.allSatisfy { fits($0.key, schema.key!) && fits($0.value, schema.element!) }
        case (.struct(let members), .struct):
            members.count == schema.fields.count && zip(members, schema.fields).allSatisfy { fits($0, $1.schema) }
        default: false
        }
    }
}

extension OffsetMap {
    var encoded: [UInt8] {
        var out = ByteWriter()
        out.count(entries.count)
        for entry in entries {
            out.string(entry.key)
            ValueCodec.write(entry.value, to: &out)
        }
        return out.bytes
    }

    init(encoded bytes: [UInt8]) throws {
        self = try ByteReader.reading(bytes) { reader in
            let n = try reader.count()
            var entries: [(String, Value)] = []
            for _ in 0..<n { entries.append((try reader.string(), try ValueCodec.read(from: &reader))) }
            try reader.expectEnd()
            return OffsetMap(entries)
        }
    }

    /// The same bytes for equal maps, whatever the order of their entries: what a source partition is told apart by.
    var identity: [UInt8] { OffsetMap(entries.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }).encoded }
}
