import COpenSSL

/// Hashes of OpenSSL, and CRC32C, as headers want them.
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

    /// `continuing` is the CRC of the bytes before these.
    static func crc32c(_ bytes: [UInt8], continuing previous: UInt32 = 0) -> UInt32 { bytes.withUnsafeBytes { CRC32C.of($0, continuing: previous) } }
}
