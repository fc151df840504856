import ConnectAPI

/// What the connector asks of PostgreSQL's catalog: one statement a need, whatever the number of tables.
struct CatalogQueries {
    let connection: Connection

    /// A table that could be captured, before its columns are read.
    struct TableName: Sendable, Hashable {
        let oid: UInt32
        let schema: String
        let name: String
        let kind: Character
        let replicaIdentity: Character
    }

    /// Every ordinary and partitioned table that logical replication can publish, by schema and name. Temporary and unlogged tables have no
    /// WAL, and the system's own are never captured.
    func tableNames() async throws -> [TableName] {
        let rows = try await connection.query(
            """
            SELECT c.oid, n.nspname, c.relname, c.relkind, c.relreplident
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
              AND n.nspname !~ '^pg_(toast|temp)'
            ORDER BY n.nspname, c.relname
            """, [], "Listing tables")
        return (0..<rows.count).map { row in
            TableName(
                oid: UInt32(rows.text(row, 0)) ?? 0, schema: rows.text(row, 1), name: rows.text(row, 2),
                kind: rows.text(row, 3).first ?? "r", replicaIdentity: rows.text(row, 4).first ?? "d")
        }
    }

    /// The definitions of these tables, by OID; tables dropped meanwhile are absent.
    ///
    /// The key is the primary key, else the first unique index by name that is valid, immediate, whole and of plain columns.
    func tables(_ oids: [UInt32]) async throws -> [UInt32: TableDefinition] {
        guard !oids.isEmpty else { return [:] }
        let list = Self.array(oids)
        let tables = try await connection.query(
            """
            SELECT c.oid, n.nspname, c.relname, c.relkind, c.relreplident,
              (SELECT array_to_string(i.indkey[0:i.indnkeyatts - 1], ' ')
               FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
               WHERE i.indrelid = c.oid AND i.indisvalid
                 AND (i.indisprimary
                      OR i.indisunique AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL AND NOT 0 = ANY (i.indkey::int2[]))
               ORDER BY i.indisprimary DESC, x.relname LIMIT 1)
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.oid = ANY ($1::oid[])
            """, [list], "Reading table definitions")
        let columns = try await connection.query(
            """
            SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.attgenerated = 's',
              CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END,
              pg_catalog.col_description(a.attrelid, a.attnum)
            FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
            WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
            ORDER BY a.attrelid, a.attnum
            """, [list], "Reading column definitions")
        var columnsOf: [UInt32: (definitions: [ColumnDefinition], numbers: [String])] = [:]
        for row in 0..<columns.count {
            let column = ColumnDefinition(
                name: columns.text(row, 2), typeOID: UInt32(columns.text(row, 3)) ?? 0, typeModifier: Int32(columns.text(row, 4)) ?? -1,
                isNotNull: columns.isTrue(row, 5), defaultExpression: columns[row, 7], isGenerated: columns.isTrue(row, 6), comment: columns[row, 8])
            columnsOf[UInt32(columns.text(row, 0)) ?? 0, default: ([], [])].definitions.append(column)
            columnsOf[UInt32(columns.text(row, 0)) ?? 0, default: ([], [])].numbers.append(columns.text(row, 1))
        }
        var out: [UInt32: TableDefinition] = [:]
        for row in 0..<tables.count {
            let oid = UInt32(tables.text(row, 0)) ?? 0
            let (definitions, numbers) = columnsOf[oid] ?? ([], [])
            let key = (tables[row, 5] ?? "").split(separator: " ").compactMap { number in numbers.firstIndex { $0 == number } }
            out[oid] = TableDefinition(
                oid: oid, schema: tables.text(row, 1), name: tables.text(row, 2), columns: definitions, keyColumns: key,
                replicaIdentity: tables.text(row, 4).first ?? "d", kind: tables.text(row, 3).first ?? "r")
        }
        return out
    }

    /// These types with their elements and the types under domains, by OID.
    func types(_ oids: some Sequence<UInt32>) async throws -> [UInt32: TypeDefinition] {
        let rows = try await connection.query(
            """
            WITH RECURSIVE wanted(oid) AS (
              SELECT unnest($1::oid[])
              UNION
              SELECT part FROM wanted w JOIN pg_catalog.pg_type t ON t.oid = w.oid
                CROSS JOIN LATERAL (VALUES (CASE WHEN t.typcategory = 'A' THEN t.typelem END), (t.typbasetype)) AS parts(part)
              WHERE part <> 0)
            SELECT t.oid, t.typname, t.typtype, CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END, t.typbasetype, t.typtypmod,
              (SELECT string_agg(e.enumlabel, chr(31) ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid)
            FROM wanted JOIN pg_catalog.pg_type t USING (oid)
            """, [Self.array(Set(oids))], "Reading types")
        var types: [UInt32: TypeDefinition] = [:]
        for row in 0..<rows.count {
            let oid = UInt32(rows.text(row, 0)) ?? 0
            types[oid] = TypeDefinition(
                oid: oid, name: rows.text(row, 1), kind: TypeDefinition.Kind(rawValue: rows.text(row, 2).first ?? "b") ?? .base,
                elementOID: UInt32(rows.text(row, 3)) ?? 0, baseOID: UInt32(rows.text(row, 4)) ?? 0,
                baseModifier: Int32(rows.text(row, 5)) ?? -1,
                labels: rows[row, 6]?.split(separator: "\u{1f}", omittingEmptySubsequences: false).map(String.init) ?? [])
        }
        return types
    }

    private static func array(_ oids: some Sequence<UInt32>) -> String { "{" + oids.map(String.init).joined(separator: ",") + "}" }
}
