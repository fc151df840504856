import ConnectAPI

/// Everything known about one table before its first row: the schemas of its records and how each column is decoded.
///
///     TableDefinition + types + ValueConversion ─▶ key Schema, row Schema, Envelope Schema
///                                                 columns: position in the tuple ─▶ decoder
///
/// Made once a Relation message or a snapshot's catalog read, shared by every batch of the table: its schemas compare by reference.
final class TableSchema: Sendable {
    let definition: TableDefinition
    let topic: String
    let source: SourceIdentity
    let conversion: ValueConversion
    /// The columns that are read: those of the value and those of the key, in the table's order.
    let columns: [TableColumn]
    /// Positions in `columns` of the members of the row struct, in order.
    let valueColumns: [Int]
    /// Positions in `columns` of the members of the key, in key order; empty: no key.
    let keyColumns: [Int]
    let row: Schema
    /// nil: records have no key.
    let key: Schema?
    let envelope: Schema
    /// Columns left out because their type is not supported, as `name type`; worth one warning.
    let omitted: [String]

    /// - Parameters:
    ///   - types: every type the columns use, with their elements and base types, by OID.
    ///   - includes: the column filter; key columns stay in the key whatever it says.
    ///   - keyColumnNames: `message.key.columns` for this table; nil: the definition's key.
    ///   - mask: what hides or cuts a column; only character types are.
    ///   - describes: what a column's field tells of its source.
    /// - Throws: `postgres.key_column_missing` when a key column is not a column of the table or cannot be read.
    init(
        _ definition: TableDefinition, types: [UInt32: TypeDefinition], topic: String, conversion: ValueConversion, source: SourceIdentity,
        includes: (ColumnDefinition) -> Bool = { _ in true }, keyColumnNames: [String]? = nil,
        mask: (ColumnDefinition) -> ColumnMask? = { _ in nil }, describes: (ColumnDefinition, TypeDefinition) -> SourceDescription = { _, _ in .init() }
    ) throws {
        let keyPositions =
            try keyColumnNames?.map { name in
                guard let i = definition.columns.firstIndex(where: { $0.name == name }) else { throw Self.missingKey(name, definition) }
                return i
            } ?? definition.keyColumns
        let resolver = TypeResolver(types: types, conversion: conversion)
        var columns: [TableColumn] = [], omitted: [String] = []
        for (position, column) in definition.columns.enumerated() {
            let inValue = includes(column)
            guard inValue || keyPositions.contains(position) else { continue }
            guard var resolved = resolver.resolve(column) else {
                omitted.append("\(column.name) \(types[column.typeOID]?.name ?? "oid \(column.typeOID)")")
                continue
            }
            if let type = types[column.typeOID] { resolved.schema = describes(column, type).applied(to: resolved.schema) }
            let mask = resolved.isCharacter ? mask(column) : nil, length = column.typeModifier >= 4 ? Int(column.typeModifier) - 4 : nil
            columns.append(
                TableColumn(
                    name: column.name, field: conversion.fieldNames.fieldName(column.name), position: position, inValue: inValue,
                    schema: mask?.parameter(length: length).map { resolved.schema.adding($0) } ?? resolved.schema, decoder: resolved.decoder,
                    mask: mask, length: length, hasBinaryDecoder: resolved.isBinaryCapable,
                    labels: resolver.labels(column.typeOID),
                    // Not `nil`: that could be read as the value null.
                    filler: column.isNotNull ? resolved.schema.defaultValue ?? resolved.zero : Value?.none))
        }
        let keyColumns = try keyPositions.map { position in
            guard let i = columns.firstIndex(where: { $0.position == position }) else {
                throw Self.missingKey(definition.columns[position].name, definition)
            }
            return i
        }
        let valueColumns = columns.indices.filter { columns[$0].inValue }
        let schemaName = conversion.schemaNames.schemaName(topic)
        self.definition = definition
        self.topic = topic
        self.source = source
        self.conversion = conversion
        self.columns = columns
        self.valueColumns = valueColumns
        self.keyColumns = keyColumns
        self.omitted = omitted
        row = .struct(valueColumns.map { .init(columns[$0].field, columns[$0].schema) }, optional: true, name: "\(schemaName).Value")
        key = keyColumns.isEmpty ? nil : .struct(keyColumns.map { .init(columns[$0].field, columns[$0].schema) }, name: "\(schemaName).Key")
        envelope = DebeziumSchemas.envelope(topic: schemaName, row: row)
    }

    private static func missingKey(_ column: String, _ table: TableDefinition) -> ConnectorError {
        ConnectorError(
            "postgres.key_column_missing", .stop, "Key column \(column) of \(table.schema).\(table.name) does not exist or its type cannot be read",
            hint: "Correct message.key.columns or set include.unknown.datatypes=true")
    }

    /// Whether streaming may ask the server for binary values: every column that is read can be decoded from them.
    var supportsBinary: Bool { columns.allSatisfy(\.hasBinaryDecoder) }

    /// The columns a snapshot selects, in the order `SnapshotBatchBuilder` expects them; those without a binary decoder are to be cast
    /// to text (`"c"::text`).
    var snapshotColumns: [(name: String, castsToText: Bool)] { columns.map { ($0.name, !$0.hasBinaryDecoder) } }

    /// Whether values of this type can be decoded from PostgreSQL's binary send format.
    static func hasBinaryDecoder(_ oid: UInt32, types: [UInt32: TypeDefinition], conversion: ValueConversion = ValueConversion()) -> Bool {
        let column = ColumnDefinition(name: "", typeOID: oid, typeModifier: -1, isNotNull: false, defaultExpression: nil, isGenerated: false)
        return TypeResolver(types: types, conversion: conversion).resolve(column)?.isBinaryCapable ?? false
    }
}

/// A column that is read.
struct TableColumn: Sendable {
    let name: String
    /// The member's name in records: `name` after `field.name.adjustment.mode`.
    let field: String
    /// Its place in the tuples of the stream: its position in the definition's columns.
    let position: Int
    let inValue: Bool
    let schema: Schema
    let decoder: ColumnDecoder
    let mask: ColumnMask?
    /// The `n` of `varchar(n)` and `char(n)`.
    let length: Int?
    let hasBinaryDecoder: Bool
    /// The labels of an enum type.
    let labels: [String]
    /// What stands for a null of a NOT NULL column, as in the old tuple of a delete that has only identity columns: the default, else the
    /// type's zero. nil: the column is nullable.
    let filler: Value?
}

extension TableDefinition {
    /// The table as the stream describes it now: names, order and types are the message's; nullability and defaults are the catalog's, by
    /// name. A column the catalog does not have (dropped or renamed since) is nullable and without default. Without a catalog entry
    /// the key is what the message marks as identity.
    static func overlaying(_ relation: RelationMessage, on catalog: TableDefinition?) -> TableDefinition {
        let known = Dictionary((catalog?.columns ?? []).map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let columns = relation.columns.map { column in
            ColumnDefinition(
                name: column.name, typeOID: column.typeOID, typeModifier: column.typeModifier,
                isNotNull: known[column.name]?.isNotNull ?? (catalog == nil && column.isIdentity && relation.replicaIdentity == "d"),
                defaultExpression: known[column.name]?.defaultExpression, isGenerated: known[column.name]?.isGenerated ?? false,
                comment: known[column.name]?.comment)
        }
        let key: [Int]
        if let catalog {
            let positions = catalog.keyColumns.map { k in columns.firstIndex { $0.name == catalog.columns[k].name } }
            key = positions.contains(nil) ? [] : positions.map { $0! }
        } else {
            key = relation.replicaIdentity == "f" ? [] : columns.indices.filter { relation.columns[$0].isIdentity }
        }
        return TableDefinition(
            oid: relation.oid, schema: relation.schema, name: relation.name, columns: columns, keyColumns: key,
            replicaIdentity: relation.replicaIdentity, kind: catalog?.kind ?? "r")
    }
}

extension Schema {
    /// A copy with one more parameter.
    func adding(_ parameter: Parameter) -> Schema {
        Schema(
            type, optional: isOptional, name: name, version: version, doc: doc, parameters: parameters + [parameter], default: defaultValue,
            fields: fields, element: element, key: key)
    }
}
