import ConnectAPI
import Synchronization

/// The last batches of every partition as they were appended, so that a sink at the tail reads columns without touching the disk or a
/// decoder. Bounded by bytes over all partitions; the oldest go first (Invariant 5).
final class BatchCache: Sendable {
    /// Contiguous batches of a partition; those before `head` are gone.
    private struct Run {
        var batches: [StoredBatch] = []
        var head = 0
        var live: ArraySlice<StoredBatch> { batches[head...] }

        mutating func dropFirst() {
            head += 1
            if head > 64, head * 2 > batches.count {
                batches.removeSubrange(0..<head)
                head = 0
            }
        }
    }

    private struct Content {
        var runs: [TopicPartition: Run] = [:]
        /// Every batch in the order of arrival; an entry whose batch is gone already finds nothing.
        var order: [(partition: TopicPartition, firstOffset: Int64)] = []
        var orderHead = 0
        var bytes = 0
    }

    private let content = Mutex(Content())
    private let capacity: Int

    init(capacity: Int) { self.capacity = capacity }

    func add(_ batches: [StoredBatch]) {
        content.withLock { content in
            for batch in batches {
                var run = content.runs.removeValue(forKey: batch.partition) ?? Run()
                if let last = run.live.last, last.endOffset != batch.firstOffset {
                    // A published unit lies in between, which never was in memory.
                    content.bytes -= run.live.reduce(0) { $0 + $1.memory }
                    run = Run()
                }
                run.batches.append(batch)
                content.runs[batch.partition] = run
                content.order.append((batch.partition, batch.firstOffset))
                content.bytes += batch.memory
            }
            while content.bytes > capacity { Self.dropOldest(&content) }
        }
    }

    private static func dropOldest(_ content: inout Content) {
        let (partition, firstOffset) = content.order[content.orderHead]
        content.orderHead += 1
        if content.orderHead > 1024, content.orderHead * 2 > content.order.count {
            content.order.removeSubrange(0..<content.orderHead)
            content.orderHead = 0
        }
        guard var run = content.runs.removeValue(forKey: partition) else { return }
        if let oldest = run.live.first, oldest.firstOffset == firstOffset {
            content.bytes -= oldest.memory
            run.dropFirst()
        }
        if !run.live.isEmpty { content.runs[partition] = run }
    }

    /// Batches from `offset` on that fit `maxBytes`, at least one; nil when the cache does not hold that offset.
    func read(_ partition: TopicPartition, from offset: Int64, maxBytes: Int) -> [StoredBatch]? {
        content.withLock { content in
            guard let batches = content.runs[partition]?.live, let first = batches.first, let last = batches.last,
                first.firstOffset <= offset, offset < last.endOffset
            else { return nil }
            var low = batches.startIndex, high = batches.endIndex
            while low < high {
                let middle = (low + high) / 2
                if batches[middle].endOffset <= offset { low = middle + 1 } else { high = middle }
            }
            var taken: [StoredBatch] = [], bytes = 0
            for batch in batches[low...] {
                guard taken.isEmpty || bytes + batch.memory <= maxBytes else { break }
                bytes += batch.memory
                taken.append(batch)
            }
            return taken
        }
    }
}

extension StoredBatch {
    /// The offset after the last record.
    package var endOffset: Int64 { firstOffset + Int64(batch.count) }

    /// Bytes to count against a budget.
    var memory: Int { Self.memory(of: batch) }

    /// Arrays, columns and bookkeeping count too: they are what a one-row batch mostly is.
    static func memory(of batch: RecordBatch) -> Int { batch.byteCount + 2048 }
}
