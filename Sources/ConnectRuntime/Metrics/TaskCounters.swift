import ConnectAPI
import Synchronization

/// What one run of one task has counted: updated once a batch, read when `/metrics` is asked for. Totals start anew with each restart of the
/// task, as Kafka Connect's do.
package final class TaskCounters: Sendable {
    package struct Values: Sendable {
        /// Records a source's task handed over, before transforms; records a sink read from the log.
        package var polled: Int64 = 0
        /// Records the log took from a source, or a sink's task took, after transforms.
        package var written: Int64 = 0
        package var writtenBytes: Int64 = 0
        /// Records on their way: emitted and not yet durable, or read and not yet committed.
        package var active: Int64 = 0
        package private(set) var activeMax: Int64 = 0
        package private(set) var actives = Average()
        package var batches = Average()
        /// Milliseconds of `emit` transforms, or of a sink's `write`.
        package var batchTime = Average()
        /// Milliseconds of offset commits, and how many failed.
        package var commitTime = Average()
        package var commitFailures: Int64 = 0
        package var commitSkips: Int64 = 0
        package var commitSequence: Int64 = 0
        package var partitions = 0
        /// Partitions a sink gave up since their bytes in the log are damaged.
        package var stoppedPartitions = 0
        /// Records in the log that a sink has not delivered, the age of the oldest of them in milliseconds, and about how many bytes they are.
        package var lagRecords: Int64 = 0
        package var lagMilliseconds: Int64 = 0
        package var lagBytes: Int64 = 0
        /// The records not delivered of the partition that has the most.
        package var lagRecordsMax: Int64 = 0
        /// Bytes a sink has read ahead, and how many it may.
        package var bufferBytes = 0
        package var bufferLimit = 0
        package var running = Stopwatch()
        package var failures: Int64 = 0
        package var errors: Int64 = 0
        package var skipped: Int64 = 0
        package var retries: Int64 = 0
        package var logged: Int64 = 0
        package var deadLetters: Int64 = 0
        package var deadLetterFailures: Int64 = 0
        package var lastError: Int64 = 0
        package init() {}

        /// More records are on their way.
        package mutating func activate(_ records: Int64) {
            active += records
            activeMax = max(activeMax, active)
            actives.record(Double(active))
        }
    }

    /// How much of a task's time it was let run.
    package struct Stopwatch: Sendable {
        private let began = ContinuousClock.now
        private var paused = Duration.zero
        private var pausedSince: ContinuousClock.Instant?

        package mutating func set(paused isPaused: Bool) {
            if isPaused, pausedSince == nil { pausedSince = .now }
            if !isPaused, let since = pausedSince {
                paused += since.duration(to: .now)
                pausedSince = nil
            }
        }

        /// Between 0 and 1.
        package var pauseRatio: Double {
            let all = began.duration(to: .now).milliseconds
            let waited = (paused + (pausedSince.map { $0.duration(to: .now) } ?? .zero)).milliseconds
            return all > 0 ? min(1, waited / all) : 0
        }
    }

    package struct Average: Sendable {
        package private(set) var count: Int64 = 0
        package private(set) var sum = 0.0
        package private(set) var maximum = 0.0
        package var average: Double { count == 0 ? 0 : sum / Double(count) }
        package mutating func record(_ value: Double) {
            count += 1
            sum += value
            maximum = max(maximum, value)
        }
    }

    private let values = Mutex(Values())
    package init() {}
    package var snapshot: Values { values.withLock { $0 } }
    package func update(_ change: (inout Values) -> Void) { values.withLock { change(&$0) } }
}

extension Duration {
    package var milliseconds: Double { Double(components.seconds) * 1e3 + Double(components.attoseconds) / 1e15 }
}

extension TaskCounters {
    /// A failure of a transform or converter that is tried again.
    func countRetry(of error: any Error, in wait: Duration, _ report: Logger) {
        update {
            $0.failures += 1
            $0.retries += 1
            $0.lastError = WallClock.milliseconds
        }
        let known = (error as? SinkConversion.Failure)?.underlying ?? error
        report.warn("A transform or converter failed and is tried again in \(Int(wait.milliseconds)) ms: \(Trace.message(of: known))")
    }
}
