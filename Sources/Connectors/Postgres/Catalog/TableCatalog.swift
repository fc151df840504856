import ConnectAPI

/// Describes the tables of the stream: Relation messages say names, order and types; the catalog adds nullability, defaults and keys.
///
/// Queries run on an ordinary connection of its own, which is opened anew when the server dropped it meanwhile.
actor TableCatalog {
    private let parameters: ConnectionParameters
    private let filter: CaptureFilter
    private let factory: SchemaFactory
    private var connection: Connection?

    init(_ parameters: ConnectionParameters, _ filter: CaptureFilter, _ factory: SchemaFactory) {
        self.parameters = parameters
        self.filter = filter
        self.factory = factory
    }

    /// nil: the table is not captured.
    func schema(_ relation: RelationMessage) async throws -> TableSchema? {
        guard filter.captures(schema: relation.schema, table: relation.name) else { return nil }
        return try await fresh { catalog in
            let known = try await catalog.tables([relation.oid])[relation.oid]
            // Enum labels may have grown, so types are read each time.
            let types = try await catalog.types(relation.columns.map(\.typeOID))
            return try self.factory.schema(TableDefinition.overlaying(relation, on: known), types: types)
        }
    }

    /// Every table the filters capture, by schema and name.
    func captured() async throws -> [CatalogQueries.TableName] {
        try await fresh { catalog in try await catalog.tableNames().filter { self.filter.captures(schema: $0.schema, table: $0.name) } }
    }

    /// A table as the catalog has it now; nil: it is not there or not captured.
    func schema(ofTable schema: String, _ name: String) async throws -> TableSchema? {
        guard filter.captures(schema: schema, table: name) else { return nil }
        return try await fresh { catalog in
            guard let oid = try await catalog.tableNames().first(where: { $0.schema == schema && $0.name == name })?.oid,
                let definition = try await catalog.tables([oid])[oid]
            else { return nil }
            return try self.factory.schema(definition, types: try await catalog.types(definition.columns.map(\.typeOID)))
        }
    }

    /// 150020 for 15.20.
    func serverVersion() async throws -> Int { try await fresh { await $0.connection.serverVersion } }

    /// Whether the server may send binary values: every published type has a binary form, and every captured column a decoder for it.
    func supportsBinary(publication: String, captured: [CatalogQueries.TableName]) async throws -> Bool {
        try await fresh { catalog in
            guard await catalog.connection.serverVersion >= 140_000 else { return false }
            let textOnly = try await catalog.connection.query(
                """
                SELECT EXISTS (
                  SELECT 1 FROM pg_catalog.pg_publication_tables p
                    JOIN pg_catalog.pg_namespace n ON n.nspname = p.schemaname
                    JOIN pg_catalog.pg_class c ON c.relname = p.tablename AND c.relnamespace = n.oid
                    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
                  WHERE p.pubname = $1 AND t.typsend = 0)
                """, [publication], "Reading the types of publication \(publication)")
            if textOnly.isTrue(0, 0) { return false }
            let tables = try await catalog.tables(captured.map(\.oid)).values
            let types = try await catalog.types(tables.flatMap { $0.columns.map(\.typeOID) })
            return try tables.allSatisfy { try self.factory.schema($0, types: types, warns: false).supportsBinary }
        }
    }

    private func fresh<T: Sendable>(_ body: (CatalogQueries) async throws -> T) async throws -> T {
        if let connection {
            do { return try await body(CatalogQueries(connection: connection)) } catch let error as ConnectorError where error.disposition == .retry {
                self.connection = nil
            }
        }
        let opened = try await Connection.open(parameters)
        connection = opened
        return try await body(CatalogQueries(connection: opened))
    }
}
