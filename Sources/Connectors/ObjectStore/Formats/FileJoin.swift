import Parquet

/// How files of a format become one, without a look at their rows.
enum FileJoin: Sendable, Equatable {
    /// Row groups as they are and a new footer (`ParquetJoin`).
    case parquet
    /// The files' bytes one after the other, with these between two; of every file but the first so many bytes are left out.
    case bytes(between: [UInt8], header: Int)
}

extension FileFormat {
    /// nil: a file of this format is more than its records one after the other.
    var join: FileJoin? {
        switch self {
        case .parquet: .parquet
        // Every record ends with its separator. Members of gzip may follow each other (RFC 1952, 2.2).
        case .json, .bytes: .bytes(between: [], header: 0)
        case .text(.jsonLines, _, let compression), .text(.csv, _, let compression): Self.lines(compression)
        case .text(.jsonArray, _, _), .avro: nil
        }
    }

    /// Lines whose last one has no end: one is put between, compressed by itself.
    private static func lines(_ compression: Compression) -> FileJoin {
        var end = FileBytes(compression)
        withUnsafeBytes(of: UInt8(ascii: "\n")) { end.append($0) }
        let bytes = end.finish()
        // Blocks of snappy-java follow each other behind one header; members of gzip and frames of zstd stand for themselves (RFC 8878, 3.1).
        let header = compression == .snappy ? SnappyStream.headerBytes : 0
        return .bytes(between: Array(bytes[header...]), header: header)
    }
}
