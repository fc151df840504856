import ConnectAPI
import CSV
import Synchronization

/// Rows that are no records: counted, and sent to the dead letter topic where there is one, in the frame of the rows around them.
struct RejectedRows: Sendable {
    let areTolerated: Bool
    private let topic: String
    private let deadLetterTopic: String
    private let logs: Bool
    private let connector: String
    private let task: Int
    private let log: Logger
    private let metrics: any MetricSink
    private let counts = Counts()

    private final class Counts: Sendable {
        let files = Mutex<[String: (count: Int, line: Int64, reason: CSVRowError)]>([:])
    }

    init(_ configuration: CSVSourceConfiguration, _ context: TaskContext) {
        areTolerated = configuration.tolerance.lowercased() == "all"
        topic = configuration.topic
        deadLetterTopic = configuration.deadLetterTopic
        logs = configuration.logsErrors
        connector = context.connector
        task = context.task
        log = context.log
        metrics = context.metrics
    }

    func error(_ row: CSVChunk.BadRow, _ path: String) -> ConnectorError {
        ConnectorError(
            "csv.bad_row", .stop, "\(path) line \(row.line): \(row.reason)",
            hint: "Correct the file or the declared columns, or set errors.tolerance=all and errors.deadletterqueue.topic.name")
    }

    /// Counts the rows; the batch for the dead letter topic, if there is one.
    func take(_ rows: ArraySlice<CSVChunk.BadRow>, _ path: String) -> RecordBatch? {
        guard let first = rows.first else { return nil }
        metrics.add("sluice_csv_rows_rejected_total", ["connector": connector, "task": String(task)], Double(rows.count))
        counts.files.withLock { files in
            files[path, default: (0, first.line, first.reason)].count += rows.count
        }
        if logs { for row in rows { log.error("\(path) line \(row.line): \(row.reason)") } }
        guard !deadLetterTopic.isEmpty else { return nil }
        let text = Schema(.string), number = Schema(.int64), count = rows.count
        func constant(_ name: String, _ value: String) -> HeaderColumn { HeaderColumn(name, .constant(.string(value), text, count: count)) }
        return RecordBatch(
            topic: deadLetterTopic, count: count, key: nil,
            value: Column(text, rows.map { .string(String(decoding: $0.bytes, as: UTF8.self)) }),
            timestamps: .constant(.integer(WallClock.milliseconds), RecordBatch.timestampSchema, count: count),
            headers: [
                constant("__connect.errors.topic", topic), constant("__connect.errors.connector.name", connector),
                constant("__connect.errors.task.id", String(task)),
                HeaderColumn("__connect.errors.exception.message", Column(text, rows.map { .string("\($0.reason)") })),
                constant("file.path", path), HeaderColumn("file.line", Column(number, rows.map { .integer($0.line) })),
                HeaderColumn("file.offset", Column(number, rows.map { .integer($0.row) })),
            ])
    }

    /// Says once a file what was left out.
    func summarize(_ path: String, _ log: Logger) {
        guard let left = counts.files.withLock({ $0.removeValue(forKey: path) }) else { return }
        let place = deadLetterTopic.isEmpty ? "dropped" : "sent to \(deadLetterTopic)"
        log.warn("\(left.count) rows of \(path) were \(place); the first at line \(left.line): \(left.reason)")
    }
}
