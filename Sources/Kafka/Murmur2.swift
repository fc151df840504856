/// The hash that Java's default partitioner divides keys by.
package enum Murmur2 {
    package static func partition(of key: [UInt8], count: Int32) -> Int32 { Int32(hash(key) & 0x7FFF_FFFF) % count }

    package static func hash(_ bytes: [UInt8]) -> UInt32 {
        let m: UInt32 = 0x5BD1_E995
        var h: UInt32 = 0x9747_B28C ^ UInt32(truncatingIfNeeded: bytes.count), i = 0
        while i + 4 <= bytes.count {
            var k = UInt32(bytes[i]) | UInt32(bytes[i + 1]) << 8 | UInt32(bytes[i + 2]) << 16 | UInt32(bytes[i + 3]) << 24
            k = k &* m
            k ^= k >> 24
            h = h &* m ^ k &* m
            i += 4
        }
        let left = bytes.count - i
        if left > 2 { h ^= UInt32(bytes[i + 2]) << 16 }
        if left > 1 { h ^= UInt32(bytes[i + 1]) << 8 }
        if left > 0 { h = (h ^ UInt32(bytes[i])) &* m }
        h ^= h >> 13
        h = h &* m
        return h ^ h >> 15
    }
}
