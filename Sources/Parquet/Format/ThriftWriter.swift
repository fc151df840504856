/// Thrift's compact protocol, writing only: the encoding of Parquet's page headers, page index and footer, also of one made out of others.
/// Source: Apache Thrift, thrift-compact-protocol.md.
struct ThriftWriter: ~Copyable {
    private(set) var buffer = ByteBuffer()
    private var lastField: Int16 = 0
    private var outer: [Int16] = []

    private enum Kind {
        static let yes: UInt8 = 1, no: UInt8 = 2, byte: UInt8 = 3, i16: UInt8 = 4, i32: UInt8 = 5, i64: UInt8 = 6, binary: UInt8 = 8
        static let list: UInt8 = 9, structure: UInt8 = 12
    }

    private mutating func header(_ id: Int16, _ kind: UInt8) {
        // Ids of a footer that is written again come from outside.
        let delta = Int(id) - Int(lastField)
        if delta > 0 && delta <= 15 {
            buffer.append(UInt8(delta) << 4 | kind)
        } else {
            buffer.append(kind)
            zigzag(Int64(id))
        }
        lastField = id
    }

    private mutating func zigzag(_ value: Int64) { buffer.append(varint: UInt64(bitPattern: value << 1 ^ value >> 63)) }

    private mutating func binary(_ bytes: [UInt8]) {
        buffer.append(varint: UInt64(bytes.count))
        buffer.append(bytes)
    }

    mutating func i8(_ id: Int16, _ value: Int8) {
        header(id, Kind.byte)
        buffer.append(UInt8(bitPattern: value))
    }

    mutating func i16(_ id: Int16, _ value: Int16) {
        header(id, Kind.i16)
        zigzag(Int64(value))
    }

    mutating func i32(_ id: Int16, _ value: Int) {
        header(id, Kind.i32)
        zigzag(Int64(value))
    }

    mutating func i64(_ id: Int16, _ value: Int) {
        header(id, Kind.i64)
        zigzag(Int64(value))
    }

    mutating func bool(_ id: Int16, _ value: Bool) { header(id, value ? Kind.yes : Kind.no) }

    mutating func string(_ id: Int16, _ value: String) { bytes(id, Array(value.utf8)) }

    mutating func bytes(_ id: Int16, _ value: [UInt8]) {
        header(id, Kind.binary)
        binary(value)
    }

    mutating func structure<Failure>(_ id: Int16, _ body: (inout ThriftWriter) throws(Failure) -> Void) throws(Failure) {
        header(id, Kind.structure)
        try element(body)
    }

    /// A struct without fields: how unions say which of their plain members they are.
    mutating func emptyStructure(_ id: Int16) { structure(id) { _ in } }

    /// The body of a top-level struct or of a list's element, with its stop byte.
    mutating func element<Failure>(_ body: (inout ThriftWriter) throws(Failure) -> Void) throws(Failure) {
        outer.append(lastField)
        lastField = 0
        try body(&self)
        buffer.append(0)
        lastField = outer.removeLast()
    }

    private mutating func list(_ id: Int16, _ kind: UInt8, count: Int) {
        header(id, Kind.list)
        if count < 15 {
            buffer.append(UInt8(count) << 4 | kind)
        } else {
            buffer.append(0xF0 | kind)
            buffer.append(varint: UInt64(count))
        }
    }

    /// The head of a list of structures; an `element` each follows.
    mutating func structures(_ id: Int16, count: Int) { list(id, Kind.structure, count: count) }

    /// A value as another footer has it.
    mutating func raw(_ id: Int16, _ kind: ThriftReader.Kind, _ bytes: some Collection<UInt8>) {
        header(id, kind.rawValue)
        append(bytes)
    }

    /// Bytes that are Thrift already.
    mutating func append(_ bytes: some Collection<UInt8>) {
        if bytes.withContiguousStorageIfAvailable({ buffer.append(UnsafeRawBufferPointer($0)) }) == nil { for byte in bytes { buffer.append(byte) } }
    }

    mutating func structures<T>(_ id: Int16, _ items: [T], _ body: (inout ThriftWriter, T) -> Void) {
        list(id, Kind.structure, count: items.count)
        for item in items { element { body(&$0, item) } }
    }

    mutating func i32s(_ id: Int16, _ items: [Int]) {
        list(id, Kind.i32, count: items.count)
        for item in items { zigzag(Int64(item)) }
    }

    mutating func i64s(_ id: Int16, _ items: [Int]) {
        list(id, Kind.i64, count: items.count)
        for item in items { zigzag(Int64(item)) }
    }

    mutating func bools(_ id: Int16, _ items: [Bool]) {
        list(id, Kind.yes, count: items.count)
        for item in items { buffer.append(item ? Kind.yes : Kind.no) }
    }

    mutating func strings(_ id: Int16, _ items: [String]) { binaries(id, items.map { Array($0.utf8) }) }

    mutating func binaries(_ id: Int16, _ items: [[UInt8]]) {
        list(id, Kind.binary, count: items.count)
        for item in items { binary(item) }
    }
}
