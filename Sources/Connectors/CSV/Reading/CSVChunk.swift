import ConnectAPI
import CSV

/// Rows of a file as columns, and where each of them ends.
struct CSVChunk: Sendable {
    /// A row that is no record.
    struct BadRow: Sendable {
        let row: Int64
        let line: Int64
        let reason: CSVRowError
        /// As it stands in the file.
        let bytes: [UInt8]
        /// The good rows of this chunk that come before it.
        let goodBefore: Int
    }

    let columns: [(name: String, column: Column)]
    let count: Int
    /// The number of each row in the file, and where the row after it begins.
    let rows: [Int64]
    let ends: [(position: Int64, line: Int64)]
    let bad: [BadRow]
    /// Where the chunk ends; later than the last row's end where bad rows or blank lines follow.
    let end: FileProgress
    /// The file's last change, in milliseconds since 1970.
    let modified: Int64

    /// The progress once the first `count` rows are taken, at least one.
    func progress(after count: Int) -> FileProgress {
        if count == self.count, bad.last.map({ $0.goodBefore < count }) ?? true { return end }
        var progress = end
        (progress.position, progress.line) = ends[count - 1]
        progress.row = rows[count - 1] + 1
        return progress
    }
}
