import ConnectAPI
import Glibc

extension EmbeddedLog {
    /// Opens a data directory to read topics while a worker, or nobody, uses it: `sluice tap --data-dir`. Throws `log.not_found`.
    package static func openReadOnly(_ directory: String) async throws -> any ReadableLog {
        let path = "\(directory)/\(LogSchema.fileName)"
        guard access(path, F_OK) == 0 else {
            throw ConnectorError(
                "log.not_found", .stop, "The directory \(directory) holds no log", hint: "Give the worker's --data-dir, or ask the worker with --url")
        }
        let log = ReadOnlyLog(path: path)
        _ = try await log.topics()
        return log
    }
}

/// A log somebody else writes, seen through a connection of its own.
private final class ReadOnlyLog: ReadableLog {
    private let readers: LogReaders
    private let tables = LogTables()
    /// The database's owner cannot wake other processes, so these look from time to time.
    private static let interval = Duration.milliseconds(50)

    init(path: String) { readers = LogReaders(path: path, count: 1) }

    func topics() async throws -> [String: [PartitionRange]] { try await readers.run { try EmbeddedLog.loadPartitions($0) }.topics }

    func read(_ partition: TopicPartition, from offset: Int64, maxBytes: Int) async throws -> [StoredBatch] {
        let (rows, from) = try await readers.run { db -> ([StoredBytes], Int64) in
            // One transaction: retention must not move the start between the two looks.
            try db.run("BEGIN")
            defer { try? db.run("ROLLBACK") }
            guard let range = try EmbeddedLog.loadPartitions(db)[partition] else { return ([], offset) }
            let from = max(offset, range.start)
            guard from < range.end else { return ([], from) }
            try tables.load(db)
            return (try BatchQuery.read(db, partition, id: range.id, from: from, end: range.end, maxBytes: maxBytes), from)
        }
        return try tables.decode(rows, partition).cut(from: from)
    }

    func waitForRecords(past offsets: [TopicPartition: Int64], timeout: Duration) async {
        let end = ContinuousClock.now + timeout, known = try? await topics()
        while ContinuousClock.now < end {
            guard let topics = try? await topics() else { return }
            for (topic, ranges) in topics {
                for range in ranges {
                    if let offset = offsets[TopicPartition(topic, range.partition)] {
                        if range.end > offset { return }
                    } else if known?[topic] == nil {
                        return
                    }
                }
            }
            guard (try? await Task.sleep(for: Self.interval)) != nil else { return }
        }
    }

    func close() async { await readers.close() }
}
