package import ConnectAPI
import Synchronization

/// The log in one SQLite database, `sluice.db` in the data directory.
///
///     appender ─ encode, compress (caller's thread) ─▶ LogWriter ─ one commit for all that is queued ─▶ WAL ─▶ Checkpointer ─▶ sluice.db
///                                                          │ then                                                              │
///                                                 LogIndex (ends, waiters)                                                 LogReaders
///                                                 BatchCache (the tail) ◀──────────────────────── read(from:) ─────────────────┘
///
/// Why it holds: one thread writes, in the order jobs were queued, so offsets have no gaps and a producer's order is kept (Invariant 3).
/// A frame's batches and its position are rows of one transaction (Invariant 2), and an answer is given only after COMMIT returned from its
/// fsync (Invariant 1). What is not in the database is either derived from it at the start (index, numbers) or a copy (cache).
package final class EmbeddedLog: Log {
    /// What can be set.
    package struct Options: Sendable {
        /// Bytes of recent batches kept decoded for readers at the tail.
        package var cacheBytes = 32 << 20
        /// Connections, and threads, that read.
        package var readers = 2
        /// Frames' batches are cut at record boundaries into pieces of about this many bytes.
        package var batchBytes = 1 << 20
        /// Limits the database's size, in pages of 4,096 bytes; for tests of a full disk.
        package var maxPages: Int?
        package init() {}
    }

    /// The connectors' configurations and states, in the same database.
    package let store: SQLiteConnectorStore
    /// Made once for the data directory, as Kafka makes cluster ids: 22 characters of base64url.
    package let clusterID: String

    let index: LogIndex
    let tables: LogTables
    let writer: LogWriter
    let readers: LogReaders
    private let cache: BatchCache
    private let checkpointer: Checkpointer
    private let options: Options
    private let lock: Mutex<DirectoryLock?>

    /// Opens or makes the log of a data directory. Throws `log.locked` when another worker has it, `log.open_failed`, `log.version`,
    /// `log.corrupt`. Rows staged before a crash are dropped. Call `close` at the end.
    package static func open(directory: String, options: Options = Options()) async throws -> EmbeddedLog {
        let lock = try DirectoryLock(directory)
        let path = "\(directory)/\(LogSchema.fileName)"
        let index = LogIndex(), tables = LogTables(), cache = BatchCache(capacity: options.cacheBytes), checkpointer = Checkpointer(path: path)
        let identity = Mutex("")
        let writer = LogWriter(index, checkpointer: checkpointer) {
            let db = try Database(path: path, .readWrite)
            try LogSchema.prepare(db)
            if let pages = options.maxPages { try db.execute("PRAGMA max_page_count=\(pages)") }
            try tables.load(db)
            index.apply(try loadPartitions(db))
            let id = try loadClusterID(db)
            identity.withLock { $0 = id }
            return db
        } committed: { transaction in
            tables.stored(transaction)
            // The cache first: who sees the new end finds the batches.
            cache.add(transaction.appended)
            index.apply(transaction.partitions)
        }
        do {
            try await writer.opened()
        } catch {
            await checkpointer.stop()
            throw error
        }
        let log = EmbeddedLog(
            path: path, index: index, tables: tables, writer: writer, cache: cache, checkpointer: checkpointer, options: options,
            clusterID: identity.withLock { $0 }, lock: lock)
        // Nobody else can have staged anything: what is there was left by a crash.
        try await writer.write { try $0.discard(unit: nil, connector: nil) }
        return log
    }

    private init(
        path: String, index: LogIndex, tables: LogTables, writer: LogWriter, cache: BatchCache, checkpointer: Checkpointer, options: Options,
        clusterID: String, lock: consuming DirectoryLock
    ) {
        self.index = index
        self.tables = tables
        self.writer = writer
        self.cache = cache
        self.checkpointer = checkpointer
        self.options = options
        self.clusterID = clusterID
        self.lock = Mutex(consume lock)
        readers = LogReaders(path: path, count: options.readers)
        store = SQLiteConnectorStore(writer: writer, readers: readers)
    }

    package func close() async {
        index.close()
        await readers.close()
        await checkpointer.stop()
        await writer.stop()
        lock.withLock { $0 = nil }
    }

    static func loadPartitions(_ db: Database) throws -> [TopicPartition: LogIndex.Partition] {
        var found: [TopicPartition: LogIndex.Partition] = [:]
        try db.rows("SELECT topic, partition, id, first_offset, end_offset FROM partitions") { row in
            found[TopicPartition(row.text(0), Int32(row.integer(1)))] =
                LogIndex.Partition(id: row.integer(2), start: row.integer(3), end: row.integer(4))
        }
        return found
    }

    private static func loadClusterID(_ db: Database) throws -> String {
        var random = SystemRandomNumberGenerator()
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        // 128 bits: 21 digits of six bits and one of two. Kafka's never begin with a dash, which command lines would take for an option.
        var id = String((0..<21).map { _ in digits[Int.random(in: 0..<64, using: &random)] } + [digits[Int.random(in: 0..<4, using: &random) * 16]])
        if id.hasPrefix("-") { id = "A" + id.dropFirst() }
        try db.run("INSERT OR IGNORE INTO meta (key, value) VALUES ('cluster.id', ?)", .text(id))
        try db.rows("SELECT value FROM meta WHERE key = 'cluster.id'") { id = $0.text(0) }
        return id
    }

    // MARK: Writing

    package func appender(for producer: Producer) -> any Appender { EmbeddedAppender(self, producer) }

    package func stage(_ batches: [RecordBatch], unit: String, by producer: Producer, rejected: RejectedRecords?) async throws {
        let encoded = try encode(batches, producer.rendering)
        try await writer.write(bytes: encoded.reduce(0) { $0 + $1.blob.count }) {
            try $0.stage(encoded, unit: unit, connector: producer.connector)
        }
    }

    package func discard(unit: String?, connector: String) async throws {
        try await writer.write { try $0.discard(unit: unit, connector: connector) }
    }

    /// What the writer will copy to the disk. Throws `log.invalid_batch`, `log.record_too_large`, `log.schema_too_deep`.
    func encode(_ batches: [RecordBatch], _ rendering: Rendering) throws -> [EncodedBatch] {
        var encoded: [EncodedBatch] = []
        for batch in batches where batch.count > 0 {
            try batch.forEachPiece(of: options.batchBytes) { encoded.append(try tables.encode($0, rendering)) }
        }
        return encoded
    }

    // MARK: Reading

    package func consumer(for member: SinkMember) -> any LogConsumer { EmbeddedLogConsumer(self, member) }

    package func read(_ partition: TopicPartition, from offset: Int64, maxBytes: Int) async throws -> [StoredBatch] {
        while true {
            guard let range = index.partition(partition) else { return [] }
            let from = max(offset, range.start)
            guard from < range.end else { return [] }
            if let cached = cache.read(partition, from: from, maxBytes: maxBytes) { return cached.cut(from: from) }
            do {
                let rows = try await readers.run {
                    try BatchQuery.read($0, partition, id: range.id, from: from, end: range.end, maxBytes: maxBytes)
                }
                return try tables.decode(rows, partition).cut(from: from)
            } catch let error as ConnectorError where error.code == "log.corrupt" {
                // Not damage when retention removed the rows meanwhile: then the start has moved.
                guard let now = index.partition(partition), now.start > from else { throw error }
            }
        }
    }

    package func waitForRecords(past offsets: [TopicPartition: Int64], timeout: Duration) async {
        await index.wait(past: offsets, timeout: timeout)
    }

    package func topics() async throws -> [String: [PartitionRange]] { index.partitions.topics }
}

extension Dictionary where Key == TopicPartition, Value == LogIndex.Partition {
    var topics: [String: [PartitionRange]] {
        Dictionary<String, [Element]>(grouping: self, by: \.key.topic).mapValues { partitions in
            partitions.map { PartitionRange(partition: $0.key.partition, start: $0.value.start, end: $0.value.end) }
                .sorted { $0.partition < $1.partition }
        }
    }
}

extension [StoredBatch] {
    /// The first batch without the rows before `offset`.
    func cut(from offset: Int64) -> [StoredBatch] {
        guard let first, first.firstOffset < offset else { return self }
        var cut = self
        cut[0] = StoredBatch(
            partition: first.partition, firstOffset: offset, batch: first.batch.slice(Int(offset - first.firstOffset)..<first.batch.count),
            rendering: first.rendering)
        return cut
    }
}

extension RecordBatch {
    /// The batch in pieces of about `bytes`, cut between records. A piece larger than twice that is a single record, or nearly.
    func forEachPiece(of bytes: Int, _ body: (RecordBatch) throws -> Void) rethrows {
        guard count > 1, byteCount > bytes + bytes / 4 else { return try body(self) }
        let rows = max(1, Int(Int64(count) * Int64(bytes) / Int64(byteCount)))
        for start in stride(from: 0, to: count, by: rows) {
            let piece = slice(start..<min(start + rows, count))
            // Rows of very different sizes: cut again where they are large.
            if piece.byteCount > bytes * 2 { try piece.forEachPiece(of: bytes, body) } else { try body(piece) }
        }
    }
}
