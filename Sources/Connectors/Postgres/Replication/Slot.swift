import ConnectAPI

/// The replication slot: what the server knows of it, and the statements that make and drop it.
struct Slot: Sendable {
    let name: String

    struct State: Sendable, Hashable {
        let plugin: String
        let database: String
        let activePID: Int32?
        let restartLSN: UInt64?
        let confirmedFlushLSN: UInt64?
        /// `reserved`, `extended`, `unreserved`, `lost`; nil before PostgreSQL 13.
        let walStatus: String?
        /// Bytes of WAL the slot keeps from being removed.
        let retainedBytes: Int64?
        /// Bytes of WAL between what was acknowledged and what is written now.
        var lagBytes: Int64?
        /// Where the server's log ends now, and what its clock says: microseconds since 1970.
        var serverLSN: UInt64 = 0
        var serverMicros: Int64 = 0
    }

    /// nil: there is no such slot.
    func state(_ connection: Connection) async throws -> State? {
        let rows = try await connection.query(
            """
            SELECT plugin, database, active_pid, restart_lsn, confirmed_flush_lsn, to_jsonb(s) ->> 'wal_status',
              pg_wal_lsn_diff(now, restart_lsn)::bigint, pg_wal_lsn_diff(now, confirmed_flush_lsn)::bigint, now,
              (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
            FROM pg_catalog.pg_replication_slots s,
              (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END AS now) AS wal
            WHERE slot_name = $1
            """, [name], "Reading the state of slot \(name)")
        guard rows.count == 1 else { return nil }
        return State(
            plugin: rows.text(0, 0), database: rows.text(0, 1), activePID: rows[0, 2].flatMap { Int32($0) },
            restartLSN: rows[0, 3].flatMap(LSN.parse), confirmedFlushLSN: rows[0, 4].flatMap(LSN.parse), walStatus: rows[0, 5],
            retainedBytes: rows.integer(0, 6), lagBytes: rows.integer(0, 7), serverLSN: rows[0, 8].flatMap(LSN.parse) ?? 0,
            serverMicros: rows.integer(0, 9) ?? 0)
    }

    /// What `CREATE_REPLICATION_SLOT` answers. The snapshot lives while the connection it was made on stays open and idle.
    struct Created: Sendable {
        /// Transactions that committed before it are in the snapshot; all others are in the stream.
        let consistentPoint: UInt64
        let snapshotName: String
    }

    /// Creates the slot on a replication connection.
    /// - Parameter temporary: the slot goes with the connection; its use is the snapshot it exports.
    func create(on replication: Connection, parameters: ConnectionParameters, temporary: Bool = false, failover: Bool = false) async throws -> Created {
        let options = failover ? "(SNAPSHOT 'export', FAILOVER)" : "EXPORT_SNAPSHOT"
        let rows: Rows
        do {
            rows = try await replication.raw(
                "CREATE_REPLICATION_SLOT \(quoted(name)) \(temporary ? "TEMPORARY " : "")LOGICAL pgoutput \(options)")
        } catch let error as ServerError {
            throw error.connectorError("Creating replication slot \(name)", parameters)
        }
        guard rows.count == 1, let point = LSN.parse(rows.text(0, 1)), let snapshot = rows[0, 2] else {
            throw ConnectorError("postgres.slot_answer", .retry, "CREATE_REPLICATION_SLOT \(name) did not answer with a consistent point and a snapshot")
        }
        return Created(consistentPoint: point, snapshotName: snapshot)
    }

    /// Drops the slot if it exists; waits a moment for a walsender that has just been told to go.
    func drop(_ connection: Connection) async throws {
        for attempt in 1... {
            guard let state = try await state(connection) else { return }
            if state.activePID == nil {
                _ = try await connection.query("SELECT pg_drop_replication_slot($1)", [name], "Dropping replication slot \(name)")
                return
            }
            if attempt == 50 {
                throw ConnectorError(
                    "postgres.slot_in_use", .stop, "Slot \(name) is in use by process \(state.activePID!) and cannot be dropped",
                    hint: "End that session, then SELECT pg_drop_replication_slot('\(name)')")
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}
