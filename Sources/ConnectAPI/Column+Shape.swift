/// Cutting and joining columns. All copy; none looks at values row by row except `select`.
extension Column {
    /// These rows, from row 0.
    public func slice(_ rows: Range<Int>) -> Column {
        if rows == 0..<count { return self }
        return Column(
            schema, count: rows.count, storage.slice(rows), validity: validity?.slice(rows), unavailable: unavailable?.slice(rows))
    }

    /// The rows at these positions, in the order given.
    public func select(_ rows: [Int]) -> Column {
        Column(schema, count: rows.count, storage.select(rows), validity: validity?.select(rows), unavailable: unavailable?.select(rows))
    }

    /// These columns one after the other; all must have equal schemas. Storages may differ: then every part is brought to a common one.
    public static func concatenating(_ parts: [Column]) -> Column {
        precondition(!parts.isEmpty, "nothing to join")
        if parts.count == 1 { return parts[0] }
        let count = parts.reduce(0) { $0 + $1.count }
        if case .constant(let value) = parts[0].storage,
            parts.allSatisfy({ part in
                if case .constant(let v) = part.storage { v == value && part.validity == nil && part.unavailable == nil } else { false }
            })
        {
            return .constant(value, parts[0].schema, count: count)
        }
        let flat = parts.map { $0.materialized() }
        return Column(
            parts[0].schema, count: count, Storage.joined(flat),
            validity: Bitmap.joined(flat.map { ($0.validity, $0.count) }, absent: true),
            unavailable: Bitmap.joined(flat.map { ($0.unavailable, $0.count) }, absent: false))
    }

    /// The same rows without `constant` storage, at any depth.
    public func materialized() -> Column {
        switch storage {
        case .constant(let value):
            let repeated = Column(repeating: value, schema, count: count)
            return Column(
                schema, count: count, repeated.storage, validity: value.isNull ? repeated.validity : validity, unavailable: unavailable)
        case .struct(let children):
            return Column(
                schema, count: count, .struct(children.map { $0.materialized() }), validity: validity, unavailable: unavailable)
        case .list(let offsets, let values):
            return Column(schema, count: count, .list(offsets: offsets, values.materialized()), validity: validity, unavailable: unavailable)
        case .map(let offsets, let keys, let values):
            return Column(
                schema, count: count, .map(offsets: offsets, keys: keys.materialized(), values: values.materialized()),
                validity: validity, unavailable: unavailable)
        default: return self
        }
    }
}

extension Bitmap {
    fileprivate static func joined(_ parts: [(Bitmap?, Int)], absent: Bool) -> Bitmap? {
        if parts.allSatisfy({ $0.0 == nil }) { return nil }
        var out = Bitmap()
        for (bitmap, count) in parts { if let bitmap { out.append(contentsOf: bitmap) } else { out.append(repeating: absent, count: count) } }
        return out
    }
}

extension VarBytes {
    func slice(_ rows: Range<Int>) -> VarBytes {
        let first = offsets[rows.lowerBound], last = offsets[rows.upperBound]
        return VarBytes(
            offsets: offsets[rows.lowerBound...rows.upperBound].map { $0 - first }, bytes: Array(bytes[Int(first)..<Int(last)]))
    }

    func select(_ rows: [Int]) -> VarBytes {
        var out = VarBytes()
        out.offsets.reserveCapacity(rows.count + 1)
        for row in rows { out.append(self[row]) }
        return out
    }
}

extension Column.Storage {
    fileprivate func slice(_ rows: Range<Int>) -> Self {
        switch self {
        case .constant: return self
        case .boolean(let v): return .boolean(Array(v[rows]))
        case .int32(let v): return .int32(Array(v[rows]))
        case .int64(let v): return .int64(Array(v[rows]))
        case .float32(let v): return .float32(Array(v[rows]))
        case .float64(let v): return .float64(Array(v[rows]))
        case .utf8(let v): return .utf8(v.slice(rows))
        case .binary(let v): return .binary(v.slice(rows))
        case .decimal128(let v): return .decimal128(Array(v[rows]))
        case .utcMicros(let v, let digits): return .utcMicros(Array(v[rows]), fractionDigits: digits)
        case .uuid(let v): return .uuid(Array(v[rows.lowerBound * 16..<rows.upperBound * 16]))
        case .list(let offsets, let values):
            let (cut, range) = Self.rebased(offsets, rows)
            return .list(offsets: cut, values.slice(range))
        case .map(let offsets, let keys, let values):
            let (cut, range) = Self.rebased(offsets, rows)
            return .map(offsets: cut, keys: keys.slice(range), values: values.slice(range))
        case .struct(let children): return .struct(children.map { $0.slice(rows) })
        }
    }

    private static func rebased(_ offsets: [Int32], _ rows: Range<Int>) -> ([Int32], Range<Int>) {
        let first = offsets[rows.lowerBound]
        return (offsets[rows.lowerBound...rows.upperBound].map { $0 - first }, Int(first)..<Int(offsets[rows.upperBound]))
    }

    fileprivate func select(_ rows: [Int]) -> Self {
        switch self {
        case .constant: return self
        case .boolean(let v): return .boolean(rows.map { v[$0] })
        case .int32(let v): return .int32(rows.map { v[$0] })
        case .int64(let v): return .int64(rows.map { v[$0] })
        case .float32(let v): return .float32(rows.map { v[$0] })
        case .float64(let v): return .float64(rows.map { v[$0] })
        case .utf8(let v): return .utf8(v.select(rows))
        case .binary(let v): return .binary(v.select(rows))
        case .decimal128(let v): return .decimal128(rows.map { v[$0] })
        case .utcMicros(let v, let digits): return .utcMicros(rows.map { v[$0] }, fractionDigits: digits)
        case .uuid(let v): return .uuid(rows.flatMap { v[$0 * 16..<$0 * 16 + 16] })
        case .list(let offsets, let values):
            let (cut, picked) = Self.gathered(offsets, rows)
            return .list(offsets: cut, values.select(picked))
        case .map(let offsets, let keys, let values):
            let (cut, picked) = Self.gathered(offsets, rows)
            return .map(offsets: cut, keys: keys.select(picked), values: values.select(picked))
        case .struct(let children): return .struct(children.map { $0.select(rows) })
        }
    }

    private static func gathered(_ offsets: [Int32], _ rows: [Int]) -> ([Int32], [Int]) {
        var cut: [Int32] = [0], picked: [Int] = []
        for row in rows {
            picked.append(contentsOf: Int(offsets[row])..<Int(offsets[row + 1]))
            cut.append(Int32(picked.count))
        }
        return (cut, picked)
    }

    /// The storages of materialized columns of one schema, joined. Storages of different kinds meet in the kind that renders the value.
    fileprivate static func joined(_ parts: [Column]) -> Self {
        func all<T>(_ get: (Self) -> [T]?) -> [T]? {
            var out: [T] = []
            for part in parts { if let v = get(part.storage) { out.append(contentsOf: v) } else { return nil } }
            return out
        }
        switch parts[0].storage {
        case .boolean: if let v = all({ if case .boolean(let v) = $0 { v } else { nil } }) { return .boolean(v) }
        case .int32: if let v = all({ if case .int32(let v) = $0 { v } else { nil } }) { return .int32(v) }
        case .int64: if let v = all({ if case .int64(let v) = $0 { v } else { nil } }) { return .int64(v) }
        case .float32: if let v = all({ if case .float32(let v) = $0 { v } else { nil } }) { return .float32(v) }
        case .float64: if let v = all({ if case .float64(let v) = $0 { v } else { nil } }) { return .float64(v) }
        case .decimal128: if let v = all({ if case .decimal128(let v) = $0 { v } else { nil } }) { return .decimal128(v) }
        case .uuid: if let v = all({ if case .uuid(let v) = $0 { v } else { nil } }) { return .uuid(v) }
        case .utcMicros(_, let digits):
            if let v = all({ if case .utcMicros(let v, let d) = $0, d == digits { v } else { nil } }) {
                return .utcMicros(v, fractionDigits: digits)
            }
        case .utf8, .binary:
            if let v = joinedBytes(parts) { if case .utf8 = parts[0].storage { return .utf8(v) } else { return .binary(v) } }
        case .list:
            if let (offsets, columns) = joinedLists(parts, { if case .list(let o, let v) = $0 { (o, [v]) } else { nil } }) {
                return .list(offsets: offsets, Column.concatenating(columns[0]))
            }
        case .map:
            if let (offsets, columns) = joinedLists(parts, { if case .map(let o, let k, let v) = $0 { (o, [k, v]) } else { nil } }) {
                return .map(offsets: offsets, keys: Column.concatenating(columns[0]), values: Column.concatenating(columns[1]))
            }
        case .struct(let first):
            return .struct(first.indices.map { i in Column.concatenating(parts.map { $0.child(at: i) }) })
        case .constant: break
        }
        let rows = parts.flatMap { part in (0..<part.count).map { part[$0] } }
        return Column(parts[0].schema, rows).storage
    }

    private static func joinedBytes(_ parts: [Column]) -> VarBytes? {
        var out = VarBytes()
        for part in parts {
            switch part.storage {
            case .utf8(let v), .binary(let v):
                let base = Int32(out.bytes.count)
                out.bytes.append(contentsOf: v.bytes)
                for offset in v.offsets.dropFirst() { out.offsets.append(offset + base) }
            default: return nil
            }
        }
        return out
    }

    private static func joinedLists(_ parts: [Column], _ get: (Self) -> ([Int32], [Column])?) -> ([Int32], [[Column]])? {
        var offsets: [Int32] = [0], columns: [[Column]] = []
        for part in parts {
            guard let (o, children) = get(part.storage) else { return nil }
            let base = offsets[offsets.count - 1]
            for offset in o.dropFirst() { offsets.append(offset + base) }
            if columns.isEmpty { columns = children.map { [$0] } } else { for (i, c) in children.enumerated() { columns[i].append(c) } }
        }
        return (offsets, columns)
    }
}
