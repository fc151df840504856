import ConnectAPI

/// When small files are merged: `compact.*`.
struct CompactionPolicy: Sendable, Equatable {
    /// Milliseconds between two runs.
    var interval: Int64
    var targetBytes: Int64
    var minFiles: Int
    /// Milliseconds since a file was written.
    var minAge: Int64

    /// A file that is not small ends a run.
    func isSmall(_ size: Int64) -> Bool { size < targetBytes / 2 }

    /// More files are not merged into one: a plan names them all.
    static let maxFiles = 1000
    /// Nor are more bytes of footers: they are in memory together.
    static let maxFooterBytes = 16 << 20
    /// More names of one directory are not looked at in one run.
    static let maxNames = 20_000
}

/// What all merges of a task share.
struct CompactionContext: Sendable {
    let connector: String
    let policy: CompactionPolicy
    let join: FileJoin
    let contentType: String
    let uploads: UploadContext
    let clock: @Sendable () -> Int64

    var store: any ObjectStore { uploads.store }
    var naming: FileNaming { uploads.naming }
}

/// The metadata of a merged file: the id of the plan by which it was made. Such a file is never merged again.
let mergedMetadataKey = "kafka-merged"
