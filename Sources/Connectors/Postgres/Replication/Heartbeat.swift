import ConnectAPI

/// `heartbeat.interval.ms`: a record in the heartbeat topic now and then, and a statement of the user's beside it.
struct Heartbeat {
    private let interval: Duration?
    private let topic: String
    private let query: String?
    private let records: ControlRecords
    private let parameters: ConnectionParameters
    private let log: Logger
    private var last = ContinuousClock.now
    private var connection: Connection?

    init(_ configuration: PostgresConfiguration, _ records: ControlRecords, _ parameters: ConnectionParameters, _ log: Logger) {
        interval = configuration.heartbeatIntervalMilliseconds > 0 ? .milliseconds(configuration.heartbeatIntervalMilliseconds) : nil
        topic = configuration.topicHeartbeatName ?? configuration.topic(configuration.heartbeatTopicsPrefix, configuration.topicPrefix ?? "")
        query = configuration.heartbeatActionQuery
        self.records = records
        self.parameters = parameters
        self.log = log
    }

    /// The record to emit, once the interval has passed. A failing statement is logged; it stops the task only when its table or the
    /// right to it is missing.
    mutating func due() async throws -> RecordBatch? {
        guard let interval, last.duration(to: .now) >= interval else { return nil }
        last = .now
        if let query { try await run(query) }
        return records.heartbeat(topic: topic, nowNanos: WallClock.nanoseconds)
    }

    private mutating func run(_ query: String) async throws {
        do {
            if connection == nil { connection = try await Connection.open(parameters) }
            try await connection?.raw(query)
        } catch let error as ServerError {
            connection = nil
            if ["42P01", "42501", "57P01"].contains(error.sqlState) { throw error.connectorError("Running heartbeat.action.query", parameters) }
            log.warn("heartbeat.action.query failed: \(error.message) (SQLSTATE \(error.sqlState))")
        }
    }
}
