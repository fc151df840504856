package import ConnectAPI

/// A `RecordBatch` as bytes and back: columns as they lie in memory, integers narrowed, schemas by number.
///
///     RecordBatch ──▶ body ──▶ BatchEnvelope (zstd, checksum) ──▶ blob          schemas ──▶ their own table, once
///
///     body    = count, flags u8, [key], [value], [tombstones], timestamps, header count, headers
///     rooted  = schema number, column                       key, value, timestamps, header values
///     column  = tag u8 (storage | 0x40 validity | 0x80 unavailable), [bitmaps], what the storage needs
///     bitmap  = 64-bit words
///
/// All numbers are little-endian. A batch refers to its schemas by number (a few bytes) because thousands of small batches share
/// one; children take their schemas from the parent's. Reading trusts nothing: counts, lengths, tags and constants are
/// checked against the schema, so damaged bytes throw `log.corrupt` and never trap.
package enum BatchCodec {
    /// The version of the body; a log written by a later version is refused, not misread.
    static let version: UInt8 = 1

    private enum Part {
        static let key: UInt8 = 1, value: UInt8 = 2, tombstones: UInt8 = 4
    }

    /// The body of a batch. `number` gives each schema's number in the schema table.
    package static func encode(_ batch: RecordBatch, number: (Schema) throws -> UInt32) throws -> [UInt8] {
        var out = ByteWriter(capacity: batch.byteCount / 2 + 256)
        out.count(batch.count)
        out.u8((batch.key == nil ? 0 : Part.key) | (batch.value == nil ? 0 : Part.value) | (batch.tombstones == nil ? 0 : Part.tombstones))
        func rooted(_ column: Column, _ out: inout ByteWriter) throws {
            out.count(Int(try number(column.schema)))
            try write(column, as: column.schema, &out)
        }
        if let key = batch.key { try rooted(key, &out) }
        if let value = batch.value { try rooted(value, &out) }
        if let tombstones = batch.tombstones { out.raw(tombstones.words) }
        try rooted(batch.timestamps, &out)
        out.count(batch.headers.count)
        for header in batch.headers {
            out.string(header.name)
            try rooted(header.values, &out)
            out.u8(header.present == nil ? 0 : 1)
            if let present = header.present { out.raw(present.words) }
        }
        return out.bytes
    }

    /// Throws `log.corrupt`. `schema` gives the schema of a number.
    package static func decode(_ body: [UInt8], topic: String, schema: (UInt32) throws -> Schema) throws -> RecordBatch {
        try ByteReader.reading(body) { reader in
            let count = try reader.count(), parts = try reader.u8()
            guard parts & ~(Part.key | Part.value | Part.tombstones) == 0 else { throw ConnectorError.corrupt("batch parts \(parts)") }
            func rooted(_ reader: inout ByteReader) throws -> Column {
                try read(&reader, as: schema(UInt32(reader.count())), count: count)
            }
            let key = parts & Part.key != 0 ? try rooted(&reader) : nil
            let value = parts & Part.value != 0 ? try rooted(&reader) : nil
            let tombstones = parts & Part.tombstones != 0 ? try bitmap(&reader, count) : nil
            let timestamps = try rooted(&reader)
            guard timestamps.schema.type == .int64 else { throw ConnectorError.corrupt("timestamps of type \(timestamps.schema.type)") }
            var headers: [HeaderColumn] = []
            for _ in 0..<(try reader.count()) {
                let name = try reader.string(), values = try rooted(&reader)
                headers.append(HeaderColumn(name, values, present: try reader.flag() ? try bitmap(&reader, count) : nil))
            }
            try reader.expectEnd()
            return RecordBatch(
                topic: topic, count: count, key: key, value: value, tombstones: tombstones, timestamps: timestamps, headers: headers)
        }
    }

    private static func bitmap(_ reader: inout ByteReader, _ count: Int) throws -> Bitmap {
        Bitmap(words: try reader.array((count + 63) / 64, of: UInt64.self), count: count)
    }
}

// MARK: - Columns

extension BatchCodec {
    private enum Mark {
        static let validity: UInt8 = 0x40, unavailable: UInt8 = 0x80
    }

    /// How a column is stored, as its tag says.
    private enum Kind: UInt8 {
        case constant, boolean, int32, int64, float32, float64, utf8, binary, decimal64, decimal128, utcMicros, uuid, list, map, `struct`

        init(_ storage: Column.Storage) {
            switch storage {
            case .constant: self = .constant
            case .boolean: self = .boolean
            case .int32: self = .int32
            case .int64: self = .int64
            case .float32: self = .float32
            case .float64: self = .float64
            case .utf8: self = .utf8
            case .binary: self = .binary
            case .decimal128(let values): self = BatchCodec.fitInt64(values) ? .decimal64 : .decimal128
            case .utcMicros: self = .utcMicros
            case .uuid: self = .uuid
            case .list: self = .list
            case .map: self = .map
            case .struct: self = .struct
            }
        }

        /// The table at `Column.Storage`.
        func stores(_ schema: Schema) -> Bool {
            switch (self, schema.type) {
            case (.constant, _), (.boolean, .boolean), (.int32, .int8), (.int32, .int16), (.int32, .int32), (.int64, .int64): true
            case (.float32, .float32), (.float64, .float64), (.utf8, .string), (.binary, .bytes), (.decimal64, .bytes): true
            case (.decimal128, .bytes), (.utcMicros, .string), (.uuid, .string), (.list, .array), (.map, .map), (.struct, .struct): true
            default: false
            }
        }
    }

    private static func write(_ column: Column, as schema: Schema, _ out: inout ByteWriter) throws {
        let kind = Kind(column.storage)
        guard kind.stores(schema) else { throw ConnectorError.unstorable("\(schema.type) \(schema.name ?? "") is stored as \(kind)") }
        out.u8(kind.rawValue | (column.validity == nil ? 0 : Mark.validity) | (column.unavailable == nil ? 0 : Mark.unavailable))
        if let validity = column.validity { out.raw(validity.words) }
        if let unavailable = column.unavailable { out.raw(unavailable.words) }
        switch column.storage {
        case .constant(let value):
            guard ValueCodec.fits(value, schema) else { throw ConnectorError.unstorable("a constant is not a \(schema.type)") }
            ValueCodec.write(value, to: &out)
        case .boolean(let v): out.raw(v)
        case .int32(let v): IntegerPacking.write(v, to: &out)
        case .int64(let v): IntegerPacking.write(v, to: &out)
        case .float32(let v): out.raw(v)
        case .float64(let v): out.raw(v)
        case .utf8(let v), .binary(let v):
            IntegerPacking.writeLengths(v.offsets, to: &out)
            out.prefix(v.bytes, count: Int(v.offsets[v.count]))
        case .decimal128(let v):
            if kind == .decimal64 { IntegerPacking.write(v.map { Int64(truncatingIfNeeded: $0) }, to: &out) } else { out.raw(v) }
        case .utcMicros(let v, let digits):
            out.u8(UInt8(digits))
            IntegerPacking.write(v, to: &out)
        case .uuid(let v): out.raw(v)
        case .list(let offsets, let values):
            IntegerPacking.writeLengths(offsets, to: &out)
            try write(values.sized(offsets), as: schema.element!, &out)
        case .map(let offsets, let keys, let values):
            IntegerPacking.writeLengths(offsets, to: &out)
            try write(keys.sized(offsets), as: schema.key!, &out)
            try write(values.sized(offsets), as: schema.element!, &out)
        case .struct(let children):
            guard children.count == schema.fields.count else { throw ConnectorError.unstorable("a struct lacks members of its schema") }
            for (child, field) in zip(children, schema.fields) { try write(child, as: field.schema, &out) }
        }
    }

    private static func read(_ reader: inout ByteReader, as schema: Schema, count: Int) throws -> Column {
        let tag = try reader.u8()
        guard let kind = Kind(rawValue: tag & ~(Mark.validity | Mark.unavailable)), kind.stores(schema) else {
            throw ConnectorError.corrupt("a column of kind \(tag) for \(schema.type)")
        }
        let validity = tag & Mark.validity != 0 ? try bitmap(&reader, count) : nil
        let unavailable = tag & Mark.unavailable != 0 ? try bitmap(&reader, count) : nil
        let storage: Column.Storage
        switch kind {
        case .constant:
            let value = try ValueCodec.read(from: &reader)
            guard ValueCodec.fits(value, schema) else { throw ConnectorError.corrupt("a constant that is not a \(schema.type)") }
            storage = .constant(value)
        case .boolean: storage = .boolean(try reader.array(count, of: UInt8.self))
        case .int32: storage = .int32(try IntegerPacking.read(count, of: Int32.self, from: &reader))
        case .int64: storage = .int64(try IntegerPacking.read(count, of: Int64.self, from: &reader))
        case .float32: storage = .float32(try reader.array(count, of: Float.self))
        case .float64: storage = .float64(try reader.array(count, of: Double.self))
        case .utf8: storage = .utf8(try varBytes(&reader, count))
        case .binary: storage = .binary(try varBytes(&reader, count))
        case .decimal64: storage = .decimal128(try IntegerPacking.read(count, of: Int64.self, from: &reader).map { Int128($0) })
        case .decimal128: storage = .decimal128(try reader.array(count, of: Int128.self))
        case .utcMicros:
            let digits = Int(try reader.u8())
            // Micros have six; more could not be rendered (`ISO8601.appendTimestamp`).
            guard digits <= 6 else { throw ConnectorError.corrupt("\(digits) digits of a second") }
            storage = .utcMicros(try IntegerPacking.read(count, of: Int64.self, from: &reader), fractionDigits: digits)
        case .uuid: storage = .uuid(try reader.array(count * 16, of: UInt8.self))
        case .list:
            let offsets = try IntegerPacking.readOffsets(count, from: &reader)
            storage = .list(offsets: offsets, try read(&reader, as: schema.element!, count: Int(offsets[count])))
        case .map:
            let offsets = try IntegerPacking.readOffsets(count, from: &reader), n = Int(offsets[count])
            storage = .map(
                offsets: offsets, keys: try read(&reader, as: schema.key!, count: n),
                values: try read(&reader, as: schema.element!, count: n))
        case .struct:
            var children: [Column] = []
            children.reserveCapacity(schema.fields.count)
            for field in schema.fields { children.append(try read(&reader, as: field.schema, count: count)) }
            storage = .struct(children)
        }
        return Column(schema, count: count, storage, validity: validity, unavailable: unavailable)
    }

    private static func varBytes(_ reader: inout ByteReader, _ count: Int) throws -> VarBytes {
        let offsets = try IntegerPacking.readOffsets(count, from: &reader)
        return VarBytes(offsets: offsets, bytes: try reader.array(Int(offsets[count]), of: UInt8.self))
    }

    /// Most decimals of a database fit 64 bits: half the bytes, and then narrowed like any integer.
    private static func fitInt64(_ values: [Int128]) -> Bool {
        var fits = true
        for value in values { fits = fits && Int128(Int64(truncatingIfNeeded: value)) == value }
        return fits
    }
}

extension Column {
    /// The elements a list's offsets reach; a builder may have left more behind them.
    fileprivate func sized(_ offsets: [Int32]) -> Column { slice(0..<Int(offsets[offsets.count - 1])) }
}

extension ConnectorError {
    /// A batch that breaks the rules of `Column`: an error of the connector or a transform.
    fileprivate static func unstorable(_ what: String) -> ConnectorError {
        ConnectorError("log.invalid_batch", .stop, "The log cannot store a batch: \(what)", hint: "This is an error in the connector or a transform")
    }
}
