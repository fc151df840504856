import ConnectAPI
import Synchronization

/// A connection that reads, on a thread of its own.
actor LogReader {
    private nonisolated let thread: ThreadExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
    private let path: String
    private var db: Database?

    init(path: String, name: String) {
        self.path = path
        thread = ThreadExecutor(name)
    }

    /// Runs a query. The connection is opened by the first one.
    func run<R: Sendable>(_ body: @Sendable (Database) throws -> R) throws -> R {
        if let db { return try body(db) }
        let opened = try Database(path: path, .readOnly)
        try LogSchema.prepareReader(opened)
        db = opened
        return try body(opened)
    }

    private func closeConnection() { db = nil }

    func close() async {
        closeConnection()
        thread.stop()
    }
}

/// A few readers that take turns.
final class LogReaders: Sendable {
    private struct Use {
        var next = 0
        var running = 0
        var isClosed = false
        var drained: CheckedContinuation<Void, Never>?
    }
    private let readers: [LogReader]
    private let use = Mutex(Use())

    init(path: String, count: Int) { readers = (0..<count).map { LogReader(path: path, name: "log-read-\($0)") } }

    /// Throws `log.closed` after `close`.
    func run<R: Sendable>(_ body: @Sendable (Database) throws -> R) async throws -> R {
        let turn = try use.withLock { use in
            if use.isClosed { throw ConnectorError("log.closed", .stop, "The log is closed") }
            use.running += 1
            use.next += 1
            return use.next
        }
        defer {
            use.withLock { use in
                use.running -= 1
                return use.running == 0 ? use.drained.take() : nil
            }?.resume()
        }
        return try await readers[turn % readers.count].run(body)
    }

    /// Ends the threads after the queries under way. To be called once.
    func close() async {
        await withCheckedContinuation { continuation in
            let isIdle = use.withLock { use in
                use.isClosed = true
                if use.running > 0 { use.drained = continuation }
                return use.running == 0
            }
            if isIdle { continuation.resume() }
        }
        for reader in readers { await reader.close() }
    }
}

/// A batch as it lies in the database.
struct StoredBytes: Sendable {
    let firstOffset: Int64
    let count: Int
    let rendering: UInt32
    let blob: [UInt8]
}

enum BatchQuery {
    /// Batches from the one that holds `offset`, as many as fit `maxBytes`, at least one. Throws `log.corrupt` when that one is missing.
    static func read(_ db: Database, _ name: TopicPartition, id: Int64, from offset: Int64, end: Int64, maxBytes: Int) throws -> [StoredBytes] {
        var found: [StoredBytes] = [], memory = 0, expected = offset, isFull = false
        let first =
            try db.integer(
                "SELECT first_offset FROM batches WHERE partition = ? AND first_offset <= ? ORDER BY first_offset DESC LIMIT 1", .integer(id),
                .integer(offset)) ?? offset
        var from = first
        // A few at a time: what does not fit is not read from the disk.
        while !isFull, from < end {
            let before = found.count
            try db.rows(
                """
                SELECT first_offset, count, memory, rendering, bytes, seal FROM batches LEFT JOIN blobs ON blobs.id = batches.blob
                WHERE partition = ? AND first_offset >= ? AND first_offset < ? ORDER BY first_offset LIMIT 64
                """, .integer(id), .integer(from), .integer(end)
            ) { row in
                if isFull || (!found.isEmpty && memory &+ Int(row.integer(2)) > maxBytes) {
                    isFull = true
                    return
                }
                let start = row.integer(0), count = Int(row.integer(1))
                // The seal first: after it the figures are those that were written.
                guard !row.isNull(4), case let blob = row.blob(4),
                    row.integer(5) == BatchSeal.make(partition: id, firstOffset: start, count: Int64(count), checksum: BatchEnvelope.checksum(in: blob)),
                    start <= expected, start + Int64(count) > expected
                else {
                    // What lies before the damage is good and is read first.
                    isFull = true
                    return
                }
                memory &+= Int(row.integer(2))
                expected = start + Int64(count)
                found.append(StoredBytes(firstOffset: start, count: count, rendering: UInt32(truncatingIfNeeded: row.integer(3)), blob: blob))
            }
            if found.count == before { break }
            from = expected
        }
        guard !found.isEmpty else { throw missing(name, offset) }
        return found
    }

    private static func missing(_ name: TopicPartition, _ offset: Int64) -> ConnectorError {
        ConnectorError.corrupt("offset \(offset) is missing").at(name, offset)
    }
}

extension ConnectorError {
    /// Names the place of damaged bytes and what to do.
    func at(_ partition: TopicPartition, _ offset: Int64) -> ConnectorError {
        guard code == "log.corrupt" else { return self }
        return ConnectorError(
            code, disposition, "Partition \(partition) at offset \(offset): \(message)",
            hint: "Check the disk. To go on past the damage, stop the sink and set its offset behind it with PATCH /connectors/{name}/offsets",
            underlying: underlying)
    }
}
