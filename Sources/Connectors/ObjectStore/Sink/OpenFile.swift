import ConnectAPI

/// A file that takes records.
struct OpenFile {
    let number: Int
    let start: Int64
    let startTimestamp: Int64
    /// Wall-clock milliseconds.
    let openedAt: Int64
    /// The last offset it covers, ignored null records included.
    private(set) var end: Int64
    /// Rows in it.
    private(set) var count = 0
    private(set) var schema: Schema?
    private var encoder: (any FileEncoder)?

    init(number: Int, start: Int64, startTimestamp: Int64, openedAt: Int64) {
        self.number = number
        self.start = start
        self.startTimestamp = startTimestamp
        self.openedAt = openedAt
        end = start
    }

    var bufferedBytes: Int { encoder?.bufferedBytes ?? 0 }
    var encodedBytes: Int { encoder?.encodedBytes ?? 0 }

    /// Takes rows that all have a value.
    mutating func append(_ values: Column, format: FileFormat) throws {
        var values = values
        if let schema, values.schema !== schema, !format.mixesSchemas { values = SchemaCompatibility.project(values, to: schema) }
        if encoder == nil {
            encoder = try format.encoder(for: values.schema)
            schema = values.schema
        }
        try encoder?.append(values)
        count += values.count
    }

    mutating func covers(_ offset: Int64) { end = max(end, offset) }

    /// Ends the file; nil when it holds no row.
    mutating func finish(_ lane: Lane.Identity, directory: String, connector: String, format: FileFormat) throws -> FinishedFile? {
        guard count > 0, var encoder else { return nil }
        let facts = FileFacts(start: start, end: end, count: count, connector: connector, startTimestamp: startTimestamp)
        let body = try encoder.finish(facts, topic: lane.topic, partition: lane.partition.partition)
        self.encoder = nil
        return FinishedFile(
            number: number, partition: lane.partition, topic: lane.topic, directory: directory, facts: facts, body: body,
            contentType: format.contentType)
    }
}
