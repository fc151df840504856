public import ConnectAPI

/// Takes partitions, divides its memory between their files, and says what may be committed.
///
/// Buffered bytes are those of open files and of files on their way. Above 80 % of the budget the largest and oldest open files give theirs
/// back: a file that fills parts sends them and stays open, a smaller one is stored early, which is exactly-once as any cut is; above 100 % a write waits for uploads, or throws why they fail, and the runtime comes back with the batch
/// (Invariant 5).
public struct ObjectStoreSinkTask: SinkTask {
    private let store: any ObjectStore
    private let pool: BlockingPool
    private let writerContext: WriterContext
    private let metrics: SinkMetrics
    private let progress: UploadProgress
    private let budget: Int
    private var watermarkedAt: Int64 = 0
    private var manifestsDue = Int64.min
    private var watermarks: [TopicPartition: Watermark] = [:]
    private let numbers = FileNumbers()
    private var writers: [TopicPartition: PartitionWriter] = [:]
    private var isPrepared = false
    private var reportedAt: ContinuousClock.Instant?
    /// What the log has committed.
    private var committedOffsets: [TopicPartition: Int64] = [:]
    private(set) var compaction: Compaction?

    /// Counts files of the task.
    private final class FileNumbers {
        private var last = 0
        func next() -> Int {
            last += 1
            return last
        }
    }

    init(
        _ plan: SinkPlan, store: any ObjectStore, pool: BlockingPool, metrics: SinkMetrics, _ context: TaskContext,
        clock: @escaping @Sendable () -> Int64 = { WallClock.milliseconds }
    ) {
        self.store = store
        self.pool = pool
        self.metrics = metrics
        progress = UploadProgress(context.log)
        budget = max(context.memoryBudget, 1 << 20)
        let uploads = UploadContext(
            store: store, naming: plan.naming, partSize: plan.partSize, conditional: plan.conditional, retryBackoff: .milliseconds(plan.retryBackoff),
            tags: plan.tags, progress: progress, metrics: metrics, log: context.log)
        writerContext = WriterContext(
            connector: context.connector, plan: plan, schemas: plan.schemaless == .columns ? SchemaMemory(directory: context.scratchDirectory) : nil,
            uploads: uploads, reject: context.reject, clock: clock)
        compaction = Compaction(writerContext)
        for notice in plan.notices { context.log.info(notice) }
        for warning in plan.warnings { context.log.warn(warning) }
    }

    public mutating func open(_ partitions: [TopicPartition]) async throws -> [TopicPartition: Int64] {
        if !isPrepared {
            try await store.prepare()
            isPrepared = true
        }
        await dropOrphans(of: partitions)
        for partition in partitions where writers[partition] == nil {
            let writer = PartitionWriter(partition, writerContext, nextNumber: { [numbers] in numbers.next() })
            try await writer.open()
            writers[partition] = writer
        }
        return [:]
    }

    /// Uploads that killed tasks left behind: the task that has a topic's first partition looks for them.
    private func dropOrphans(of partitions: [TopicPartition]) async {
        let (naming, orphanAge) = (writerContext.plan.naming, writerContext.plan.orphanAge)
        guard orphanAge >= 0, naming.template == nil, !writerContext.plan.keepsLedger else { return }
        for partition in partitions where partition.partition == 0 {
            let prefix = naming.topicPrefix(partition.topic)
            let dropped = await store.dropUploads(prefix, startedBefore: WallClock.milliseconds - orphanAge) { _ in true }
            if dropped > 0 {
                writerContext.uploads.log.info("Dropped \(dropped) unfinished uploads below \(prefix) of tasks that ended before they stored them")
            }
            metrics.droppedUploads(dropped)
        }
    }

    public mutating func write(_ batch: ConsumedBatch) async throws {
        guard let writer = writers[batch.partition] else {
            throw ConnectorError("objectstore.not_open", .stop, "A batch of \(batch.partition) came to a task that does not have the partition")
        }
        try settle()
        try await makeRoom()
        try await writer.write(batch)
        try relieve()
    }

    public mutating func flush(_ reason: FlushReason) async throws -> [TopicPartition: Int64] {
        try settle()
        switch reason {
        case .tick: for writer in writers.values { try writer.tick() }
        case .closing:
            if writerContext.plan.flushOnStop { for writer in writers.values { try writer.closeAll(.stop) } }
            // A file that does not get through now is read from the topic again: stopping does not wait for a store that is away.
            if !writerContext.plan.flushOnStop { for writer in writers.values { writer.dropOpenFiles() } }
            while progress.isBusy, progress.failing == nil {
                try Task.checkCancellation()
                await progress.wait()
            }
            try settle()
        }
        var offsets: [TopicPartition: Int64] = [:]
        for (partition, writer) in writers { if let offset = writer.committable() { offsets[partition] = offset } }
        await putWatermarks()
        await putManifests(reason)
        report()
        if reason == .tick, compaction?.isDue == true {
            let lanes = lanes
            compaction?.begin(lanes)
        }
        return offsets
    }

    public mutating func committed(_ offsets: [TopicPartition: Int64]) async { committedOffsets.merge(offsets) { $1 } }

    /// Every lane with what the log has committed of its partition.
    private var lanes: [Lane.Identity: Int64] {
        var lanes: [Lane.Identity: Int64] = [:]
        for (partition, writer) in writers {
            guard let committed = committedOffsets[partition] else { continue }
            for topic in writer.topics { lanes[Lane.Identity(partition: partition, topic: topic)] = committed }
        }
        return lanes
    }

    public mutating func close(_ partitions: [TopicPartition]) async {
        await compaction?.stop()
        for partition in partitions { committedOffsets[partition] = nil }
        for partition in partitions { await writers.removeValue(forKey: partition)?.abandon() }
        _ = progress.takeEnded()
        if writers.isEmpty { pool.stop() }
    }

    /// Says where the store is complete, when that is asked for. It never holds anything up: the next one says it too.
    private mutating func putWatermarks() async {
        let now = writerContext.clock()
        guard case let interval = writerContext.plan.watermarkInterval, interval >= 0, now - watermarkedAt >= interval, progress.failing == nil else { return }
        watermarkedAt = now
        for writer in writers.values {
            guard let watermark = writer.watermark, watermark != watermarks[writer.partition] else { continue }
            do {
                let attributes = ObjectAttributes(contentType: "application/json")
                _ = try await store.put(watermark.name(writerContext.uploads.naming), watermark.json, attributes, ifAbsent: false)
                watermarks[writer.partition] = watermark
            } catch {
                writerContext.uploads.log.warn("The watermark of \(writer.partition) could not be written: \(error)")
            }
        }
    }

    /// Once a second, and half a minute after a failure: `flush` is called with every batch, and records do not wait for this.
    private mutating func putManifests(_ reason: FlushReason) async {
        let now = writerContext.clock()
        guard writerContext.plan.manifestDelay >= 0, progress.failing == nil, reason == .closing || now >= manifestsDue else { return }
        manifestsDue = now + 1000
        for writer in writers.values {
            guard await writer.putManifests(now) else {
                manifestsDue = now + 30_000
                return
            }
        }
    }

    // MARK: Uploads and memory

    private func settle() throws {
        var failure: (any Error)?
        for (number, outcome) in progress.takeEnded() {
            do { for writer in writers.values { if try writer.settle(number, outcome) { break } } } catch {
                // A file that was given up because the one before it failed does not say why.
                if failure == nil || failure is CancellationError { failure = error }
            }
        }
        if let failure { throw failure }
    }

    /// Of open files and of those on their way.
    var heldBytes: Int { openBytes + progress.bytes }
    private var openBytes: Int { writers.values.reduce(0) { $0 + $1.bufferedBytes } }

    /// Waits until what is buffered fits the budget.
    private func makeRoom() async throws {
        while heldBytes > budget {
            try Task.checkCancellation()
            if let failing = progress.failing { throw failing }
            if !progress.isBusy {
                try relieve(downTo: budget / 2)
                // What is left holds no memory that can be given back.
                if !progress.isBusy { return }
            }
            await progress.wait()
            try settle()
        }
    }

    /// Frees memory early enough that writes need not wait for it.
    private func relieve() throws {
        if heldBytes > budget / 10 * 8 { try relieve(downTo: budget / 2) }
    }

    private func relieve(downTo target: Int) throws {
        guard openBytes > target else { return }
        for holder in writers.values.flatMap(\.holders).sorted(by: { $0.goesBefore($1) }) {
            try holder.writer.relieve(holder)
            if openBytes <= target { return }
        }
    }

    private mutating func report() {
        // Every second: what is not committed grows also while nothing can be, and a walk over all files is not for every batch.
        guard reportedAt.map({ $0.duration(to: .now) >= .seconds(1) }) ?? true else { return }
        reportedAt = .now
        for writer in writers.values { if let committed = writer.cut.committed { metrics.uncommitted(writer.partition, writer.takenUpTo - committed) } }
        if let seconds = store.credentialsExpireIn { metrics.credentials(expireIn: seconds) }
        let oldest = writers.values.compactMap(\.oldestOpening).min()
        metrics.state(
            openFiles: writers.values.reduce(0) { $0 + $1.openFiles }, bufferedBytes: heldBytes,
            oldestRecordAge: oldest.map { Double(max(0, writerContext.clock() - $0)) / 1000 } ?? 0)
    }
}
