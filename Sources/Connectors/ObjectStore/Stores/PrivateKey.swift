package import ConnectAPI
import COpenSSL
package import JSON

/// An RSA private key that signs tokens (RS256): Google service accounts, Snowflake key pairs.
// @unchecked: the key is never changed after it was read, and OpenSSL allows signing with one key from several threads.
package final class PrivateKey: @unchecked Sendable {
    package enum Mistake: Error, Equatable {
        /// Neither PEM nor base64 of DER.
        case unreadable
        /// Encrypted, and there is no passphrase or a wrong one.
        case passphrase
        case notRSA
    }

    private let key: OpaquePointer

    /// PKCS#8 or PKCS#1, as PEM (line ends may be `\n` in writing) or as base64 of the DER on one line; encrypted PKCS#8 with its passphrase.
    package init(_ text: String, passphrase: Secret? = nil) throws(Mistake) {
        guard let der = Self.der(text) else { throw .unreadable }
        // Encrypted or not: SEQUENCE { SEQUENCE (algorithm) … } against SEQUENCE { INTEGER (version) … }.
        let encrypted = Self.firstInnerTag(der) == 0x30
        let read = encrypted ? passphrase.flatMap { Self.decrypt(der, $0) } : Self.parse(der)
        guard let read else { throw encrypted ? .passphrase : .unreadable }
        guard EVP_PKEY_get_base_id(read) == EVP_PKEY_RSA else {
            EVP_PKEY_free(read)
            throw .notRSA
        }
        key = read
    }

    deinit { EVP_PKEY_free(key) }

    /// RSASSA-PKCS1-v1_5 with SHA-256.
    package func sign(_ message: [UInt8]) -> [UInt8] {
        let context = EVP_MD_CTX_new()
        defer { EVP_MD_CTX_free(context) }
        var length = 0
        guard EVP_DigestSignInit(context, nil, EVP_sha256(), nil, key) == 1, EVP_DigestSign(context, nil, &length, message, message.count) == 1 else {
            preconditionFailure("OpenSSL does not sign with an RSA key it read")
        }
        return [UInt8](unsafeUninitializedCapacity: length) { out, count in
            let signed = EVP_DigestSign(context, out.baseAddress, &length, message, message.count)
            precondition(signed == 1, "OpenSSL does not sign with an RSA key it read")
            count = length
        }
    }

    /// The public key as DER SubjectPublicKeyInfo.
    package var publicKey: [UInt8] {
        let size = i2d_PUBKEY(key, nil)
        return [UInt8](unsafeUninitializedCapacity: Int(max(0, size))) { out, count in
            var end = out.baseAddress
            count = Int(max(0, i2d_PUBKEY(key, &end)))
        }
    }

    /// A JSON Web Token of these header and claim documents.
    package func token(header: JSONValue, claims: JSONValue) -> String {
        let message = "\(Self.base64URL(header.compactBytes)).\(Self.base64URL(claims.compactBytes))"
        return "\(message).\(Self.base64URL(sign(Array(message.utf8))))"
    }

    private static func base64URL(_ bytes: [UInt8]) -> String {
        let swapped: [UInt8] = Base64.encode(bytes).utf8.compactMap { c in
            switch c {
            case UInt8(ascii: "+"): UInt8(ascii: "-")
            case UInt8(ascii: "/"): UInt8(ascii: "_")
            case UInt8(ascii: "="): nil
            default: c
            }
        }
        return String(decoding: swapped, as: UTF8.self)
    }

    // MARK: Reading

    private static func der(_ text: String) -> [UInt8]? {
        // A properties file or an environment variable may hold the line ends as the two characters `\n`.
        let lines = text.split(separator: "\\n", omittingEmptySubsequences: false).joined(separator: "\n").split(whereSeparator: \.isNewline)
        var body = ""
        for line in lines where !line.contains("-----") { body += line.filter { !$0.isWhitespace } }
        if lines.count == 1, text.contains("-----") {
            // All on one line, with spaces where the lines ended.
            body = text.split(separator: "-----").dropFirst().first.map { $0.filter { !$0.isWhitespace } } ?? ""
        }
        guard let der = Base64.decode(body.utf8), !der.isEmpty else { return nil }
        return der
    }

    /// The tag of what an outer SEQUENCE begins with.
    private static func firstInnerTag(_ der: [UInt8]) -> UInt8? {
        guard der.count > 2, der[0] == 0x30 else { return nil }
        let header = der[1] < 0x80 ? 2 : 2 + Int(der[1] & 0x7F)
        return header < der.count ? der[header] : nil
    }

    private static func parse(_ der: [UInt8]) -> OpaquePointer? {
        defer { ERR_clear_error() }
        return der.withUnsafeBufferPointer { bytes in
            var at = bytes.baseAddress
            return d2i_AutoPrivateKey(nil, &at, der.count)
        }
    }

    private static func decrypt(_ der: [UInt8], _ passphrase: Secret) -> OpaquePointer? {
        defer { ERR_clear_error() }
        var secret = passphrase.value
        return der.withUnsafeBytes { bytes in
            guard let bio = BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count)) else { return nil }
            defer { BIO_free(bio) }
            return secret.withUTF8 { secret in
                withUnsafePointer(to: secret) { context in
                    d2i_PKCS8PrivateKey_bio(
                        bio, nil,
                        { buffer, size, _, context in
                            guard let buffer, let secret = context?.assumingMemoryBound(to: UnsafeBufferPointer<UInt8>.self).pointee,
                                secret.count <= Int(size)
                            else { return -1 }
                            for (i, byte) in secret.enumerated() { buffer[i] = CChar(bitPattern: byte) }
                            return Int32(secret.count)
                        }, UnsafeMutableRawPointer(mutating: context))
                }
            }
        }
    }
}
