import ConnectAPI

/// The variant of MurmurHash3 that Debezium uses: x64, the upper 32 of 64 bits, seed 9001.
enum MurmurHash3 {
    static func hash(_ value: Value, _ schema: Schema) -> Int32 {
        switch value {
        case .string(let text): return hash(Array(text.utf8))
        case .bytes(let bytes) where schema.name != LogicalName.decimal: return hash(bytes)
        default:
            let code = UInt32(bitPattern: JavaHash.hash(value, schema))
            return hash((0..<4).map { UInt8(truncatingIfNeeded: code >> ($0 * 8)) })
        }
    }

    private struct State {
        var h1: UInt64 = 0x9368_E53C_2F6A_F274 ^ 9001, h2: UInt64 = 0x586D_CD20_8F7C_D3FD ^ 9001
        var c1: UInt64 = 0x87C3_7B91_1142_53D5, c2: UInt64 = 0x4CF5_AD43_2745_937F

        mutating func mix(_ first: UInt64, _ second: UInt64) {
            var k1 = first, k2 = second
            k1 = rotated(k1 &* c1, 23) &* c2
            h1 = (h1 ^ k1) &+ h2
            h2 = rotated(h2, 41)
            k2 = rotated(k2 &* c2, 23) &* c1
            h2 = (h2 ^ k2) &+ h1
            h1 = h1 &* 3 &+ 0x52DC_E729
            h2 = h2 &* 3 &+ 0x3849_5AB5
            c1 = c1 &* 5 &+ 0x7B7D_159C
            c2 = c2 &* 5 &+ 0x6BCE_6396
        }

        private func rotated(_ k: UInt64, _ bits: UInt64) -> UInt64 { k << bits | k >> (64 - bits) }
    }

    static func hash(_ key: [UInt8]) -> Int32 {
        var state = State()
        for block in stride(from: 0, to: key.count & ~15, by: 16) {
            func word(_ start: Int) -> UInt64 { (0..<8).reduce(0) { $0 | UInt64(key[start + $1]) << UInt64($1 * 8) } }
            state.mix(word(block), word(block + 8))
        }
        let tail = key[(key.count & ~15)...]
        if !tail.isEmpty {
            // Java's bytes are signed, and what is past a negative one is flipped.
            func word(_ bytes: ArraySlice<UInt8>) -> UInt64 {
                bytes.enumerated().reduce(0) { $0 ^ UInt64(bitPattern: Int64(Int8(bitPattern: $1.element))) << UInt64($1.offset * 8) }
            }
            state.mix(word(tail.prefix(8)), word(tail.dropFirst(8)))
        }
        var h1 = state.h1, h2 = state.h2 ^ UInt64(key.count)
        h1 = h1 &+ h2
        h2 = h2 &+ h1
        return Int32(truncatingIfNeeded: Int64(bitPattern: finished(h1) &+ finished(h2)) >> 32)
    }

    private static func finished(_ hash: UInt64) -> UInt64 {
        var k = hash
        k = (k ^ k >> 33) &* 0xFF51_AFD7_ED55_8CCD
        k = (k ^ k >> 33) &* 0xC4CE_B9FE_1A85_EC53
        return k ^ k >> 33
    }
}
