import ConnectAPI

/// What snapshots tell about themselves (`notification.enabled.channels`): records of a topic, lines of the log, or both.
struct Notifications: Sendable {
    private let topic: String?
    private let logs: Bool
    private let connector: String
    private let records: ControlRecords
    private let log: Logger

    init(_ configuration: PostgresConfiguration, _ context: TaskContext) {
        let channels = (configuration.notificationEnabledChannels ?? []).map { $0.lowercased() }
        topic = channels.contains("sink") ? configuration.notificationSinkTopicName : nil
        logs = channels.contains("log")
        connector = configuration.topicPrefix ?? context.connector
        records = ControlRecords(source: configuration.sourceIdentity, conversion: configuration.valueConversion)
        log = context.log
    }

    enum Aggregate: String { case initial = "Initial Snapshot", incremental = "Incremental Snapshot" }

    /// The record to emit, if the sink channel is on.
    func notify(_ aggregate: Aggregate, _ type: String, id: String, _ data: [(String, String)] = []) -> RecordBatch? {
        guard topic != nil || logs else { return nil }
        let all = [("connector_name", connector)] + data, now = WallClock.nanoseconds
        if logs {
            log.info("\(aggregate.rawValue) \(id): \(type) " + all.map { "\($0.0)=\($0.1)" }.joined(separator: ", "))
        }
        return topic.map { records.notification(topic: $0, id: id, aggregate: aggregate.rawValue, type: type, data: all, nowNanos: now) }
    }

    /// A random identifier, as notifications of an initial snapshot and chunks have one.
    static func randomID() -> String {
        var bytes = (0..<16).map { _ in UInt8.random(in: 0...255) }
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        return UUIDText.string(bytes)
    }
}
