import Glibc

/// A split-block bloom filter over the hashes of a column chunk's values. Source: parquet-format, BloomFilter.md.
///
/// Values are collected as hashes, so that the filter is as large as the distinct values of the chunk ask for and not as large as a guess.
struct BloomFilter {
    private var hashes: [UInt64] = []
    /// Duplicates are dropped when so many are held.
    private var limit = 1 << 16
    private let falsePositives: Double

    init(falsePositives: Double) { self.falsePositives = falsePositives }

    var memory: Int { hashes.capacity * 8 }

    mutating func insert(_ values: DenseValues, _ range: Range<Int>, _ physical: PhysicalType) {
        switch physical {
        case .int32: for i in range { addWord(values.pointer(UInt32.self)[i]) }
        case .int64: for i in range { addWord(values.pointer(UInt64.self)[i]) }
        case .float: for i in range { add(values.pointer(Float.self)[i], \.bitPattern) }
        case .double: for i in range { add(values.pointer(Double.self)[i], \.bitPattern) }
        case .byteArray, .fixedBytes:
            guard case .bytes(let data, let starts, let ends) = values else { return }
            for i in range { add(XXHash64.hash(UnsafeRawBufferPointer(start: data + Int(starts[i]), count: Int(ends[i] - starts[i])))) }
        case .boolean: break
        }
        if hashes.count >= limit { dropDuplicates() }
    }

    /// Numbers that are equal, or count as equal, have several bit patterns: a reader may ask for any of them.
    private mutating func add<Number: BinaryFloatingPoint, Word: FixedWidthInteger>(_ number: Number, _ bits: (Number) -> Word) {
        addWord(bits(number))
        if number == 0 { addWord(bits(-number)) } else if number.isNaN { addWord(bits(.nan)) }
    }

    private mutating func addWord<Word: FixedWidthInteger>(_ word: Word) { withUnsafeBytes(of: word.littleEndian) { add(XXHash64.hash($0)) } }

    /// Runs of one value are common.
    private mutating func add(_ hash: UInt64) { if hashes.last != hash { hashes.append(hash) } }

    private mutating func dropDuplicates() {
        hashes.sort()
        var kept = 0
        for i in hashes.indices where i == 0 || hashes[i] != hashes[kept - 1] {
            hashes[kept] = hashes[i]
            kept += 1
        }
        hashes.removeLast(hashes.count - kept)
        limit = max(1 << 16, kept * 2)
    }

    /// The filter of the values so far as it stands in the file, header first; then it starts anew. nil: there were none.
    mutating func take() -> [UInt8]? {
        dropDuplicates()
        defer {
            hashes = []
            limit = 1 << 16
        }
        guard !hashes.isEmpty else { return nil }
        let blocks = Self.bytes(distinct: hashes.count, falsePositives: falsePositives) / 32
        var words = [UInt32](repeating: 0, count: blocks * 8)
        for hash in hashes {
            let block = Int((hash >> 32 &* UInt64(blocks)) >> 32), key = UInt32(truncatingIfNeeded: hash)
            for i in 0..<8 { words[block * 8 + i] |= 1 << ((key &* Self.salts[i]) >> 27) }
        }
        var thrift = ThriftWriter()
        thrift.element { out in
            out.i32(1, blocks * 32)
            // Split blocks, XXH64, not compressed.
            for id: Int16 in 2...4 { out.structure(id) { $0.emptyStructure(1) } }
        }
        return Array(thrift.buffer.bytes) + words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
    }

    private static let salts: [UInt32] = [
        0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31,
    ]

    /// A power of two, as readers expect: at least a block, at most 128 MiB.
    static func bytes(distinct: Int, falsePositives: Double) -> Int {
        let bits = -8 * Double(distinct) / log(1 - pow(falsePositives, 1.0 / 8))
        var bytes = 32
        while Double(bytes) * 8 < bits, bytes < 128 << 20 { bytes *= 2 }
        return bytes
    }
}

/// XXH64 with seed 0. Source: the xxHash specification.
enum XXHash64 {
    private static let p1: UInt64 = 0x9E37_79B1_85EB_CA87, p2: UInt64 = 0xC2B2_AE3D_27D4_EB4F, p3: UInt64 = 0x1656_67B1_9E37_79F9
    private static let p4: UInt64 = 0x85EB_CA77_C2B2_AE63, p5: UInt64 = 0x27D4_EB2F_1656_67C5

    @inline(__always) private static func rotate(_ x: UInt64, _ n: UInt64) -> UInt64 { x &<< n | x &>> (64 - n) }
    @inline(__always) private static func round(_ lane: UInt64, _ input: UInt64) -> UInt64 { rotate(lane &+ input &* p2, 31) &* p1 }

    static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var at = 0, h: UInt64
        func word() -> UInt64 { UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)) }
        if bytes.count >= 32 {
            var lanes = (p1 &+ p2, p2, UInt64(0), 0 &- p1)
            while bytes.count - at >= 32 {
                lanes.0 = round(lanes.0, word())
                at += 8
                lanes.1 = round(lanes.1, word())
                at += 8
                lanes.2 = round(lanes.2, word())
                at += 8
                lanes.3 = round(lanes.3, word())
                at += 8
            }
            h = rotate(lanes.0, 1) &+ rotate(lanes.1, 7) &+ rotate(lanes.2, 12) &+ rotate(lanes.3, 18)
            for lane in [lanes.0, lanes.1, lanes.2, lanes.3] { h = (h ^ round(0, lane)) &* p1 &+ p4 }
        } else {
            h = p5
        }
        h &+= UInt64(bytes.count)
        while bytes.count - at >= 8 {
            h = rotate(h ^ round(0, word()), 27) &* p1 &+ p4
            at += 8
        }
        if bytes.count - at >= 4 {
            h = rotate(h ^ UInt64(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self))) &* p1, 23) &* p2 &+ p3
            at += 4
        }
        while at < bytes.count {
            h = rotate(h ^ UInt64(bytes[at]) &* p5, 11) &* p1
            at += 1
        }
        h = (h ^ h &>> 33) &* p2
        h = (h ^ h &>> 29) &* p3
        return h ^ h &>> 32
    }
}
