import ConnectAPI

/// A file of a directory and a partition, as compaction sees it.
struct CompactionFile: Sendable {
    let key: String
    let size: Int64
    /// Its first offset.
    let start: Int64
    /// Small, old enough, below the committed offset and not merged before.
    let isCandidate: Bool
    /// What it says of itself, once it was asked; nil: it is not to be merged.
    var details: Details?

    struct Details: Sendable {
        var facts: FileFacts
        /// Equal for files of one schema.
        var layout: [UInt8] = []
        var footerBytes = 0
    }
}

/// Which files of a directory become one: runs of consecutive candidates, cut where they make a target.
enum CompactionRuns {
    /// Runs that may be worth a merge, by names and sizes alone. `files` are in the order of their offsets.
    static func worthAsking(_ files: [CompactionFile], _ policy: CompactionPolicy) -> [[CompactionFile]] {
        files.split { !$0.isCandidate }.map(Array.init).filter { isWorth($0, policy) }
    }

    private static func isWorth(_ files: [CompactionFile], _ policy: CompactionPolicy) -> Bool {
        files.count >= policy.minFiles || files.count >= 2 && files.reduce(0) { $0 + $1.size } >= policy.targetBytes
    }

    /// The merges of a run whose files were asked. A file that says nothing, is of another schema or overlaps the one before it ends what came before.
    static func merges(_ run: [CompactionFile], committed: Int64, _ policy: CompactionPolicy) -> [[CompactionFile]] {
        var merges: [[CompactionFile]] = [], open: [CompactionFile] = [], bytes: Int64 = 0, footers = 0
        func close() {
            if isWorth(open, policy) { merges.append(open) }
            (open, bytes, footers) = ([], 0, 0)
        }
        for file in run {
            guard let details = file.details, details.facts.end < committed else {
                close()
                continue
            }
            if let before = open.last?.details, before.layout != details.layout || before.facts.end >= details.facts.start { close() }
            if footers + details.footerBytes > CompactionPolicy.maxFooterBytes { close() }
            open.append(file)
            bytes += file.size
            footers += details.footerBytes
            if bytes >= policy.targetBytes || open.count == CompactionPolicy.maxFiles { close() }
        }
        close()
        return merges
    }
}
