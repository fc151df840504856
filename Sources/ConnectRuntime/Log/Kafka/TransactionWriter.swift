import ConnectAPI
import Kafka

/// One transaction after the other, on one client.
///
/// A unit's transaction stays open from its first rows to its position, but not longer than half of `transaction.timeout.ms`: then the broker would
/// soon abort it, so what is there is committed, and said. Frames in between do the same. Only then can a crash bring the unit's rows twice.
struct TransactionWriter: Sendable {
    private let producer: Producer
    private let client: KafkaProducer
    private let topics: any TopicCreator
    private let offsets: any SourceOffsetStore
    private let rendering: KafkaRendering
    /// nil: a transaction a frame.
    private let interval: Duration?
    private let report = Logger("sluice.kafka")

    /// The unit whose transaction is open.
    private struct OpenUnit {
        let name: String
        let end: ContinuousClock.Instant
        /// Wakes the writer at the end.
        let alarm: Task<Void, Never>
    }
    private var unit: OpenUnit?

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

    mutating func run(_ queue: TransactionQueue) async {
        for await _ in queue.wakes {
            do {
                if let unit, unit.end <= .now { try await cut(Self.tooLong, queue) }
            } catch {
                queue.fail(error)
            }
            while true {
                var jobs = queue.takeFrames(Self.framesAtOnce)
                if !jobs.isEmpty, let interval { jobs += await gather(queue, interval, Self.framesAtOnce - jobs.count) }
                if jobs.isEmpty, let job = queue.takeOne() { jobs = [job] }
                if jobs.isEmpty { break }
                do {
                    try await perform(jobs, queue)
                    for job in jobs { job.answer.resolve(.success(())) }
                } catch {
                    queue.fail(error)
                    for job in jobs { job.answer.resolve(.failure(queue.failure ?? error)) }
                }
            }
        }
        await abandonUnit()
        await client.close()
    }

    private func gather(_ queue: TransactionQueue, _ interval: Duration, _ limit: Int) async -> [TransactionQueue.Job] {
        let deadline = ContinuousClock.now + interval
        var jobs: [TransactionQueue.Job] = []
        while jobs.count < limit, ContinuousClock.now < deadline, queue.failure == nil {
            let more = queue.takeFrames(limit - jobs.count)
            jobs += more
            if more.isEmpty { try? await Task.sleep(for: .milliseconds(10)) }
        }
        return jobs
    }

    private mutating func perform(_ jobs: [TransactionQueue.Job], _ queue: TransactionQueue) async throws {
        switch jobs[0].work {
        case .frame:
            if unit != nil { try await cut("is interrupted by other records", queue) }
            try await write(jobs.compactMap(\.frame), queue)
        case .staged(let frame, let name):
            if let unit, unit.name != name { try await cut("is interrupted by \(name)", queue) }
            try await stage(frame, name, queue)
        case .published(let name, let position):
            if let unit, unit.name != name { try await cut("is interrupted by \(name)", queue) }
            guard unit != nil else { return try await write([Frame([], at: position)], queue) }
            try await close(queue, at: position)
        }
    }

    // MARK: Frames

    /// Returns when the transaction is committed. What the broker wants aborted is aborted and done again.
    private func write(_ frames: [Frame], _ queue: TransactionQueue) async throws {
        while true {
            do {
                if let failure = queue.failure { throw failure }
                try await client.beginTransaction()
                try await deliver(frames, queue)
                return try await commit(queue)
            } catch let error as ConnectorError where error.code == KafkaError.abortable {
                try await client.abortTransaction()
                if let reason = Self.permanent(error) { throw reason }
                try? await Task.sleep(for: .milliseconds(100))
            } catch {
                try? await client.abortTransaction(timeout: .seconds(5))
                throw error
            }
        }
    }

    /// Sends records and the last of the positions of each source partition; returns when brokers have all of them.
    ///
    /// A commit would not know of a record that the client itself refused, so every answer is waited for.
    private func deliver(_ frames: [Frame], _ queue: TransactionQueue) async throws {
        let answers = Answers()
        func produce(_ piece: KafkaBatch) {
            answers.expect()
            client.produce(piece) { answers.add($0) }
        }
        for frame in frames {
            for batch in frame.batches where batch.count > 0 {
                if let failure = queue.failure { throw failure }
                try await topics.ensure(batch.topic, config: producer.config)
                try await rendering.forEachPiece(of: batch, rejected: frame.rejected, produce)
            }
        }
        var last: [SourcePosition] = []
        for position in frames.compactMap(\.position) {
            last.removeAll { $0.partition == position.partition }
            last.append(position)
        }
        for position in last { if let record = try offsets.record(position, by: producer) { produce(KafkaBatch(record)) } }
        // Of a transaction that must be aborted nothing is sent any more, and nothing answered.
        while try await !client.flush(timeout: .seconds(5)) {
            if let failure = queue.failure { throw failure }
            try await client.checkTransaction()
        }
        do {
            try await answers.wait()
        } catch let error as ConnectorError {
            if Self.permanent(error) != nil { throw error }
            try await client.checkTransaction()
            throw ConnectorError(KafkaError.abortable, .retry, error.message, hint: error.hint, underlying: error)
        }
    }

    private func commit(_ queue: TransactionQueue) async throws {
        while true {
            do {
                return try await client.commitTransaction(timeout: .seconds(30))
            } catch let error as ConnectorError where error.disposition == .retry && error.code != KafkaError.abortable {
                // A time-out says nothing of the transaction: the same commit is asked for again.
                if let failure = queue.failure { throw failure }
            }
        }
    }

    /// What would be the same if it were done again: of the record or of a right that is missing.
    private static func permanent(_ error: ConnectorError) -> ConnectorError? {
        if KafkaError.permanent.contains(error.code) { return error }
        return (error.underlying as? ConnectorError).flatMap { KafkaError.permanent.contains($0.code) ? $0 : nil }
    }

    // MARK: Units

    private mutating func stage(_ frame: Frame, _ name: String, _ queue: TransactionQueue) async throws {
        if unit == nil {
            if let failure = queue.failure { throw failure }
            try await client.beginTransaction()
            let end = ContinuousClock.now + client.transactionTimeout / 2
            let alarm = Task {
                try? await Task.sleep(until: end)
                queue.wake()
            }
            unit = OpenUnit(name: name, end: end, alarm: alarm)
        }
        try await inUnit(queue) { writer in try await writer.deliver([frame], queue) }
        if let unit, unit.end <= .now { try await cut(Self.tooLong, queue) }
    }

    private mutating func close(_ queue: TransactionQueue, at position: SourcePosition?) async throws {
        try await inUnit(queue) { writer in
            try await writer.deliver([Frame([], at: position)], queue)
            try await writer.commit(queue)
        }
        unit?.alarm.cancel()
        unit = nil
    }

    private static let tooLong = "takes longer than half of transaction.timeout.ms"

    private mutating func cut(_ why: String, _ queue: TransactionQueue) async throws {
        guard let name = unit?.name else { return }
        report.warn(
            "Task \(producer.connector)-\(producer.task): part \(name) of the snapshot \(why) and is committed before its end; after a crash until then its rows come twice. producer.override.transaction.timeout.ms says how long it may take"
        )
        try await close(queue, at: nil)
    }

    /// What fails within a unit ends its transaction. The rows are not here any more to be sent again: the task reads them again.
    private mutating func inUnit(_ queue: TransactionQueue, _ body: (Self) async throws -> Void) async throws {
        do {
            try await body(self)
        } catch {
            await abandonUnit()
            if let failure = queue.failure { throw failure }
            throw (error as? ConnectorError).flatMap { Self.permanent($0) } ?? error
        }
    }

    private mutating func abandonUnit() async {
        guard let open = unit else { return }
        open.alarm.cancel()
        unit = nil
        try? await client.abortTransaction(timeout: .seconds(5))
    }
}
