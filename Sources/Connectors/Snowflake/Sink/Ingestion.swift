import ConnectAPI

/// How records get into tables: files and COPY, files and Snowpipe, or channels.
protocol Ingestion {
    mutating func open(_ partitions: [TopicPartition]) async throws
    mutating func write(_ batch: ConsumedBatch) async throws
    mutating func flush(_ reason: FlushReason) async throws -> [TopicPartition: Int64]
    /// The log has these offsets.
    mutating func committed(_ offsets: [TopicPartition: Int64]) async
    mutating func close(_ partitions: [TopicPartition]) async
}
