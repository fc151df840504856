import COpenSSL

/// Hashes of OpenSSL, and CRC32C.
enum Digest {
    static func sha256(_ bytes: [UInt8]) -> [UInt8] { digest(bytes, EVP_sha256(), 32) }
    static func md5(_ bytes: [UInt8]) -> [UInt8] { digest(bytes, EVP_md5(), 16) }

    private static func digest(_ bytes: [UInt8], _ kind: OpaquePointer?, _ size: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: size) { out, count in
            let ok = bytes.withUnsafeBytes { EVP_Digest($0.baseAddress, $0.count, out.baseAddress, nil, kind, nil) }
            precondition(ok == 1, "OpenSSL has no such digest")
            count = size
        }
    }

    static func hmacSHA256(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 32) { out, count in
            // A nil key pointer would mean "the key of the call before".
            let result = (key.isEmpty ? [0] : key).withUnsafeBytes { k in
                message.withUnsafeBytes { m in
                    HMAC(EVP_sha256(), k.baseAddress, Int32(key.count), m.bindMemory(to: UInt8.self).baseAddress, m.count, out.baseAddress, nil)
                }
            }
            precondition(result != nil, "OpenSSL has no HMAC")
            count = 32
        }
    }

    static func hex(_ bytes: [UInt8]) -> String {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count * 2)
        for byte in bytes { for nibble in [byte >> 4, byte & 15] { out.append(nibble < 10 ? 48 + nibble : 87 + nibble) } }
        return String(decoding: out, as: UTF8.self)
    }

    static func base64(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var out: [UInt8] = []
        var i = 0
        while i < bytes.count {
            let group = UInt32(bytes[i]) << 16 | (i + 1 < bytes.count ? UInt32(bytes[i + 1]) << 8 : 0) | (i + 2 < bytes.count ? UInt32(bytes[i + 2]) : 0)
            for (n, shift) in [UInt32(18), 12, 6, 0].enumerated() {
                out.append(i + n <= bytes.count ? alphabet[Int(group >> shift & 63)] : UInt8(ascii: "="))
            }
            i += 3
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// CRC32C (Castagnoli) as base64 of its big-endian bytes, the form of `x-amz-checksum-crc32c`.
    static func crc32cBase64(_ bytes: [UInt8]) -> String { base64(crc: crc32c(bytes)) }

    static func base64(crc: UInt32) -> String {
        base64([UInt8(crc >> 24), UInt8(crc >> 16 & 255), UInt8(crc >> 8 & 255), UInt8(crc & 255)])
    }

    /// Eight tables, eight bytes a step. `continuing` is the CRC of the bytes before these.
    static func crc32c(_ bytes: [UInt8], continuing previous: UInt32 = 0) -> UInt32 {
        var crc = ~previous
        crcTables.withUnsafeBufferPointer { t in
            bytes.withUnsafeBytes { b in
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
        }
        return ~crc
    }

    private static let crcTables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for i in 0..<256 {
            var crc = UInt32(i)
            for _ in 0..<8 { crc = crc & 1 != 0 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
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
