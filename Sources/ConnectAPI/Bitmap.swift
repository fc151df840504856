/// One bit a row, packed into 64-bit words, least significant bit first (Arrow's layout).
public struct Bitmap: Sendable, Hashable {
    public private(set) var words: [UInt64]
    public private(set) var count: Int

    public init(repeating bit: Bool = false, count: Int = 0) {
        words = Array(repeating: bit ? .max : 0, count: (count + 63) / 64)
        self.count = count
        clearTail()
    }

    /// From packed words; bits past `count` are cleared.
    public init(words: [UInt64], count: Int) {
        precondition(words.count == (count + 63) / 64, "a bitmap of \(count) bits needs \((count + 63) / 64) words")
        self.words = words
        self.count = count
        clearTail()
    }

    public init(_ bits: some Sequence<Bool>) {
        self.init()
        for bit in bits { append(bit) }
    }

    private mutating func clearTail() {
        if count & 63 != 0 { words[words.count - 1] &= (1 << UInt64(count & 63)) &- 1 }
    }

    @inlinable public subscript(i: Int) -> Bool {
        get { words[i &>> 6] &>> UInt64(i & 63) & 1 != 0 }
        set { set(i, newValue) }
    }

    @usableFromInline mutating func set(_ i: Int, _ bit: Bool) {
        if bit { words[i &>> 6] |= 1 &<< UInt64(i & 63) } else { words[i &>> 6] &= ~(1 &<< UInt64(i & 63)) }
    }

    public mutating func append(_ bit: Bool) {
        if count & 63 == 0 { words.append(bit ? 1 : 0) } else if bit { words[count &>> 6] |= 1 &<< UInt64(count & 63) }
        count += 1
    }

    public mutating func append(repeating bit: Bool, count n: Int) {
        for _ in 0..<n { append(bit) }
    }

    public mutating func append(contentsOf other: Bitmap) {
        if count & 63 == 0 {
            words.append(contentsOf: other.words)
            count += other.count
        } else {
            for i in 0..<other.count { append(other[i]) }
        }
    }

    /// How many bits are set.
    public var setCount: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }
    public var allSet: Bool { setCount == count }
    public var noneSet: Bool { words.allSatisfy { $0 == 0 } }

    /// The bits of these rows, from bit 0.
    public func slice(_ rows: Range<Int>) -> Bitmap {
        let n = rows.count, shift = UInt64(rows.lowerBound & 63), first = rows.lowerBound >> 6
        var out = [UInt64](repeating: 0, count: (n + 63) / 64)
        for w in out.indices {
            var word = words[first + w] >> shift
            if shift != 0, first + w + 1 < words.count { word |= words[first + w + 1] << (64 - shift) }
            out[w] = word
        }
        return Bitmap(words: out, count: n)
    }

    public func select(_ rows: [Int]) -> Bitmap { Bitmap(rows.lazy.map { self[$0] }) }

    /// The positions of the set bits, ascending.
    public var setPositions: [Int] {
        var out: [Int] = []
        out.reserveCapacity(setCount)
        for (w, word) in words.enumerated() {
            var rest = word
            while rest != 0 {
                out.append(w * 64 + rest.trailingZeroBitCount)
                rest &= rest &- 1
            }
        }
        return out
    }

    public static func & (a: Bitmap, b: Bitmap) -> Bitmap { Bitmap(words: zip(a.words, b.words).map { $0 & $1 }, count: a.count) }
    public static func | (a: Bitmap, b: Bitmap) -> Bitmap { Bitmap(words: zip(a.words, b.words).map { $0 | $1 }, count: a.count) }
    public static prefix func ! (a: Bitmap) -> Bitmap { Bitmap(words: a.words.map { ~$0 }, count: a.count) }
}
