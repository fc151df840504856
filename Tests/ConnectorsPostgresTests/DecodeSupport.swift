import ConnectAPI
import Foundation
import JSON
import TestSupport

@testable import ConnectorsPostgres

/// What the decoder tests need of a real server: its catalog, the messages of a slot, and COPY streams.
struct DecodeDatabase {
    let postgres: PostgresDatabase

    /// The session settings the connector's own connections have.
    static let session = "set datestyle to 'ISO, MDY'; set intervalstyle to postgres; set timezone to 'UTC'; set bytea_output to hex; set extra_float_digits to 3;\n"

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
            Self.session + "copy (select \(columns) from \"\(schema.definition.schema)\".\"\(schema.definition.name)\"\(isOrdered ? " order by 1" : "")) to '\(path)' (format binary);")
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

/// Rows and schemas as Kafka Connect's JsonConverter shows them: what the recordings hold.
enum Rendered {
    /// Every record of a batch as `(key, value)` documents; nil where the bytes would be null.
    static func records(_ batch: RecordBatch, placeholder: String = "__debezium_unavailable_value") -> [(key: JSONValue?, value: JSONValue?, headers: [String])] {
        (0..<batch.count).map { row in
            func document(_ column: Column) -> JSONValue {
                .object([("schema", schema(column.schema, field: nil)), ("payload", value(column, row, placeholder))])
            }
            let headers = batch.headers.filter { $0.present.map { $0[row] } ?? true }.flatMap { header -> [String] in
                let value = header.values
                return [header.name, value.schema.type == .string ? value[row].stringValue! : self.value(value, row, placeholder).compactText]
            }
            return (batch.key.map(document), batch.isTombstone(row) ? nil : batch.value.map(document), headers)
        }
    }

    static func schema(_ schema: Schema, field: String?) -> JSONValue {
        let names: [SchemaType: String] = [.float32: "float", .float64: "double"]
        var out: [(String, JSONValue)] = [("type", .string(names[schema.type] ?? schema.type.rawValue))]
        switch schema.type {
        case .struct: out.append(("fields", .array(schema.fields.map { self.schema($0.schema, field: $0.name) })))
        case .array: out.append(("items", self.schema(schema.element!, field: nil)))
        case .map:
            out.append(("keys", self.schema(schema.key!, field: nil)))
            out.append(("values", self.schema(schema.element!, field: nil)))
        default: break
        }
        out.append(("optional", .bool(schema.isOptional)))
        if let name = schema.name { out.append(("name", .string(name))) }
        if let version = schema.version { out.append(("version", .integer(version))) }
        if let doc = schema.doc { out.append(("doc", .string(doc))) }
        if !schema.parameters.isEmpty { out.append(("parameters", .object(schema.parameters.map { ($0.key, .string($0.value)) }))) }
        if let value = schema.defaultValue { out.append(("default", self.value(value, schema))) }
        if let field { out.append(("field", .string(field))) }
        return .object(out)
    }

    static func value(_ column: Column, _ row: Int, _ placeholder: String) -> JSONValue {
        if let missing = column.unavailable, missing[row] {
            return .string(column.schema.type == .bytes ? JSON.Base64.encode(Array(placeholder.utf8)) : placeholder)
        }
        if !column.isNull(row), column.schema.type == .struct {
            return .object(column.schema.fields.indices.map { (column.schema.fields[$0].name, value(column.child(at: $0), row, placeholder)) })
        }
        return value(column[row], column.schema)
    }

    static func value(_ value: Value, _ schema: Schema) -> JSONValue {
        switch value {
        case .null: return schema.defaultValue.map { self.value($0, schema) } ?? .null
        case .boolean(let b): return .bool(b)
        case .integer(let i): return .integer(i)
        case .float(let f):
            // Compared as numbers, not as texts.
            return f.isFinite ? .double(Double("\(f)")!) : .double(Double(f))
        case .double(let d): return .double(d)
        case .string(let s): return .string(s)
        case .bytes(let b): return .string(JSON.Base64.encode(b))
        case .array(let a): return .array(a.map { self.value($0, schema.element!) })
        case .map(let m): return .object(m.map { ($0.key.stringValue!, self.value($0.value, schema.element!)) })
        case .struct(let s): return .object(zip(schema.fields, s).map { ($0.name, self.value($1, $0.schema)) })
        }
    }
}

/// A recorded topic.
struct Recording {
    struct Record {
        let key: JSONValue?
        let value: JSONValue?
        let headers: [String]
    }
    let records: [Record]

    init(_ scenario: String, _ topic: String) throws {
        let lines = try String(decoding: Self.bytes("\(scenario)/\(topic).jsonl"), as: UTF8.self).split(separator: "\n")
        records = try lines.map { line in
            let record = try JSONValue.parse(line.utf8)
            return Record(
                key: try record["key_raw"]?.stringValue.map { try JSONValue.parse($0) },
                value: try record["value_raw"]?.stringValue.map { try JSONValue.parse($0) },
                headers: record["headers"]!.arrayValue!.map { $0.stringValue! })
        }
    }

    static func bytes(_ path: String) throws -> Data {
        try Data(contentsOf: Bundle.module.resourceURL!.appendingPathComponent("Golden/debezium/\(path)"))
    }

    static func sql(_ name: String) throws -> String {
        try String(decoding: bytes("inputs/\(name).sql"), as: UTF8.self).replacingOccurrences(
            of: "\\ir row_typical.sql", with: String(decoding: bytes("inputs/row_typical.sql"), as: UTF8.self))
    }
}

/// Replaces what differs between two runs: times, LSNs, transaction ids, and the values of default now() and gen_random_uuid().
func masked(_ value: JSONValue, member: String? = nil) -> JSONValue {
    let volatile: Set<String> = ["ts_ms", "ts_us", "ts_ns", "lsn", "txId", "sequence", "snapshot"]
    switch value {
    case .object(let object):
        // A schema's members have the same names; only payload numbers and texts are masked.
        return .object(object.members.map { ($0.key, masked($0.value, member: $0.key)) })
    case .array(let items): return .array(items.map { masked($0) })
    case .number, .string:
        if member == "id", case .string(let text) = value, text.contains(":") { return "T" }
        return member.map(volatile.contains) == true ? "M" : value
    default: return value
    }
}
