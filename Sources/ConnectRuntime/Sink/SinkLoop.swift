import ConnectAPI
import Kafka

/// The main loop of a sink task: a value with one owner, so that the task behind it needs no locks.
///
/// Every write is repeated with the same batch while the destination asks for a retry; every flush too, before more is written. Offsets are
/// committed soon after they moved: at most five times a second, at the latest with the next tick.
struct SinkLoop<Sink: SinkTask> {
    var task: Sink
    let className: String
    let connector: String
    let consumer: any LogConsumer
    let reader: SinkReader
    let mailbox: SinkMailbox
    let budget: ByteBudget
    let errors: SinkErrors
    let counters: TaskCounters
    let report: Logger
    let settings: WorkerConfiguration
    let config: [String: String]
    let isFenced: @Sendable () -> Bool
    let onTopic: @Sendable (String) async -> Void

    private var progress = SinkProgress()
    private var lastCommit = ContinuousClock.now
    private var topics: Set<String> = []
    /// Of what was delivered last: the time of its last record, and bytes and rows for the estimate of the lag in bytes.
    private var lastTimestamp: Int64 = 0
    private var deliveredBytes: Int64 = 0
    private var deliveredRows: Int64 = 0

    init(
        task: Sink, className: String, connector: String, consumer: any LogConsumer, reader: SinkReader, mailbox: SinkMailbox, budget: ByteBudget,
        errors: SinkErrors, counters: TaskCounters, report: Logger, settings: WorkerConfiguration, config: [String: String],
        isFenced: @escaping @Sendable () -> Bool, onTopic: @escaping @Sendable (String) async -> Void
    ) {
        self.task = task
        self.className = className
        self.connector = connector
        self.consumer = consumer
        self.reader = reader
        self.mailbox = mailbox
        self.budget = budget
        self.errors = errors
        self.counters = counters
        self.report = report
        self.settings = settings
        self.config = config
        self.isFenced = isFenced
        self.onTopic = onTopic
    }

    mutating func run() async throws {
        do {
            while try await step() {}
        } catch {
            // What is buffered is read again by the next run; nothing of it was committed.
            await task.close(progress.all)
            throw error
        }
        await end()
    }

    /// One event; false to end.
    private mutating func step() async throws -> Bool {
        switch await mailbox.next() {
        case .stop: return false
        case .failed(let error): throw error
        case .assigned(let partitions): try await open(partitions)
        case .revoked(let partitions, let lost): try await close(partitions, lost: lost)
        case .delivery(let delivery):
            defer { budget.release(delivery.bytes) }
            try await take(delivery)
        case .tick:
            try await flush(.tick)
            updateLag()
            if progress.committable().isEmpty { counters.update { $0.commitSkips += 1 } }
            try await commit()
        }
        return true
    }

    // MARK: Opening

    private mutating func open(_ partitions: [TopicPartition]) async throws {
        let known = try await retrying("open \(partitions.map(\.description).joined(separator: ", "))") { loop in try await loop.task.open(partitions) }
        guard let known else { return }
        let found = try await retrying("ask the log for its offsets") { loop in
            (try await loop.consumer.committed(partitions), try await loop.consumer.ranges(partitions))
        }
        guard let (committed, ranges) = found else { return }
        var starts: [TopicPartition: Int64] = [:]
        for partition in partitions {
            let (start, end) = (ranges[partition]?.start ?? 0, ranges[partition]?.end ?? 0)
            let latest = config["consumer.override.auto.offset.reset"]?.trimmingSpaces().lowercased() == "latest"
            var offset = known[partition] ?? committed[partition] ?? (latest ? end : start)
            if offset > end {
                throw ConnectorError(
                    "sink.offset_beyond_log", .stop,
                    "\(known[partition] != nil ? "The destination holds" : "The committed offset says") \(partition) up to offset \(offset), but the log ends at \(end)",
                    hint:
                        "The log was replaced or the offsets were changed: restore the data directory, give the sink an empty destination, or set its offsets with PATCH /connectors/\(connector)/offsets"
                )
            }
            if offset < start {
                // Invariant 6: say what is gone.
                report.warn("\(partition): \(start - offset) records from offset \(offset) on are no longer in the log; reading goes on at \(start)")
                offset = start
            }
            progress.open(partition, at: offset, committed: committed[partition])
            starts[partition] = offset
        }
        try await consumer.start(starts)
        if !committed.isEmpty { await task.committed(committed) }
        counters.update { $0.partitions = progress.all.count }
    }

    /// Invariant 4: what the destination has of them is committed before another task reads on from there. Of what was lost nothing is: it may be
    /// another's already.
    private mutating func close(_ partitions: [TopicPartition], lost: Bool) async throws {
        let own = partitions.filter { progress.isOpen($0) }
        if !lost, !own.isEmpty {
            try await flush(.tick)
            try await commit()
        }
        await task.close(own)
        for partition in own { progress.close(partition) }
        try await consumer.release(partitions)
        counters.update { $0.partitions = progress.all.count }
    }

    // MARK: Delivering

    private mutating func take(_ delivery: SinkMailbox.Delivery) async throws {
        let partition = delivery.stored.partition
        // Read before it was given up; whoever has it now reads it again.
        guard progress.isOpen(partition) else { return counters.update { $0.active -= Int64(delivery.stored.batch.count) } }
        for batch in delivery.batches {
            guard try await write(batch, of: delivery.stored) else { return }
            progress.deliver(partition, upTo: batch.nextOffset)
            try await flush(.tick)
            if mailbox.isStopping { return }
        }
        progress.skip(partition, upTo: delivery.next)
        let rows = Int64(delivery.stored.batch.count)
        deliveredRows += rows
        deliveredBytes += Int64(delivery.bytes)
        let timestamps = delivery.stored.batch.timestamps
        if timestamps.count > 0, let last = timestamps[timestamps.count - 1].integerValue { lastTimestamp = last }
        counters.update { $0.active -= rows }
        if topics.insert(partition.topic).inserted { await onTopic(partition.topic) }
        if lastCommit.duration(to: .now) > .milliseconds(200) { try await commit() }
    }

    /// False when a stop came before the destination took the batch.
    private mutating func write(_ batch: ConsumedBatch, of stored: StoredBatch) async throws -> Bool {
        let start = ContinuousClock.now
        do {
            guard try await retrying("write to the destination", { loop in try await loop.task.write(batch) }) != nil else { return false }
        } catch let error as ConnectorError where error.disposition == .reject {
            return try await writeHalves(batch, of: stored, rejected: error)
        }
        let spent = start.duration(to: .now).milliseconds
        counters.update {
            $0.written += Int64(batch.batch.count)
            $0.writtenBytes += Int64(batch.batch.byteCount)
            $0.batches.record(Double(batch.batch.count))
            $0.batchTime.record(spent)
        }
        return true
    }

    /// A batch refused for some of its rows goes again by halves, until the bad rows stand alone.
    private mutating func writeHalves(_ batch: ConsumedBatch, of stored: StoredBatch, rejected error: ConnectorError) async throws -> Bool {
        let count = batch.batch.count
        if count == 1 {
            let offset = batch.offsets[0]
            try await errors.handle(
                FailedRecord(
                    stage: .taskPut, className: className, error: error, topic: batch.partition.topic, partition: batch.partition.partition, offset: offset),
                row: Int(offset - stored.firstOffset), of: stored)
            return true
        }
        for half in [0..<count / 2, count / 2..<count] {
            let part = ConsumedBatch(
                batch.batch.slice(half), from: batch.partition, offsets: .each(half.map { batch.offsets[$0] }),
                nextOffset: half.upperBound < count ? batch.offsets[half.upperBound] : batch.nextOffset)
            guard try await write(part, of: stored) else { return false }
        }
        return true
    }

    // MARK: Flushing and committing

    private mutating func flush(_ reason: FlushReason) async throws {
        guard !progress.isEmpty else { return }
        guard let offsets = try await retrying("flush", { loop in try await loop.task.flush(reason) }) else { return }
        for partition in progress.settle(offsets) {
            report.warn("Ignoring an offset the sink returned for \(partition): it is past what the sink was given")
        }
    }

    /// `insisting`: the last chance, so that a group in the middle of a rebalance is waited for.
    private mutating func commit(insisting: Bool = false) async throws {
        let offsets = progress.committable()
        guard !offsets.isEmpty else { return }
        // Invariant 7: a fenced task moves no offset.
        guard !isFenced() else { return }
        let start = ContinuousClock.now
        lastCommit = start
        while true {
            do {
                try await consumer.commit(offsets)
                break
            } catch let error as ConnectorError where error.code == KafkaError.staleMember {
                // A rebalance is under way; the offsets go with the next commit, or to the member that reads on.
                counters.update { $0.commitFailures += 1 }
                guard insisting, start.duration(to: .now) < .seconds(1) else { return report.debug("\(error)") }
                try await Task.sleep(for: .milliseconds(100))
            } catch {
                // The offsets stay where they were and go with the next commit.
                counters.update { $0.commitFailures += 1 }
                return report.warn("Could not commit offsets, trying again with the next commit: \(Trace.message(of: error))")
            }
        }
        progress.commit(offsets)
        await task.committed(offsets)
        let spent = start.duration(to: .now).milliseconds
        counters.update {
            $0.commitTime.record(spent)
            $0.commitSequence += 1
        }
    }

    private mutating func end() async {
        if !progress.isEmpty, !isFenced() {
            do {
                let offsets = try await task.flush(.closing)
                _ = progress.settle(offsets)
                try await commit(insisting: true)
            } catch {
                report.warn("The last flush failed; what it held is delivered again after the next start: \(Trace.message(of: error))")
            }
        }
        await task.close(progress.all)
    }

    private func updateLag() {
        let (lag, most) = progress.lag(reader.ends)
        let age = lag == 0 || lastTimestamp == 0 ? 0 : max(0, WallClock.milliseconds - lastTimestamp)
        let bytes = deliveredRows == 0 ? 0 : lag * deliveredBytes / deliveredRows
        counters.update {
            $0.lagRecords = lag
            $0.lagRecordsMax = most
            $0.bufferBytes = budget.used
            $0.bufferLimit = budget.capacity
            $0.lagMilliseconds = age
            $0.lagBytes = bytes
        }
    }

    /// Repeats while the destination asks for it; nil when a stop came between.
    private mutating func retrying<T>(_ what: String, _ body: (inout Self) async throws -> T) async throws -> T? {
        var backoff = Backoff(initial: .milliseconds(300), maximum: .seconds(30))
        while true {
            do {
                return try await body(&self)
            } catch let error as ConnectorError where error.disposition == .retry {
                let wait = backoff.next()
                counters.update { $0.retries += 1 }
                report.warn("Could not \(what), trying again in \(Int(wait.milliseconds)) ms: \(error)")
                let deadline = ContinuousClock.now + wait
                while ContinuousClock.now < deadline {
                    if mailbox.isStopping { return nil }
                    try await Task.sleep(for: min(.milliseconds(100), ContinuousClock.now.duration(to: deadline)))
                }
                updateLag()
            }
        }
    }
}
