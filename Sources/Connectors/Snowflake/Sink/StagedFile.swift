import ConnectAPI

/// A file of rows for one table, cut from one partition.
///
/// Its name tells what is in it, `<connector>/<TABLE>/<topic>/<partition>/<first offset>-<last offset>-<shape>.parquet`, and nothing in it depends on
/// when it was written. A file that is written again is therefore the same file, and COPY's load history knows it.
struct StagedFile: Sendable {
    let partition: TopicPartition
    let table: ObjectName
    /// Below the stage.
    let directory: String
    let name: String
    let columns: [TableColumn]
    let start: Int64
    let end: Int64
    /// nil: left over from an earlier run.
    let rows: Int?
    /// Bytes as uploaded.
    let size: Int

    var path: String { "\(directory)/\(name)" }

    /// The columns of a file in eight digits: a later run that finds it on the stage must load these columns and no others.
    static func shape(_ columns: [TableColumn]) -> String {
        // FNV-1a, 32 bits.
        let hash = columns.reduce(UInt32(2_166_136_261)) { hash, column in
            "\(column.name)\u{0}\(column.content)\u{0}".utf8.reduce(hash) { ($0 ^ UInt32($1)) &* 16_777_619 }
        }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 8 - digits.utf8.count) + digits
    }

    /// The shape a file's name tells; nil where it tells none, as Snowpipe's, of which all have one.
    static func shape(of name: String) -> String? {
        let parts = name.prefix { $0 != "." }.split(separator: "-")
        return parts.count == 3 ? String(parts[2]) : nil
    }

    /// The offsets a file's name tells; nil for names of others.
    static func offsets(of name: String) -> ClosedRange<Int64>? {
        guard let dot = name.firstIndex(of: ".") else { return nil }
        let parts = name[..<dot].split(maxSplits: 2, omittingEmptySubsequences: false) { $0 == "-" || $0 == "_" }
        guard parts.count >= 2, let start = Int64(parts[0]), let end = Int64(parts[1]), start >= 0, start <= end else { return nil }
        return start...end
    }
}
