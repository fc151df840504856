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
        package var activeMax: Int64 = 0
        package var batches = Average()
        /// Milliseconds of `emit` transforms, or of a sink's `write`.
        package var batchTime = Average()
        /// Milliseconds of offset commits, and how many failed.
        package var commitTime = Average()
        package var commitFailures: Int64 = 0
        package var commitSkips: Int64 = 0
        package var commitSequence: Int64 = 0
        package var partitions = 0
        /// Records in the log that a sink has not delivered, the age of the oldest of them in milliseconds, and about how many bytes they are.
        package var lagRecords: Int64 = 0
        package var lagMilliseconds: Int64 = 0
        package var lagBytes: Int64 = 0
        package var failures: Int64 = 0
        package var errors: Int64 = 0
        package var skipped: Int64 = 0
        package var retries: Int64 = 0
        package var logged: Int64 = 0
        package var deadLetters: Int64 = 0
        package var deadLetterFailures: Int64 = 0
        package var lastError: Int64 = 0
        package init() {}
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
