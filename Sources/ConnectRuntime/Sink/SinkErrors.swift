import ConnectAPI

/// What becomes of a sink's bad records: dead letter queue, log line, counters, and the task's failure when nothing is tolerated.
struct SinkErrors: Sendable {
    let tolerance: ErrorTolerance
    let letters: DeadLetterQueue?
    let counters: TaskCounters
    let task: String
    let report: Logger

    init(_ assignment: TaskAssignment, _ services: TaskServices, _ counters: TaskCounters, _ report: Logger) {
        tolerance = ErrorTolerance(assignment.config)
        letters = tolerance.deadLetterTopic.map {
            DeadLetterQueue(topic: $0, assignment: assignment, services: services)
        }
        self.counters = counters
        self.report = report
        task = assignment.name
    }

    /// Invariant 6: a record is delivered, or counted and reported. Reporters run also when the task is about to fail.
    func handle(_ record: FailedRecord, row: Int, of stored: StoredBatch) async throws {
        let tolerated = tolerance.toleratesAll
        counters.update {
            $0.failures += 1
            $0.lastError = WallClock.milliseconds
            if tolerated { $0.skipped += 1 } else { $0.errors += 1 }
            if tolerance.logs { $0.logged += 1 }
        }
        if tolerance.logs { report.error("\(record.sentence(task: task, isSink: true)) \(Trace.message(of: record.error))") }
        if let letters {
            counters.update { $0.deadLetters += 1 }
            do {
                try await letters.send(record, row: row, of: stored)
            } catch {
                counters.update { $0.deadLetterFailures += 1 }
                report.error(
                    "Could not write \(record.topic)-\(record.partition ?? 0)@\(record.offset ?? 0) to the dead letter queue: \(Trace.message(of: error))")
            }
        }
        if !tolerated { throw ToleranceExceeded(record: record) }
    }
}
