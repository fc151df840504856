import ConnectAPI
import Foundation
import JSON
import TestSupport

@testable import ConnectorsPostgres

/// What the decoder tests need of a real server: its catalog, the messages of a slot, and COPY streams.
struct DecodeDatabase {
    let postgres: PostgresDatabase

    /// The session settings the connector's own connections have.
    static let session =
        "set datestyle to 'ISO, MDY'; set intervalstyle to postgres; set timezone to 'UTC'; set bytea_output to hex; set extra_float_digits to 3;\n"

    func json(_ query: String) throws -> JSONValue {
        try JSONValue.parse(postgres.sql("select coalesce(json_agg(q), '[]') from (\(query)) q"))
    }

    func types() throws -> [UInt32: TypeDefinition] {
        let rows = try json(
            """
            select oid::bigint, typname, typtype, typelem::bigint, typbasetype::bigint, typtypmod,
                coalesce((select json_agg(enumlabel order by enumsortorder) from pg_enum where enumtypid = t.oid), '[]') labels from pg_type t
            """)
        var out: [UInt32: TypeDefinition] = [:]
        for row in rows.arrayValue! {
            let oid = UInt32(row["oid"]!.integerValue!)
            out[oid] = TypeDefinition(
                oid: oid, name: row["typname"]!.stringValue!, kind: .init(rawValue: Character(row["typtype"]!.stringValue!))!,
                elementOID: UInt32(row["typelem"]!.integerValue!), baseOID: UInt32(row["typbasetype"]!.integerValue!),
                baseModifier: Int32(row["typtypmod"]!.integerValue!), labels: row["labels"]!.arrayValue!.map { $0.stringValue! })
        }
        return out
    }

    /// Every table of a schema, in the order of their names.
    func tables(_ schema: String) throws -> [TableDefinition] {
        let rows = try json(
            """
            select c.oid::bigint, c.relname, c.relreplident, c.relkind,
                (select json_agg(json_build_object('name', attname, 'type', atttypid::bigint, 'mod', atttypmod, 'notnull', attnotnull,
                    'generated', attgenerated <> '', 'def', pg_get_expr(adbin, adrelid)) order by attnum)
                    from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
                    where attrelid = c.oid and attnum > 0 and not attisdropped) columns,
                coalesce((select json_agg(attname order by ord) from pg_index, unnest(indkey::int[]) with ordinality u(k, ord), pg_attribute a
                    where indrelid = c.oid and indisprimary and a.attrelid = c.oid and a.attnum = k), '[]') pk
            from pg_class c where relnamespace = '\(schema)'::regnamespace and relkind in ('r', 'p') order by relname
            """)
        return rows.arrayValue!.map { row in
            let columns = row["columns"]!.arrayValue!.map { column in
                ColumnDefinition(
                    name: column["name"]!.stringValue!, typeOID: UInt32(column["type"]!.integerValue!),
                    typeModifier: Int32(column["mod"]!.integerValue!), isNotNull: column["notnull"]!.boolValue!,
                    defaultExpression: column["def"]!.stringValue, isGenerated: column["generated"]!.boolValue!)
            }
            return TableDefinition(
                oid: UInt32(row["oid"]!.integerValue!), schema: schema, name: row["relname"]!.stringValue!, columns: columns,
                keyColumns: row["pk"]!.arrayValue!.map { key in columns.firstIndex { $0.name == key.stringValue! }! },
                replicaIdentity: Character(row["relreplident"]!.stringValue!), kind: Character(row["relkind"]!.stringValue!))
        }
    }

    /// The messages a slot holds, without consuming them.
    func messages(_ slot: String, _ publication: String, binary: Bool = false) throws -> [(lsn: UInt64, bytes: [UInt8])] {
        let text = try postgres.sql(
            Self.session + """
                select lsn - '0/0'::pg_lsn, encode(data, 'hex') from pg_logical_slot_peek_binary_changes('\(slot)', null, null,
                    'proto_version', '1', 'publication_names', '\(publication)', 'messages', 'true'\(binary ? ", 'binary', 'true'" : ""))
                """)
        return text.split(separator: "\n").map { line in
            let parts = line.split(separator: "|")
            return (UInt64(parts[0])!, Self.unhex(parts[1]))
        }
    }

    static func unhex(_ text: Substring) -> [UInt8] {
        let digits = Array(text.utf8).map { Hex.digit($0)! }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    /// What COPY (FORMAT binary) sends for a table, in the heap's order or in that of the first column.
    func copy(_ schema: TableSchema, isOrdered: Bool = false) throws -> [UInt8] {
        let path = "/tmp/sluice-copy-\(UUID().uuidString)"
        defer { unlink(path) }
        let columns = schema.snapshotColumns.map { "\"\($0.name)\"\($0.castsToText ? "::text" : "")" }.joined(separator: ",")
        try postgres.sql(
            Self.session
                + "copy (select \(columns) from \"\(schema.definition.schema)\".\"\(schema.definition.name)\"\(isOrdered ? " order by 1" : "")) to '\(path)' (format binary);"
        )
        return try Array(Data(contentsOf: URL(fileURLWithPath: path)))
    }
}

/// Plays pgoutput messages into builders as the connector does, and collects the batches by table.
struct StreamPlayer {
    let catalog: [UInt32: TableDefinition]
    let types: [UInt32: TypeDefinition]
    let conversion: ValueConversion
    let source: SourceIdentity
    var skipsTruncates = true
    var binaryOnly = false
    private(set) var batches: [String: [RecordBatch]] = [:]
    private(set) var messages: [(LogicalMessage, ChangeInfo)] = []
    private var builders: [UInt32: ChangeBatchBuilder] = [:]

    init(catalog: [TableDefinition], types: [UInt32: TypeDefinition], conversion: ValueConversion, source: SourceIdentity) {
        self.catalog = Dictionary(uniqueKeysWithValues: catalog.map { ($0.oid, $0) })
        self.types = types
        self.conversion = conversion
        self.source = source
    }

    mutating func play(_ stream: [(lsn: UInt64, bytes: [UInt8])], withMetadata: Bool = false) throws {
        var info = ChangeInfo(), total: Int64 = 0, counts: [UInt32: Int64] = [:]
        info.processedNanos = 1_700_000_000_123_456_789
        for (lsn, bytes) in stream {
            try bytes.withUnsafeBytes { bytes in
                info.lsn = lsn
                switch try PgOutputMessage.parse(bytes) {
                case .begin(let begin):
                    info.xid = begin.xid
                    info.commitMicros = begin.commitMicros
                    total = 0
                    counts = [:]
                case .commit(let commit): info.lastCommitLSN = commit.endLSN
                case .relation(let relation):
                    flush(relation.oid)
                    let table = TableDefinition.overlaying(relation, on: catalog[relation.oid])
                    builders[relation.oid] = ChangeBatchBuilder(
                        try TableSchema(
                            table, types: types, topic: "\(source.name).\(table.schema).\(table.name.replacingOccurrences(of: " ", with: "_"))",
                            conversion: conversion, source: source))
                case .change(let change):
                    if withMetadata {
                        info.totalOrder = total + 1
                        info.collectionOrder = counts[change.relation, default: 0] + 1
                    }
                    let events = Int64(try builders[change.relation]!.append(change, in: bytes, info))
                    total += events
                    counts[change.relation, default: 0] += events
                case .truncate(let truncate):
                    if !skipsTruncates { for oid in truncate.relations { builders[oid]!.appendTruncate(info) } }
                case .message(let message):
                    var own = info
                    own.totalOrder = 0
                    if !message.isTransactional { own.xid = nil } else if withMetadata { (own.totalOrder, own.collectionOrder) = (total + 1, 1) }
                    messages.append((message, own))
                default: break
                }
            }
        }
        for oid in builders.keys { flush(oid) }
    }

    private mutating func flush(_ oid: UInt32) {
        for batch in builders[oid]?.finish() ?? [] { batches[batch.topic, default: []].append(batch) }
    }
}

/// Records as the JsonConverter renders them, and as they were recorded.
struct Rendered: Equatable {
    /// nil: null bytes.
    let key: String?
    let value: String?
    /// Names and values in turns.
    let headers: [String]

    static func records(_ batch: RecordBatch) throws -> [Rendered] {
        func renderer(_ column: Column, schemas: Bool = true) -> ConnectJSONRenderer {
            ConnectJSONRenderer(column, ConnectJSONOptions(schemasEnabled: schemas))
        }
        func text(_ column: Column?, schemas: Bool = true) throws -> [String] {
            guard let column else { return [] }
            let renderer = renderer(column, schemas: schemas)
            return try (0..<column.count).map { row in
                if column.isNull(row) { return "" }
                var out = JSONWriter()
                try renderer.write(row, to: &out)
                return String(decoding: out.take(), as: UTF8.self)
            }
        }
        let keys = try text(batch.key), values = try text(batch.value)
        let headers = try batch.headers.map { header -> [String] in
            if header.values.schema.type == .string { return (0..<batch.count).map { header.values[$0].stringValue! } }
            return try text(header.values, schemas: false)
        }
        return (0..<batch.count).map { row in
            Rendered(
                key: batch.key == nil ? nil : keys[row], value: batch.isTombstone(row) ? nil : values[row],
                headers: zip(batch.headers, headers).filter { $0.0.present.map { $0[row] } ?? true }.flatMap { [$0.0.name, $0.1[row]] })
        }
    }

    /// A recorded topic: one record a line.
    static func recorded(_ scenario: String, _ topic: String) throws -> [Rendered] {
        try String(decoding: Recording.bytes("\(scenario)/\(topic).jsonl"), as: UTF8.self).split(separator: "\n").map { line in
            let record = try JSONValue.parse(line.utf8)
            return Rendered(
                key: record["key_raw"]?.stringValue, value: record["value_raw"]?.stringValue,
                headers: record["headers"]!.arrayValue!.map { $0.stringValue! })
        }
    }

    /// Without what differs between two runs: times, LSNs and transaction ids; the marks of a snapshot depend on the set of tables.
    var masked: Rendered {
        Rendered(key: key.map(Self.mask), value: value.map(Self.mask), headers: headers)
    }

    // swift-format-ignore: NeverUseForceTry
    private static let volatile: [(NSRegularExpression, String)] = [
        (try! NSRegularExpression(pattern: #""(ts_ms|ts_us|ts_ns|lsn|txId)":\d+"#), #""$1":0"#),
        (try! NSRegularExpression(pattern: #""sequence":"\[.*?\]""#), #""sequence":"[]""#),
        (try! NSRegularExpression(pattern: #""id":"\d+:\d+""#), #""id":"T""#),
        (try! NSRegularExpression(pattern: #""snapshot":"[a-z_]+""#), #""snapshot":"S""#),
    ]

    private static func mask(_ text: String) -> String {
        volatile.reduce(text) { text, rule in
            rule.0.stringByReplacingMatches(in: text, range: NSRange(text.startIndex..., in: text), withTemplate: rule.1)
        }
    }
}

enum Recording {
    static func bytes(_ path: String) throws -> Data {
        try Data(contentsOf: Bundle.module.resourceURL!.appendingPathComponent("Golden/debezium/\(path)"))
    }

    /// What was played while recording; `Tests/Debezium/parity.py` plays the same files.
    static func sql(_ name: String) throws -> String {
        func text(_ name: String) throws -> String { try String(contentsOfFile: "\(Checkout.root)/Tests/Debezium/\(name).sql", encoding: .utf8) }
        return try text(name).replacingOccurrences(of: "\\ir row_typical.sql", with: text("row_typical"))
    }
}
