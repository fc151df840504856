import ConnectAPI
import Synchronization

/// A source task's way into the log.
///
///     emit ─▶ pause gate ─▶ transforms ─▶ byte budget ─▶ frame queue ─▶ drain ─▶ Log.append ─▶ durable
///
/// The budget is given back when the log has the records, so the task is held up by the log and by nothing behind it. A log that cannot
/// take a frame now (its disk is full) is tried again with the same frame for as long as it takes.
final class LogOutput: SourceOutput {
    private let log: any Log
    private let producer: Producer
    private let budget: ByteBudget
    private let transforms: TransformStage
    private let tolerance: ErrorTolerance
    private let counters: TaskCounters
    private let gate: PauseGate
    private let report: Logger
    /// Told each topic once.
    private let onTopic: @Sendable (String) async -> Void
    private let topics = Mutex<Set<String>>([])
    private let units = Mutex<Set<String>>([])
    private let queue: FrameQueue
    /// What `drain` appends through, for `fence`.
    private let current = Mutex<(appender: (any Appender)?, isFenced: Bool)>((nil, false))

    init(
        log: any Log, producer: Producer, budget: ByteBudget, transforms: TransformStage, tolerance: ErrorTolerance, counters: TaskCounters,
        gate: PauseGate, report: Logger, onTopic: @escaping @Sendable (String) async -> Void
    ) {
        self.log = log
        self.producer = producer
        self.budget = budget
        self.transforms = transforms
        self.tolerance = tolerance
        self.counters = counters
        self.gate = gate
        self.report = report
        self.onTopic = onTopic
        queue = FrameQueue(joinedBytes: min(4 << 20, budget.capacity / 2))
    }

    // MARK: The task's side

    @discardableResult
    func emit(_ batches: [RecordBatch], at position: SourcePosition?) async throws -> FrameNumber {
        try await gate.pass()
        let out = try await transformed(batches)
        let bytes = out.reduce(0) { $0 + $1.byteCount }, rows = out.reduce(0) { $0 + $1.count }
        // Invariant 5: what is on its way into the log fits the budget.
        if bytes > 0 { try await budget.acquire(bytes) }
        do {
            let number = try queue.push(.init(batches: out, position: position, bytes: bytes, rows: rows))
            counters.update { $0.activate(Int64(rows)) }
            return number
        } catch {
            budget.release(bytes)
            throw error
        }
    }

    var durable: FrameNumber { queue.durable }

    func flush() async throws { try await queue.flush() }

    func stage(_ batches: [RecordBatch], in unit: String) async throws {
        try await gate.pass()
        let out = RecordBatch.joining(try await transformed(batches))
        let bytes = out.reduce(0) { $0 + $1.byteCount }
        guard !out.isEmpty else { return }
        try await budget.acquire(bytes)
        defer { budget.release(bytes) }
        units.withLock { _ = $0.insert(unit) }
        try await persistently("stage rows of \(unit)") { try await self.log.stage(out, unit: unit, by: self.producer, rejected: self.tolerate) }
        count(written: out)
        await noteTopics(out)
    }

    func publish(_ unit: String, at position: SourcePosition) async throws {
        // Through the queue, since a frame emitted before must not move the position back after this has moved it on.
        _ = try queue.push(.init(position: position, unit: unit))
        try await queue.flush()
        units.withLock { _ = $0.remove(unit) }
    }

    func discard(_ unit: String) async throws {
        try await persistently("discard \(unit)") { try await self.log.discard(unit: unit, connector: self.producer.connector) }
        units.withLock { _ = $0.remove(unit) }
    }

    /// Drops what this run staged and did not publish, so that the next run starts with nothing staged.
    func abandonUnits() async {
        for unit in units.withLock({ $0 }) {
            do {
                try await log.discard(unit: unit, connector: producer.connector)
            } catch {
                report.warn("Rows staged for \(unit) could not be dropped; they stay out of sight until the next start: \(Trace.message(of: error))")
            }
        }
    }

    private func transformed(_ batches: [RecordBatch]) async throws -> [RecordBatch] {
        let rows = batches.reduce(0) { $0 + $1.count }
        let start = ContinuousClock.now
        var out: [RecordBatch] = []
        out.reserveCapacity(batches.count)
        for batch in batches {
            if batch.topic == tolerance.deadLetterTopic {
                // A source's own dead letters stay what they were when they were refused.
                out.append(batch)
                continue
            }
            let results = try await transforms.run(TransformedBatch(batch)) { row, error in
                try self.tolerate(
                    FailedRecord(stage: .transformation, className: (error as? ConnectorError)?.code ?? "transforms", error: error, topic: batch.topic))
            }
            for result in results where result.batch.count > 0 { out.append(result.batch) }
        }
        let spent = start.duration(to: .now).milliseconds
        counters.update {
            $0.polled += Int64(rows)
            if rows > 0 {
                $0.batches.record(Double(rows))
                $0.batchTime.record(spent)
            }
        }
        return out
    }

    /// Invariant 6: a record is delivered, or counted and reported.
    @Sendable private func tolerate(_ record: FailedRecord) throws {
        counters.update {
            $0.failures += 1
            $0.lastError = WallClock.milliseconds
            if tolerance.toleratesAll { $0.skipped += 1 } else { $0.errors += 1 }
            if tolerance.logs { $0.logged += 1 }
        }
        if tolerance.logs {
            report.error("\(record.sentence(task: "\(producer.connector)-\(producer.task)", isSink: false)) \(Trace.message(of: record.error))")
        }
        if !tolerance.toleratesAll { throw ToleranceExceeded(record: record) }
    }

    // MARK: The log's side

    /// A frame the log was given: so many entries of the queue.
    private struct UnderWay {
        let entries: ArraySlice<FrameQueue.Entry>
        let batches: [RecordBatch]
        let since = ContinuousClock.now
        var pending: PendingAppend
    }

    /// Makes the way into the log; before the task is told where it stands.
    func open() async throws {
        try await nextAppender().prepare()
    }

    /// Appends what is emitted until `finish` or `fence`. Runs in a task of its own, so that stopping the source's task does not lose what it
    /// emitted. While one frame waits for the disk the next is encoded; more than a few under way would only make commits larger.
    func drain() async {
        guard var appender = current.withLock({ $0.appender }) else { return }
        defer { current.withLock { $0.appender = nil } }
        var underWay: [UnderWay] = []
        var backoff = Backoff(initial: .milliseconds(200), maximum: .seconds(10))

        func append(_ entries: ArraySlice<FrameQueue.Entry>, _ batches: [RecordBatch]) -> PendingAppend {
            let first = entries.first!
            if let unit = first.unit, let position = first.position { return appender.publish(unit: unit, at: position) }
            let position = entries.last { $0.position != nil }?.position
            if batches.isEmpty, position == nil {
                let nothing = PendingAppend()
                nothing.resolve(.success(()))
                return nothing
            }
            // Invariant 2: records and position in one append.
            return appender.append(Frame(batches, at: position, rejected: tolerate))
        }

        while true {
            let next = underWay.count < 3 ? await queue.next(wait: underWay.isEmpty) : .nothing
            if case .entries(let entries) = next {
                let batches = RecordBatch.joining(entries.flatMap(\.batches))
                underWay.append(UnderWay(entries: entries, batches: batches, pending: append(entries, batches)))
                continue
            }
            guard let oldest = underWay.first else { return }
            do {
                try await oldest.pending.durable()
            } catch let error as ConnectorError where error.disposition == .retry && appender.canBeReplaced && !Task.isCancelled {
                // The appender refused everything after the frame that failed, so all of them go again, in order (Invariant 3).
                let wait = backoff.next()
                counters.update { $0.retries += 1 }
                report.warn("Could not append to the log, trying again in \(Int(wait.milliseconds)) ms: \(error)")
                try? await Task.sleep(for: wait)
                appender = nextAppender()
                for i in underWay.indices { underWay[i].pending = append(underWay[i].entries, underWay[i].batches) }
                continue
            } catch {
                counters.update { $0.commitFailures += 1 }
                budget.release(queue.fail(error))
                return
            }
            backoff.reset()
            underWay.removeFirst()
            guard queue.complete(oldest.entries.count) else { return }
            settle(oldest)
            await noteTopics(oldest.batches)
        }
    }

    private func settle(_ done: UnderWay) {
        budget.release(done.entries.reduce(0) { $0 + $1.bytes })
        let rows = Int64(done.entries.reduce(0) { $0 + $1.rows }), time = done.since.duration(to: .now).milliseconds
        counters.update {
            $0.active -= rows
            $0.commitTime.record(time)
            $0.commitSequence += 1
        }
        count(written: done.batches)
    }

    /// What was emitted is still made durable; then `drain` returns.
    func finish() { queue.finish() }

    private func nextAppender() -> any Appender {
        let appender = log.appender(for: producer)
        let isFenced = current.withLock { current in
            current.appender = appender
            return current.isFenced
        }
        if isFenced { appender.fence() }
        return appender
    }

    /// Invariant 7: a task that did not stop in time gets nothing more into the log.
    func fence() {
        current.withLock { current in
            current.isFenced = true
            return current.appender
        }?.fence()
        budget.release(queue.fail(ConnectorError("runtime.fenced", .stop, "The task of \(producer.connector) was stopped and may write no more")))
    }

    private func count(written batches: [RecordBatch]) {
        let rows = batches.reduce(0) { $0 + $1.count }, bytes = batches.reduce(0) { $0 + $1.byteCount }
        counters.update {
            $0.written += Int64(rows)
            $0.writtenBytes += Int64(bytes)
        }
    }

    private func noteTopics(_ batches: [RecordBatch]) async {
        let new = topics.withLock { known in batches.map(\.topic).filter { known.insert($0).inserted } }
        for topic in new { await onTopic(topic) }
    }

    /// Tries until it works or the error is none that passes; cancellation ends it. Where another run may have come between, the task begins again.
    private func persistently(_ what: String, _ body: @Sendable () async throws -> Void) async throws {
        var backoff = Backoff(initial: .milliseconds(200), maximum: .seconds(10))
        while true {
            do {
                return try await body()
            } catch let error as ConnectorError where error.disposition == .retry && current.withLock({ $0.appender?.canBeReplaced != false }) {
                let wait = backoff.next()
                counters.update { $0.retries += 1 }
                report.warn("Could not \(what), trying again in \(Int(wait.milliseconds)) ms: \(error)")
                try await Task.sleep(for: wait)
            }
        }
    }
}
