/// Row views: for tests, sources that have rows, dead letters and pages. Not for the data path.
extension Column {
    /// The value of one row as a reader of the record would see it.
    public subscript(row: Int) -> Value {
        if isNull(row) { return .null }
        switch storage {
        case .constant(let value): return value
        case .boolean(let v): return .boolean(v[row] != 0)
        case .int32(let v): return .integer(Int64(v[row]))
        case .int64(let v): return .integer(v[row])
        case .float32(let v): return .float(v[row])
        case .float64(let v): return .double(v[row])
        case .utf8(let v): return .string(String(decoding: v[row], as: UTF8.self))
        case .binary(let v): return .bytes(Array(v[row]))
        case .decimal128(let v): return .bytes(v[row].bigEndianTwosComplement)
        case .utcMicros(let v, let digits): return .string(ISO8601.timestamp(micros: v[row], fractionDigits: digits))
        case .uuid(let v): return .string(UUIDText.string(v[row * 16..<row * 16 + 16]))
        case .list(let offsets, let values): return .array((offsets[row]..<offsets[row + 1]).map { values[Int($0)] })
        case .map(let offsets, let keys, let values):
            return .map((offsets[row]..<offsets[row + 1]).map { Value.Entry(keys[Int($0)], values[Int($0)]) })
        case .struct(let children): return .struct(children.map { $0[row] })
        }
    }

    /// Rows of these values. A value that does not fit the schema's type is a programmer error.
    public init(_ schema: Schema, _ values: [Value]) {
        let n = values.count
        var validity: Bitmap?
        if values.contains(where: \.isNull) { validity = Bitmap(values.lazy.map { !$0.isNull }) }
        func mismatch(_ value: Value) -> Never { preconditionFailure("\(value) is not a \(schema.type)") }
        func integer(_ value: Value) -> Int64 {
            switch value {
            case .integer(let i): i
            case .null: 0
            default: mismatch(value)
            }
        }
        func varBytes() -> VarBytes {
            var out = VarBytes()
            for value in values {
                switch value {
                case .string(let s): out.append(s.utf8)
                case .bytes(let b): out.append(b)
                case .null: out.appendEmpty()
                default: mismatch(value)
                }
            }
            return out
        }
        let storage: Storage
        switch schema.type {
        case .int8, .int16, .int32: storage = .int32(values.map { Int32(integer($0)) })
        case .int64: storage = .int64(values.map(integer))
        case .boolean: storage = .boolean(values.map { $0.booleanValue == true ? 1 : 0 })
        case .float32:
            storage = .float32(values.map { if case .float(let f) = $0 { f } else if case .null = $0 { 0 } else { mismatch($0) } })
        case .float64:
            storage = .float64(values.map { if case .double(let d) = $0 { d } else if case .null = $0 { 0 } else { mismatch($0) } })
        case .string: storage = .utf8(varBytes())
        case .bytes: storage = .binary(varBytes())
        case .array:
            var offsets: [Int32] = [0], items: [Value] = []
            for value in values {
                if case .array(let a) = value { items += a } else if !value.isNull { mismatch(value) }
                offsets.append(Int32(items.count))
            }
            storage = .list(offsets: offsets, Column(schema.element!, items))
        case .map:
            var offsets: [Int32] = [0], entries: [Value.Entry] = []
            for value in values {
                if case .map(let m) = value { entries += m } else if !value.isNull { mismatch(value) }
                offsets.append(Int32(entries.count))
            }
            storage = .map(
                offsets: offsets, keys: Column(schema.key!, entries.map(\.key)), values: Column(schema.element!, entries.map(\.value)))
        case .struct:
            storage = .struct(
                schema.fields.indices.map { i in
                    Column(
                        schema.fields[i].schema,
                        values.map { if case .struct(let s) = $0 { s[i] } else if case .null = $0 { .null } else { mismatch($0) } })
                })
        }
        self.init(schema, count: n, storage, validity: validity)
    }

    init(repeating value: Value, _ schema: Schema, count: Int) {
        self.init(schema, Array(repeating: value, count: count))
    }
}

extension Int128 {
    /// The shortest two's-complement big-endian form, as Java's `BigInteger.toByteArray` gives it.
    public var bigEndianTwosComplement: [UInt8] {
        var bytes = (0..<16).map { UInt8(truncatingIfNeeded: self >> Int128(120 - $0 * 8)) }
        let sign: UInt8 = self < 0 ? 0xFF : 0
        while bytes.count > 1, bytes[0] == sign, bytes[1] >> 7 == sign >> 7 { bytes.removeFirst() }
        return bytes
    }

    /// From two's-complement big-endian bytes; nil when they do not fit 128 bits.
    public init?(bigEndianTwosComplement bytes: some Collection<UInt8>) {
        let sign: UInt8 = (bytes.first ?? 0) >> 7 == 1 ? 0xFF : 0
        let digits = bytes.drop { $0 == sign }
        guard digits.count < 16 || (digits.count == 16 && digits.first! >> 7 == sign >> 7) else { return nil }
        self = sign == 0 ? 0 : -1
        for byte in digits { self = self << 8 | Int128(byte) }
    }
}
