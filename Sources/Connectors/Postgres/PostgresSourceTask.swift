package import ConnectAPI

/// One run of the connector: looks at the server, decides how to start, takes the snapshot and streams.
package struct PostgresSourceTask: SourceTask {
    private let configuration: PostgresConfiguration
    private let context: TaskContext
    private let filter: CaptureFilter
    private let parameters: ConnectionParameters
    private let slot: Slot
    private let factory: SchemaFactory
    private let stored: StreamPosition?

    init(_ configuration: PostgresConfiguration, resumingAt positions: [SourcePosition], _ context: TaskContext) throws {
        self.configuration = configuration
        self.context = context
        filter = try CaptureFilter(configuration)
        parameters = ConnectionParameters(configuration)
        slot = Slot(name: configuration.slotName)
        factory = SchemaFactory(configuration, filter, task: context.task, log: context.log)
        stored = try StreamPosition.stored(positions, server: configuration.topicPrefix ?? "")
    }

    package mutating func run(_ output: any SourceOutput) async throws {
        do {
            try await runToEnd(output)
        } catch {
            if Task.isCancelled, configuration.slotDropOnStop { await dropSlot() }
            throw Task.isCancelled ? CancellationError() : error
        }
    }

    private func runToEnd(_ output: any SourceOutput) async throws {
        let control = try await Connection.open(parameters)
        let captured = try await capturedTables(control)
        var fingerprint = "", server: ServerIdentity.Report?
        if configuration.streams {
            try await requireLogicalWAL(control)
            let isStandby = try await control.query("SELECT pg_is_in_recovery()", [], "Asking for recovery").isTrue(0, 0)
            server = try await ServerIdentity.ask(parameters, isStandby: isStandby)
            let publication = Publication(
                name: configuration.publicationName, mode: configuration.publicationMode, viaPartitionRoot: configuration.publishViaPartitionRoot,
                log: context.log)
            fingerprint = try await publication.prepare(control, captured: captured, slot: slot.name)
            try await ReplicaIdentityRules(configuration.replicaIdentityAutosetValues).apply(control, captured, context.log)
        }
        var state = try await slot.state(control)
        if let state { try requireOurs(state) }
        let objection = stored.flatMap { server?.objection(to: $0, slot: slot.name) }
        let decision = try StartDecision.make(configuration, stored: stored, slot: state, objection: objection)
        if configuration.streams, decision == .snapshot, state?.walStatus == "lost" {
            context.log.warn("Slot \(slot.name) lost WAL it needed and is of no further use: it is made anew, and a snapshot is taken")
            try await slot.drop(control)
            state = nil
        }
        let start = try await position(for: decision, slotExists: state != nil, server?.identity, control, output)
        await control.close()
        guard let start, configuration.streams else {
            try await output.flush()
            return try await rest()
        }
        if configuration.streamingDelayMilliseconds > 0 { try await Task.sleep(for: .milliseconds(configuration.streamingDelayMilliseconds)) }
        let catalog = TableCatalog(parameters, filter, factory)
        let binary = try await catalog.supportsBinary(publication: configuration.publicationName, captured: captured)
        context.log.info("Streaming from slot \(slot.name) at LSN \(LSN.text(start.committed))")
        try await Streaming(
            configuration: configuration, parameters: parameters, catalog: catalog, filter: filter, fingerprint: fingerprint, slot: slot,
            context: context, output: output
        ).run(from: start, binary: binary)
    }

    /// Snapshot-only connectors stay up with nothing to do.
    private func rest() async throws {
        while true { try await Task.sleep(for: .seconds(3600)) }
    }

    // MARK: What must be so

    private func capturedTables(_ control: Connection) async throws -> [CatalogQueries.TableName] {
        let captured = try await CatalogQueries(connection: control).tableNames().filter { filter.captures(schema: $0.schema, table: $0.name) }
        if configuration.guardrailCollectionsMax > 0, captured.count > configuration.guardrailCollectionsMax {
            let message = "The filters capture \(captured.count) tables, more than guardrail.collections.max=\(configuration.guardrailCollectionsMax)"
            guard configuration.guardrailCollectionsLimitAction.lowercased() != "fail" else {
                throw ConnectorError("postgres.guardrail", .stop, message, hint: "Narrow table.include.list or raise the limit")
            }
            context.log.warn(message)
        }
        if captured.isEmpty { context.log.warn("No table matches the filters: check schema.include.list and table.include.list") }
        return captured
    }

    private func requireLogicalWAL(_ control: Connection) async throws {
        let level = try await control.query("SHOW wal_level", [], "Reading wal_level").text(0, 0)
        guard level == "logical" else {
            throw ConnectorError(
                "postgres.wal_level", .stop,
                "The server at \(parameters.host):\(parameters.port) has wal_level=\(level), and logical replication needs logical",
                hint: "Set wal_level=logical in postgresql.conf (on Amazon RDS rds.logical_replication=1), restart the server, then restart the connector")
        }
    }

    private func requireOurs(_ state: Slot.State) throws {
        guard state.plugin == "pgoutput" else {
            throw ConnectorError(
                "postgres.slot_plugin", .stop, "Slot \(slot.name) uses plug-in \(state.plugin), not pgoutput", hint: "Drop it or name another in slot.name")
        }
        guard state.database == parameters.database else {
            throw ConnectorError(
                "postgres.slot_database", .stop, "Slot \(slot.name) belongs to database \(state.database), not \(parameters.database)",
                hint: "Name another in slot.name: slots are shared by all databases of a server")
        }
    }

    // MARK: Getting to the position to stream from

    /// nil: nothing is streamed.
    private func position(
        for decision: StartDecision, slotExists: Bool, _ server: ServerIdentity?, _ control: Connection, _ output: any SourceOutput
    ) async throws -> StreamPosition? {
        switch decision {
        case .nothing: return nil
        case .stream(var position):
            position.server = server
            return position
        case .streamFromSlot:
            guard slotExists else { return StreamPosition(committed: try await createSlot().point, server: server) }
            return StreamPosition(committed: try await slot.state(control)?.confirmedFlushLSN ?? 0, server: server)
        case .snapshot:
            let source = try await snapshotSource(slotExists: slotExists)
            var position = StreamPosition(committed: source.lsn, server: server)
            position.snapshot = .init(isCompleted: false)
            return try await snapshot(source, from: position, output)
        case .resumeSnapshot(var position):
            position.server = server
            context.log.info("Resuming the snapshot: \(position.snapshot?.finished.units.count ?? 0) parts of it are done")
            return try await snapshot(try await snapshotSource(slotExists: slotExists), from: position, output)
        }
    }

    private func snapshot(_ source: Snapshot.Source, from position: StreamPosition, _ output: any SourceOutput) async throws -> StreamPosition {
        if configuration.snapshotDelayMilliseconds > 0 { try await Task.sleep(for: .milliseconds(configuration.snapshotDelayMilliseconds)) }
        context.log.info("Snapshot at LSN \(LSN.text(source.lsn))")
        let done = try await Snapshot(configuration: configuration, parameters: parameters, filter: filter, factory: factory, context: context)
            .run(source, from: position, output)
        context.log.info("Snapshot done")
        return done
    }

    /// The slot's own snapshot when it is made now; else one a temporary slot exports, later than everything the slot has given out.
    private func snapshotSource(slotExists: Bool) async throws -> Snapshot.Source {
        guard configuration.streams else { return try await sessionSnapshot() }
        if !slotExists {
            let created = try await createSlot()
            return Snapshot.Source(lsn: created.point, name: created.snapshot, exporter: created.connection)
        }
        let replication = try await Connection.open(parameters, for: .replication)
        let temporary = Slot(name: "sluice_snapshot_\(String(UInt64.random(in: 0 ... .max), radix: 36))")
        let created = try await temporary.create(on: replication, parameters: parameters, temporary: true)
        return Snapshot.Source(lsn: created.consistentPoint, name: created.snapshotName, exporter: replication)
    }

    /// Without streaming any snapshot will do, and no slot is needed.
    private func sessionSnapshot() async throws -> Snapshot.Source {
        let connection = try await Connection.open(parameters)
        try await connection.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", [], "Beginning the snapshot")
        let rows = try await connection.query(
            "SELECT pg_export_snapshot(), CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END", [],
            "Exporting the snapshot")
        return Snapshot.Source(lsn: LSN.parse(rows.text(0, 1)) ?? 0, name: rows.text(0, 0), exporter: connection)
    }

    private func createSlot() async throws -> (point: UInt64, snapshot: String, connection: Connection) {
        let replication = try await Connection.open(parameters, for: .replication)
        var failover = configuration.slotFailover
        if failover, await replication.serverVersion < 170_000 {
            context.log.warn("slot.failover needs PostgreSQL 17: slot \(slot.name) is made without it")
            failover = false
        }
        let created = try await slot.create(on: replication, parameters: parameters, failover: failover)
        context.log.info("Created slot \(slot.name) at LSN \(LSN.text(created.consistentPoint))")
        return (created.consistentPoint, created.snapshotName, replication)
    }

    /// `slot.drop.on.stop`: in a task of its own, since this one is cancelled, and waited for.
    private func dropSlot() async {
        let slot = slot, parameters = parameters, log = context.log
        await Task {
            do {
                let connection = try await Connection.open(parameters)
                try await slot.drop(connection)
                await connection.close()
            } catch {
                log.warn("slot.drop.on.stop: \(error)")
            }
        }.value
    }
}
