import ConnectAPI
import Kafka
import Synchronization

/// A producer's way into Kafka in transactions, for one run of its task (KIP-618).
///
///     append ─▶ frames ─▶ begin ─▶ records, then positions ─▶ commit ─▶ answers
///                            ▲                                   └─ the broker says abort ─▶ abort, the same frames again
///                            └── prepare: the transactional id is taken over, which fences older runs anywhere
///
/// Records and position are visible together or not at all (Invariant 2), and only of the last run that took the id over. A frame is never cut:
/// a transaction holds one (`transaction.boundary=poll`) and those that wait behind it, or those of an interval.
final class TransactionalAppender: Appender {
    private let producer: Producer
    private let topics: any TopicCreator
    private let offsets: any SourceOffsetStore
    private let makeClient: @Sendable () throws -> KafkaProducer
    private let queue = TransactionQueue()

    init(_ producer: Producer, topics: any TopicCreator, offsets: any SourceOffsetStore, _ makeClient: @escaping @Sendable () throws -> KafkaProducer) {
        self.producer = producer
        self.topics = topics
        self.offsets = offsets
        self.makeClient = makeClient
    }

    deinit { queue.finish() }

    func prepare() async throws {
        let client = try makeClient(), writer = try TransactionWriter(producer, client, topics, offsets)
        do {
            try await client.initTransactions()
        } catch {
            await client.close()
            throw error
        }
        queue.attach(client)
        // It ends with this object, or with the first transaction that cannot be done again.
        Task { [queue] in
            let thread = ThreadExecutor("kafka-transactions")
            await withTaskExecutorPreference(thread) { await writer.run(queue) }
            thread.stop()
        }
    }

    var canBeReplaced: Bool { false }

    func append(_ frame: Frame) -> PendingAppend { queue.append(frame) }

    /// The unit's rows went out when they were staged; what is left is the position.
    func publish(unit: String, at position: SourcePosition) -> PendingAppend { append(Frame([], at: position)) }

    func fence() { queue.fail(ConnectorError("runtime.fenced", .stop, "The task was stopped and may write no more")) }
}

/// Frames on their way into a transaction.
private final class TransactionQueue: Sendable {
    struct Job: Sendable {
        let frame: Frame
        let answer = PendingAppend()
    }
    private struct State {
        var jobs: [Job] = []
        var failure: (any Error)?
        var client: KafkaProducer?
    }
    private let state = Mutex(State())
    let wakes: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation

    init() { (wakes, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

    /// Why nothing more is taken, if so.
    var failure: (any Error)? { state.withLock { $0.failure } }

    func attach(_ client: KafkaProducer) { state.withLock { $0.client = client } }
    func finish() { wake.finish() }

    func append(_ frame: Frame) -> PendingAppend {
        let job = Job(frame: frame)
        let failure = state.withLock { state -> (any Error)? in
            if state.failure == nil { state.jobs.append(job) }
            return state.failure
        }
        if let failure { job.answer.resolve(.failure(failure)) } else { wake.yield() }
        return job.answer
    }

    /// The first failure is everybody's from then on; what is under way is given up.
    func fail(_ error: any Error) {
        let (jobs, client) = state.withLock { state in
            if state.failure == nil { state.failure = error }
            defer { state.jobs = [] }
            return (state.jobs, state.client)
        }
        for job in jobs { job.answer.resolve(.failure(error)) }
        client?.abandon()
        wake.finish()
    }

    func take(_ limit: Int) -> [Job] {
        state.withLock { state in
            let taken = Array(state.jobs.prefix(limit))
            state.jobs.removeFirst(taken.count)
            return taken
        }
    }
}

/// One transaction after the other, on one client.
private struct TransactionWriter: Sendable {
    let producer: Producer
    private let client: KafkaProducer
    private let topics: any TopicCreator
    private let offsets: any SourceOffsetStore
    private let rendering: KafkaRendering
    /// nil: a transaction a frame.
    let interval: Duration?

    init(_ producer: Producer, _ client: KafkaProducer, _ topics: any TopicCreator, _ offsets: any SourceOffsetStore) throws {
        self.producer = producer
        self.client = client
        self.topics = topics
        self.offsets = offsets
        rendering = try KafkaRendering(producer.rendering)
        let isInterval = producer.config["transaction.boundary"]?.trimmingSpaces().lowercased() == "interval"
        interval =
            isInterval ? .milliseconds(producer.config["transaction.boundary.interval.ms"].flatMap { Int64($0.trimmingSpaces()) } ?? 60_000) : nil
    }

    /// A sender of many frames waits after so many without an answer, so an interval ends there at the latest.
    private static let framesAtOnce = 3

    func run(_ queue: TransactionQueue) async {
        for await _ in queue.wakes {
            while true {
                var jobs = queue.take(Self.framesAtOnce)
                if jobs.isEmpty { break }
                if let interval { jobs += await gather(queue, interval, Self.framesAtOnce - jobs.count) }
                do {
                    try await write(jobs.map(\.frame), queue)
                    for job in jobs { job.answer.resolve(.success(())) }
                } catch {
                    queue.fail(error)
                    for job in jobs { job.answer.resolve(.failure(queue.failure ?? error)) }
                }
            }
        }
        await client.close()
    }

    private func gather(_ queue: TransactionQueue, _ interval: Duration, _ limit: Int) async -> [TransactionQueue.Job] {
        let deadline = ContinuousClock.now + interval
        var jobs: [TransactionQueue.Job] = []
        while jobs.count < limit, ContinuousClock.now < deadline, queue.failure == nil {
            let more = queue.take(limit - jobs.count)
            jobs += more
            if more.isEmpty { try? await Task.sleep(for: .milliseconds(10)) }
        }
        return jobs
    }

    /// Returns when the transaction is committed. What the broker wants aborted is aborted and done again.
    private func write(_ frames: [Frame], _ queue: TransactionQueue) async throws {
        while true {
            do {
                if let failure = queue.failure { throw failure }
                try await client.beginTransaction()
                try await send(frames, queue)
                return try await commit(queue)
            } catch let error as ConnectorError where error.code == KafkaError.abortable {
                try await client.abortTransaction()
            } catch {
                try? await client.abortTransaction(timeout: .seconds(5))
                throw error
            }
        }
    }

    private func send(_ frames: [Frame], _ queue: TransactionQueue) async throws {
        for frame in frames {
            for batch in frame.batches where batch.count > 0 {
                if let failure = queue.failure { throw failure }
                try await topics.ensure(batch.topic, config: producer.config)
                // A piece that is refused makes the commit fail with its reason.
                try await rendering.forEachPiece(of: batch, rejected: frame.rejected) { piece in client.produce(piece) { _ in } }
            }
        }
        var last: [SourcePosition] = []
        for position in frames.compactMap(\.position) {
            last.removeAll { $0.partition == position.partition }
            last.append(position)
        }
        try await client.send(try last.compactMap { try offsets.record($0, by: producer) })
    }

    /// A time-out says nothing of the transaction: the same commit is asked for again.
    private func commit(_ queue: TransactionQueue) async throws {
        while true {
            do {
                return try await client.commitTransaction(timeout: .seconds(30))
            } catch let error as ConnectorError where error.disposition == .retry && error.code != KafkaError.abortable {
                if let failure = queue.failure { throw failure }
            }
        }
    }
}
