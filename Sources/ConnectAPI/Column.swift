/// The values of one field for a run of rows: Arrow's layout, kept apart from what the values mean.
///
///     schema    what the values mean (STRING io.debezium.time.ZonedTimestamp)
///     storage   how they lie in memory (int64 microseconds, rendered as ISO text only where an edge needs it)
///     validity  which rows hold a value; nil: all do
///     unavailable  rows whose value the source did not send (an unchanged TOAST value); nil: none
///
/// A null row's slot in the storage holds an arbitrary value. The children of a struct have the parent's count, also for rows
/// where the parent is null. Columns are immutable; shape operations (`slice`, `select`, `concatenating`) copy.
public struct Column: Sendable {
    public let schema: Schema
    public let count: Int
    public let storage: Storage
    public let validity: Bitmap?
    public let unavailable: Bitmap?

    public init(_ schema: Schema, count: Int, _ storage: Storage, validity: Bitmap? = nil, unavailable: Bitmap? = nil) {
        assert(validity.map { $0.count == count } ?? true && unavailable.map { $0.count == count } ?? true)
        assert(storage.count.map { $0 == count } ?? true, "\(schema.type): the storage has \(storage.count ?? -1) rows, not \(count)")
        self.schema = schema
        self.count = count
        self.storage = storage
        self.validity = validity
        self.unavailable = unavailable
    }

    /// `count` rows of one value: `source.version`, a null `before`.
    public static func constant(_ value: Value, _ schema: Schema, count: Int) -> Column { Column(schema, count: count, .constant(value)) }

    /// The same rows under another schema of the same type.
    public func with(schema: Schema) -> Column {
        precondition(schema.type == self.schema.type)
        return Column(schema, count: count, storage, validity: validity, unavailable: unavailable)
    }

    public func with(validity: Bitmap?) -> Column { Column(schema, count: count, storage, validity: validity, unavailable: unavailable) }

    public func with(unavailable: Bitmap?) -> Column { Column(schema, count: count, storage, validity: validity, unavailable: unavailable) }

    @inlinable public func isNull(_ row: Int) -> Bool {
        if case .constant(.null) = storage { return true }
        return validity.map { !$0[row] } ?? false
    }

    /// Validity with constants resolved: nil when no row is null.
    public var validRows: Bitmap? {
        if case .constant(.null) = storage { return Bitmap(repeating: false, count: count) }
        return validity
    }

    /// The member of a struct column, or nil. A constant struct yields a constant member.
    public func child(_ name: String) -> Column? { schema.index(of: name).map { child(at: $0) } }

    public func child(at i: Int) -> Column {
        switch storage {
        case .struct(let children): return children[i]
        case .constant(.struct(let values)): return .constant(values[i], schema.fields[i].schema, count: count)
        case .constant: return .constant(.null, schema.fields[i].schema, count: count)
        default: preconditionFailure("\(schema.type) has no members")
        }
    }

    /// All members of a struct column, in the schema's order.
    public var children: [Column] { schema.fields.indices.map { child(at: $0) } }

    /// Bytes held by the storage and the bitmaps, for budgets.
    public var byteCount: Int {
        (validity?.words.count ?? 0) * 8 + (unavailable?.words.count ?? 0) * 8 + storage.byteCount
    }
}

/// Variable-length values: value `i` is `bytes[offsets[i]..<offsets[i + 1]]`; there is one more offset than values and the first is 0.
public struct VarBytes: Sendable, Hashable {
    public var offsets: [Int32]
    public var bytes: [UInt8]

    public init(offsets: [Int32] = [0], bytes: [UInt8] = []) {
        self.offsets = offsets
        self.bytes = bytes
    }

    public var count: Int { offsets.count - 1 }
    @inlinable public func range(_ i: Int) -> Range<Int> { Int(offsets[i])..<Int(offsets[i &+ 1]) }
    public subscript(i: Int) -> ArraySlice<UInt8> { bytes[range(i)] }

    public mutating func append(_ value: some Sequence<UInt8>) {
        bytes.append(contentsOf: value)
        offsets.append(Int32(bytes.count))
    }
    /// The same for what readers have: without generics, which other modules would pay for at every value.
    public mutating func append(_ value: UnsafeRawBufferPointer) {
        bytes.append(contentsOf: value)
        offsets.append(Int32(bytes.count))
    }
    public mutating func appendEmpty() { offsets.append(Int32(bytes.count)) }
}

extension Column {
    /// How the rows lie in memory. Which storages a schema may have:
    ///
    /// | schema type | storages |
    /// |---|---|
    /// | INT8, INT16, INT32 | `int32` |
    /// | INT64 | `int64` |
    /// | FLOAT32 / FLOAT64 / BOOLEAN | `float32` / `float64` / `boolean` |
    /// | STRING | `utf8`; named ZonedTimestamp also `utcMicros`; named Uuid also `uuid` |
    /// | BYTES | `binary`; named Decimal also `decimal128` |
    /// | ARRAY / MAP / STRUCT | `list` / `map` / `struct` |
    /// | any | `constant` |
    public enum Storage: Sendable {
        case constant(Value)
        /// 0 or 1 a row.
        case boolean([UInt8])
        case int32([Int32])
        case int64([Int64])
        case float32([Float])
        case float64([Double])
        case utf8(VarBytes)
        case binary(VarBytes)
        /// The unscaled values of a Decimal; the scale is the schema's parameter.
        case decimal128([Int128])
        /// Microseconds since 1970-01-01T00:00:00Z of a ZonedTimestamp; `Int64.max` is `infinity`, `Int64.min` is `-infinity`.
        /// Rendered as ISO-8601 in UTC with exactly `fractionDigits` digits (0: none).
        case utcMicros([Int64], fractionDigits: Int)
        /// 16 bytes a row, in the order of the text form.
        case uuid([UInt8])
        indirect case list(offsets: [Int32], Column)
        indirect case map(offsets: [Int32], keys: Column, values: Column)
        case `struct`([Column])

        /// Rows held; nil for a constant, and for a struct without members.
        public var count: Int? {
            switch self {
            case .constant: nil
            case .boolean(let v): v.count
            case .int32(let v): v.count
            case .int64(let v): v.count
            case .float32(let v): v.count
            case .float64(let v): v.count
            case .utf8(let v), .binary(let v): v.count
            case .decimal128(let v): v.count
            case .utcMicros(let v, _): v.count
            case .uuid(let v): v.count / 16
            case .list(let offsets, _): offsets.count - 1
            case .map(let offsets, _, _): offsets.count - 1
            case .struct(let children): children.first?.count
            }
        }

        var byteCount: Int {
            switch self {
            case .constant: 32
            case .boolean(let v): v.count
            case .int32(let v): v.count * 4
            case .int64(let v): v.count * 8
            case .float32(let v): v.count * 4
            case .float64(let v): v.count * 8
            case .utf8(let v), .binary(let v): v.offsets.count * 4 + v.bytes.count
            case .decimal128(let v): v.count * 16
            case .utcMicros(let v, _): v.count * 8
            case .uuid(let v): v.count
            case .list(let offsets, let values): offsets.count * 4 + values.byteCount
            case .map(let offsets, let keys, let values): offsets.count * 4 + keys.byteCount + values.byteCount
            case .struct(let children): children.reduce(0) { $0 + $1.byteCount }
            }
        }
    }
}
