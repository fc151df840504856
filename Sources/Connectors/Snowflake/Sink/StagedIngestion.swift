import ConnectAPI

/// Records become files, files are staged, staged files are loaded, and then their offsets may be committed.
///
///     ConsumedBatch ─▶ RowLayout ─▶ Lane (an open file for a partition and a table) ─▶ cut ─▶ TableFiles: upload ─▶ load
///         ▲                                                                                          │
///     records an earlier run staged are passed over ◀─ LIST of the stage               PartitionCuts ◀┘ offsets to commit
///
/// Exactly once: a file leaves the stage only after the log has the offset behind it. What stands on the stage when a partition's first record
/// for a table comes is what an earlier run staged and did not see committed: it is loaded again (COPY's load history passes over what it
/// has), and the records in it are passed over, however this run would have cut them (Invariant 4).
struct StagedIngestion: Ingestion {
    struct Rotation: Sendable {
        var records: Int
        var bytes: Int
        var milliseconds: Int64
    }

    struct Context: Sendable {
        var connector: String
        var layout: RowLayout
        var rotation: Rotation
        var tables: TableMap
        var database: String
        var schema: String
        var setup: TableSetup
        var loader: any FileLoader
        var stage: @Sendable (ObjectName) async throws -> any Stage
        var isSnowpipe: Bool
        /// Between two loads of a table.
        var loadInterval: Duration
        var flushesOnStop: Bool
        var removesFiles: Bool
        var budget: Int
        var metrics: SnowflakeMetrics
        var log: Logger
        var reject: @Sendable (RejectedRecord) async throws -> Void
        var clock: @Sendable () -> Int64 = { WallClock.milliseconds }
    }

    private struct Partition {
        var lanes: [ObjectName: Lane] = [:]
        var cuts = PartitionCuts()
        /// Since the last cut.
        var records = 0
        var openedAt: Int64?
        /// What the log has committed, of an earlier run too; nil: not known.
        var committed: Int64?
        /// Loaded files that stay on the stage until the offset behind them is committed.
        var loaded: [StagedFile] = []

        var bytes: Int { lanes.values.reduce(0) { $0 + $1.bufferedBytes } }
        var hasOpenRows: Bool { lanes.values.contains { $0.hasRows } }
    }

    private let context: Context
    private let events = FileEvents()
    private var partitions: [TopicPartition: Partition] = [:]
    private var tables: [ObjectName: TableFiles] = [:]
    private var lastNumber = 0

    init(_ context: Context) { self.context = context }

    // MARK: Opening

    mutating func open(_ partitions: [TopicPartition]) async throws {
        for partition in partitions where self.partitions[partition] == nil { self.partitions[partition] = Partition() }
    }

    /// Makes the table and the stage ready, and learns what an earlier run left there.
    private mutating func lane(_ partition: TopicPartition, _ table: ObjectName, startingAt offset: Int64) async throws -> Lane {
        if let lane = partitions[partition]?.lanes[table] { return lane }
        if tables[table] == nil { tables[table] = TableFiles(table, stage: try await context.stage(table), context, events) }
        let directory = [context.connector, table.name, partition.topic].map(StagePath.part).joined(separator: "/") + "/\(partition.partition)"
        var left: [(number: Int, file: ListedFile, offsets: ClosedRange<Int64>)] = []
        for listed in try await context.loader.list(directory, of: table) {
            guard let offsets = StagedFile.offsets(of: listed.name) else { continue }
            let isForgotten = listed.modified.map { context.clock() - $0 > context.loader.loadHistory } ?? false
            // Committed, so it was loaded. What stays on the stage for good is no business of this run. (The first record read says less: the log may have
            // dropped records of files that were never loaded.)
            if let committed = partitions[partition]?.committed, offsets.upperBound < committed, isForgotten || !context.removesFiles { continue }
            if isForgotten { throw tooOld(listed, directory, table) }
            lastNumber += 1
            left.append((lastNumber, listed, offsets))
        }
        let lane = Lane(partition: partition, table: table, directory: directory, left: left, isSnowpipe: context.isSnowpipe)
        // They hold the offset where it is until they are known to be loaded.
        partitions[partition]?.cuts.cut(left.map(\.number), next: offset)
        if !left.isEmpty {
            context.log.info(
                "\(partition): an earlier run staged \(left.count) files for \(table) up to offset \(lane.storedUpTo); they are loaded if they were not")
        }
        partitions[partition]?.lanes[table] = lane
        return lane
    }

    private func tooOld(_ file: ListedFile, _ directory: String, _ table: ObjectName) -> ConnectorError {
        ConnectorError(
            "snowflake.load_history_ended", .stop,
            "The file \(directory)/\(file.name) was staged more than \(context.loader.loadHistory / 86_400_000) days ago, longer than Snowflake remembers whether it loaded it into \(table)",
            hint: "See whether the table has its records; then REMOVE the file from the stage, after loading it by hand where they are missing")
    }

    // MARK: Writing

    mutating func write(_ consumed: ConsumedBatch) async throws {
        guard partitions[consumed.partition] != nil else {
            throw ConnectorError("snowflake.not_open", .stop, "A batch of \(consumed.partition) came to a task that does not have the partition")
        }
        try settle()
        try await makeRoom()
        let (kept, ignored) = try context.layout.kept(consumed)
        context.metrics.ignored(ignored)
        guard kept.batch.count > 0 else {
            partitions[consumed.partition]?.cuts.take(upTo: consumed.nextOffset)
            return
        }
        let table = context.tables.table(for: kept.batch.topic).qualified(database: context.database, schema: context.schema)
        let now = context.clock()
        var rows = try context.layout.rows(kept, now: now)
        // Everything that can fail and be tried again comes before the first row is kept.
        let nullable = Set(rows.values.schema.fields.filter(\.schema.isOptional).map(\.name))
        let types = try await context.setup.types(of: table, taking: rows.columns, nullable: nullable, layout: context.layout.layout)
        rows.rejectMisfits(types, kept)
        let lane = try await lane(consumed.partition, table, startingAt: kept.offsets[0])
        for (number, file) in try lane.resolve(rows.columns, at: kept.offsets[0]) { tables[table]?.loadAgain(number, file) }
        for bad in rows.rejected where kept.offsets[bad.row] > lane.storedUpTo {
            try await context.reject(RejectedRecord(partition: consumed.partition, offset: kept.offsets[bad.row], error: bad.error))
            context.metrics.rejected()
        }
        let refused = Set(rows.rejected.map(\.row))
        let good = (0..<kept.batch.count).filter { !refused.contains($0) && kept.offsets[$0] > lane.storedUpTo }
        context.metrics.skipped(kept.batch.count - refused.count - good.count)
        try await append(good, of: rows, kept, to: lane, now)
        partitions[consumed.partition]?.cuts.take(upTo: consumed.nextOffset)
        context.metrics.took(kept.batch.count)
        if let partition = partitions[consumed.partition], partition.records >= context.rotation.records || partition.bytes >= context.rotation.bytes {
            try cut(consumed.partition, next: consumed.nextOffset, partition.records >= context.rotation.records ? .records : .bytes)
        }
    }

    /// Gives rows to the lane's file, which is cut at exactly `buffer.count.records`.
    private mutating func append(_ good: [Int], of rows: TableRows, _ kept: ConsumedBatch, to lane: Lane, _ now: Int64) async throws {
        let whole = good.count == kept.batch.count
        var done = 0
        while done < good.count {
            if lane.changesShape(rows) { try cut(lane.partition, next: kept.offsets[good[done]], .schema) }
            let room = max(1, context.rotation.records - (partitions[lane.partition]?.records ?? 0))
            let end = min(good.count, done + room)
            let part = whole ? rows.values.slice(done..<end) : rows.values.select(Array(good[done..<end]))
            try await append(part, Array(good[done..<end]), rows.columns, kept, to: lane)
            partitions[lane.partition]?.records += end - done
            if partitions[lane.partition]?.openedAt == nil { partitions[lane.partition]?.openedAt = now }
            done = end
            if done < good.count { try cut(lane.partition, next: kept.offsets[good[done]], .records) }
        }
    }

    /// Adds rows, and hands over those the file's format refuses: by halves, until the bad ones stand alone. The error must not reach the runtime,
    /// which would bring a batch again of which rows were kept.
    private func append(_ rows: Column, _ places: [Int], _ columns: [TableColumn], _ kept: ConsumedBatch, to lane: Lane) async throws {
        let first = kept.offsets[places[0]], last = places[places.count - 1]
        do {
            try lane.append(rows, columns, from: first, to: kept.offsets[last], kept.batch.timestamps, row: last)
        } catch let error as ConnectorError where error.disposition == .reject {
            guard places.count > 1 else {
                try await context.reject(RejectedRecord(partition: lane.partition, offset: first, error: error))
                return context.metrics.rejected()
            }
            let middle = places.count / 2
            try await append(rows.slice(0..<middle), Array(places[..<middle]), columns, kept, to: lane)
            try await append(rows.slice(middle..<places.count), Array(places[middle...]), columns, kept, to: lane)
        }
    }

    enum CutReason: String, Sendable { case records, bytes, age, schema, memory, stop }

    /// Ends all open files of a partition and sends them on their way.
    private mutating func cut(_ partition: TopicPartition, next: Int64, _ reason: CutReason) throws {
        guard let lanes = partitions[partition]?.lanes.values else { return }
        var numbers: [Int] = []
        for lane in lanes.sorted(by: { $0.table.description < $1.table.description }) where lane.hasRows {
            lastNumber += 1
            numbers.append(lastNumber)
            let (file, body) = try lane.finish()
            tables[lane.table]?.store(lastNumber, file, body)
            context.metrics.cut(reason)
        }
        partitions[partition]?.cuts.cut(numbers, next: next)
        partitions[partition]?.records = 0
        partitions[partition]?.openedAt = nil
    }

    // MARK: Flushing

    mutating func flush(_ reason: FlushReason) async throws -> [TopicPartition: Int64] {
        let now = context.clock()
        for (name, partition) in partitions {
            guard let opened = partition.openedAt, let taken = partition.cuts.taken else { continue }
            if reason == .closing, context.flushesOnStop {
                try cut(name, next: taken, .stop)
            } else if now - opened >= context.rotation.milliseconds {
                try cut(name, next: taken, .age)
            }
        }
        if reason == .closing, context.flushesOnStop {
            while tables.values.contains(where: { $0.isBusy && $0.failing == nil }) {
                try settle(isClosing: true)
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        try settle(isClosing: reason == .closing && context.flushesOnStop)
        var offsets: [TopicPartition: Int64] = [:]
        for (name, partition) in partitions {
            if let offset = partitions[name]?.cuts.offset(hasOpenRows: partition.hasOpenRows) { offsets[name] = offset }
        }
        context.metrics.state(
            openFiles: partitions.values.reduce(0) { $0 + $1.lanes.values.filter(\.hasRows).count }, bufferedBytes: openBytes + uploadingBytes,
            stagedFiles: tables.values.reduce(0) { $0 + $1.waiting }, oldest: partitions.values.compactMap(\.openedAt).min().map { now - $0 } ?? 0)
        return offsets
    }

    mutating func committed(_ offsets: [TopicPartition: Int64]) async {
        for (name, offset) in offsets {
            partitions[name]?.committed = offset
            guard let loaded = partitions[name]?.loaded, !loaded.isEmpty else { continue }
            for file in loaded where file.end < offset { tables[file.table]?.discard(file) }
            partitions[name]?.loaded = loaded.filter { $0.end >= offset }
        }
    }

    mutating func close(_ partitions: [TopicPartition]) async {
        for partition in partitions { self.partitions[partition] = nil }
        let isLast = self.partitions.isEmpty
        // Another task takes them over and looks at the stage: nothing of them may arrive there any more.
        for files in tables.values { if isLast { await files.end() } else { await files.giveUp(Set(partitions)) } }
        if isLast { tables = [:] }
    }

    // MARK: Files under way

    /// Takes note of what was uploaded and loaded, and starts loads that are due. Throws why a file will never be loaded.
    private mutating func settle(isClosing: Bool = false) throws {
        for event in events.take() {
            switch event {
            case .loaded(let number, let file):
                // A partition that was given up is another task's business.
                if partitions[file.partition]?.cuts.loaded(number) == true { partitions[file.partition]?.loaded.append(file) }
            case .failed(let error): throw error
            }
        }
        for files in tables.values { files.loadIfDue(isClosing: isClosing) }
    }

    private var openBytes: Int { partitions.values.reduce(0) { $0 + $1.bytes } }
    private var uploadingBytes: Int { tables.values.reduce(0) { $0 + $1.uploadingBytes } }

    /// Waits until there is memory for another batch (Invariant 5): the largest partition is cut, and uploads are waited for.
    private mutating func makeRoom() async throws {
        while openBytes + uploadingBytes > context.budget {
            try Task.checkCancellation()
            if let failing = tables.values.lazy.compactMap(\.failing).first { throw failing }
            if uploadingBytes == 0 {
                guard let largest = partitions.max(by: { $0.value.bytes < $1.value.bytes })?.key, let taken = partitions[largest]?.cuts.taken else { return }
                try cut(largest, next: taken, .memory)
            }
            try await Task.sleep(for: .milliseconds(20))
            try settle()
        }
    }
}
