import ConnectAPI

/// Writes records a sink cannot take to `errors.deadletterqueue.topic.name`: key, value and headers as the source's converters render
/// them, which is what a broker would hold, and the reason as headers when asked for. One owner: the sink's reader and main loop take turns.
actor DeadLetterQueue {
    private let log: any Log
    private let topic: String
    private let addsContext: Bool
    private let producer: Producer
    private let services: TaskServices
    private var appender: (any Appender)?

    init(topic: String, addsContext: Bool, connector: String, task: Int, services: TaskServices) {
        log = services.log
        self.topic = topic
        self.addsContext = addsContext
        self.services = services
        let bytes = Rendering.Converter("org.apache.kafka.connect.converters.ByteArrayConverter")
        producer = Producer(
            connector: connector, task: task,
            rendering: Rendering(key: bytes, value: bytes, header: .init("org.apache.kafka.connect.storage.SimpleHeaderConverter")))
    }

    /// Durable when it returns.
    func send(_ record: FailedRecord, row: Int, of stored: StoredBatch) async throws {
        let batch = try letter(record, row: row, of: stored)
        let appender = self.appender ?? log.appender(for: producer)
        self.appender = appender
        do {
            try await appender.append(Frame([batch], at: nil)).durable()
        } catch {
            // A failed appender takes nothing more.
            self.appender = nil
            throw error
        }
    }

    private static let bytesSchema = Schema(.bytes, optional: true)
    private static let textSchema = Schema(.string)

    private func letter(_ record: FailedRecord, row: Int, of stored: StoredBatch) throws -> RecordBatch {
        let one = stored.batch.slice(row..<row + 1)
        let key = try services.converter(stored.rendering.key.className, stored.rendering.key.settings, true)
            .render(one.key, count: 1, nullSchemaRows: nil, topic: one.topic)
        let value = try services.converter(stored.rendering.value.className, stored.rendering.value.settings, false)
            .render(one.value, count: 1, nullSchemaRows: one.tombstones, topic: one.topic)
        func column(_ rows: RenderedRows) -> Column? {
            rows.bytes(0).map { .constant(.bytes(Array($0)), Self.bytesSchema, count: 1) }
        }
        var headers = one.headers
        if addsContext {
            headers += context(record).map { HeaderColumn("__connect.errors.\($0)", .constant(.string($1), Self.textSchema, count: 1)) }
        }
        return RecordBatch(
            topic: topic, count: 1, key: column(key), value: column(value), timestamps: one.timestamps, headers: headers)
    }

    private func context(_ record: FailedRecord) -> [(String, String)] {
        let exceeded = record.error
        return [
            ("topic", record.topic), ("partition", String(record.partition ?? 0)), ("offset", String(record.offset ?? 0)),
            ("connector.name", producer.connector), ("task.id", String(producer.task)), ("stage", record.stage.rawValue),
            ("class.name", record.className), ("exception.class.name", Trace.dataException), ("exception.message", Trace.message(of: exceeded)),
            ("exception.stacktrace", Trace.text(exceeded)),
        ]
    }
}
