import ConnectAPI
import JSON

/// Reads tables again, chunk by chunk, while changes flow: Debezium's incremental snapshot (DBLog).
///
///     signal ─▶ collections ─▶ mark ─ read a chunk ─ mark ─▶ … the stream reaches the second mark ─▶ emit, next chunk
///                                          └ keys changed in between (StreamDecoder.Watch) are left out: the stream tells them better
///
/// A chunk is emitted in one frame with the progress behind it (Invariant 2), so a restart reads the chunk under way again and none twice. What
/// was changed before the chunk was read is gathered before it, and what is changed later comes after it: each key ends as it is in the table.
struct IncrementalSnapshot {
    private let configuration: PostgresConfiguration
    private let parameters: ConnectionParameters
    private let catalog: TableCatalog
    private let log: Logger
    private let notifications: Notifications
    private let watermarks: Watermarks
    private var connection: Connection?
    private(set) var progress: IncrementalProgress?
    private var chunk: Chunk?

    /// Rows read, waiting for the stream to reach the second mark.
    struct Chunk {
        let id: String
        /// `schema.table`
        let table: String
        let batches: [RecordBatch]
        let lastKey: [String]
        let close: Watermarks.Close
        var rows: Int { batches.reduce(0) { $0 + $1.count } }
    }

    init(
        _ configuration: PostgresConfiguration, _ parameters: ConnectionParameters, _ catalog: TableCatalog, _ context: TaskContext,
        resuming progress: IncrementalProgress?
    ) {
        self.configuration = configuration
        self.parameters = parameters
        self.catalog = catalog
        self.progress = progress
        log = context.log
        notifications = Notifications(configuration, context)
        let parts = configuration.readOnly ? [] : (configuration.signalDataCollection ?? "").split(separator: ".", maxSplits: 1).map(String.init)
        watermarks = Watermarks(
            signalTable: parts.count == 2 ? (parts[0], parts[1]) : nil,
            deletes: configuration.incrementalSnapshotWatermarkingStrategy.lowercased() == "insert_delete")
        if let progress { log.info("The incremental snapshot goes on with \(progress.collections.map(\.id).joined(separator: ", "))") }
    }

    // MARK: What is asked for

    /// Does what a signal asks; returns notifications to emit. A window that closes is not its business: see `isClosed`.
    mutating func handle(_ signal: Signal, offset: String) async throws -> [RecordBatch] {
        switch signal.type {
        case "execute-snapshot": return try await execute(signal)
        case "stop-snapshot": return stop(signal)
        case "pause-snapshot", "resume-snapshot": return setPaused(signal.type == "pause-snapshot")
        case "log":
            let message = (try? JSONValue.parse(signal.data))?["message"]?.stringValue ?? signal.data
            log.info(message.replacing("{}", with: offset))
        case "snapshot-window-open", "snapshot-window-close": break
        default: log.warn("Signal \(signal.id) of type \(signal.type) is not known and does nothing")
        }
        return []
    }

    private mutating func execute(_ signal: Signal) async throws -> [RecordBatch] {
        guard let request = SnapshotRequest(signal.data), !request.collections.isEmpty else {
            log.warn("Signal \(signal.id) names no data-collections: nothing is read")
            return []
        }
        guard !request.isBlocking else {
            log.warn("Signal \(signal.id) asks for a blocking snapshot, which is not supported: send \"type\": \"incremental\", which blocks nothing")
            return []
        }
        let captured = try await catalog.captured()
        var wanted: [IncrementalProgress.Collection] = []
        for text in request.collections {
            let found = try Self.matching(text, captured)
            if found.isEmpty { log.warn("Signal \(signal.id): no captured table matches \(text)") }
            wanted += try found.map { table in
                var collection = IncrementalProgress.Collection(schema: table.schema, name: table.name, surrogateKey: request.surrogateKey)
                collection.condition = try request.conditions.first { try !Self.matching($0.collection, [table]).isEmpty }?.filter
                return collection
            }
        }
        let known = progress?.collections.map(\.id) ?? []
        let new = wanted.enumerated().filter { i, collection in
            !known.contains(collection.id) && !wanted[..<i].contains { $0.id == collection.id }
        }.map(\.element)
        guard !new.isEmpty else { return [] }
        let begins = progress == nil
        if begins { progress = IncrementalProgress(correlationID: signal.id, collections: []) }
        progress?.collections += new
        log.info("Incremental snapshot of \(new.map(\.id).joined(separator: ", ")), asked for by signal \(signal.id)")
        return begins ? notify("STARTED") : []
    }

    /// Tables whose name an expression matches as a whole, with or without quotes around its parts.
    private static func matching(_ text: String, _ tables: [CatalogQueries.TableName]) throws -> [CatalogQueries.TableName] {
        let pattern = try PatternList(text.replacing("\"", with: "").replacing(",", with: "\\,"))
        return tables.filter { pattern.matches("\($0.schema).\($0.name)") }
    }

    private mutating func stop(_ signal: Signal) -> [RecordBatch] {
        guard progress != nil else { return [] }
        let wanted = SnapshotRequest(signal.data)?.collections ?? []
        let patterns = wanted.compactMap { try? PatternList($0.replacing("\"", with: "").replacing(",", with: "\\,")) }
        let current = progress?.collections.first
        progress?.collections.removeAll { collection in wanted.isEmpty || patterns.contains { $0.matches(collection.id) } }
        if progress?.collections.first != current {
            chunk = nil
            progress?.lastKey = nil
            progress?.maximumKey = nil
            progress?.rows = 0
        }
        guard progress?.collections.isEmpty == true else { return [] }
        log.info("The incremental snapshot was stopped by signal \(signal.id)")
        defer { progress = nil }
        return notify("ABORTED")
    }

    private mutating func setPaused(_ isPaused: Bool) -> [RecordBatch] {
        guard let known = progress, known.isPaused != isPaused else { return [] }
        progress?.isPaused = isPaused
        return notify(isPaused ? "PAUSED" : "RESUMED")
    }

    // MARK: Chunks

    /// Whether a chunk is to be read now.
    var isReady: Bool { progress.map { !$0.isPaused && chunk == nil } ?? false }

    /// The table the next chunk is of.
    var nextTable: String? { progress?.collections.first?.id }

    /// Reads the next chunk, passing over collections that are done. `watch` is called with each table before it is read.
    mutating func readChunk(lastCommit: UInt64?, watch: (String) -> Void) async throws -> [RecordBatch] {
        var notes: [RecordBatch] = []
        do {
            if connection == nil { connection = try await Connection.open(parameters) }
            let connection = connection!, id = Notifications.randomID(), opened = WallClock.nanoseconds
            try await watermarks.open(id, on: connection, nanos: opened)
            var rows: (batches: [RecordBatch], lastKey: [String], table: String)?
            while rows == nil, let collection = progress?.collections.first {
                watch(collection.id)
                if let read = try await read(collection, lastCommit, connection) {
                    rows = (read.batches, read.lastKey, collection.id)
                } else {
                    notes += finish(collection)
                }
            }
            let close = try await watermarks.close(id, on: connection, opened: opened, nanos: WallClock.nanoseconds)
            if let rows { chunk = Chunk(id: id, table: rows.table, batches: rows.batches, lastKey: rows.lastKey, close: close) }
        } catch {
            connection = nil
            throw error
        }
        return notes
    }

    /// nil: no rows are left.
    private mutating func read(
        _ collection: IncrementalProgress.Collection, _ lastCommit: UInt64?, _ connection: Connection
    ) async throws -> (batches: [RecordBatch], lastKey: [String])? {
        guard let schema = try await catalog.schema(ofTable: collection.schema, collection.name) else {
            log.warn("Incremental snapshot: \(collection.id) is not captured any more and is passed over")
            return nil
        }
        let query = ChunkQuery(schema: schema, collection: collection), action = "Reading a chunk of \(collection.id)"
        guard !query.keyColumns.isEmpty else {
            log.warn("Incremental snapshot: \(collection.id) has no key and is passed over; name a column with surrogate-key")
            return nil
        }
        func key(_ sql: String) async throws -> [String]? {
            let rows = try await connection.query(sql, [], action)
            guard rows.count == 1 else { return nil }
            let key = query.keyColumns.indices.compactMap { rows[0, $0] }
            return key.count == query.keyColumns.count ? key : nil
        }
        if progress?.maximumKey == nil { progress?.maximumKey = try await key(query.maximum) }
        guard let maximum = progress?.maximumKey else { return nil }
        let last = progress?.lastKey, size = configuration.incrementalSnapshotChunkSize
        let end = try await key(query.end(after: last, upTo: maximum, size: size)) ?? maximum
        try await connection.startCopy(query.rows(after: last, upTo: end), action)
        var info = SnapshotInfo(lsn: lastCommit ?? 0, xid: nil, startedMicros: WallClock.nanoseconds / 1000)
        info.isIncremental = true
        info.lastCommitLSN = lastCommit
        var builder = SnapshotBatchBuilder(schema, info), batches: [RecordBatch] = []
        while let bytes = try await connection.nextCopyChunk(256 << 10, action) {
            try bytes.withUnsafeBytes { try builder.append($0) }
            if builder.rowCount >= 16_384, let batch = builder.finish(processedNanos: WallClock.nanoseconds, marker: .incremental) { batches.append(batch) }
        }
        if let batch = builder.finish(processedNanos: WallClock.nanoseconds, marker: .incremental) { batches.append(batch) }
        return batches.isEmpty ? nil : (batches, end)
    }

    private mutating func finish(_ collection: IncrementalProgress.Collection) -> [RecordBatch] {
        let rows = progress?.rows ?? 0
        var notes = notify(
            "TABLE_SCAN_COMPLETED", [("scanned_collection", collection.id), ("total_rows_scanned", String(rows)), ("status", rows > 0 ? "SUCCEEDED" : "EMPTY")])
        progress?.finishCollection()
        guard progress?.collections.isEmpty == true else { return notes }
        notes += notify("COMPLETED")
        log.info("The incremental snapshot is complete")
        progress = nil
        return notes
    }

    /// Whether the stream has reached the second mark of the chunk that waits.
    func isClosed(by signals: [Signal], at lsn: UInt64) -> Bool {
        switch chunk?.close {
        case nil: false
        case .lsn(let end)?: lsn >= end
        case .signal(let id)?: signals.contains { $0.id == (watermarks.deletes ? "\(id)-open" : "\(id)-close") && $0.isDelete == watermarks.deletes }
        }
    }

    /// The rows of the chunk whose keys the stream did not change meanwhile, and notifications. A chunk that cannot be told apart from the
    /// changes (the table was truncated or altered) is dropped and read again.
    mutating func takeChunk(_ changes: StreamDecoder.WatchedChanges) -> [RecordBatch] {
        guard let chunk else { return [] }
        self.chunk = nil
        guard case .keys(let keys) = changes else { return [] }
        progress?.lastKey = chunk.lastKey
        progress?.rows += Int64(chunk.rows)
        let notes = notify(
            "IN_PROGRESS",
            [
                ("current_collection_in_progress", chunk.table), ("maximum_key", progress?.maximumKey?.joined(separator: ", ") ?? ""),
                ("last_processed_key", chunk.lastKey.joined(separator: ", ")),
            ])
        guard !keys.isEmpty else { return chunk.batches + notes }
        let kept = chunk.batches.compactMap { batch -> RecordBatch? in
            let rows = (0..<batch.count).filter { row in batch.key.map { !keys.contains($0[row]) } ?? true }
            return rows.isEmpty ? nil : rows.count == batch.count ? batch : batch.select(rows)
        }
        return kept + notes
    }

    private func notify(_ type: String, _ data: [(String, String)] = []) -> [RecordBatch] {
        guard let progress else { return [] }
        let collections = ("data_collections", progress.collections.map(\.id).joined(separator: ", "))
        return notifications.notify(.incremental, type, id: progress.correlationID, [collections] + data).map { [$0] } ?? []
    }
}
