import ConnectAPI

final class BooleanAvroBuilder: AvroBuilder {
    private var values: [UInt8] = []
    override func take(_ cursor: inout AvroCursor) throws(ConnectorError) {
        let byte = try cursor.byte()
        guard byte <= 1 else { throw AvroCursor.broken("a boolean of \(byte)") }
        values.append(byte)
    }
    override func blank() { values.append(0) }
    override func storage() -> Column.Storage { .boolean(values) }
}

/// Narrow integers are cut to their width, as Java casts them.
final class IntAvroBuilder: AvroBuilder {
    private var values: [Int32] = []
    override func take(_ cursor: inout AvroCursor) throws(ConnectorError) {
        let value = try cursor.int()
        switch schema.type {
        case .int8: values.append(Int32(Int8(truncatingIfNeeded: value)))
        case .int16: values.append(Int32(Int16(truncatingIfNeeded: value)))
        default: values.append(value)
        }
    }
    override func blank() { values.append(0) }
    override func storage() -> Column.Storage { .int32(values) }
}

final class LongAvroBuilder: AvroBuilder {
    private var values: [Int64] = []
    override func take(_ cursor: inout AvroCursor) throws(ConnectorError) { values.append(try cursor.long()) }
    override func blank() { values.append(0) }
    override func storage() -> Column.Storage { .int64(values) }
}

final class FloatAvroBuilder: AvroBuilder {
    private var values: [Float] = []
    override func take(_ cursor: inout AvroCursor) throws(ConnectorError) { values.append(try cursor.float()) }
    override func blank() { values.append(0) }
    override func storage() -> Column.Storage { .float32(values) }
}

final class DoubleAvroBuilder: AvroBuilder {
    private var values: [Double] = []
    override func take(_ cursor: inout AvroCursor) throws(ConnectorError) { values.append(try cursor.double()) }
    override func blank() { values.append(0) }
    override func storage() -> Column.Storage { .float64(values) }
}

final class TextAvroBuilder: AvroBuilder {
    private var values = VarBytes()
    override func take(_ cursor: inout AvroCursor) throws(ConnectorError) { values.append(try cursor.blob()) }
    override func blank() { values.appendEmpty() }
    override func storage() throws(ConnectorError) -> Column.Storage {
        // All texts at once; none may begin inside a character.
        let isWhole = values.offsets.allSatisfy { Int($0) == values.bytes.count || values.bytes[Int($0)] & 0xC0 != 0x80 }
        guard isWhole, String(validating: values.bytes, as: UTF8.self) != nil else { throw AvroCursor.broken("a string is not UTF-8") }
        return .utf8(values)
    }
}

final class EnumAvroBuilder: AvroBuilder {
    private var values = VarBytes()
    private let symbols: [[UInt8]]
    init(_ schema: Schema, _ symbols: [String]) {
        self.symbols = symbols.map { Array($0.utf8) }
        super.init(schema)
    }
    override func take(_ cursor: inout AvroCursor) throws(ConnectorError) { values.append(symbols[try cursor.index(symbols.count, of: "symbol")]) }
    override func blank() { values.appendEmpty() }
    override func storage() -> Column.Storage { .utf8(values) }
}

final class BytesAvroBuilder: AvroBuilder {
    private var values = VarBytes()
    private let size: Int?
    init(_ schema: Schema, size: Int?) {
        self.size = size
        super.init(schema)
    }
    override func take(_ cursor: inout AvroCursor) throws(ConnectorError) {
        if let size { values.append(try cursor.fixed(size)) } else { values.append(try cursor.blob()) }
    }
    override func take(bare bytes: UnsafeRawBufferPointer) { values.append(bytes) }
    override func blank() { values.appendEmpty() }
    override func storage() -> Column.Storage { .binary(values) }
}

/// Decimals, kept in 128 bits where all of them fit.
final class DecimalAvroBuilder: AvroBuilder {
    private var small: [Int128] = []
    /// All values in their least bytes, once one did not fit.
    private var large: VarBytes?
    private let size: Int?
    init(_ schema: Schema, size: Int?) {
        self.size = size
        super.init(schema)
    }
    override func take(_ cursor: inout AvroCursor) throws(ConnectorError) {
        let bytes = if let size { try cursor.fixed(size) } else { try cursor.blob() }
        take(bare: bytes)
    }
    override func take(bare bytes: UnsafeRawBufferPointer) {
        if large == nil, bytes.count <= 16 {
            var value: Int128 = bytes.first.map { $0 & 128 != 0 } == true ? -1 : 0
            for byte in bytes { value = value << 8 | Int128(byte) }
            return small.append(value)
        }
        if large == nil {
            var all = VarBytes()
            for value in small { all.append(value.bigEndianTwosComplement) }
            large = all
        }
        // Without bytes that repeat the sign.
        let sign: UInt8 = bytes.first.map { $0 & 128 != 0 } == true ? 255 : 0
        var from = 0
        while from + 1 < bytes.count, bytes[from] == sign, bytes[from + 1] & 128 == sign & 128 { from += 1 }
        large!.append(bytes.dropFirst(from))
    }
    override func blank() { if large == nil { small.append(0) } else { large!.append([0]) } }
    override func storage() -> Column.Storage { large.map { .binary($0) } ?? .decimal128(small) }
}

/// Blocks of items: a count, for negative ones the block's bytes, then the items; a count of 0 is the end.
class ItemsAvroBuilder: AvroBuilder {
    fileprivate var offsets: [Int32] = [0]
    private let itemBytes: Int

    init(_ schema: Schema, itemBytes: Int) {
        self.itemBytes = itemBytes
        super.init(schema)
    }

    /// Items that take no bytes are counted only: so many a value.
    private static let emptyItems: Int64 = 65_536

    override final func take(_ cursor: inout AvroCursor) throws(ConnectorError) {
        var total: Int64 = 0
        while true {
            var block = try cursor.long()
            if block == 0 { break }
            if block < 0 {
                _ = try cursor.long()
                block = block == .min ? .max : -block
            }
            let most = itemBytes > 0 ? Int64(cursor.left / itemBytes) : Self.emptyItems - total
            guard block <= most else { throw AvroCursor.broken("a block of \(block) items where \(cursor.left) bytes are left") }
            total += block
            for _ in 0..<block { try takeItem(&cursor) }
        }
        guard let end = Int32(exactly: itemCount) else { throw AvroCursor.broken("more than 2^31 items") }
        offsets.append(end)
    }
    override final func blank() { offsets.append(offsets[offsets.count - 1]) }

    func takeItem(_ cursor: inout AvroCursor) throws(ConnectorError) { preconditionFailure("abstract") }
    var itemCount: Int { preconditionFailure("abstract") }
}

final class ListAvroBuilder: ItemsAvroBuilder {
    private let element: AvroBuilder
    init(_ schema: Schema, _ type: AvroType, _ element: AvroBuilder) {
        self.element = element
        super.init(schema, itemBytes: type.minimumBytes)
    }
    override func takeItem(_ cursor: inout AvroCursor) throws(ConnectorError) { try element.append(&cursor) }
    override var itemCount: Int { element.count }
    override func storage() throws(ConnectorError) -> Column.Storage { .list(offsets: offsets, try element.finish()) }
}

/// Maps, and arrays of entries of which key or value may come first.
final class EntriesAvroBuilder: ItemsAvroBuilder {
    private let keys: AvroBuilder, values: AvroBuilder
    private let valueFirst: Bool
    init(_ schema: Schema, _ entry: AvroType?, _ keys: AvroBuilder, _ values: AvroBuilder) {
        self.keys = keys
        self.values = values
        if case .record(let fields)? = entry?.kind { valueFirst = fields.first?.name == "value" } else { valueFirst = false }
        super.init(schema, itemBytes: entry?.minimumBytes ?? 1)
    }
    override func takeItem(_ cursor: inout AvroCursor) throws(ConnectorError) {
        if valueFirst { try values.append(&cursor) }
        try keys.append(&cursor)
        if !valueFirst { try values.append(&cursor) }
    }
    override var itemCount: Int { keys.count }
    override func storage() throws(ConnectorError) -> Column.Storage { .map(offsets: offsets, keys: try keys.finish(), values: try values.finish()) }
}

final class StructAvroBuilder: AvroBuilder {
    private let members: [AvroBuilder]
    init(_ schema: Schema, _ members: [AvroBuilder]) {
        self.members = members
        super.init(schema)
    }
    override func take(_ cursor: inout AvroCursor) throws(ConnectorError) { for member in members { try member.append(&cursor) } }
    override func blank() { for member in members { member.appendNull() } }
    override func storage() throws(ConnectorError) -> Column.Storage {
        var columns: [Column] = []
        for member in members { columns.append(try member.finish()) }
        return .struct(columns)
    }
}

/// A type or null; without an index of null, a union of the type alone.
final class NullableAvroBuilder: AvroBuilder {
    private let nullIndex: Int?
    private let inner: AvroBuilder
    init(nullIndex: Int?, _ inner: AvroBuilder) {
        self.nullIndex = nullIndex
        self.inner = inner
        super.init(inner.schema)
    }
    override func append(_ cursor: inout AvroCursor) throws(ConnectorError) {
        let branch = try cursor.index(nullIndex == nil ? 1 : 2, of: "branch")
        if branch == nullIndex { inner.appendNull() } else { try inner.append(&cursor) }
        count += 1
    }
    override func appendNull() {
        inner.appendNull()
        count += 1
    }
    override func finish() throws(ConnectorError) -> Column { try inner.finish() }
}

/// A struct with a member a branch, of which a row has one.
final class UnionAvroBuilder: AvroBuilder {
    private let members: [AvroBuilder]
    /// The member of each branch; nil: null.
    private let places: [Int?]
    init(_ schema: Schema, _ members: [AvroBuilder], _ places: [Int?]) {
        self.members = members
        self.places = places
        super.init(schema)
    }
    /// Of the row that is being read.
    private var selected = 0
    override func append(_ cursor: inout AvroCursor) throws(ConnectorError) {
        guard let place = places[try cursor.index(places.count, of: "branch")] else { return appendNull() }
        selected = place
        try super.append(&cursor)
    }
    override func take(_ cursor: inout AvroCursor) throws(ConnectorError) {
        for (i, member) in members.enumerated() { if i == selected { try member.append(&cursor) } else { member.appendNull() } }
    }
    override func blank() { for member in members { member.appendNull() } }
    override func storage() throws(ConnectorError) -> Column.Storage {
        var columns: [Column] = []
        for member in members { columns.append(try member.finish()) }
        return .struct(columns)
    }
}
