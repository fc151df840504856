public import ConnectAPI
import Glibc

/// Kafka's quickstart sink: the text of every value, one a line, appended to a file or written to standard output.
///
/// Lines are written as they come and synced to disk before their offsets may be committed (Invariant 4). A crash in between writes them
/// again: a plain file cannot tell. Follows `org.apache.kafka.connect.file.FileStreamSinkConnector` of Kafka 4.1.
public struct FileStreamSink: SinkConnector {
    public struct Configuration: ConnectConfiguration {
        @Field("file", importance: .high, doc: "The file to append to; standard output when absent") var file: String?
        public init() {}
    }

    public static let info = ConnectorInfo(
        className: "org.apache.kafka.connect.file.FileStreamSinkConnector", version: "4.1.0",
        documentation: "Appends the text of each value to a file, or prints it.")

    private let file: String?

    public init(_ configuration: Configuration) throws { file = configuration.file.flatMap { $0.isEmpty ? nil : $0 } }

    /// The file itself has no offsets: those of the log are all there are.
    public static var managesOffsetChanges: Bool { true }

    public func makeTask(_ context: TaskContext) async throws -> sending FileStreamSinkTask {
        FileStreamSinkTask(try LineWriter(path: file))
    }
}

public struct FileStreamSinkTask: SinkTask {
    private let writer: LineWriter
    private var written: [TopicPartition: Int64] = [:]

    init(_ writer: LineWriter) { self.writer = writer }

    public mutating func open(_ partitions: [TopicPartition]) async throws -> [TopicPartition: Int64] { [:] }

    public mutating func write(_ batch: ConsumedBatch) async throws {
        var text: [UInt8] = []
        let value = batch.batch.value
        for row in 0..<batch.batch.count {
            if let value, !batch.batch.isTombstone(row) {
                JavaText.append(value[row], value.schema, to: &text)
            } else {
                text += "null".utf8
            }
            text.append(UInt8(ascii: "\n"))
        }
        try await writer.append(text)
        written[batch.partition] = batch.nextOffset
    }

    public mutating func flush(_ reason: FlushReason) async throws -> [TopicPartition: Int64] {
        if written.isEmpty { return [:] }
        try await writer.sync()
        defer { written = [:] }
        return written
    }

    public mutating func close(_ partitions: [TopicPartition]) async {
        for partition in partitions { written[partition] = nil }
    }
}

/// Appends to a file, or standard output, on a thread of its own.
actor LineWriter {
    private let path: String?
    private let descriptor: Int32
    private let thread: ThreadExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    /// Throws `filestream.unwritable`.
    init(path: String?) throws {
        self.path = path
        descriptor = path.map { Glibc.open($0, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644) } ?? 1
        guard descriptor >= 0 else { throw Self.unwritable(path, .stop) }
        thread = ThreadExecutor("filestream-writer")
    }

    deinit {
        thread.stop()
        if path != nil { close(descriptor) }
    }

    /// All of it or, as far as the file allows taking it back, nothing.
    func append(_ bytes: [UInt8]) throws {
        let end = path == nil ? -1 : lseek(descriptor, 0, SEEK_END)
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + done, $0.count - done) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                let error = Self.unwritable(path, .retry)
                if done > 0, end >= 0 { _ = ftruncate(descriptor, end) }
                throw error
            }
            done += count
        }
    }

    func sync() throws {
        // EINVAL: a pipe or a device, which has nothing to sync.
        if path != nil, fsync(descriptor) != 0, errno != EINVAL { throw Self.unwritable(path, .retry) }
    }

    private static func unwritable(_ path: String?, _ disposition: ConnectorError.Disposition) -> ConnectorError {
        ConnectorError(
            "filestream.unwritable", disposition, "\(path ?? "standard output") cannot be written: \(String(cString: strerror(errno)))",
            hint: "Check the key 'file', the rights of the worker's user and the space on the disk")
    }
}
