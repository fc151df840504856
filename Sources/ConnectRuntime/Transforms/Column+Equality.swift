import ConnectAPI

extension Column {
    /// The rows in which both columns hold the same value: both null, both not sent, or equal.
    func equalRows(_ other: Column) -> Bitmap {
        var equal = equalStorage(other)
        for row in 0..<count where isNull(row) || other.isNull(row) { equal[row] = isNull(row) && other.isNull(row) }
        if unavailable != nil || other.unavailable != nil {
            for row in 0..<count {
                let mine = unavailable.map { $0[row] } ?? false, theirs = other.unavailable.map { $0[row] } ?? false
                if mine || theirs { equal[row] = mine && theirs }
            }
        }
        return equal
    }

    /// Rows of equal storage; what stands under nulls is compared too. Storages of different kinds are compared as values.
    private func equalStorage(_ other: Column) -> Bitmap {
        func bits(_ isEqual: (Int) -> Bool) -> Bitmap { Bitmap((0..<count).lazy.map(isEqual)) }
        func equal(_ a: VarBytes, _ b: VarBytes) -> Bitmap {
            a.bytes.withUnsafeBytes { left in
                b.bytes.withUnsafeBytes { right in
                    bits { row in
                        let x = a.range(row), y = b.range(row)
                        return x.count == y.count
                            && UnsafeRawBufferPointer(rebasing: left[x]).elementsEqual(UnsafeRawBufferPointer(rebasing: right[y]))
                    }
                }
            }
        }
        switch (storage, other.storage) {
        case (.constant(let a), .constant(let b)): return Bitmap(repeating: a == b, count: count)
        case (.boolean(let a), .boolean(let b)): return bits { a[$0] == b[$0] }
        case (.int32(let a), .int32(let b)): return bits { a[$0] == b[$0] }
        case (.int64(let a), .int64(let b)): return bits { a[$0] == b[$0] }
        // As Java's equals: NaN is itself, and the zeros differ.
        case (.float32(let a), .float32(let b)): return bits { a[$0].bitPattern == b[$0].bitPattern || (a[$0].isNaN && b[$0].isNaN) }
        case (.float64(let a), .float64(let b)): return bits { a[$0].bitPattern == b[$0].bitPattern || (a[$0].isNaN && b[$0].isNaN) }
        case (.utf8(let a), .utf8(let b)), (.binary(let a), .binary(let b)): return equal(a, b)
        case (.decimal128(let a), .decimal128(let b)): return bits { a[$0] == b[$0] }
        case (.utcMicros(let a, let x), .utcMicros(let b, let y)) where x == y: return bits { a[$0] == b[$0] }
        case (.uuid(let a), .uuid(let b)): return bits { a[$0 * 16..<$0 * 16 + 16] == b[$0 * 16..<$0 * 16 + 16] }
        case (.struct(let a), .struct(let b)) where a.count == b.count:
            return zip(a, b).reduce(Bitmap(repeating: true, count: count)) { $0 & $1.0.equalRows($1.1) }
        default: return bits { self[$0] == other[$0] }
        }
    }
}
