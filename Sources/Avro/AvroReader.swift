package import ConnectAPI

/// Reads values of one Avro schema into a column.
///
///     bytes of a row ──▶ cursor ──▶ builders, one a field ──▶ column
///
/// The builders are made once a column; nothing is looked up by name in a row.
package struct AvroReader {
    private let builder: AvroBuilder
    private let isBare: Bool

    /// `schema`: what `type.connectSchema` gave. `isBare`: see `AvroRows`.
    package init(_ type: AvroType, _ schema: Schema, _ options: AvroOptions = AvroOptions(), isBare: Bool = false) throws(ConnectorError) {
        builder = try AvroBuilder.make(type, schema, options)
        if isBare, case .bytes = type.kind { self.isBare = true } else { self.isBare = false }
    }

    package var count: Int { builder.count }

    /// Appends the value that stands in these bytes; what follows it is not looked at, as Java's readers do not. After an error the reader is of no use.
    package func read(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) throws(ConnectorError) {
        var cursor = AvroCursor(bytes, range)
        guard isBare else { return try builder.append(&cursor) }
        try builder.append(bare: cursor.fixed(cursor.left))
    }

    /// The rows read so far. Throws where a text is not UTF-8.
    package func finish() throws(ConnectorError) -> Column { try builder.finish() }
}

/// Collects the values of one type, row by row.
class AvroBuilder {
    final let schema: Schema
    final var count = 0
    private var validity: Bitmap?

    init(_ schema: Schema) { self.schema = schema }

    /// Takes the value at the cursor.
    func append(_ cursor: inout AvroCursor) throws(ConnectorError) {
        try take(&cursor)
        validity?.append(true)
        count += 1
    }

    /// A null, or a slot that belongs to a null parent: nobody sees its value.
    func appendNull() {
        if validity == nil { validity = Bitmap(repeating: true, count: count) }
        validity!.append(false)
        blank()
        count += 1
    }

    func append(bare bytes: UnsafeRawBufferPointer) throws(ConnectorError) {
        take(bare: bytes)
        validity?.append(true)
        count += 1
    }

    func finish() throws(ConnectorError) -> Column { Column(schema, count: count, try storage(), validity: validity) }

    // What subclasses do: a value, bytes that are the whole value, a slot for a null.
    func take(_ cursor: inout AvroCursor) throws(ConnectorError) { preconditionFailure("abstract") }
    func take(bare bytes: UnsafeRawBufferPointer) { preconditionFailure("bytes only") }
    func blank() { preconditionFailure("abstract") }
    func storage() throws(ConnectorError) -> Column.Storage { preconditionFailure("abstract") }

    static func make(_ type: AvroType, _ schema: Schema, _ options: AvroOptions) throws(ConnectorError) -> AvroBuilder {
        switch type.kind {
        case .boolean: return BooleanAvroBuilder(schema)
        case .int: return IntAvroBuilder(schema)
        case .long: return LongAvroBuilder(schema)
        case .float: return FloatAvroBuilder(schema)
        case .double: return DoubleAvroBuilder(schema)
        case .string: return TextAvroBuilder(schema)
        case .bytes: return schema.name == LogicalName.decimal ? DecimalAvroBuilder(schema, size: nil) : BytesAvroBuilder(schema, size: nil)
        case .fixed(let size): return schema.name == LogicalName.decimal ? DecimalAvroBuilder(schema, size: size) : BytesAvroBuilder(schema, size: size)
        case .enumeration(let symbols, _): return EnumAvroBuilder(schema, symbols)
        case .array(let items):
            if let (key, value) = try items.mapEntry, let keySchema = schema.key, let element = schema.element {
                return EntriesAvroBuilder(schema, items, try make(key, keySchema, options), try make(value, element, options))
            }
            return ListAvroBuilder(schema, items, try make(items, schema.element!, options))
        case .map(let values):
            return EntriesAvroBuilder(schema, nil, try make(AvroType(.string), schema.key!, options), try make(values, schema.element!, options))
        case .record(let fields):
            var members: [AvroBuilder] = []
            for (field, own) in zip(fields, schema.fields) { members.append(try make(field.type, own.schema, options)) }
            return StructAvroBuilder(schema, members)
        case .union(let branches):
            if let (branch, null) = type.nullable { return NullableAvroBuilder(nullIndex: null, try make(branch, schema, options)) }
            if branches.count == 1, options.flattensSingletonUnions { return NullableAvroBuilder(nullIndex: nil, try make(branches[0], schema, options)) }
            var members: [AvroBuilder] = [], places: [Int?] = []
            for branch in branches {
                if branch.isNull {
                    places.append(nil)
                } else {
                    places.append(members.count)
                    members.append(try make(branch, schema.fields[members.count].schema, options))
                }
            }
            return UnionAvroBuilder(schema, members, places)
        case .null: throw ConnectorError("avro.schema_unsupported", .reject, "A null alone has no schema in Kafka Connect")
        }
    }
}
