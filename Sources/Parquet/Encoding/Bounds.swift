import Glibc

/// The least and greatest value of a page or chunk, in PLAIN form without a length.
struct Bounds: Hashable {
    var min: [UInt8]
    var max: [UInt8]
}

/// Numbers of fixed width and how their bounds are told.
protocol FixedValue {
    associatedtype Word: FixedWidthInteger & UnsignedInteger
    /// The bits as stored.
    var word: Word { get }
    init(word: Word)
    /// The least and greatest; nil when there is none, as among NaNs only.
    static func bounds(_ values: UnsafePointer<Self>, count: Int) -> (min: Self, max: Self)?
    static func < (a: Self, b: Self) -> Bool
    /// Bounds as the format wants them stored.
    static func stored(_ bounds: (min: Self, max: Self)) -> (min: Self, max: Self)
}

extension FixedValue {
    static func stored(_ bounds: (min: Self, max: Self)) -> (min: Self, max: Self) { bounds }

    var plainBytes: [UInt8] { withUnsafeBytes(of: word.littleEndian) { Array($0) } }
}

extension FixedValue where Self: FixedWidthInteger {
    static func bounds(_ values: UnsafePointer<Self>, count: Int) -> (min: Self, max: Self)? {
        guard count > 0 else { return nil }
        var low = values[0], high = low
        for i in 1..<count {
            let value = values[i]
            low = value < low ? value : low
            high = value > high ? value : high
        }
        return (low, high)
    }
}

extension FixedValue where Self: BinaryFloatingPoint {
    static func bounds(_ values: UnsafePointer<Self>, count: Int) -> (min: Self, max: Self)? {
        var low = Self.infinity, high = -Self.infinity, found = false
        for i in 0..<count {
            let value = values[i]
            if value.isNaN { continue }
            found = true
            low = value < low ? value : low
            high = value > high ? value : high
        }
        return found ? (low, high) : nil
    }

    /// Zero has two signs that compare equal: the minimum is written as -0 and the maximum as +0. Source: `parquet.thrift`, ColumnOrder.
    static func stored(_ bounds: (min: Self, max: Self)) -> (min: Self, max: Self) {
        (bounds.min == 0 ? -0.0 : bounds.min, bounds.max == 0 ? 0.0 : bounds.max)
    }
}

extension Int32: FixedValue {
    var word: UInt32 { UInt32(bitPattern: self) }
    init(word: UInt32) { self.init(bitPattern: word) }
}
extension Int64: FixedValue {
    var word: UInt64 { UInt64(bitPattern: self) }
    init(word: UInt64) { self.init(bitPattern: word) }
}
extension Float: FixedValue {
    var word: UInt32 { bitPattern }
    init(word: UInt32) { self.init(bitPattern: word) }
}
extension Double: FixedValue {
    var word: UInt64 { bitPattern }
    init(word: UInt64) { self.init(bitPattern: word) }
}

/// The order of byte strings: unsigned and lexicographic, or big-endian two's complement of one length.
enum BytesOrder {
    case unsigned, signed

    func less(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
        if self == .signed, let x = a.first, let y = b.first, x >> 7 != y >> 7 { return x >> 7 == 1 }
        let n = Swift.min(a.count, b.count)
        let order = n == 0 ? 0 : memcmp(a.baseAddress!, b.baseAddress!, n)
        return order != 0 ? order < 0 : a.count < b.count
    }
}

/// The bounds of byte strings as they come by.
struct BytesBounds {
    let order: BytesOrder
    private var low: [UInt8] = []
    private var high: [UInt8] = []
    private var seen = false
    /// The first eight bytes of the bounds as numbers: they decide nearly every comparison. Only kept for the unsigned order.
    private var lowPrefix: UInt64 = 0
    private var highPrefix: UInt64 = 0

    init(_ order: BytesOrder) { self.order = order }

    var bounds: Bounds? { seen ? Bounds(min: low, max: high) : nil }

    @inline(__always) mutating func include(_ value: UnsafeRawBufferPointer) {
        if seen && order == .unsigned {
            let prefix = Self.prefix(value)
            if prefix > lowPrefix && prefix < highPrefix { return }
            // Columns of few values meet their bounds all the time.
            if prefix == lowPrefix && equals(value, low) || prefix == highPrefix && equals(value, high) { return }
        }
        compare(value)
    }

    @inline(never) private mutating func compare(_ value: UnsafeRawBufferPointer) {
        if !seen {
            seen = true
            setLow(value)
            setHigh(value)
        } else if low.withUnsafeBytes({ order.less(value, $0) }) {
            setLow(value)
        } else if high.withUnsafeBytes({ order.less($0, value) }) {
            setHigh(value)
        }
    }

    private mutating func setLow(_ value: UnsafeRawBufferPointer) {
        low = Array(value)
        lowPrefix = Self.prefix(value)
    }

    private mutating func setHigh(_ value: UnsafeRawBufferPointer) {
        high = Array(value)
        highPrefix = Self.prefix(value)
    }

    @inline(__always) private func equals(_ value: UnsafeRawBufferPointer, _ bound: [UInt8]) -> Bool {
        value.count == bound.count
            && (value.count <= 8 || bound.withUnsafeBytes { memcmp($0.baseAddress!, value.baseAddress!, value.count) == 0 })
    }

    /// The first eight bytes as a number, with zeros for those that are missing.
    @inline(__always) private static func prefix(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        let n = bytes.count
        guard n > 0, let start = bytes.baseAddress else { return 0 }
        if n >= 8 { return UInt64(bigEndian: start.loadUnaligned(as: UInt64.self)) }
        if n >= 4 {
            let head = UInt64(UInt32(bigEndian: start.loadUnaligned(as: UInt32.self)))
            let tail = UInt64(UInt32(bigEndian: (start + (n &- 4)).loadUnaligned(as: UInt32.self)))
            return head &<< 32 | (tail &<< UInt64(64 &- 8 &* n)) & 0xFFFF_FFFF
        }
        var out: UInt64 = 0
        for i in 0..<n { out |= UInt64(bytes[i]) &<< UInt64(56 &- 8 &* i) }
        return out
    }
}

extension Bounds {
    /// Bounds of at most about `limit` bytes that still enclose the values, and whether each is a value itself.
    /// A maximum that cannot be cut (all 0xFF) stays whole.
    func truncated(to limit: Int, text: Bool) -> (bounds: Bounds, minIsExact: Bool, maxIsExact: Bool) {
        var out = self
        if min.count > limit { out.min = Array(min.prefix(Self.cut(min, limit, text: text))) }
        if max.count > limit, let shorter = Self.increment(Array(max.prefix(Self.cut(max, limit, text: text))), text: text) {
            out.max = shorter
        }
        return (out, out.min.count == min.count, out.max == max)
    }

    /// The longest prefix within `limit` that does not split a character.
    private static func cut(_ bytes: [UInt8], _ limit: Int, text: Bool) -> Int {
        guard text else { return limit }
        var end = limit
        while end > 0 && bytes[end] & 0xC0 == 0x80 { end -= 1 }
        return end > limit - 4 ? end : limit
    }

    /// The least string of this length or shorter that is greater than every string starting with `prefix`.
    private static func increment(_ prefix: [UInt8], text: Bool) -> [UInt8]? {
        if text, let decoded = String(validating: prefix, as: UTF8.self) {
            var scalars = Array(decoded.unicodeScalars)
            while let last = scalars.popLast() {
                let next = last.value == 0xD7FF ? 0xE000 : last.value + 1
                if let scalar = Unicode.Scalar(next) {
                    scalars.append(scalar)
                    var text = String.UnicodeScalarView()
                    text.append(contentsOf: scalars)
                    return Array(String(text).utf8)
                }
            }
            return nil
        }
        var bytes = prefix
        while let last = bytes.popLast() {
            if last < 0xFF { return bytes + [last + 1] }
        }
        return nil
    }
}
