import CChecksum

/// CRC32C (Castagnoli): by the processor's instruction where it has one, by tables where not.
enum CRC32C {
    private static let isBuiltIn = sluice_has_crc32c() != 0

    /// `previous` is the CRC of the bytes before these.
    static func of(_ bytes: UnsafeRawBufferPointer, continuing previous: UInt32 = 0) -> UInt32 {
        isBuiltIn ? byInstruction(bytes, previous) : byTables(bytes, previous)
    }

    /// Three stretches at once, which are put together like the CRCs of three files.
    private static func byInstruction(_ bytes: UnsafeRawBufferPointer, _ previous: UInt32) -> UInt32 {
        guard let start = bytes.bindMemory(to: UInt8.self).baseAddress else { return previous }
        let words = bytes.count < 1 << 12 ? 0 : bytes.count / 24, stretch = words * 8
        var crc = ~previous, second = ~UInt32(0), third = ~UInt32(0)
        if words > 0 {
            sluice_crc32c_thirds(start, words, &crc, &second, &third)
            let factor = power(ofBytes: stretch)
            crc = ~(multiply(factor, multiply(factor, ~crc) ^ ~second) ^ ~third)
        }
        return ~sluice_crc32c(crc, start + 3 * stretch, bytes.count - 3 * stretch)
    }

    // MARK: Polynomials, the highest bit is that of x to the power of 0

    private static let polynomial: UInt32 = 0x82F6_3B78

    private static func multiply(_ a: UInt32, _ b: UInt32) -> UInt32 {
        var product: UInt32 = 0, shifted = b
        for bit in (0..<32).reversed() {
            if a >> UInt32(bit) & 1 != 0 { product ^= shifted }
            shifted = shifted & 1 != 0 ? shifted >> 1 ^ polynomial : shifted >> 1
        }
        return product
    }

    /// What the CRC of bytes that are followed by so many others is multiplied by.
    private static func power(ofBytes count: Int) -> UInt32 {
        var result: UInt32 = 1 << 31, square: UInt32 = 1 << 23, rest = count
        while rest > 0 {
            if rest & 1 != 0 { result = multiply(result, square) }
            square = multiply(square, square)
            rest >>= 1
        }
        return result
    }

    // MARK: Tables

    /// Eight tables, eight bytes a step. Not private so that tests compare both ways.
    static func byTables(_ b: UnsafeRawBufferPointer, _ previous: UInt32) -> UInt32 {
        var crc = ~previous
        tables.withUnsafeBufferPointer { t in
            var i = 0
            while i + 8 <= b.count {
                let word = b.loadUnaligned(fromByteOffset: i, as: UInt64.self).littleEndian ^ UInt64(crc)
                crc =
                    t[7 * 256 + Int(word & 255)] ^ t[6 * 256 + Int(word >> 8 & 255)] ^ t[5 * 256 + Int(word >> 16 & 255)]
                    ^ t[4 * 256 + Int(word >> 24 & 255)] ^ t[3 * 256 + Int(word >> 32 & 255)] ^ t[2 * 256 + Int(word >> 40 & 255)]
                    ^ t[256 + Int(word >> 48 & 255)] ^ t[Int(word >> 56)]
                i += 8
            }
            while i < b.count {
                crc = crc >> 8 ^ t[Int((crc ^ UInt32(b[i])) & 255)]
                i += 1
            }
        }
        return ~crc
    }

    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for i in 0..<256 {
            var crc = UInt32(i)
            for _ in 0..<8 { crc = crc & 1 != 0 ? crc >> 1 ^ polynomial : crc >> 1 }
            tables[i] = crc
        }
        for i in 0..<256 {
            for table in 1..<8 {
                let previous = tables[(table - 1) * 256 + i]
                tables[table * 256 + i] = previous >> 8 ^ tables[Int(previous & 255)]
            }
        }
        return tables
    }()
}
