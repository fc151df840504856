import ConnectAPI

/// The publication the connector reads through, created and kept as `publication.autocreate.mode` says.
struct Publication: Sendable {
    let name: String
    let mode: PostgresConfiguration.PublicationMode
    let viaPartitionRoot: Bool
    let log: Logger

    /// Makes sure the publication is there before the slot is: a slot decodes with the catalog of its own time.
    /// - Returns: a fingerprint: when it changes, the server may number the changes of a transaction otherwise.
    func prepare(_ connection: Connection, captured: [CatalogQueries.TableName], slot: String) async throws -> String {
        let isStandby = try await connection.query("SELECT pg_is_in_recovery()", [], "Asking for recovery").isTrue(0, 0)
        let found = try await connection.query(
            "SELECT puballtables FROM pg_catalog.pg_publication WHERE pubname = $1", [name], "Looking for publication \(name)")
        if found.count == 0 {
            guard mode != .disabled, !isStandby else { throw missing(isStandby: isStandby) }
            try await create(connection, captured)
        } else if mode == .filtered, !isStandby {
            try await align(connection, captured, isForAllTables: found.isTrue(0, 0))
        }
        return try await fingerprint(connection)
    }

    private func missing(isStandby: Bool) -> ConnectorError {
        ConnectorError(
            "postgres.publication_missing", .stop,
            "Publication \(name) does not exist"
                + (isStandby ? " and a standby cannot create it" : " and publication.autocreate.mode=disabled"),
            hint: isStandby
                ? "Create it on the primary: CREATE PUBLICATION \(quoted(name)) FOR TABLE …"
                : "CREATE PUBLICATION \(quoted(name)) FOR TABLE …, or let the connector create it with publication.autocreate.mode=filtered")
    }

    private func create(_ connection: Connection, _ captured: [CatalogQueries.TableName]) async throws {
        let scope =
            switch mode {
            case .allTables, .disabled: " FOR ALL TABLES"
            case .noTables: ""
            case .filtered: " FOR TABLE \(try list(captured))"
            }
        let options = viaPartitionRoot ? " WITH (publish_via_partition_root = true)" : ""
        try await connection.query("CREATE PUBLICATION \(quoted(name))\(scope)\(options)", [], "Creating publication \(name)")
        log.info("Created publication \(name)\(scope.count > 200 ? " for \(captured.count) tables" : scope)")
    }

    private func align(_ connection: Connection, _ captured: [CatalogQueries.TableName], isForAllTables: Bool) async throws {
        if isForAllTables {
            throw ConnectorError(
                "postgres.publication_mismatch", .stop, "Publication \(name) is FOR ALL TABLES, which publication.autocreate.mode=filtered cannot narrow",
                hint: "Drop it, name another in publication.name, or set publication.autocreate.mode=all_tables")
        }
        let rows = try await connection.query(
            """
            SELECT r.prrelid FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid WHERE p.pubname = $1
            """, [name], "Reading publication \(name)")
        let present = Set((0..<rows.count).compactMap { UInt32(rows.text($0, 0)) })
        guard present != Set(captured.map(\.oid)) else { return }
        try await connection.query("ALTER PUBLICATION \(quoted(name)) SET TABLE \(try list(captured))", [], "Altering publication \(name)")
        log.info("Publication \(name) now has the \(captured.count) captured tables")
    }

    private func list(_ captured: [CatalogQueries.TableName]) throws -> String {
        guard !captured.isEmpty else {
            throw ConnectorError(
                "postgres.no_tables", .stop, "No table matches the filters, so publication \(name) would have none",
                hint: "Check schema.include.list and table.include.list: they are regular expressions on schema and schema.table")
        }
        return captured.map { "\(quoted($0.schema)).\(quoted($0.name))" }.joined(separator: ", ")
    }

    private func fingerprint(_ connection: Connection) async throws -> String {
        let rows = try await connection.query(
            """
            SELECT md5(concat_ws('|', p.oid, p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate, p.pubviaroot,
              CASE WHEN NOT p.puballtables THEN
                (SELECT string_agg(t.schemaname || '.' || t.tablename, ',' ORDER BY t.schemaname, t.tablename) FROM pg_catalog.pg_publication_tables t WHERE t.pubname = p.pubname)
              END))
            FROM pg_catalog.pg_publication p WHERE p.pubname = $1
            """, [name], "Reading publication \(name)")
        return String((rows.count == 1 ? rows.text(0, 0) : "").prefix(16))
    }
}
