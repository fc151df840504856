import ConnectAPI

/// A file of rows for one table, cut from one partition.
///
/// Its name tells what is in it, `<connector>/<TABLE>/<topic>/<partition>/<first offset>-<last offset>.parquet`, and nothing in it depends on when it was
/// written. A file that is written again is therefore the same file, and COPY's load history knows it.
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

    /// The offsets a file's name tells; nil for names of others.
    static func offsets(of name: String) -> ClosedRange<Int64>? {
        guard let dot = name.firstIndex(of: ".") else { return nil }
        let parts = name[..<dot].split(maxSplits: 2, omittingEmptySubsequences: false) { $0 == "-" || $0 == "_" }
        guard parts.count >= 2, let start = Int64(parts[0]), let end = Int64(parts[1]), start >= 0, start <= end else { return nil }
        return start...end
    }
}
