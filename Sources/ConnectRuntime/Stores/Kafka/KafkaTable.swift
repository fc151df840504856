package import ConnectAPI
package import Kafka
import Synchronization

/// A compacted topic as a table: read to its end, followed from there, and written with read-your-writes.
///
///     topic ─▶ consumer (every partition, from the beginning) ─▶ reduce(state, record) ─▶ changes
///       ▲                                                              └─▶ state, for whoever asks
///       └── producer ◀── write ── … returns when the state has what was written
///
/// A broker that is away is waited for: the state stays as it was last read.
package final class KafkaTable<State: Sendable, Change: Sendable>: Sendable {
    /// A reader waiting for the table to be at these offsets.
    private struct Waiter {
        let id: UInt64
        let targets: [TopicPartition: Int64]
        let continuation: CheckedContinuation<Void, any Error>
    }
    private struct Progress {
        var next: [TopicPartition: Int64] = [:]
        var waiters: [Waiter] = []
        var nextWaiter: UInt64 = 0
    }

    package let topic: String
    private let consumer: KafkaConsumer
    private let producer: KafkaProducer
    private let reduce: @Sendable (inout State, KafkaRecord) throws -> Change?
    private let state: Mutex<State>
    private let progress = Mutex(Progress())
    private let pump = Mutex<Task<Void, Never>?>(nil)
    private let log = Logger("sluice.kafka.table")
    /// What changed, in order, from the time `open` returned.
    package let changes: AsyncStream<Change>
    private let tell: AsyncStream<Change>.Continuation
    private let isOpen = Atomic<Bool>(false)

    /// `reduce` throws for a record that is not of the topic's format: it is said and passed over, as Kafka Connect does.
    package init(
        topic: String, initial: State, consumer: KafkaConsumer, producer: KafkaProducer,
        reduce: @escaping @Sendable (inout State, KafkaRecord) throws -> Change?
    ) {
        self.topic = topic
        self.consumer = consumer
        self.producer = producer
        self.reduce = reduce
        state = Mutex(initial)
        (changes, tell) = AsyncStream.makeStream()
    }

    /// Reads the topic to its end and follows it until `close`.
    package func open() async throws {
        let first = try await beginnings()
        progress.withLock { $0.next = first }
        try await consumer.assign(first)
        pump.withLock { $0 = Task { await self.follow() } }
        try await readToEnd()
        isOpen.store(true, ordering: .releasing)
    }

    /// A topic just made takes a moment to be known everywhere.
    private func beginnings() async throws -> [TopicPartition: Int64] {
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            do {
                guard let count = try await consumer.partitionCounts(topic: topic)[topic] else {
                    throw ConnectorError(KafkaError.unknownTopic, .retry, "The topic \(topic) is not there")
                }
                return try await consumer.offsets(of: (0..<count).map { TopicPartition(topic, $0) }, at: .beginning)
            } catch let error as ConnectorError where error.disposition == .retry && ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }

    package func close() async {
        let task = pump.withLock { $0.take() }
        task?.cancel()
        await task?.value
        await consumer.close()
        let waiters = progress.withLock { progress in
            defer { progress.waiters = [] }
            return progress.waiters
        }
        for waiter in waiters { waiter.continuation.resume(throwing: CancellationError()) }
        tell.finish()
    }

    /// The state as far as the topic was read.
    package func read<R>(_ body: (State) throws -> R) rethrows -> R { try state.withLock { try body($0) } }

    /// Changes the state ahead of the topic, where what is written cannot be refused.
    package func anticipate(_ body: (inout State) -> Void) { state.withLock { body(&$0) } }

    /// Returns when the state has everything that was in the topic when this was called.
    package func readToEnd() async throws {
        let partitions = progress.withLock { Array($0.next.keys) }
        try await readOn(to: try await consumer.offsets(of: partitions, at: .end))
    }

    /// Returns when the state has everything before these offsets. Who reads what is committed sees a transaction's records a moment after its
    /// commit, and until then an end before them: so what was written is waited for by its offsets.
    package func readOn(to ends: [TopicPartition: Int64]) async throws {
        let id = progress.withLock { progress in
            progress.nextWaiter += 1
            return progress.nextWaiter
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let answer = progress.withLock { progress -> Result<Void, any Error>? in
                    // Looked at with the lock held: the handler below runs after the mark is set, so one of the two sees the other.
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if Self.reached(ends, progress.next) { return .success(()) }
                    progress.waiters.append(Waiter(id: id, targets: ends, continuation: continuation))
                    return nil
                }
                if let answer { continuation.resume(with: answer) }
            }
        } onCancel: {
            cancel(id)
        }
    }

    /// Makes records durable; with `reading`, returns when the state has them.
    package func write(_ records: [KafkaRecord], reading: Bool = true) async throws {
        let ends = try await producer.send(records)
        if reading { try await readOn(to: ends) }
    }

    // MARK: Following

    private func follow() async {
        while !Task.isCancelled {
            let polled = await consumer.poll(timeout: .milliseconds(50))
            // The client goes on by itself, and says of an outage once what there is to say.
            for error in polled.errors where error.disposition != .retry { log.warn("\(topic): \(error)") }
            for records in polled.records { apply(records) }
            advance(polled)
        }
    }

    private func apply(_ records: FetchedRecords) {
        for row in 0..<records.count {
            do {
                let change = try state.withLock { try reduce(&$0, records.record(row)) }
                if let change, isOpen.load(ordering: .acquiring) { tell.yield(change) }
            } catch {
                log.warn("\(records.partition) offset \(records.firstOffset + Int64(row)) is passed over: \(Trace.message(of: error))")
            }
        }
    }

    private func advance(_ polled: KafkaConsumer.Polled) {
        guard !polled.records.isEmpty || !polled.ends.isEmpty else { return }
        let ready = progress.withLock { progress -> [Waiter] in
            for records in polled.records { progress.next[records.partition] = max(progress.next[records.partition] ?? 0, records.nextOffset) }
            // Control records of transactions have offsets, and are never seen.
            for (partition, end) in polled.ends { progress.next[partition] = max(progress.next[partition] ?? 0, end) }
            let ready = progress.waiters.filter { Self.reached($0.targets, progress.next) }
            progress.waiters.removeAll { waiter in ready.contains { $0.id == waiter.id } }
            return ready
        }
        for waiter in ready { waiter.continuation.resume() }
    }

    private static func reached(_ targets: [TopicPartition: Int64], _ next: [TopicPartition: Int64]) -> Bool {
        targets.allSatisfy { (next[$0.key] ?? 0) >= $0.value }
    }

    private func cancel(_ id: UInt64) {
        let waiter = progress.withLock { progress in progress.waiters.firstIndex { $0.id == id }.map { progress.waiters.remove(at: $0) } }
        waiter?.continuation.resume(throwing: CancellationError())
    }
}
