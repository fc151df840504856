/// A Parquet file's footer, read from the file's last bytes: what a sink needs to know again of a file it wrote, and what `ParquetJoin` moves.
///
///     PAR1 | row groups | page index | FileMetaData (Thrift) | its length, 4 bytes | PAR1
///
/// Source: `parquet.thrift`, FileMetaData. Nothing of it is believed before `ParquetJoin` has looked at it.
package struct ParquetFooter: Sendable {
    package enum Answer: Sendable {
        case footer(ParquetFooter)
        /// The footer is longer than the bytes given: read this many from the end.
        case needs(bytes: Int)
        case notParquet
    }

    /// The key-value pairs, in the order of the file; the last of a key counts.
    package private(set) var pairs: [(key: String, value: String)] = []
    package private(set) var rows: Int64 = 0
    /// Bytes from here on are the footer's.
    let start: Int64
    /// Thrift of the schema, of the row groups with their count, and of the columns' orders.
    private(set) var elements: ArraySlice<UInt8> = []
    private(set) var groups: ArraySlice<UInt8> = []
    private(set) var orders: ArraySlice<UInt8> = []
    /// Columns, or the footer, can be read with a key only.
    private(set) var isEncrypted = false

    /// Bytes of memory it takes, for budgets.
    package var byteCount: Int { elements.count + groups.count + orders.count }

    /// What two files must have in common to become one: the schema, and how its columns compare.
    package var layout: [UInt8] { Array(elements) + orders }

    package subscript(key: String) -> String? { pairs.last { $0.key == key }?.value }

    /// `tail`: the end of a file of `fileSize` bytes.
    package static func read(_ tail: [UInt8], fileSize: Int64) -> Answer {
        guard tail.count >= 8, tail.suffix(4).elementsEqual("PAR1".utf8) else { return .notParquet }
        let length = tail.suffix(8).prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
        guard Int64(length) + 12 <= fileSize else { return .notParquet }
        guard length + 8 <= tail.count else { return .needs(bytes: length + 8) }
        var reader = ThriftReader(tail[tail.count - 8 - length..<tail.count - 8])
        do { return .footer(try ParquetFooter(&reader, start: fileSize - 8 - Int64(length))) } catch { return .notParquet }
    }

    private init(_ reader: inout ThriftReader, start: Int64) throws(ThriftReader.Malformed) {
        self.start = start
        try reader.structure { (reader, id, kind) throws(ThriftReader.Malformed) in
            switch (id, kind) {
            case (2, .list): elements = try reader.raw(kind)
            case (3, .i64): rows = try reader.integer()
            case (4, .list): groups = try reader.raw(kind)
            case (5, .list): pairs = try Self.pairs(&reader)
            case (7, .list): orders = try reader.raw(kind)
            case (8, _), (9, _):
                isEncrypted = true
                return false
            default: return false
            }
            return true
        }
    }

    private static func pairs(_ reader: inout ThriftReader) throws(ThriftReader.Malformed) -> [(key: String, value: String)] {
        var found: [(key: String, value: String)] = []
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
            if let key, let value { found.append((key, value)) }
        }
        return found
    }
}
