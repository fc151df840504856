import CSQLite
import ConnectAPI

/// The one thread that writes: gathers what is queued, commits it as a group, answers, and does a little housekeeping when idle.
///
///     submit ─▶ queue ─▶ BEGIN, every job, COMMIT (one fsync) ─▶ index and cache ─▶ waiters and answers
///                          └─ any error: ROLLBACK, all of the group fail together
///
/// A job waits for nobody while the log is quiet. Under load, that is when more arrived during the last commit, the writer gathers for up
/// to `gatherTime` or `gatherBytes`: fewer, larger commits for a delay far below what a commit may take.
final class LogWriter: Sendable {
    struct Job: Sendable {
        /// Bytes to be written, for the size of a group.
        var bytes = 0
        /// Why the job must not run, asked when its turn comes; nil: it runs.
        var obstacle: @Sendable () -> (any Error)? = { nil }
        let apply: @Sendable (inout LogTransaction) throws -> Void
        /// Called on the writer's thread; must not block.
        let done: @Sendable (Result<Void, any Error>) -> Void
    }

    /// Nanoseconds.
    private static let gatherTime: Int64 = 2_000_000
    private static let gatherBytes = 1 << 20
    /// A group is committed when it has this much, so that one commit stays short.
    private static let groupBytes = 8 << 20

    private struct Queue {
        var jobs: [Job] = []
        var bytes = 0
        var isStopping = false
        var ended: (@Sendable () -> Void)?

        mutating func takeGroup() -> [Job] {
            var n = 0, taken = 0
            while n < jobs.count, n == 0 || taken + jobs[n].bytes <= LogWriter.groupBytes {
                taken += jobs[n].bytes
                n += 1
            }
            bytes -= taken
            defer { jobs.removeSubrange(0..<n) }
            return Array(jobs[0..<n])
        }
    }
    private let queue = Monitor(Queue())

    private let opening = PendingAppend()

    /// Starts the thread and opens the database on it; see `opened()`. `committed` runs on the thread after each commit and before the
    /// answers.
    init(
        _ index: LogIndex, checkpointer: Checkpointer, open: @escaping @Sendable () throws -> sending Database,
        committed: @escaping @Sendable (LogTransaction) -> Void
    ) {
        startThread { [queue, opening] in
            do {
                var loop = Loop(db: try open(), index: index, queue: queue, checkpointer: checkpointer, committed: committed)
                opening.resolve(.success(()))
                loop.run()
            } catch {
                opening.resolve(.failure(error))
            }
        }
    }

    /// Returns when the database is open, throws why it is not; then the thread has ended.
    func opened() async throws { try await opening.durable() }

    /// Queues a job; the order of the calls is the order of the jobs.
    func submit(_ job: Job) {
        let accepted = queue.notify { queue in
            guard !queue.isStopping else { return false }
            queue.jobs.append(job)
            queue.bytes += job.bytes
            return true
        }
        if !accepted { job.done(.failure(ConnectorError("log.closed", .stop, "The log is closed"))) }
    }

    /// Runs a job and waits until it is durable. Not cancelled: a commit takes milliseconds.
    func write(bytes: Int = 0, _ apply: @escaping @Sendable (inout LogTransaction) throws -> Void) async throws {
        try await withCheckedThrowingContinuation { continuation in
            submit(Job(bytes: bytes, apply: apply, done: { continuation.resume(with: $0) }))
        }
    }

    /// Refuses further jobs, finishes those queued and ends the thread. To be called once.
    func stop() async {
        await withCheckedContinuation { continuation in
            queue.notify { queue in
                queue.isStopping = true
                queue.ended = { continuation.resume() }
            }
        }
    }
}

extension LogWriter {
    /// What the thread owns.
    private struct Loop {
        let db: Database
        let index: LogIndex
        let queue: Monitor<Queue>
        let checkpointer: Checkpointer
        let committed: @Sendable (LogTransaction) -> Void
        private let wal = WALObserver()
        private var housekeeping = Housekeeping()
        private var isBacklogged = false

        init(
            db: Database, index: LogIndex, queue: Monitor<Queue>, checkpointer: Checkpointer,
            committed: @escaping @Sendable (LogTransaction) -> Void
        ) {
            self.db = db
            self.index = index
            self.queue = queue
            self.checkpointer = checkpointer
            self.committed = committed
            db.onCommit(wal)
        }

        mutating func run() {
            while let group = next() {
                if !group.isEmpty { commit(group) }
                if group.isEmpty || housekeeping.isDue { housekeeping.step(db) }
                if checkpointer.walHolds(frames: wal.frames) { restartWAL() }
            }
            db.close()
            queue.withLock { $0.ended }?()
        }

        /// The next group; empty when there is time for housekeeping; nil at the end.
        private func next() -> [Job]? {
            enum Event { case jobs, quiet, end }
            let event = queue.wait { queue -> Event? in
                if !queue.jobs.isEmpty { return .jobs }
                if queue.isStopping { return .end }
                return housekeeping.hasWork ? .quiet : nil
            }
            switch event {
            case .end: return nil
            case .quiet: return []
            case .jobs:
                if isBacklogged {
                    queue.wait(until: monotonicNow + LogWriter.gatherTime) { $0.bytes >= LogWriter.gatherBytes || $0.isStopping }
                }
                return queue.withLock { $0.takeGroup() }
            }
        }

        private mutating func commit(_ group: [Job]) {
            let jobs = group.filter { job in
                guard let obstacle = job.obstacle() else { return true }
                job.done(.failure(obstacle))
                return false
            }
            guard !jobs.isEmpty else { return }
            var transaction = LogTransaction(db, index)
            let result: Result<Void, any Error>
            do {
                try db.run("BEGIN IMMEDIATE")
                for job in jobs { try job.apply(&transaction) }
                try transaction.writePartitions()
                // Invariant 2: every batch, position and offset of the group in this one commit.
                try db.run("COMMIT")
                committed(transaction)
                if transaction.leavesGarbage { housekeeping.garbageWasMade() }
                result = .success(())
            } catch {
                if db.isInTransaction { try? db.run("ROLLBACK") }
                result = .failure(error)
            }
            isBacklogged = queue.withLock { !$0.jobs.isEmpty }
            for job in jobs { job.done(result) }
        }

        private func restartWAL() {
            // A reader in the way or a failing disk is no reason to stop: commits go on, the next round tries again.
            _ = try? db.checkpoint(SQLITE_CHECKPOINT_RESTART, waiting: false)
        }
    }
}
