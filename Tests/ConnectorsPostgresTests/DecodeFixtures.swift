import ConnectAPI

@testable import ConnectorsPostgres

/// Messages and tables made by hand.
enum Fixtures {
    static func be<T: FixedWidthInteger>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }

    static let copyHeader: [UInt8] = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0x00] + be(Int32(0)) + be(Int32(0))

    static func copyTuple(_ values: [[UInt8]?]) -> [UInt8] {
        be(Int16(values.count)) + values.flatMap { value in value.map { be(Int32($0.count)) + $0 } ?? be(Int32(-1)) }
    }

    /// A cell of a pgoutput tuple.
    enum Cell {
        case null, unchanged
        case text(String)
    }

    static func tuple(_ cells: [Cell]) -> [UInt8] {
        be(Int16(cells.count))
            + cells.flatMap { cell -> [UInt8] in
                switch cell {
                case .null: [UInt8(ascii: "n")]
                case .unchanged: [UInt8(ascii: "u")]
                case .text(let text): [UInt8(ascii: "t")] + be(Int32(text.utf8.count)) + Array(text.utf8)
                }
            }
    }

    static func insert(_ new: [Cell]) -> [UInt8] { [UInt8(ascii: "I")] + be(UInt32(16_400)) + [UInt8(ascii: "N")] + tuple(new) }

    static func update(_ new: [Cell], old: [Cell]? = nil, isFull: Bool = false) -> [UInt8] {
        [UInt8(ascii: "U")] + be(UInt32(16_400)) + (old.map { [isFull ? UInt8(ascii: "O") : UInt8(ascii: "K")] + tuple($0) } ?? []) + [UInt8(ascii: "N")]
            + tuple(new)
    }

    static func delete(_ old: [Cell], isFull: Bool = false) -> [UInt8] {
        [UInt8(ascii: "D")] + be(UInt32(16_400)) + [isFull ? UInt8(ascii: "O") : UInt8(ascii: "K")] + tuple(old)
    }

    static let types: [UInt32: TypeDefinition] = {
        func base(_ oid: UInt32, _ name: String) -> TypeDefinition {
            TypeDefinition(oid: oid, name: name, kind: .base, elementOID: 0, baseOID: 0, baseModifier: -1, labels: [])
        }
        let all = [base(20, "int8"), base(23, "int4"), base(25, "text"), base(1700, "numeric"), base(1184, "timestamptz"), base(628, "line")]
        return Dictionary(uniqueKeysWithValues: all.map { ($0.oid, $0) })
    }()

    static func column(_ name: String, _ type: UInt32, notNull: Bool = false, default expression: String? = nil, modifier: Int32 = -1) -> ColumnDefinition {
        ColumnDefinition(
            name: name, typeOID: type, typeModifier: modifier, isNotNull: notNull, defaultExpression: expression, isGenerated: false)
    }

    /// `t(id bigint primary key, a text not null default 'd', b text)`.
    static func transactions(
        key: [Int] = [0], conversion: ValueConversion = ValueConversion(), columns: [ColumnDefinition]? = nil,
        includes: (ColumnDefinition) -> Bool = { _ in true }, keyColumnNames: [String]? = nil, mask: (ColumnDefinition) -> ColumnMask? = { _ in nil }
    ) throws -> TableSchema {
        let all = columns ?? [column("id", 20, notNull: true), column("a", 25, notNull: true, default: "'d'::text"), column("b", 25)]
        let table = TableDefinition(
            oid: 16_400, schema: "public", name: "t", columns: all, keyColumns: key, replicaIdentity: "d", kind: "r")
        return try TableSchema(
            table, types: types, topic: "x.public.t", conversion: conversion, source: SourceIdentity(name: "x", database: "db"),
            includes: includes, keyColumnNames: keyColumnNames, mask: mask)
    }

    /// Appends messages and returns the one batch, or the batches of a truncated table.
    static func batches(_ schema: TableSchema, _ messages: [[UInt8]?]) throws -> [RecordBatch] {
        var builder = ChangeBatchBuilder(schema), info = ChangeInfo()
        for (i, message) in messages.enumerated() {
            info.lsn = UInt64(1000 + i)
            info.xid = 9
            info.processedNanos = 5_000_000_000
            guard let message else {
                builder.appendTruncate(info)
                continue
            }
            try message.withUnsafeBytes { bytes in
                guard case .change(let change) = try PgOutputMessage.parse(bytes) else { preconditionFailure("not a change") }
                try builder.append(change, in: bytes, info)
            }
        }
        return builder.finish()
    }
}
