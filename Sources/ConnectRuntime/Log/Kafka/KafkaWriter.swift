import ConnectAPI
import Kafka
import Synchronization

/// One producer's records on their way into Kafka.
///
///     submit ─▶ jobs ─▶ send: topics, converters, produce ─▶ librdkafka ─▶ acknowledged ─┐
///                                                                                        ▼
///                       confirm, in the order of the jobs: positions of all that is acknowledged in one write ─▶ answers
///
/// Why it holds: `send` gives records to one producer in the order they came (Invariant 3). `confirm` goes through the jobs in that same
/// order and stops at the first that is not acknowledged, so a position is never written before the records before it (Invariant 2). What fails takes
/// everything of its epoch with it, and the next epoch begins when nothing of the last is under way.
final class KafkaWriter: Sendable {
    struct Job: Sendable {
        let epoch: UInt64
        let frame: Frame
        /// Resolved when the records are acknowledged, or with why not.
        let acknowledged = PendingAppend()
        let answer = PendingAppend()
    }

    private struct State {
        var epoch: UInt64 = 0
        /// The last epoch that failed, and why.
        var failed: (epoch: UInt64, error: any Error)?
    }

    let producer: Producer
    private let client: KafkaProducer
    private let rendering: KafkaRendering
    private let topics: any TopicCreator
    private let offsets: any SourceOffsetStore
    private let state = Mutex(State())
    private let toSend = JobQueue()
    private let toConfirm = JobQueue()
    private let thread: ThreadExecutor

    init(_ producer: Producer, client: KafkaProducer, topics: any TopicCreator, offsets: any SourceOffsetStore) throws {
        self.producer = producer
        self.client = client
        self.topics = topics
        self.offsets = offsets
        rendering = try KafkaRendering(producer.rendering)
        thread = ThreadExecutor("kafka-writer")
    }

    deinit { thread.stop() }

    // MARK: The appenders' side

    /// A new epoch: what failed before does not concern it.
    func open() -> UInt64 {
        state.withLock { state in
            state.epoch += 1
            return state.epoch
        }
    }

    func submit(_ frame: Frame, epoch: UInt64) -> PendingAppend {
        let job = Job(epoch: epoch, frame: frame)
        // Both queues get the jobs in the same order.
        let accepted = state.withLock { _ in toSend.push(job) && toConfirm.push(job) }
        if !accepted { job.answer.resolve(.failure(ConnectorError("log.closed", .stop, "The log is closed"))) }
        return job.answer
    }

    /// Nothing more of these epochs reaches Kafka; what is under way is given up.
    func fail(through epoch: UInt64, _ error: any Error) {
        let isNew = state.withLock { state in
            if let failed = state.failed, failed.epoch >= epoch { return false }
            state.failed = (epoch, error)
            return true
        }
        if isNew { client.abandon() }
    }

    func finish() {
        toSend.finish()
        toConfirm.finish()
    }

    // MARK: The threads' side

    /// Sends and confirms until `finish`, and what was submitted before; with `abandoning` what is under way then is given up.
    func run() async {
        await withTaskGroup { group in
            group.addTask(executorPreference: self.thread) { await self.send() }
            group.addTask { await self.confirm() }
        }
        await client.close()
    }

    private func failure(_ epoch: UInt64) -> (any Error)? {
        state.withLock { $0.failed.flatMap { $0.epoch >= epoch ? $0.error : nil } }
    }

    private func send() async {
        var epoch: UInt64 = 0
        while let job = await toSend.next() {
            if job.epoch != epoch {
                // What the last epoch left under way is settled first, so that nothing of it comes after what is sent now.
                while client.bytesUnderWay > 0, failure(epoch) != nil { try? await Task.sleep(for: .milliseconds(5)) }
                epoch = job.epoch
            }
            do {
                if let failure = failure(epoch) { throw failure }
                try await send(job)
            } catch {
                fail(through: epoch, error)
                job.acknowledged.resolve(.failure(error))
            }
        }
    }

    private func send(_ job: Job) async throws {
        let parts = Parts { job.acknowledged.resolve($0) }
        for batch in job.frame.batches where batch.count > 0 {
            try await topics.ensure(batch.topic, config: producer.config)
            try await rendering.forEachPiece(of: batch, resolve: { try await resolve($0, job.epoch) }, rejected: job.frame.rejected) { piece in
                if let failure = failure(job.epoch) { throw failure }
                parts.open()
                client.produce(piece) { [self] result in
                    if case .failure(let error) = result { fail(through: job.epoch, error) }
                    parts.settle(result)
                }
            }
        }
        // Invariant 2: only here, for a job of which something could not be sent is acknowledged by nobody but the error.
        parts.close()
    }

    /// Ends with the epoch, too: a registry that does not answer must not hold up a stop.
    private func resolve(_ lookup: Lookup, _ epoch: UInt64) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await lookup.resolve() }
            group.addTask {
                while true {
                    if let failure = self.failure(epoch) { throw failure }
                    try await Task.sleep(for: .milliseconds(100))
                }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func confirm() async {
        while let first = await toConfirm.next() {
            var jobs = [first], failed: (any Error)?
            do {
                try await first.acknowledged.durable()
                // What was acknowledged meanwhile goes into the same write.
                while let next = toConfirm.peek(), next.acknowledged.isDone {
                    _ = toConfirm.take()
                    jobs.append(next)
                    try await next.acknowledged.durable()
                }
            } catch {
                failed = error
            }
            let good = failed == nil ? jobs : jobs.dropLast()
            do {
                if let first = good.first, let failure = failure(first.epoch) { throw failure }
                try await store(good.compactMap(\.frame.position))
                for job in good { job.answer.resolve(.success(())) }
            } catch {
                failed = failed ?? error
                for job in good {
                    fail(through: job.epoch, error)
                    job.answer.resolve(.failure(error))
                }
            }
            if let failed, let job = jobs.last, good.count < jobs.count {
                job.answer.resolve(.failure(failure(job.epoch) ?? failed))
            }
        }
    }

    /// The last position of each source partition.
    private func store(_ positions: [SourcePosition]) async throws {
        var last: [SourcePosition] = []
        for position in positions {
            if let i = last.firstIndex(where: { $0.partition == position.partition }) { last[i] = position } else { last.append(position) }
        }
        if !last.isEmpty { try await offsets.write(last, by: producer) }
    }

    /// Counts the pieces of a job; answers when it is closed and all that were sent are settled.
    private final class Parts: Sendable {
        private let state = Mutex<(open: Int, failure: ConnectorError?)>((1, nil))
        private let done: @Sendable (Result<Void, any Error>) -> Void
        init(_ done: @escaping @Sendable (Result<Void, any Error>) -> Void) { self.done = done }

        func open() { state.withLock { $0.open += 1 } }
        func settle(_ result: Result<Void, ConnectorError>) {
            let answer = state.withLock { state -> Result<Void, any Error>? in
                if case .failure(let error) = result, state.failure == nil { state.failure = error }
                state.open -= 1
                guard state.open == 0 else { return nil }
                return state.failure.map { .failure($0) } ?? .success(())
            }
            if let answer { done(answer) }
        }
        func close() { settle(.success(())) }
    }
}

/// Jobs in order, for one task that takes them.
private final class JobQueue: Sendable {
    private struct State {
        var jobs: [KafkaWriter.Job] = []
        var head = 0
        var finished = false
        var waiter: CheckedContinuation<Void, Never>?

        mutating func take() -> KafkaWriter.Job? {
            guard head < jobs.count else { return nil }
            let job = jobs[head]
            head += 1
            if head == jobs.count || head > 64 {
                jobs.removeFirst(head)
                head = 0
            }
            return job
        }
    }
    private let state = Mutex(State())

    func push(_ job: KafkaWriter.Job) -> Bool {
        let (accepted, waiter) = state.withLock { state -> (Bool, CheckedContinuation<Void, Never>?) in
            if state.finished { return (false, nil) }
            state.jobs.append(job)
            defer { state.waiter = nil }
            return (true, state.waiter)
        }
        waiter?.resume()
        return accepted
    }

    func finish() {
        state.withLock { state in
            state.finished = true
            defer { state.waiter = nil }
            return state.waiter
        }?.resume()
    }

    func peek() -> KafkaWriter.Job? { state.withLock { $0.head < $0.jobs.count ? $0.jobs[$0.head] : nil } }
    func take() -> KafkaWriter.Job? { state.withLock { $0.take() } }

    /// nil: finished, and all were taken.
    func next() async -> KafkaWriter.Job? {
        while true {
            let (job, ended) = state.withLock { ($0.take(), $0.finished) }
            if let job { return job }
            if ended { return nil }
            await withCheckedContinuation { continuation in
                let now = state.withLock { state in
                    if state.head < state.jobs.count || state.finished { return true }
                    state.waiter = continuation
                    return false
                }
                if now { continuation.resume() }
            }
        }
    }
}
