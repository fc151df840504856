import ConnectAPI

/// Reads the tables as they were at one point of the log, unit by unit.
///
///     slot ─ exports a snapshot at LSN L ─▶ control connection: catalog, plan        N readers: COPY by ranges of blocks
///                                                                                          │ batches
///     unit (table) ──────────────────────────────── stage ◀── marks first and last row ◀───┘
///          └─ publish at a position whose ledger has the unit and L: rows and ledger entry in one commit (Invariant 2)
///
/// A crash loses the unfinished unit only. The next start reads what is left under a new snapshot at L′ > L and streams from L: a change of a
/// table is dropped if it committed before the LSN its unit was read at, and emitted otherwise. So each row's history is seen exactly once.
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
        let all = try await plan(control)
        let finished = position.snapshot?.finished ?? [:]
        let pending = all.filter { finished[$0.name] == nil }
        let metrics = SnapshotMetrics(context, server: configuration.topicPrefix ?? "", tables: all.count, remaining: pending.count)

        let readers = try await openReaders(source, for: pending)
        // Everyone has joined: a temporary slot can go, and a walsender is free again.
        await source.exporter.close()
        let lastWithRows = try await lastNonEmpty(pending, control)
        var isFirst = finished.isEmpty
        for table in pending {
            try await output.discard(table.name)
            let rows = try await read(
                table, info, readers, isFirst: isFirst, isLast: table.name == lastWithRows, output)
            if rows > 0 { isFirst = false }
            var failures = 0
            for reader in readers { failures += await reader.takeConversionFailures() }
            if failures > 0 {
                // Invariant 6
                metrics.failed(failures)
                context.log.warn(
                    "Table \(table.name): \(failures) values that cannot be represented became null, as event.converting.failure.handling.mode=warn says")
            }
            position.snapshot?.finished[table.name] = source.lsn
            if table.name == pending.last?.name { position = position.completingSnapshot() }
            try await output.publish(table.name, at: position.sourcePosition(server: configuration.topicPrefix ?? ""))
            metrics.finished(table.name, rows: rows)
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

    private func plan(_ control: Connection) async throws -> [SnapshotTable] {
        let catalog = CatalogQueries(connection: control)
        let names = try await catalog.tableNames().filter {
            filter.captures(schema: $0.schema, table: $0.name) && filter.snapshots(schema: $0.schema, table: $0.name)
        }
        let definitions = try await catalog.tables(names.map(\.oid)).values.sorted(by: filter.snapshotOrder)
        let types = try await catalog.types(definitions.flatMap { $0.columns.map(\.typeOID) })
        let sizes = try await control.query(
            "SELECT c.oid, pg_relation_size(c.oid) FROM pg_catalog.pg_class c WHERE c.oid = ANY ($1::oid[])",
            ["{" + definitions.map { String($0.oid) }.joined(separator: ",") + "}"], "Reading table sizes")
        let bytes = Dictionary((0..<sizes.count).map { (sizes.text($0, 0), sizes.integer($0, 1) ?? 0) }, uniquingKeysWith: { a, _ in a })
        let overridden = Set((configuration.snapshotSelectStatementOverrides ?? "").split(separator: ",").map { $0.trimmingSpaces() })
        let dividesBlocks = await control.serverVersion >= 140_000
        let tables = try definitions.map { definition in
            let name = "\(definition.schema).\(definition.name)"
            return SnapshotTable(
                schema: try factory.schema(definition, types: types), override: overridden.contains(name) ? configuration.selectOverrides[name] : nil,
                bytes: bytes[String(definition.oid)] ?? 0, divides: dividesBlocks && definition.kind == "r")
        }
        if configuration.snapshotLockingMode.lowercased() == "shared" {
            try await control.query("SET LOCAL lock_timeout = \(configuration.snapshotLockTimeoutMilliseconds)", [], "Setting the lock timeout")
            for table in tables { try await control.query(table.lockStatement, [], "Locking table \(table.name)") }
        }
        return tables
    }

    private func openReaders(_ source: Source, for tables: [SnapshotTable]) async throws -> [ChunkReader] {
        let wanted = tables.map { $0.statements(readers: configuration.snapshotThreads).count }.max() ?? 0
        let budget = max(context.memoryBudget / 8, 2 << 20)
        var readers: [ChunkReader] = []
        for _ in 0..<min(wanted, configuration.snapshotThreads) {
            readers.append(
                try await ChunkReader(
                    parameters, snapshot: source.name, batchRows: 16_384, batchBytes: min(budget / configuration.snapshotThreads, 4 << 20)))
        }
        return readers
    }

    /// The table whose last row is the snapshot's last.
    private func lastNonEmpty(_ tables: [SnapshotTable], _ control: Connection) async throws -> String? {
        for table in tables.reversed()
        where try await control.query(table.existsQuery, [], "Looking into table \(table.name)").isTrue(0, 0) { return table.name }
        return nil
    }

    /// Reads a table with all readers and stages its rows. One batch is held back: the first and the last row staged carry marks, whichever
    /// reader they come from.
    private func read(
        _ table: SnapshotTable, _ info: SnapshotInfo, _ readers: [ChunkReader], isFirst: Bool, isLast: Bool, _ output: any SourceOutput
    ) async throws -> Int {
        try await withThrowingTaskGroup(of: (reader: ChunkReader, batch: RecordBatch?).self) { group in
            var statements = table.statements(readers: readers.count).reversed() as [String]
            for reader in readers {
                guard let statement = statements.popLast() else { break }
                group.addTask { (reader, try await reader.begin(statement, table.schema, info)) }
            }
            var held: RecordBatch?
            var rows = 0
            while let (reader, batch) = try await group.next() {
                if batch != nil {
                    group.addTask { (reader, try await reader.nextBatch()) }
                } else if let statement = statements.popLast() {
                    group.addTask { (reader, try await reader.begin(statement, table.schema, info)) }
                }
                guard var batch else { continue }
                if rows == 0 { batch = batch.settingSnapshotMarker(isFirst ? .first : .firstInDataCollection, row: 0) }
                rows += batch.count
                if let previous = held { try await output.stage([previous], in: table.name) }
                held = batch
            }
            if var last = held {
                let mark: SnapshotMarker = isLast ? .last : rows == 1 && isFirst ? .first : .lastInDataCollection
                last = last.settingSnapshotMarker(mark, row: last.count - 1)
                try await output.stage([last], in: table.name)
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
    /// The snapshot is done: only tables read under a later snapshot than the first are worth remembering.
    func completingSnapshot() -> StreamPosition {
        var done = self
        done.tableSnapshots = (snapshot?.finished ?? [:]).filter { $0.value > committed }
        done.snapshot = SnapshotProgress(isCompleted: true)
        return done
    }
}
