import ConnectAPI

/// `io.debezium.connector.postgresql.transforms.timescaledb.TimescaleDb`: changes of a hypertable's chunks under the name of the hypertable.
///
///     dbserver1._timescaledb_internal._hyper_1_1_chunk ──▶ timescaledb.public.conditions           (a hypertable's chunk)
///     dbserver1._timescaledb_internal._hyper_2_2_chunk ──▶ timescaledb.public.conditions_summary   (a continuous aggregate's)
///
/// `source.schema` and `source.table` name the hypertable or the aggregate then; headers name the chunk, and an aggregate's own hypertable. Which chunk
/// belongs to which is asked of TimescaleDB's catalog (`TimescaleCatalog`), when a chunk is first seen. Records that are no change events, tombstones
/// among them, and tables that are no chunks pass as they are.
struct TimescaleDb: DatabaseTransform {
    static let className = "io.debezium.connector.postgresql.transforms.timescaledb.TimescaleDb"

    struct Configuration: ConnectConfiguration {
        @Field(
            "schema.list", default: "_timescaledb_internal", importance: .high, doc: "Schemas whose tables are chunks", order: 1, width: .medium,
            displayName: "The list of TimescaleDB data schemas")
        var schemas: [String]
        @Field(
            "target.topic.prefix", default: "timescaledb", importance: .medium, doc: "The topics are this, the schema and the table, joined by dots", order: 1,
            width: .medium, displayName: "The prefix of TimescaleDB topic names")
        var prefix: String
        /// The connection to the database, as the connector spells it.
        @FieldPrefix("database.") var connection: [String: String]
        init() {}
    }

    private let schemas: Set<String>
    private let prefix: String
    private let catalog: TimescaleCatalog

    init(_ configuration: Configuration, _ database: @escaping DatabaseQuery) throws {
        for key in ["hostname", "user", "dbname"] where (configuration.connection[key] ?? "").isEmpty {
            throw ConnectorError(
                "config.invalid", .stop, "Missing required configuration \"database.\(key)\" which has no default value.",
                hint: "The transform asks TimescaleDB's catalog: give it database.hostname, database.port, database.user, database.password, database.dbname")
        }
        schemas = configuration.schemas.isEmpty ? ["_timescaledb_internal"] : Set(configuration.schemas)
        prefix = configuration.prefix
        let connection = Dictionary(uniqueKeysWithValues: configuration.connection.map { ("database.\($0.key)", $0.value) })
        catalog = TimescaleCatalog { try await database(connection, $0) }
    }

    func apply(_ input: TransformedBatch) throws -> [TransformedBatch] {
        guard let envelope = input.batch.value, Envelope.isNamed(envelope.schema), let source = envelope.child("source"), source.schema.type == .struct,
            let schema = source.member("schema"), let table = source.member("table")
        else { return [input] }
        let chunks = chunks(schema, table, where: envelope, input.batch)
        let seen = Set(chunks.compactMap { $0 })
        if seen.isEmpty { return [input] }
        let owners = try catalog.owners(of: seen)
        return input.runs { chunks.count == 1 ? chunks[0] : chunks[$0] }.map { chunk, part in
            guard let chunk, let owner = owners[chunk] else { return part }
            return renamed(part, chunk, owner)
        }
    }

    /// The chunk each row may be of: one for all rows, mostly, or one a row; nil: it is of none.
    private func chunks(_ schema: Column, _ table: Column, where envelope: Column, _ batch: RecordBatch) -> [TimescaleCatalog.Table?] {
        func chunk(_ row: Int) -> TimescaleCatalog.Table? {
            guard let schema = schema[row].stringValue, schemas.contains(schema), let table = table[row].stringValue else { return nil }
            return .init(schema: schema, name: table)
        }
        if case .constant = schema.storage, case .constant = table.storage, schema.validity == nil, table.validity == nil, batch.tombstones == nil,
            envelope.validRows == nil, batch.count > 0
        {
            return [chunk(0)]
        }
        return (0..<batch.count).map { batch.isTombstone($0) || envelope.isNull($0) ? nil : chunk($0) }
    }

    private func renamed(_ input: TransformedBatch, _ chunk: TimescaleCatalog.Table, _ owner: TimescaleCatalog.Owner) -> TransformedBatch {
        var out = input
        let batch = input.batch, shown = owner.aggregate ?? owner.hypertable
        out.batch.topic = "\(prefix).\(shown.schema).\(shown.name)"
        if let envelope = batch.value, let source = envelope.child("source") {
            var members = StructColumns(source, replacingNulls: false)
            for (name, text) in [("schema", shown.schema), ("table", shown.name)] {
                if let i = members.index(of: name) { members.columns[i] = .constant(.string(text), members.columns[i].schema, count: batch.count) }
            }
            var fields = StructColumns(envelope, replacingNulls: false)
            fields.set("source", members.column(keeping: source))
            out.batch.value = fields.column(keeping: envelope)
        }
        var headers = [("chunk_table", chunk.name), ("chunk_schema", chunk.schema)]
        if owner.aggregate != nil { headers += [("hypertable_table", owner.hypertable.name), ("hypertable_schema", owner.hypertable.schema)] }
        out.batch.headers += headers.map { HeaderColumn("__debezium_timescaledb_\($0)", .constant(.string($1), Schema(.string), count: batch.count)) }
        return out
    }
}
