import COpenSSL
import ConnectAPI

/// What becomes of a character column that must not be seen as it is: `column.truncate.to.N.chars`, `column.mask.with.N.chars`,
/// `column.mask.hash.ALG.with.salt.SALT` and its second version.
///
/// A mask is laid over the decoded column, in keys as in values, so that no clear text leaves the decoder.
enum ColumnMask: Sendable, Hashable {
    /// At most this many UTF-16 units, as Java counts characters.
    case truncate(Int)
    /// So many asterisks whatever the value, null included.
    case asterisks(Int)
    /// Hexadecimal digest of salt and value. Version 1 hashes the value as Java serialises a string.
    case hash(algorithm: String, salt: String, version: Int)

    /// The parameter that tells readers of the schema.
    func parameter(length: Int?) -> Schema.Parameter? {
        switch self {
        case .truncate(let limit): length.map { $0 > limit } ?? true ? .init("truncateLength", "\(limit)") : nil
        case .asterisks, .hash: .init("masked", "true")
        }
    }

    /// The column as it may be seen. `length`: what the column's type allows, which a hash is cut to.
    func apply(to column: Column, length: Int?) -> Column {
        guard case .utf8(let text) = column.storage else {
            if case .constant(.string(let value)) = column.storage {
                return .constant(.string(String(decoding: masked(Array(value.utf8), length), as: UTF8.self)), column.schema, count: column.count)
            }
            return column
        }
        if case .asterisks(let n) = self {
            return .constant(.string(String(repeating: "*", count: n)), column.schema, count: column.count)
        }
        var out = VarBytes()
        out.offsets.reserveCapacity(column.count + 1)
        for row in 0..<column.count {
            if column.isNull(row) { out.appendEmpty() } else { out.append(masked(text[row], length)) }
        }
        return Column(column.schema, count: column.count, .utf8(out), validity: column.validity, unavailable: column.unavailable)
    }

    private func masked(_ text: some Collection<UInt8>, _ length: Int?) -> [UInt8] {
        switch self {
        case .truncate(let limit): return Self.prefix(text, limit)
        case .asterisks(let n): return Array(repeating: UInt8(ascii: "*"), count: n)
        case .hash(let algorithm, let salt, let version):
            let digest = Digest.hexadecimal(algorithm, Array(salt.utf8) + (version == 1 ? Self.javaSerialized(Array(text)) : Array(text)))
            return length.map { Array(digest.prefix($0)) } ?? digest
        }
    }

    /// The longest prefix of whole characters with at most `limit` UTF-16 units.
    private static func prefix(_ text: some Collection<UInt8>, _ limit: Int) -> [UInt8] {
        var units = 0, out: [UInt8] = []
        for byte in text {
            if byte & 0xC0 != 0x80 {
                units += byte >= 0xF0 ? 2 : 1
                if units > limit { break }
            }
            out.append(byte)
        }
        return out
    }

    /// `java.io.ObjectOutputStream` writes a stream header, a tag, the length and the text.
    private static func javaSerialized(_ text: [UInt8]) -> [UInt8] {
        let length = UInt64(text.count)
        let isLong = text.count > 0xFFFF
        let size = withUnsafeBytes(of: length.bigEndian) { Array($0.suffix(isLong ? 8 : 2)) }
        return [0xAC, 0xED, 0x00, 0x05, isLong ? 0x7C : 0x74] + size + text
    }
}

/// Message digests by the names Java gives them.
enum Digest {
    /// Whether this machine knows the algorithm.
    static func isKnown(_ algorithm: String) -> Bool { named(algorithm) != nil }

    /// The digest in lower-case digits; empty for an unknown algorithm.
    static func hexadecimal(_ algorithm: String, _ bytes: [UInt8]) -> [UInt8] {
        guard let type = named(algorithm) else { return [] }
        var digest = [UInt8](repeating: 0, count: 64), length: UInt32 = 0
        guard EVP_Digest(bytes, bytes.count, &digest, &length, type, nil) == 1 else { return [] }
        return digest.prefix(Int(length)).flatMap { [Hex.digits[Int($0 >> 4)], Hex.digits[Int($0 & 15)]] }
    }

    /// OpenSSL writes `SHA256` where Java writes `SHA-256`; `SHA3-256` is the same.
    private static func named(_ algorithm: String) -> OpaquePointer? {
        let upper = algorithm.uppercased()
        return EVP_get_digestbyname(upper.hasPrefix("SHA-") ? "SHA" + upper.dropFirst(4) : upper)
    }
}
