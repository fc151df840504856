import Glibc

/// The distinct values of fixed width of one column chunk, numbered as they come. `entries` is the body of the dictionary page.
struct FixedDictionary<Word: FixedWidthInteger & UnsignedInteger>: ~Copyable {
    private(set) var entries = ByteBuffer()
    private(set) var count = 0
    /// Allocated with the first value.
    private var table: UnsafeMutablePointer<UInt32>?
    private var bits = Self.firstBits
    private static var empty: UInt32 { .max }
    /// Few values are the rule in files that are many.
    private static var firstBits: Int { 4 }

    init() {}

    deinit { table?.deallocate() }

    private static func makeTable(bits: Int) -> UnsafeMutablePointer<UInt32> {
        let table = UnsafeMutablePointer<UInt32>.allocate(capacity: 1 << bits)
        table.initialize(repeating: empty, count: 1 << bits)
        return table
    }

    var memory: Int { table == nil ? 0 : entries.capacity + 4 << bits }

    subscript(index: UInt32) -> Word { entries.base.load(fromByteOffset: Int(index) &* MemoryLayout<Word>.size, as: Word.self) }

    @inline(__always) private func slot(_ word: Word) -> Int {
        Int(truncatingIfNeeded: (UInt64(truncatingIfNeeded: word) &* 0x9E37_79B9_7F4A_7C15) &>> UInt64(64 &- bits))
    }

    /// Numbers the values into `indexes`. Stops after the value that makes the dictionary reach `limit` bytes; returns how many it took.
    mutating func number(
        _ values: UnsafePointer<Word>, count n: Int, limit: Int, into indexes: UnsafeMutablePointer<UInt32>
    ) -> Int {
        var table = openTable(), mask = 1 &<< bits &- 1
        for i in 0..<n {
            let word = values[i]
            var at = slot(word)
            while true {
                let known = table[at]
                if known == Self.empty {
                    table[at] = UInt32(truncatingIfNeeded: count)
                    indexes[i] = UInt32(truncatingIfNeeded: count)
                    entries.append(integer: word)
                    count &+= 1
                    if count &* 2 > mask {
                        table = grow()
                        mask = 1 &<< bits &- 1
                    }
                    if entries.count >= limit { return i &+ 1 }
                    break
                }
                if self[known] == word {
                    indexes[i] = known
                    break
                }
                at = (at &+ 1) & mask
            }
        }
        return n
    }

    private mutating func openTable() -> UnsafeMutablePointer<UInt32> {
        if let table { return table }
        let new = Self.makeTable(bits: bits)
        table = new
        return new
    }

    /// Forgets the values and gives the memory back.
    mutating func removeAll() {
        table?.deallocate()
        table = nil
        bits = Self.firstBits
        count = 0
        entries.release()
    }

    @inline(never) private mutating func grow() -> UnsafeMutablePointer<UInt32> {
        self.table?.deallocate()
        bits += 2
        let table = Self.makeTable(bits: bits)
        self.table = table
        let mask = 1 << bits - 1
        for index in 0..<UInt32(count) {
            var at = slot(self[index])
            while table[at] != Self.empty { at = (at + 1) & mask }
            table[at] = index
        }
        return table
    }
}

/// The distinct byte strings of one column chunk, numbered as they come. `entries` is the body of the dictionary page: each string
/// after its length in four bytes, or bare when all have one length.
struct BytesDictionary: ~Copyable {
    private(set) var entries = ByteBuffer()
    private(set) var count = 0
    /// Where the string of an entry begins in `entries`; one more than entries.
    private var starts = ByteBuffer()
    /// The upper half is a hash, the lower an entry: a miss is mostly told without looking at the entry.
    private var table: UnsafeMutablePointer<UInt64>?
    private var bits = Self.firstBits
    private let prefixed: Bool
    private static var empty: UInt64 { .max }
    private static var firstBits: Int { 4 }

    init(prefixed: Bool) { self.prefixed = prefixed }

    deinit { table?.deallocate() }

    private static func makeTable(bits: Int) -> UnsafeMutablePointer<UInt64> {
        let table = UnsafeMutablePointer<UInt64>.allocate(capacity: 1 << bits)
        table.initialize(repeating: empty, count: 1 << bits)
        return table
    }

    var memory: Int { table == nil ? 0 : entries.capacity + starts.capacity + 8 << bits }

    @inline(__always) subscript(index: UInt32) -> UnsafeRawBufferPointer {
        let start = starts.base.load(fromByteOffset: Int(index) &* 8, as: Int.self)
        let next =
            Int(index) &+ 1 < count
            ? starts.base.load(fromByteOffset: Int(index) &* 8 &+ 8, as: Int.self) &- (prefixed ? 4 : 0) : entries.count
        return UnsafeRawBufferPointer(start: entries.base + start, count: next &- start)
    }

    @inline(__always) private static func hash(_ p: UnsafeRawPointer, _ n: Int) -> UInt32 {
        var h = UInt64(truncatingIfNeeded: n) &* 0x9E37_79B9_7F4A_7C15
        var rest = n, at = p
        while rest >= 8 {
            h = (h ^ at.loadUnaligned(as: UInt64.self)) &* 0xFF51_AFD7_ED55_8CCD
            h ^= h &>> 32
            at += 8
            rest &-= 8
        }
        var tail: UInt64 = 0
        if rest >= 4 {
            tail = UInt64(at.loadUnaligned(as: UInt32.self)) | UInt64((at + rest - 4).loadUnaligned(as: UInt32.self)) &<< 32
        } else if rest > 0 {
            tail =
                UInt64(at.load(as: UInt8.self)) | UInt64((at + rest / 2).load(as: UInt8.self)) &<< 8
                | UInt64((at + rest - 1).load(as: UInt8.self)) &<< 16
        }
        h = (h ^ tail) &* 0xC4CE_B9FE_1A85_EC53
        return UInt32(truncatingIfNeeded: h &>> 32)
    }

    /// Numbers the values into `indexes`. Stops after the value that makes the dictionary reach `limit` bytes; returns how many it took.
    mutating func number(
        _ data: UnsafePointer<UInt8>, starts from: UnsafePointer<Int32>, ends to: UnsafePointer<Int32>, count n: Int, limit: Int,
        into indexes: UnsafeMutablePointer<UInt32>
    ) -> Int {
        var table = openTable(), mask = 1 &<< bits &- 1
        for i in 0..<n {
            let value = UnsafeRawPointer(data + Int(from[i])), length = Int(to[i]) &- Int(from[i])
            let hash = Self.hash(value, length)
            var at = Int(hash) & mask
            while true {
                let known = table[at]
                if known == Self.empty {
                    table[at] = UInt64(hash) &<< 32 | UInt64(truncatingIfNeeded: count)
                    indexes[i] = UInt32(truncatingIfNeeded: count)
                    if prefixed { entries.append(integer: UInt32(truncatingIfNeeded: length)) }
                    starts.append(integer: entries.count)
                    entries.append(value, count: length)
                    count &+= 1
                    if count &* 2 > mask {
                        table = grow()
                        mask = 1 &<< bits &- 1
                    }
                    if entries.count >= limit { return i &+ 1 }
                    break
                }
                if UInt32(truncatingIfNeeded: known &>> 32) == hash {
                    let entry = self[UInt32(truncatingIfNeeded: known)]
                    if entry.count == length && memcmp(entry.baseAddress!, value, length) == 0 {
                        indexes[i] = UInt32(truncatingIfNeeded: known)
                        break
                    }
                }
                at = (at &+ 1) & mask
            }
        }
        return n
    }

    private mutating func openTable() -> UnsafeMutablePointer<UInt64> {
        if let table { return table }
        let new = Self.makeTable(bits: bits)
        table = new
        return new
    }

    /// Forgets the values and gives the memory back.
    mutating func removeAll() {
        table?.deallocate()
        table = nil
        bits = Self.firstBits
        count = 0
        entries.release()
        starts.release()
    }

    @inline(never) private mutating func grow() -> UnsafeMutablePointer<UInt64> {
        let old = UnsafeMutableBufferPointer(start: self.table, count: 1 << bits)
        bits += 2
        let table = Self.makeTable(bits: bits)
        self.table = table
        let mask = 1 << bits - 1
        for known in old where known != Self.empty {
            var at = Int(known >> 32) & mask
            while table[at] != Self.empty { at = (at + 1) & mask }
            table[at] = known
        }
        old.deallocate()
        return table
    }
}
