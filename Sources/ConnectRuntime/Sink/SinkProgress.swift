import ConnectAPI

/// How far each partition of a sink task is: a value the main loop owns.
///
///     committed ≤ settled ≤ delivered ≤ passed
///
/// `delivered`: the task took everything before it. `settled`: the destination holds everything before it. `passed`: also counts what
/// transforms dropped. Offsets are committed from `settled` (Invariant 4); what was dropped behind the last settled record counts as
/// settled, so that a partition of which everything is filtered moves all the same.
struct SinkProgress {
    private struct Partition {
        var delivered: Int64
        var settled: Int64
        var passed: Int64
        var committed: Int64?
    }
    private var partitions: [TopicPartition: Partition] = [:]

    var all: [TopicPartition] { partitions.keys.sorted() }
    var isEmpty: Bool { partitions.isEmpty }

    mutating func open(_ partition: TopicPartition, at offset: Int64, committed: Int64?) {
        partitions[partition] = Partition(delivered: offset, settled: offset, passed: offset, committed: committed)
    }

    func isOpen(_ partition: TopicPartition) -> Bool { partitions[partition] != nil }
    mutating func close(_ partition: TopicPartition) { partitions[partition] = nil }

    mutating func deliver(_ partition: TopicPartition, upTo next: Int64) {
        partitions[partition]?.delivered = next
        partitions[partition]?.passed = next
    }

    /// Rows that transforms dropped.
    mutating func skip(_ partition: TopicPartition, upTo next: Int64) { partitions[partition]?.passed = next }

    /// Takes what the sink's `flush` returned. Offsets past what it was given, and partitions it does not have, are returned and ignored.
    mutating func settle(_ offsets: [TopicPartition: Int64]) -> [TopicPartition] {
        var ignored: [TopicPartition] = []
        for (partition, offset) in offsets {
            guard let state = partitions[partition], offset <= state.passed else {
                ignored.append(partition)
                continue
            }
            partitions[partition]!.settled = max(state.settled, offset)
        }
        return ignored
    }

    /// The offsets to commit that moved since the last commit.
    func committable() -> [TopicPartition: Int64] {
        var out: [TopicPartition: Int64] = [:]
        for (partition, state) in partitions {
            let offset = state.settled >= state.delivered ? max(state.passed, state.settled) : state.settled
            if offset != (state.committed ?? 0) || state.committed == nil { out[partition] = offset }
        }
        return out
    }

    mutating func commit(_ offsets: [TopicPartition: Int64]) { for (partition, offset) in offsets { partitions[partition]?.committed = offset } }

    /// The records of the log that the task has not taken, or that transforms have not yet dropped: of all partitions, and of the one with most.
    func lag(_ ends: [TopicPartition: Int64]) -> (all: Int64, most: Int64) {
        partitions.reduce((0, 0)) { lag, partition in
            let own = max(0, (ends[partition.key] ?? partition.value.passed) - partition.value.passed)
            return (lag.0 + own, max(lag.1, own))
        }
    }
}
