import COpenSSL
import ConnectAPI
import JSON

/// What a PUT hands out to encrypt a file with: the query stage master key.
struct EncryptionMaterial: Sendable, Equatable {
    let masterKey: [UInt8]
    let queryID: String
    let smkID: String
}

/// A file encrypted as Snowflake's drivers encrypt it: AES-CBC under a random file key, which AES-ECB wraps under the master key. Both are padded
/// as PKCS#7, the file key too, so that a wrapped key is a block longer.
struct EncryptedFile: Sendable {
    let body: [UInt8]
    let wrappedKey: String
    let iv: String
    let description: String

    init(_ plain: [UInt8], _ material: EncryptionMaterial) throws {
        let size = material.masterKey.count
        guard size == 16 || size == 32 else {
            throw ConnectorError("snowflake.stage_key", .stop, "The stage's master key has \(size * 8) bits; 128 and 256 are known")
        }
        var fileKey = [UInt8](repeating: 0, count: size), iv = [UInt8](repeating: 0, count: 16)
        guard RAND_bytes(&fileKey, Int32(size)) == 1, RAND_bytes(&iv, 16) == 1 else {
            throw ConnectorError("snowflake.stage_key", .retry, "OpenSSL has no random bytes for a file's key")
        }
        body = AES.encrypt(plain, key: fileKey, size == 16 ? EVP_aes_128_cbc() : EVP_aes_256_cbc(), iv: iv)
        wrappedKey = Base64.encode(AES.encrypt(fileKey, key: material.masterKey, size == 16 ? EVP_aes_128_ecb() : EVP_aes_256_ecb(), iv: nil))
        self.iv = Base64.encode(iv)
        let members: JSONValue = ["queryId": .string(material.queryID), "smkId": .string(material.smkID), "keySize": .string(String(size * 8))]
        description = members.compactText
    }

    /// How Google's and Azure's stores carry the key and its use, as one JSON text.
    var encryptionData: String {
        let data: JSONValue = [
            "EncryptionMode": "FullBlob",
            "WrappedContentKey": ["KeyId": "symmKey1", "EncryptedKey": .string(wrappedKey), "Algorithm": "AES_CBC_256"],
            "EncryptionAgent": ["Protocol": "1.0", "EncryptionAlgorithm": "AES_CBC_256"],
            "ContentEncryptionIV": .string(iv),
            "KeyWrappingMetadata": ["EncryptionLibrary": "Java 5.3.0"],
        ]
        return data.compactText
    }
}

private enum AES {
    static func encrypt(_ plain: [UInt8], key: [UInt8], _ cipher: OpaquePointer?, iv: [UInt8]?) -> [UInt8] {
        let context = EVP_CIPHER_CTX_new()
        defer { EVP_CIPHER_CTX_free(context) }
        return [UInt8](unsafeUninitializedCapacity: plain.count + 16) { out, count in
            var length: Int32 = 0, last: Int32 = 0
            let done =
                EVP_EncryptInit_ex(context, cipher, nil, key, iv) == 1
                && EVP_EncryptUpdate(context, out.baseAddress, &length, plain, Int32(plain.count)) == 1
                && EVP_EncryptFinal_ex(context, out.baseAddress! + Int(length), &last) == 1
            precondition(done, "OpenSSL has no AES")
            count = Int(length + last)
        }
    }
}
