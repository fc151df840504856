import ConnectAPI

/// Divides what is to be read into units.
///
/// A table larger than `unitBytes` with a single integer key is divided into ranges of that key, about `unitBytes` each; every other table is one
/// unit. Ranges and not blocks, because a change of the stream tells its key and not its place: after a crash, units of one table may
/// have been read at different LSNs, and each change must find its unit.
struct SnapshotPlan {
    let configuration: PostgresConfiguration
    let filter: CaptureFilter
    let factory: SchemaFactory
    let connection: Connection

    /// The units the ledger does not have, in the order to read them, and how many tables there are in all.
    func units(unfinishedIn ledger: SnapshotLedger) async throws -> (units: [SnapshotUnit], tables: Int) {
        let catalog = CatalogQueries(connection: connection)
        let names = try await catalog.tableNames().filter {
            filter.captures(schema: $0.schema, table: $0.name) && filter.snapshots(schema: $0.schema, table: $0.name)
        }
        let definitions = try await ordered(Array(catalog.tables(names.map(\.oid)).values))
        let types = try await catalog.types(definitions.flatMap { $0.columns.map(\.typeOID) })
        let bytes = try await sizes(definitions)
        let overridden = Set((configuration.snapshotSelectStatementOverrides ?? "").split(separator: ",").map { $0.trimmingSpaces() })
        let dividesBlocks = await connection.serverVersion >= 140_000
        var units: [SnapshotUnit] = []
        for definition in definitions {
            let name = "\(definition.schema).\(definition.name)"
            guard !ledger.isFinished(name) else { continue }
            let table = SnapshotUnit(
                schema: try factory.schema(definition, types: types), override: overridden.contains(name) ? configuration.selectOverrides[name] : nil,
                bytes: bytes[definition.oid] ?? 0, divides: dividesBlocks && definition.kind == "r")
            units += try await divide(table, types, ledger)
        }
        if configuration.snapshotLockingMode.lowercased() == "shared" {
            try await connection.query("SET LOCAL lock_timeout = \(configuration.snapshotLockTimeoutMilliseconds)", [], "Setting the lock timeout")
            for unit in units where unit.beginsTable { try await connection.query(unit.lockStatement, [], "Locking table \(unit.table)") }
        }
        return (units, definitions.count)
    }

    /// By the include list and by name, or by the planner's count of rows (`snapshot.tables.order.by.row.count`).
    private func ordered(_ tables: [TableDefinition]) async throws -> [TableDefinition] {
        let byName = tables.sorted(by: filter.snapshotOrder), order = configuration.snapshotTablesOrderByRowCount.lowercased()
        guard order == "ascending" || order == "descending" else { return byName }
        let rows = try await connection.query(
            "SELECT c.oid, c.reltuples::bigint FROM pg_catalog.pg_class c WHERE c.oid = ANY ($1::oid[])",
            ["{" + tables.map { String($0.oid) }.joined(separator: ",") + "}"], "Reading row counts")
        let counts = Dictionary((0..<rows.count).map { (UInt32(rows.text($0, 0)) ?? 0, rows.integer($0, 1) ?? 0) }, uniquingKeysWith: { a, _ in a })
        return byName.enumerated().sorted { a, b in
            let (x, y) = (counts[a.element.oid] ?? 0, counts[b.element.oid] ?? 0)
            if x == y { return a.offset < b.offset }
            return order == "ascending" ? x < y : x > y
        }.map(\.element)
    }

    private func sizes(_ tables: [TableDefinition]) async throws -> [UInt32: Int64] {
        let rows = try await connection.query(
            "SELECT c.oid, pg_relation_size(c.oid) FROM pg_catalog.pg_class c WHERE c.oid = ANY ($1::oid[])",
            ["{" + tables.map { String($0.oid) }.joined(separator: ",") + "}"], "Reading table sizes")
        return Dictionary((0..<rows.count).map { (UInt32(rows.text($0, 0)) ?? 0, rows.integer($0, 1) ?? 0) }, uniquingKeysWith: { a, _ in a })
    }

    // MARK: Ranges

    private func divide(_ table: SnapshotUnit, _ types: [UInt32: TypeDefinition], _ ledger: SnapshotLedger) async throws -> [SnapshotUnit] {
        let done = ledger.ranges(of: table.table)
        let unitBytes = Int64(configuration.snapshotUnitBytes)
        guard hasRoutableKey(table, types) else {
            guard done.isEmpty else {
                throw ConnectorError(
                    "postgres.snapshot_key_changed", .stop,
                    "The unfinished snapshot of \(table.table) was divided by its key, which is no single integer column any more",
                    hint: "Delete the connector's offsets to take a new snapshot")
            }
            return [table]
        }
        guard table.bytes > unitBytes || !done.isEmpty else { return [table] }
        let count = max(1, Int((table.bytes + unitBytes - 1) / unitBytes))
        let shares = max(2, configuration.snapshotThreads * 2)
        guard let spread = try await spread(of: table) else { return [table] }
        let boundaries = (1..<max(count, 2)).map { spread.key(at: Double($0) / Double(count)) }
        let cuts = (1..<count * shares).map { spread.key(at: Double($0) / Double(count * shares)) }
        var units: [SnapshotUnit] = ledger.gaps(of: table.table).flatMap { $0.divided(at: boundaries) }.map { range in
            var unit = SnapshotUnit(
                schema: table.schema, override: nil, bytes: table.bytes / Int64(count), divides: false, range: range, cuts: cuts)
            unit.beginsTable = range.lower == nil
            unit.endsTable = range.upper == nil
            return unit
        }
        if units.count == 1, units[0].range == KeyRange() { units = [table] }
        return units
    }

    /// One integer column is the primary key, and every change of a row tells it.
    private func hasRoutableKey(_ table: SnapshotUnit, _ types: [UInt32: TypeDefinition]) -> Bool {
        let definition = table.schema.definition
        guard table.override == nil, definition.kind == "r", definition.keyColumns.count == 1, ["d", "f"].contains(definition.replicaIdentity) else {
            return false
        }
        let column = definition.columns[definition.keyColumns[0]]
        return column.isNotNull && ["int2", "int4", "int8"].contains(types[column.typeOID]?.name)
    }

    /// How keys are spread: `points` part the rows into shares of about the same size.
    private struct Spread {
        let points: [Int64]

        /// The key below which a share of the rows lies.
        func key(at share: Double) -> Int64 {
            let position = share * Double(points.count - 1)
            let i = min(Int(position), points.count - 2)
            let width = Double(points[i + 1]) - Double(points[i])
            return Int64(exactly: (Double(points[i]) + width * (position - Double(i))).rounded(.down)) ?? points[i + 1]
        }
    }

    /// From the planner's histogram, else evenly between the least and the greatest key; nil: no rows.
    private func spread(of table: SnapshotUnit) async throws -> Spread? {
        let definition = table.schema.definition
        let column = definition.columns[definition.keyColumns[0]].name
        let rows = try await connection.query(
            """
            SELECT (SELECT min(\(quoted(column))) FROM \(quoted(definition.schema)).\(quoted(definition.name))),
              (SELECT max(\(quoted(column))) FROM \(quoted(definition.schema)).\(quoted(definition.name))),
              (SELECT array_to_string(histogram_bounds::text::bigint[], ' ') FROM pg_catalog.pg_stats
               WHERE schemaname = $1 AND tablename = $2 AND attname = $3 AND NOT inherited)
            """, [definition.schema, definition.name, column], "Reading the keys of \(table.table)")
        guard let least = rows.integer(0, 0), let greatest = rows.integer(0, 1), least < greatest else { return nil }
        let histogram = (rows[0, 2] ?? "").split(separator: " ").compactMap { Int64($0) }
        guard histogram.count > 2 else { return Spread(points: [least, greatest]) }
        return Spread(points: [min(least, histogram[0])] + histogram.dropFirst().dropLast() + [max(greatest, histogram.last!)])
    }
}
