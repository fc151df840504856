import ConnectAPI

/// How the values of one column become a `Column`, from text or from binary send format.
///
/// The choice is made once a table (`TypeResolver`); `decode` switches once a column and batch, so that each row loop knows its type.
indirect enum ColumnDecoder: Sendable, Hashable {
    case boolean
    /// `bit(1)`: '1' or '0'.
    case bit
    case int32, int64
    /// An unsigned 32-bit number in an INT64.
    case oid
    case float32, float64
    /// The text as sent.
    case text
    /// Text, after a version byte in binary format.
    case jsonb
    /// `name` without `include.unknown.datatypes`: Debezium's stream does not know the type and has null; snapshots have the value.
    case name
    /// Unscaled values at this scale, up to 38 digits.
    case decimal128(scale: Int)
    /// The same for longer ones.
    case decimalBytes(scale: Int)
    case variableDecimal
    case decimalDouble
    case decimalText
    case money(ValueConversion.DecimalMode, scale: Int)
    case bytea(ValueConversion.BinaryMode)
    /// The text of a type without a mapping, per `binary.handling.mode`.
    case opaque(ValueConversion.BinaryMode, rewritesNumbers: Bool)
    case date(isText: Bool)
    case time(TemporalUnit)
    case timetz
    case timestamp(TemporalUnit)
    case timestamptz(fractionDigits: Int)
    case interval(ValueConversion.IntervalMode)
    case uuid
    case bits
    case hstore(ValueConversion.HstoreMode)
    case point
    /// PostGIS: geometry and geography.
    case geometry
    /// pgvector: vector and halfvec.
    case vector(isHalf: Bool)
    /// pgvector: sparsevec.
    case sparseVector
    case array(ColumnDecoder)

    enum TemporalUnit: Sendable, Hashable { case millis, micros, nanos, text }
}

/// Where rows come from: in a few corners Debezium's two paths differ, and recordings are the last word.
enum RowOrigin: Sendable { case snapshot, stream }

/// The state of decoding one column.
struct DecodeContext {
    let origin: RowOrigin
    /// What stands in texts and bytes the server did not send, for readers that do not ask the `unavailable` bitmap.
    var placeholder: [UInt8] = []
    /// Values that could not be converted and became null or the filler: NaN in a Decimal, a time out of range of its unit.
    var failures = 0
}

/// Which rows are null and which were not sent, collected while a column is decoded. Costs nothing while there are none.
struct RowMarks {
    let count: Int
    /// Nulls are filled instead of marked: the column is NOT NULL.
    let isRequired: Bool
    private var valid: [UInt64] = []
    private var missing: [UInt64] = []

    init(count: Int, isRequired: Bool) {
        self.count = count
        self.isRequired = isRequired
    }

    @inline(__always) mutating func mark(_ row: Int, _ cell: Cell) {
        if cell.isUnavailable { markUnavailable(row) } else { markNull(row) }
    }

    mutating func markNull(_ row: Int) {
        if isRequired { return }
        if valid.isEmpty { valid = Array(repeating: .max, count: (count + 63) / 64) }
        valid[row >> 6] &= ~(1 << UInt64(row & 63))
    }

    private mutating func markUnavailable(_ row: Int) {
        if missing.isEmpty { missing = Array(repeating: 0, count: (count + 63) / 64) }
        missing[row >> 6] |= 1 << UInt64(row & 63)
    }

    var validity: Bitmap? { valid.isEmpty ? nil : Bitmap(words: valid, count: count) }
    var unavailable: Bitmap? { missing.isEmpty ? nil : Bitmap(words: missing, count: count) }
}

extension ColumnDecoder {
    /// Decodes a column. `filler` stands for nulls of a NOT NULL column (nil: nulls stay null).
    func decode(_ view: CellView, _ schema: Schema, filler: Value?, _ context: inout DecodeContext) -> Column {
        switch self {
        case .boolean:
            return fixed(view, schema, filler: filler?.booleanValue == true ? 1 : 0, filler != nil, &context, Column.Storage.boolean) { bytes, isBinary in
                guard bytes.count == 1 else { return nil }
                return isBinary ? (bytes[0] != 0 ? 1 : 0) : (bytes[0] == UInt8(ascii: "t") ? 1 : 0)
            }
        case .bit:
            return fixed(view, schema, filler: filler?.booleanValue == true ? 1 : 0, filler != nil, &context, Column.Storage.boolean) { bytes, _ in
                bytes.count == 1 ? (bytes[0] == UInt8(ascii: "1") ? 1 : 0) : nil
            }
        case .int32:
            return fixed(view, schema, filler: Int32(truncatingIfNeeded: filler?.integerValue ?? 0), filler != nil, &context, Column.Storage.int32) {
                bytes, isBinary in
                isBinary ? IntegerText.binary32(bytes) : IntegerText.parse(bytes).flatMap(Int32.init(exactly:))
            }
        case .int64:
            return fixed(view, schema, filler: filler?.integerValue ?? 0, filler != nil, &context, Column.Storage.int64) { bytes, isBinary in
                isBinary ? (bytes.count == 8 ? Int64(bigEndian: bytes.loadUnaligned(as: Int64.self)) : nil) : IntegerText.parse(bytes)
            }
        case .oid:
            return fixed(view, schema, filler: filler?.integerValue ?? 0, filler != nil, &context, Column.Storage.int64) { bytes, isBinary in
                isBinary ? IntegerText.binary32(bytes).map { Int64(UInt32(bitPattern: $0)) } : IntegerText.parse(bytes)
            }
        case .float32:
            var zero: Float = 0
            if case .float(let f) = filler { zero = f }
            return fixed(view, schema, filler: zero, filler != nil, &context, Column.Storage.float32) { bytes, isBinary in
                isBinary ? IntegerText.binary32(bytes).map { Float(bitPattern: UInt32(bitPattern: $0)) } : FloatText.float(bytes)
            }
        case .float64:
            return fixed(view, schema, filler: filler?.doubleValue ?? 0, filler != nil, &context, Column.Storage.float64) { bytes, isBinary in
                guard isBinary else { return FloatText.double(bytes) }
                return bytes.count == 8 ? Double(bitPattern: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))) : nil
            }
        case .uuid: return decodeUUID(view, schema, filler: filler, &context)
        case .text: return copied(view, schema, filler: filler, &context)
        case .name:
            if context.origin == .stream { return .constant(filler ?? .null, schema, count: view.count) }
            return copied(view, schema, filler: filler, &context)
        case .jsonb: return copied(view, schema, filler: filler, skippingVersion: true, &context)
        case .decimal128, .decimalBytes, .variableDecimal, .decimalDouble, .decimalText, .money:
            return decodeNumeric(view, schema, filler: filler, &context)
        case .date, .time, .timetz, .timestamp, .timestamptz, .interval: return decodeTemporal(view, schema, filler: filler, &context)
        case .bytea, .opaque, .bits: return decodeBytes(view, schema, filler: filler, &context)
        case .hstore(let mode): return decodeHstore(mode, view, schema, filler: filler, &context)
        case .point: return decodePoint(view, schema, filler: filler, &context)
        case .geometry: return decodeGeometry(view, schema, filler: filler, &context)
        case .vector(let isHalf): return decodeVector(isHalf: isHalf, view, schema, filler: filler, &context)
        case .sparseVector: return decodeSparseVector(view, schema, filler: filler, &context)
        case .array(let element): return decodeArray(element, view, schema, filler: filler, &context)
        }
    }

    /// Values of one fixed size. `parse` gives nil for bytes that are no such value.
    @inline(__always)
    func fixed<T>(
        _ view: CellView, _ schema: Schema, filler: T, _ isRequired: Bool, _ context: inout DecodeContext, _ storage: ([T]) -> Column.Storage,
        _ parse: (UnsafeRawBufferPointer, Bool) -> T?
    ) -> Column {
        var marks = RowMarks(count: view.count, isRequired: isRequired)
        var failures = 0
        let values = [T](unsafeUninitializedCapacity: view.count) { buffer, initialized in
            for row in 0..<view.count {
                let cell = view[row]
                var value = filler
                if cell.length >= 0 {
                    if let parsed = parse(view.value(cell), cell.isBinary) {
                        value = parsed
                    } else {
                        failures &+= 1
                        marks.markNull(row)
                    }
                } else {
                    marks.mark(row, cell)
                }
                (buffer.baseAddress! + row).initialize(to: value)
            }
            initialized = view.count
        }
        context.failures += failures
        return Column(schema, count: view.count, storage(values), validity: marks.validity, unavailable: marks.unavailable)
    }

    /// Values of varying size: `write` appends what it makes of a value and says whether it could.
    @inline(__always)
    func variable(
        _ view: CellView, _ schema: Schema, filler: Value?, unavailable: [UInt8]? = nil, _ context: inout DecodeContext,
        _ storage: (VarBytes) -> Column.Storage, _ write: (UnsafeRawBufferPointer, Bool, inout [UInt8]) -> Bool
    ) -> Column {
        var marks = RowMarks(count: view.count, isRequired: filler != nil)
        var out = VarBytes()
        out.offsets.reserveCapacity(view.count + 1)
        let fill = filler?.bytes ?? []
        for row in 0..<view.count {
            let cell = view[row], start = out.bytes.count
            if cell.length >= 0 {
                if !write(view.value(cell), cell.isBinary, &out.bytes) {
                    out.bytes.removeSubrange(start...)
                    out.bytes.append(contentsOf: fill)
                    context.failures += 1
                    marks.markNull(row)
                }
            } else {
                out.bytes.append(contentsOf: cell.isUnavailable ? unavailable ?? fill : fill)
                marks.mark(row, cell)
            }
            out.offsets.append(Int32(truncatingIfNeeded: out.bytes.count))
        }
        return Column(schema, count: view.count, storage(out), validity: marks.validity, unavailable: marks.unavailable)
    }

    /// Text as it came: lengths first, then one copy a value into memory of the exact size.
    private func copied(
        _ view: CellView, _ schema: Schema, filler: Value?, skippingVersion: Bool = false, _ context: inout DecodeContext
    ) -> Column {
        var marks = RowMarks(count: view.count, isRequired: filler != nil)
        let fill = filler?.bytes ?? [], placeholder = context.placeholder, skip = skippingVersion ? 1 : 0
        var total = 0
        let offsets = [Int32](unsafeUninitializedCapacity: view.count + 1) { buffer, initialized in
            buffer.initialize(repeating: 0)
            for row in 0..<view.count {
                let cell = view[row]
                if cell.length >= 0 {
                    total &+= max(0, Int(cell.length) &- (cell.isBinary ? skip : 0))
                } else {
                    total &+= cell.isUnavailable ? placeholder.count : fill.count
                    marks.mark(row, cell)
                }
                buffer[row + 1] = Int32(truncatingIfNeeded: total)
            }
            initialized = view.count + 1
        }
        let bytes = [UInt8](unsafeUninitializedCapacity: total) { buffer, initialized in
            guard let base = buffer.baseAddress else { return }
            var at = UnsafeMutableRawPointer(base)
            for row in 0..<view.count {
                let cell = view[row]
                if cell.length >= 0 {
                    let dropped = cell.isBinary ? min(skip, Int(cell.length)) : 0, n = Int(cell.length) &- dropped
                    at.copyMemory(from: view.bytes + (cell.offset &+ dropped), byteCount: n)
                    at += n
                } else {
                    (cell.isUnavailable ? placeholder : fill).withUnsafeBytes { bytes in
                        guard let base = bytes.baseAddress else { return }
                        at.copyMemory(from: base, byteCount: bytes.count)
                        at += bytes.count
                    }
                }
            }
            initialized = total
        }
        return Column(
            schema, count: view.count, .utf8(VarBytes(offsets: offsets, bytes: bytes)), validity: marks.validity, unavailable: marks.unavailable)
    }

    private func decodeUUID(_ view: CellView, _ schema: Schema, filler: Value?, _ context: inout DecodeContext) -> Column {
        var marks = RowMarks(count: view.count, isRequired: filler != nil)
        var values = [UInt8](repeating: 0, count: view.count * 16)
        let fill = filler?.stringValue.flatMap { text in Array(text.utf8).withUnsafeBytes { UUIDParser.parse($0) } }
        for row in 0..<view.count {
            let cell = view[row]
            var id = fill
            if cell.length >= 0 {
                let bytes = view.value(cell)
                if cell.isBinary, bytes.count == 16 {
                    values.withUnsafeMutableBytes { UnsafeMutableRawBufferPointer(rebasing: $0[row * 16..<row * 16 + 16]).copyMemory(from: bytes) }
                    continue
                }
                id = cell.isBinary ? nil : UUIDParser.parse(bytes)
                if id == nil {
                    context.failures += 1
                    marks.markNull(row)
                    id = fill
                }
            } else {
                marks.mark(row, cell)
            }
            if let id {
                values.withUnsafeMutableBytes {
                    $0.storeBytes(of: UInt64(truncatingIfNeeded: id >> 64).bigEndian, toByteOffset: row * 16, as: UInt64.self)
                    $0.storeBytes(of: UInt64(truncatingIfNeeded: id).bigEndian, toByteOffset: row * 16 + 8, as: UInt64.self)
                }
            }
        }
        return Column(schema, count: view.count, .uuid(values), validity: marks.validity, unavailable: marks.unavailable)
    }
}

extension Value {
    /// The bytes of a text or binary value.
    var bytes: [UInt8]? {
        switch self {
        case .string(let s): Array(s.utf8)
        case .bytes(let b): b
        default: nil
        }
    }
    var doubleValue: Double? { if case .double(let d) = self { d } else { nil } }
}
