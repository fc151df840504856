public import ConnectAPI

/// Kafka's quickstart source: every line of a file, or of standard input, is a STRING record with a null key.
///
///     file ─▶ LineReader (a thread) ─▶ bytes ─▶ LineSplitter ─▶ lines ─▶ one batch ─▶ emit at {"position": bytes read}
///
/// The file is followed as it grows. A last line without its end waits for it. The position counts bytes, so that a restart
/// resumes exactly after the last line that the log has; standard input has no position. Follows
/// `org.apache.kafka.connect.file.FileStreamSourceConnector` of Kafka 4.1.
public struct FileStreamSource: SourceConnector {
    public struct Configuration: ConnectConfiguration {
        @Field("file", importance: .high, doc: "The file to read; standard input when absent") var file: String?
        @Field("topic", importance: .high, doc: "The topic the lines go to", check: .nonEmpty) var topic: String
        @Field("batch.size", default: "2000", importance: .low, doc: "Lines a batch holds at most", check: .atLeast(1)) var batchSize: Int
        public init() {}
    }

    public static let info = ConnectorInfo(
        className: "org.apache.kafka.connect.file.FileStreamSourceConnector", version: "4.1.0",
        documentation: "Lines of a file, followed as it grows, or of standard input.")

    static let fileKey = "filename", positionKey = "position"

    private let file: String?
    private let topic: String
    private let batchSize: Int

    public init(_ configuration: Configuration) throws {
        file = configuration.file.flatMap { $0.isEmpty ? nil : $0 }
        topic = configuration.topic
        batchSize = configuration.batchSize
    }

    /// One file is one task.
    public func taskConfigurations(maxTasks: Int) async throws -> [[String: String]] {
        [["task.class": "org.apache.kafka.connect.file.FileStreamSourceTask"]]
    }

    public func makeTask(
        _ configuration: [String: String], resumingAt positions: [SourcePosition], _ context: TaskContext
    ) async throws -> sending FileStreamSourceTask {
        let position = positions.first { $0.partition[Self.fileKey]?.stringValue == file }?.offset[Self.positionKey]
        if let position, position.integerValue == nil {
            throw ConnectorError(
                "filestream.bad_position", .stop, "The stored offset of \(file ?? "standard input") has a position that is not an integer",
                hint: "Set it with PATCH /connectors/\(context.connector)/offsets")
        }
        return FileStreamSourceTask(file: file, topic: topic, batchSize: batchSize, position: position?.integerValue ?? 0, context)
    }

    public static var managesOffsetChanges: Bool { true }

    /// Kafka's rules, in its words. An empty offset removes a partition, whatever the partition looks like.
    public func validateOffsets(_ positions: [SourcePosition]) throws {
        func refuse(_ message: String) -> ConnectorError { ConnectorError("filestream.bad_offsets", .stop, message) }
        guard file != nil else {
            throw refuse(
                "Offsets cannot be modified if the 'file' configuration is unspecified. This is because stdin is used for input and offsets are not tracked.")
        }
        for position in positions where !position.offset.entries.isEmpty {
            guard let value = position.offset[Self.positionKey] else {
                throw refuse("Offset objects should either be null or contain the key 'position'")
            }
            guard let bytes = value.integerValue else {
                throw refuse("The value for the 'position' key in the offset is expected to be a Long value")
            }
            if bytes < 0 { throw refuse("The value for the 'position' key in the offset should be a non-negative value") }
            if position.partition.entries.isEmpty { throw refuse("Partition objects cannot be null") }
            if position.partition[Self.fileKey] == nil { throw refuse("Partition objects should contain the key 'filename'") }
        }
    }
}

public struct FileStreamSourceTask: SourceTask {
    private let file: String?
    private let topic: String
    private let batchSize: Int
    private let longestLine: Int
    private let log: Logger
    private var position: Int64

    init(file: String?, topic: String, batchSize: Int, position: Int64, _ context: TaskContext) {
        self.file = file
        self.topic = topic
        self.batchSize = batchSize
        self.position = position
        longestLine = context.memoryBudget / 2
        log = context.log
    }

    public mutating func run(_ output: any SourceOutput) async throws {
        let reader = LineReader(path: file)
        defer { reader.stop() }
        try await open(reader)
        var splitter = LineSplitter()
        while true {
            let bytes = try await reader.read()
            guard let bytes else {
                // Standard input has ended: nothing more will come, and the task rests until it is stopped.
                try await Task.sleep(for: .seconds(3600))
                continue
            }
            if bytes.isEmpty {
                try await Task.sleep(for: .milliseconds(200))
                continue
            }
            splitter.append(bytes)
            while let lines = splitter.next(atMost: batchSize) {
                position += Int64(lines.consumed)
                try await output.emit([batch(lines.texts)], at: sourcePosition)
            }
            if splitter.pendingCount > longestLine {
                throw ConnectorError(
                    "filestream.line_too_long", .stop,
                    "\(file ?? "standard input") has a line of more than \(longestLine) bytes at position \(position)",
                    hint: "Is it a text file?")
            }
        }
    }

    /// Waits for the file to exist, as Kafka's task does, and goes to where the last run ended.
    private func open(_ reader: LineReader) async throws {
        var hasSaidSo = false
        while try await !reader.open(at: position) {
            if !hasSaidSo { log.warn("Couldn't find file \(file ?? "") for FileStreamSourceTask, sleeping to wait for it to be created") }
            hasSaidSo = true
            try await Task.sleep(for: .seconds(1))
        }
    }

    private var sourcePosition: SourcePosition? {
        file.map {
            SourcePosition(partition: [FileStreamSource.fileKey: .string($0)], offset: [FileStreamSource.positionKey: .integer(position)])
        }
    }

    private static let lineSchema = Schema(.string)

    private func batch(_ lines: VarBytes) -> RecordBatch {
        RecordBatch(
            topic: topic, count: lines.count, key: nil, value: Column(Self.lineSchema, count: lines.count, .utf8(lines)),
            timestamps: .constant(.integer(WallClock.milliseconds), RecordBatch.timestampSchema, count: lines.count))
    }
}
