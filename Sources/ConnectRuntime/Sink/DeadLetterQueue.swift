import ConnectAPI

/// Writes records a sink cannot take to `errors.deadletterqueue.topic.name`: key, value and headers as bytes, which is what Kafka holds of the
/// record or the source's converters render of it, and the reason as headers when asked for. One owner: the sink's reader and main loop take turns.
actor DeadLetterQueue {
    private let log: any Log
    private let topic: String
    private let addsContext: Bool
    private let producer: Producer
    private let services: TaskServices
    /// The sink's own converters, which have credentials.
    private let own: Rendering
    private var appender: (any Appender)?
    private var converters: [Rendering.Converter: any Converter] = [:]

    init(topic: String, assignment: TaskAssignment, services: TaskServices) {
        log = services.log
        self.topic = topic
        addsContext = ErrorTolerance(assignment.config).addsContextHeaders
        self.services = services
        own = services.worker.rendering(for: assignment.config)
        // One partition, as Kafka Connect makes it.
        var config = assignment.config.filter { $0.key.hasPrefix("producer.override.") || $0.key.hasPrefix("admin.override.") }
        config["topic.creation.default.partitions"] = "1"
        config["topic.creation.default.replication.factor"] = assignment.config["errors.deadletterqueue.topic.replication.factor"] ?? "3"
        producer = Producer(connector: assignment.connector, task: assignment.task, rendering: .bytes, config: config)
    }

    /// Durable when it returns.
    func send(_ record: FailedRecord, row: Int, of stored: StoredBatch) async throws {
        let batch = try await letter(record, row: row, of: stored)
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

    private func converter(_ of: Rendering.Converter, isKey: Bool) throws -> any Converter {
        var of = of.credentialed(by: isKey ? own.key : own.value)
        if isKey { of = .init(of.className, of.settings.merging(["converter.type": "key"]) { $1 }) }
        if let made = converters[of] { return made }
        let made = try services.converter(of.className, of.settings, isKey)
        converters[of] = made
        return made
    }

    private func letter(_ record: FailedRecord, row: Int, of stored: StoredBatch) async throws -> RecordBatch {
        let one = stored.batch.slice(row..<row + 1)
        let keys = try converter(stored.rendering.key, isKey: true), values = try converter(stored.rendering.value, isKey: false)
        let key = try await Lookup.resolving { try keys.render(one.key, count: 1, nullSchemaRows: nil, topic: one.topic) }
        let header = try converter(stored.rendering.header, isKey: false), given = RecordHeaders(one.headers, header)
        let value = try await Lookup.resolving {
            try values.render(one.value, count: 1, nullSchemaRows: one.tombstones, topic: one.topic, headers: given)
        }
        func column(_ rows: RenderedRows) -> Column? {
            rows.bytes(0).map { .constant(.bytes(Array($0)), Self.bytesSchema, count: 1) }
        }
        var headers = try one.headers.filter { $0.present.map { $0[0] } ?? true }.map { original in
            let rows = try header.render(original.values, count: 1, nullSchemaRows: nil, topic: one.topic)
            return HeaderColumn(original.name, column(rows) ?? .constant(.null, Self.bytesSchema, count: 1))
        }
        if addsContext {
            headers += context(record).map { HeaderColumn("__connect.errors.\($0)", .constant(.bytes(Array($1.utf8)), Self.bytesSchema, count: 1)) }
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
