import ConnectAPI

/// What a connector wants done with a bad record: `errors.tolerance` and its company.
package struct ErrorTolerance: Sendable, Hashable {
    package let toleratesAll: Bool
    /// For failures of transforms and converters that may pass.
    let retries: ErrorRetries
    package let logs: Bool
    package let logsRecords: Bool
    /// Of sinks, and of sources that send their own.
    package let deadLetterTopic: String?
    package let addsContextHeaders: Bool

    package init(_ config: [String: String]) {
        func flag(_ key: String) -> Bool { config[key].flatMap { Bool(configText: $0.trimmingSpaces()) } ?? false }
        func milliseconds(_ key: String, _ otherwise: Int64) -> Int64 { config[key].flatMap { Int64($0.trimmingSpaces()) } ?? otherwise }
        toleratesAll = config["errors.tolerance"]?.trimmingSpaces().lowercased() == "all"
        let timeout = milliseconds("errors.retry.timeout", 0)
        retries = ErrorRetries(
            timeout: timeout < 0 ? nil : .milliseconds(timeout), delayMaximum: .milliseconds(milliseconds("errors.retry.delay.max.ms", 60_000)))
        logs = flag("errors.log.enable")
        logsRecords = flag("errors.log.include.messages")
        let topic = config["errors.deadletterqueue.topic.name"]?.trimmingSpaces() ?? ""
        deadLetterTopic = topic.isEmpty ? nil : topic
        addsContextHeaders = flag("errors.deadletterqueue.context.headers.enable")
    }
}

/// Where in the data path a record failed, in Kafka Connect's words.
package enum FailureStage: String, Sendable {
    case transformation = "TRANSFORMATION", keyConverter = "KEY_CONVERTER", valueConverter = "VALUE_CONVERTER", headerConverter = "HEADER_CONVERTER", taskPut =
        "TASK_PUT"
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
