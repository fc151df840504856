import ConnectAPI

/// What a connector wants done with a bad record: `errors.tolerance` and its company.
package struct ErrorTolerance: Sendable, Hashable {
    package let toleratesAll: Bool
    /// How long a retriable failure of one record is tried again; nil: without end.
    package let retryTimeout: Duration?
    package let retryDelayMaximum: Duration
    package let logs: Bool
    package let logsRecords: Bool
    /// Sinks only.
    package let deadLetterTopic: String?
    package let addsContextHeaders: Bool

    package init(_ config: [String: String]) {
        func flag(_ key: String) -> Bool { config[key].flatMap { Bool(configText: $0.trimmingSpaces()) } ?? false }
        func milliseconds(_ key: String, _ otherwise: Int64) -> Int64 { config[key].flatMap { Int64($0.trimmingSpaces()) } ?? otherwise }
        toleratesAll = config["errors.tolerance"]?.trimmingSpaces().lowercased() == "all"
        let timeout = milliseconds("errors.retry.timeout", 0)
        retryTimeout = timeout < 0 ? nil : .milliseconds(timeout)
        retryDelayMaximum = .milliseconds(milliseconds("errors.retry.delay.max.ms", 60_000))
        logs = flag("errors.log.enable")
        logsRecords = flag("errors.log.include.messages")
        let topic = config["errors.deadletterqueue.topic.name"]?.trimmingSpaces() ?? ""
        deadLetterTopic = topic.isEmpty ? nil : topic
        addsContextHeaders = flag("errors.deadletterqueue.context.headers.enable")
    }
}

/// Where in the data path a record failed, in Kafka Connect's words.
package enum FailureStage: String, Sendable {
    case transformation = "TRANSFORMATION", keyConverter = "KEY_CONVERTER", valueConverter = "VALUE_CONVERTER", taskPut = "TASK_PUT"
}

/// A record that could not be taken on, for the log, the dead letter queue and the trace.
package struct FailedRecord: Sendable {
    package let stage: FailureStage
    package let className: String
    package let error: any Error
    package let topic: String
    package let partition: Int32?
    package let offset: Int64?

    package init(stage: FailureStage, className: String, error: any Error, topic: String, partition: Int32? = nil, offset: Int64? = nil) {
        self.stage = stage
        self.className = className
        self.error = error
        self.topic = topic
        self.partition = partition
        self.offset = offset
    }

    /// Kafka Connect's sentence, without the record.
    package func sentence(task: String, isSink: Bool) -> String {
        let place = isSink ? ", where consumed record is {topic='\(topic)', partition=\(partition ?? 0), offset=\(offset ?? 0)}" : ""
        return "Error encountered in task \(task). Executing stage '\(stage.rawValue)' with class '\(className)'\(place)."
    }
}

/// A bad record that is not tolerated: the task fails with it.
package struct ToleranceExceeded: Error {
    package let record: FailedRecord
}

/// Runs transforms over batches and finds the rows that fail, by halves: since batch boundaries carry no meaning, the rows left give the
/// same result in smaller batches.
struct TransformStage: Sendable {
    let apply: @Sendable (TransformedBatch) throws -> [TransformedBatch]

    /// `onFailure` is told each row that fails, with its place in the batch; it throws when the record is not tolerated.
    func run(_ batch: TransformedBatch, onFailure: (_ row: Int, any Error) async throws -> Void) async throws -> [TransformedBatch] {
        do {
            return try apply(batch)
        } catch {
            return try await halves(of: batch, rows: 0..<batch.batch.count, failed: error, onFailure)
        }
    }

    private func halves(
        of batch: TransformedBatch, rows: Range<Int>, failed error: any Error, _ onFailure: (Int, any Error) async throws -> Void
    ) async throws -> [TransformedBatch] {
        guard rows.count > 1 else {
            if let row = rows.first { try await onFailure(row, error) }
            return []
        }
        let middle = rows.lowerBound + rows.count / 2
        var out: [TransformedBatch] = []
        for half in [rows.lowerBound..<middle, middle..<rows.upperBound] {
            var part = TransformedBatch(batch.batch.slice(half), partition: batch.partition)
            part.firstOffset = batch.firstOffset.map { $0 + Int64(half.lowerBound) }
            do {
                for var result in try apply(part) {
                    result.origins = (result.origins ?? Array(0..<result.batch.count)).map { $0 + half.lowerBound }
                    out.append(result)
                }
            } catch {
                out += try await halves(of: batch, rows: half, failed: error, onFailure)
            }
        }
        return out
    }
}
