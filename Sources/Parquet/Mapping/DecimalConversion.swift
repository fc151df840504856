import ConnectAPI

/// Brings Decimals into INT32, INT64, big-endian fixed bytes or text, checking that each fits the digits declared.
struct DecimalConversion {
    private let target: DecimalTarget
    private let leaf: LeafConversion
    /// The greatest magnitude allowed.
    private let largest: Int128
    /// What values of a negative scale are multiplied by.
    private let factor: Int128

    init(_ target: DecimalTarget, _ leaf: LeafConversion) {
        self.target = target
        self.leaf = leaf
        largest = Self.power(min(target.precision, 38)) - 1
        factor = Self.power(min(max(-target.scale, 0), 38))
    }

    private static func power(_ n: Int) -> Int128 { (0..<n).reduce(1) { power, _ in power * 10 } }

    func convert(_ values: [Int128]) throws(Unwritable) -> LeafValues {
        if case .text = target.form { return text { values[$0].bigEndianTwosComplement[...] } }
        if factor == 1, case .int64 = target.form, let narrow = narrowed(values, Int64.self) { return .int64(narrow) }
        if factor == 1, case .int32 = target.form, let narrow = narrowed(values, Int32.self) { return .int32(narrow) }
        return try convert { values[$0] }
    }

    func convert(_ values: VarBytes) throws(Unwritable) -> LeafValues {
        if case .text = target.form { return text { values[$0] } }
        return try convert { Int128(bigEndianTwosComplement: values[$0]) }
    }

    /// The fast path: nil when any value, be it in a null row, is out of range; the slow path then tells which.
    private func narrowed<T: FixedWidthInteger & SignedInteger>(_ values: [Int128], _: T.Type) -> [T]? {
        let limit = Int64(largest)
        var outside = false
        let out = [T](unsafeUninitializedCapacity: values.count) { target, n in
            values.withUnsafeBufferPointer { values in
                for i in values.indices {
                    let value = values[i], low = Int64(truncatingIfNeeded: value)
                    outside = outside || Int128(low) != value || low > limit || low < -limit
                    target.initializeElement(at: i, to: T(truncatingIfNeeded: low))
                }
            }
            n = values.count
        }
        return outside ? nil : out
    }

    private func convert(_ value: (Int) -> Int128?) throws(Unwritable) -> LeafValues {
        switch target.form {
        case .int32:
            var out: [Int32] = []
            try each(value) { out.append(Int32(truncatingIfNeeded: $0)) }
            return .int32(out)
        case .int64:
            var out: [Int64] = []
            try each(value) { out.append(Int64(truncatingIfNeeded: $0)) }
            return .int64(out)
        case .fixed(let length):
            var out: [UInt8] = []
            out.reserveCapacity(leaf.count * length)
            try each(value) { value in
                withUnsafeBytes(of: value.bigEndian) { out.append(contentsOf: $0.suffix(length)) }
            }
            return .fixed(out, length: length)
        case .text: preconditionFailure("text is rendered from bytes")
        }
    }

    /// Calls `body` for every row, with 0 for those that do not count.
    private func each(_ value: (Int) -> Int128?, _ body: (Int128) -> Void) throws(Unwritable) {
        for row in 0..<leaf.count {
            guard leaf.isLive(row) else {
                body(0)
                continue
            }
            guard let unscaled = value(row), unscaled.magnitude <= (largest / factor).magnitude else {
                throw Unwritable(
                    row: row, code: "decimal_out_of_range", reason: "the decimal has more than \(target.precision) digits",
                    hint: "Declare the column's precision at the source, or set decimal.handling.mode to string or double")
            }
            body(unscaled * factor)
        }
    }

    private func text(_ unscaled: (Int) -> ArraySlice<UInt8>) -> LeafValues {
        var out = VarBytes()
        for row in 0..<leaf.count {
            if leaf.isLive(row) { DecimalText.append(unscaled: unscaled(row), scale: target.scale, to: &out.bytes) }
            out.appendEmpty()
        }
        return .bytes(out)
    }
}
