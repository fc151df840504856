import ConnectAPI

/// Reads the tables as they were at one point of the log, unit by unit.
///
///     slot ─ exports a snapshot at LSN L ─▶ control connection: catalog, plan        N readers: COPY by ranges of blocks
///                                                                                          │ batches
///     unit (a table or a range of its key) ──────── stage ◀── marks first and last row ◀───┘
///          └─ publish at a position whose ledger has the unit and L: rows and ledger entry in one commit (Invariant 2)
///
/// A crash loses the unfinished unit only. The next start reads what is left under a new snapshot at L′ > L and streams from L: a change is
/// dropped if it committed before the LSN its row's unit was read at, and emitted otherwise (`LaterUnits`). So each row's history is seen exactly once.
struct Snapshot {
    let configuration: PostgresConfiguration
    let parameters: ConnectionParameters
    let filter: CaptureFilter
    let factory: SchemaFactory
    let context: TaskContext

    /// What a snapshot is read under.
    struct Source {
        let lsn: UInt64
        let name: String
        /// Keeps the exported snapshot alive until everyone has joined.
        let exporter: Connection
    }

    /// Reads every captured table that `position` does not have yet, and returns the completed position.
    func run(_ source: Source, from position: StreamPosition, _ output: any SourceOutput) async throws -> StreamPosition {
        let control = try await Connection.open(parameters)
        try await control.joinSnapshot(source.name)
        let clock = try await control.query(
            "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, CASE WHEN pg_is_in_recovery() THEN 0 ELSE txid_current() END", [],
            "Reading the server's clock")
        let info = SnapshotInfo(
            lsn: source.lsn, xid: clock.integer(0, 1).map { UInt32(truncatingIfNeeded: $0) }, startedMicros: clock.integer(0, 0) ?? 0)
        var position = position
        position.lastEvent = .init(lsn: source.lsn, xid: clock.integer(0, 1), commitMicros: info.startedMicros, kind: nil)
        let ledger = position.snapshot?.finished ?? SnapshotLedger()
        let (pending, tables) = try await SnapshotPlan(configuration: configuration, filter: filter, factory: factory, connection: control)
            .units(unfinishedIn: ledger)
        let metrics = SnapshotMetrics(
            context, server: configuration.topicPrefix ?? "", tags: configuration.metricTags, tables: tables, remaining: Set(pending.map(\.table)).count)

        let readers = try await openReaders(source, for: pending)
        // Everyone has joined: a temporary slot can go, and a walsender is free again.
        await source.exporter.close()
        let lastWithRows = try await lastNonEmpty(pending, control)
        var isFirst = ledger.isEmpty
        for unit in pending {
            try await output.discard(unit.name)
            let rows = try await read(unit, info, readers, isFirst: isFirst, isLast: unit.name == lastWithRows, output)
            if rows > 0 { isFirst = false }
            var failures = 0
            for reader in readers { failures += await reader.takeConversionFailures() }
            if failures > 0 {
                // Invariant 6
                metrics.failed(failures)
                if configuration.failsOnConversion { throw ConversionFailure.error(unit.table) }
                context.log.warn(
                    "Table \(unit.table): \(failures) values that cannot be represented became null, as event.converting.failure.handling.mode=warn says")
            }
            position.snapshot?.finished.finish(unit.table, unit.range, lsn: source.lsn)
            if unit.name == pending.last?.name { position = position.completingSnapshot() }
            try await output.publish(unit.name, at: position.sourcePosition(server: configuration.topicPrefix ?? ""))
            metrics.finished(unit, rows: rows)
        }
        for reader in readers { await reader.close() }
        await control.close()
        if pending.isEmpty {
            position = position.completingSnapshot()
            try await output.emit([], at: position.sourcePosition(server: configuration.topicPrefix ?? ""))
            try await output.flush()
        }
        metrics.completed()
        return position
    }

    private func openReaders(_ source: Source, for units: [SnapshotUnit]) async throws -> [ChunkReader] {
        let wanted = units.map { $0.statements(readers: configuration.snapshotThreads).count }.max() ?? 0
        let budget = max(context.memoryBudget / 8, 2 << 20)
        var readers: [ChunkReader] = []
        for _ in 0..<min(wanted, configuration.snapshotThreads) {
            readers.append(
                try await ChunkReader(
                    parameters, snapshot: source.name, batchRows: 16_384, batchBytes: min(budget / configuration.snapshotThreads, 4 << 20)))
        }
        return readers
    }

    /// The unit whose last row is the snapshot's last.
    private func lastNonEmpty(_ units: [SnapshotUnit], _ control: Connection) async throws -> String? {
        for unit in units.reversed()
        where try await control.query(unit.existsQuery, [], "Looking into table \(unit.table)").isTrue(0, 0) { return unit.name }
        return nil
    }

    /// Reads a unit with all readers and stages its rows. One batch is held back: the first and the last row staged carry marks, whichever
    /// reader they come from.
    private func read(
        _ unit: SnapshotUnit, _ info: SnapshotInfo, _ readers: [ChunkReader], isFirst: Bool, isLast: Bool, _ output: any SourceOutput
    ) async throws -> Int {
        try await withThrowingTaskGroup(of: (reader: ChunkReader, batch: RecordBatch?).self) { group in
            var statements = unit.statements(readers: readers.count).reversed() as [String]
            for reader in readers {
                guard let statement = statements.popLast() else { break }
                group.addTask { (reader, try await reader.begin(statement, unit.schema, info)) }
            }
            var held: RecordBatch?
            var rows = 0
            while let (reader, batch) = try await group.next() {
                if batch != nil {
                    group.addTask { (reader, try await reader.nextBatch()) }
                } else if let statement = statements.popLast() {
                    group.addTask { (reader, try await reader.begin(statement, unit.schema, info)) }
                }
                guard var batch else { continue }
                if rows == 0, isFirst || unit.beginsTable {
                    batch = batch.settingSnapshotMarker(isFirst ? .first : .firstInDataCollection, row: 0)
                }
                rows += batch.count
                if let previous = held { try await output.stage([previous], in: unit.name) }
                held = batch
            }
            if var last = held {
                let mark: SnapshotMarker = isLast ? .last : rows == 1 && isFirst ? .first : .lastInDataCollection
                if isLast || unit.endsTable { last = last.settingSnapshotMarker(mark, row: last.count - 1) }
                try await output.stage([last], in: unit.name)
            }
            return rows
        }
    }
}

extension ChunkReader {
    /// Starts a statement and returns its first batch.
    fileprivate func begin(_ statement: String, _ schema: TableSchema, _ info: SnapshotInfo) async throws -> RecordBatch? {
        try await start(statement, schema, info)
        return try await nextBatch()
    }
}

extension StreamPosition {
    /// The snapshot is done: only units read under a later snapshot than the first are worth remembering.
    func completingSnapshot() -> StreamPosition {
        var done = self
        done.laterUnits = (snapshot?.finished ?? SnapshotLedger()).later(than: committed)
        done.snapshot = SnapshotProgress(isCompleted: true)
        return done
    }
}
