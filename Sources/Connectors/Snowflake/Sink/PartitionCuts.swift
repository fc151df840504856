import ConnectAPI

/// What one topic partition waits for before its offset may be committed. A state machine without I/O.
///
/// All open files of a partition are cut together, so a cut is a set of files and the offset after them; it counts once every file is loaded,
/// and cuts count in order (Invariant 4).
struct PartitionCuts {
    private struct Cut {
        let next: Int64
        var waiting: Set<Int>
    }
    private var cuts: [Cut] = []
    /// The offset after the last record taken.
    private(set) var taken: Int64?
    private(set) var committable: Int64?
    private var reported: Int64?

    /// Records before `next` were taken, or are none of the table's business.
    mutating func take(upTo next: Int64) { taken = max(next, taken ?? next) }

    /// Files by number that must be loaded before `next` may be committed.
    mutating func cut(_ files: [Int], next: Int64) { if !files.isEmpty { cuts.append(Cut(next: next, waiting: Set(files))) } }

    /// True when the file was one of this partition's.
    mutating func loaded(_ file: Int) -> Bool {
        for i in cuts.indices where cuts[i].waiting.remove(file) != nil {
            while let first = cuts.first, first.waiting.isEmpty {
                committable = max(first.next, committable ?? first.next)
                cuts.removeFirst()
            }
            return true
        }
        return false
    }

    var isWaiting: Bool { !cuts.isEmpty }

    /// The offset to commit when it grew. `hasOpenRows`: records are taken that no cut holds yet.
    mutating func offset(hasOpenRows: Bool) -> Int64? {
        if cuts.isEmpty, !hasOpenRows, let taken { committable = max(taken, committable ?? taken) }
        guard let committable, committable > reported ?? .min else { return nil }
        reported = committable
        return committable
    }
}
