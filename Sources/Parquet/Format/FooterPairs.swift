/// Reads the key-value pairs out of a Parquet file's last bytes: what a sink needs to know again of a file it wrote.
///
///     … row groups … | FileMetaData (Thrift) | its length, 4 bytes | PAR1
package enum FooterPairs {
    package enum Answer: Sendable, Equatable {
        case pairs([String: String])
        /// The footer is longer than the bytes given: read this many from the end.
        case needs(bytes: Int)
        case notParquet
    }

    /// `tail`: the end of a file of `fileSize` bytes.
    package static func read(_ tail: [UInt8], fileSize: Int64) -> Answer {
        guard tail.count >= 8, tail.suffix(4).elementsEqual("PAR1".utf8) else { return .notParquet }
        let length = tail.suffix(8).prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
        guard Int64(length) + 12 <= fileSize else { return .notParquet }
        guard length + 8 <= tail.count else { return .needs(bytes: length + 8) }
        var reader = ThriftReader(tail[tail.count - 8 - length..<tail.count - 8])
        do { return .pairs(try pairs(&reader)) } catch { return .notParquet }
    }

    private static func pairs(_ reader: inout ThriftReader) throws(ThriftReader.Malformed) -> [String: String] {
        var found: [String: String] = [:]
        try reader.structure { (reader, id, kind) throws(ThriftReader.Malformed) in
            guard id == 5, kind == .list else { return false }
            let (element, count) = try reader.listHeader()
            guard element == .structure else { throw ThriftReader.Malformed() }
            for _ in 0..<count {
                var key: String?, value: String?
                try reader.structure { (reader, id, kind) throws(ThriftReader.Malformed) in
                    guard kind == .binary, id == 1 || id == 2 else { return false }
                    let text = String(decoding: try reader.binary(), as: UTF8.self)
                    if id == 1 { key = text } else { value = text }
                    return true
                }
                if let key, let value { found[key] = value }
            }
            return true
        }
        return found
    }
}
