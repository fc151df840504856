import COpenSSL

enum Hash {
    static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 32) { out, count in
            _ = SHA256(bytes, bytes.count, out.baseAddress)
            count = 32
        }
    }
}
