import ConnectAPI
import Synchronization

/// Values that batches share and refer to by number: schemas, renderings. Each is stored once, in the commit of the first batch that needs
/// it, and never changes.
final class InternTable<Value: Hashable & Sendable>: Sendable {
    /// A value whose row may not be durable yet: it travels with every batch that needs it until it is.
    struct Entry: Sendable {
        let number: UInt32
        let bytes: [UInt8]
    }

    private struct Content {
        var numbers: [Value: UInt32] = [:]
        var values: [UInt32: Value] = [:]
        var unstored: [UInt32: [UInt8]] = [:]
        var next: UInt32 = 1
    }
    private let content = Mutex(Content())
    private let encode: @Sendable (Value) throws -> [UInt8]
    private let decode: @Sendable ([UInt8]) throws -> Value

    init(encode: @escaping @Sendable (Value) throws -> [UInt8], decode: @escaping @Sendable ([UInt8]) throws -> Value) {
        self.encode = encode
        self.decode = decode
    }

    /// The number of a value, and its row if that may have to be written.
    func intern(_ value: Value) throws -> (number: UInt32, row: Entry?) {
        try content.withLock { content in
            if let number = content.numbers[value] { return (number, content.unstored[number].map { Entry(number: number, bytes: $0) }) }
            let bytes = try encode(value), number = content.next
            content.next += 1
            content.numbers[value] = number
            content.values[number] = value
            content.unstored[number] = bytes
            return (number, Entry(number: number, bytes: bytes))
        }
    }

    /// The highest number given so far.
    var last: UInt32 { content.withLock { $0.next - 1 } }

    func value(_ number: UInt32) -> Value? { content.withLock { $0.values[number] } }

    /// Takes a row read from the database.
    @discardableResult
    func load(_ number: UInt32, _ bytes: [UInt8]) throws -> Value {
        let value = try decode(bytes)
        content.withLock { content in
            content.numbers[value] = number
            content.values[number] = value
            content.next = max(content.next, number + 1)
        }
        return value
    }

    /// The rows are durable.
    func stored(_ numbers: some Sequence<UInt32>) {
        content.withLock { content in for number in numbers { content.unstored[number] = nil } }
    }
}

typealias SchemaTable = InternTable<Schema>
typealias RenderingTable = InternTable<Rendering>

extension InternTable where Value == Schema {
    convenience init() { self.init(encode: SchemaCodec.encode, decode: SchemaCodec.decode) }
}

extension InternTable where Value == Rendering {
    convenience init() { self.init(encode: { $0.encoded }, decode: { try Rendering(encoded: $0) }) }
}

extension Rendering {
    var encoded: [UInt8] {
        var out = ByteWriter()
        for converter in [key, value, header] {
            out.string(converter.className)
            out.count(converter.settings.count)
            for (key, value) in converter.settings.sorted(by: { $0.key < $1.key }) {
                out.string(key)
                out.string(value)
            }
        }
        return out.bytes
    }

    init(encoded bytes: [UInt8]) throws {
        self = try ByteReader.reading(bytes) { reader in
            func converter(_ reader: inout ByteReader) throws -> Converter {
                let name = try reader.string()
                var settings: [String: String] = [:]
                for _ in 0..<(try reader.count()) { settings[try reader.string()] = try reader.string() }
                return Converter(name, settings)
            }
            return Rendering(key: try converter(&reader), value: try converter(&reader), header: try converter(&reader))
        }
    }
}
