import ConnectAPI
import Foundation
import TestSupport
import Testing

@testable import ConnectorsPostgres

/// PostgreSQL's text and binary formats of one value must give identical columns, in every mode.
@Suite struct DecodeFormatTests {
    /// Types with a binary decoder, and a value of them as an SQL literal.
    private static let columns: [(type: String, literal: @Sendable (inout SeededGenerator) -> String)] = [
        ("boolean", { Bool.random(using: &$0) ? "true" : "false" }),
        ("smallint", { "\(Int16.random(in: .min ... .max, using: &$0))" }),
        ("int", { "\(Int32.random(in: .min ... .max, using: &$0))" }),
        ("bigint", { "'\(edge(&$0, [Int64.min, .max, 0, -1]) { Int64.random(in: .min ... .max, using: &$0) })'" }),
        ("oid", { "\(UInt32.random(in: 0 ... .max, using: &$0))" }),
        ("real", { "'\(edge(&$0, ["NaN", "Infinity", "-Infinity", "-0", "1e-40"]) { "\(Float(bitPattern: .random(in: 0..<0x7F80_0000, using: &$0)))" })'" }),
        (
            "double precision",
            { "'\(edge(&$0, ["NaN", "Infinity", "-Infinity", "-0"]) { "\(Double(bitPattern: .random(in: 1 << 60..<0x7FF0 << 48, using: &$0)))" })'" }
        ),
        ("numeric", { "'\(edge(&$0, ["NaN", "Infinity", "-Infinity", "0", "0.000"]) { decimal(60, 30, &$0) })'" }),
        ("numeric(18,2)", { "'\(edge(&$0, ["NaN", "0"]) { decimal(16, 2, &$0) })'" }),
        ("numeric(38,10)", { "'\(decimal(28, 10, &$0))'" }),
        ("numeric(60,20)", { "'\(decimal(40, 20, &$0))'" }),
        ("numeric(4,-3)", { "'\(decimal(7, 0, &$0))'" }),
        ("text", { quoted(text(&$0)) }),
        ("varchar(40)", { quoted(text(&$0)) }),
        ("char(12)", { quoted(String(text(&$0).prefix(3))) }),
        ("json", { "'{\"a\": \(Int.random(in: 0...9, using: &$0)),  \"b\":[1, 2]}'" }),
        ("jsonb", { "'{\"b\":[1,2], \"a\":\(Int.random(in: 0...9, using: &$0))}'" }),
        ("bytea", { "'\\x\(hex(&$0))'" }),
        ("date", { "'\(edge(&$0, ["infinity", "-infinity", "4713-01-01 BC", "0001-01-01"]) { date(&$0) })'" }),
        ("time", { "'\(edge(&$0, ["24:00:00"]) { time(&$0) })'" }),
        ("time(2)", { "'\(time(&$0))'" }),
        ("timetz", { "'\(edge(&$0, ["24:00:00"]) { time(&$0) })\(["+05:30", "-11", "+00:00:15"].randomElement(using: &$0)!)'" }),
        ("timestamp", { "'\(edge(&$0, ["infinity", "-infinity"]) { "\(date(&$0)) \(time(&$0))" })'" }),
        ("timestamp(3)", { "'\(date(&$0)) \(time(&$0))'" }),
        ("timestamptz", { "'\(edge(&$0, ["infinity", "-infinity", "294276-12-31 23:59:59.999999+00"]) { "\(date(&$0)) \(time(&$0))+05:45" })'" }),
        ("timestamptz(0)", { "'\(date(&$0)) \(time(&$0))'" }),
        ("interval", { interval(&$0) }),
        ("uuid", { "'\(uuid(&$0))'" }),
        ("point", { "'(\(Int.random(in: -99...99, using: &$0)).25,1e10)'" }),
        ("mood", { "'\(["sad", "so so", "happy"].randomElement(using: &$0)!)'" }),
        ("int[]", { array(&$0) { "\(Int32.random(in: .min ... .max, using: &$0))" } }),
        ("text[]", { array(&$0) { quoted(text(&$0)) } }),
        ("numeric(12,3)[]", { array(&$0) { "'\(decimal(9, 3, &$0))'" } }),
        ("numeric[]", { array(&$0) { "'\(decimal(30, 12, &$0))'" } }),
        ("timestamptz[]", { array(&$0) { "'\(date(&$0)) \(time(&$0))'" } }),
        ("date[]", { array(&$0) { "'\(date(&$0))'" } }),
        ("uuid[]", { array(&$0) { "'\(uuid(&$0))'" } }),
        ("bytea[]", { array(&$0) { "'\\x\(hex(&$0))'" } }),
        ("boolean[]", { array(&$0) { Bool.random(using: &$0) ? "true" : "false" } }),
        ("jsonb[]", { array(&$0) { "'{\"a\": [\(Int.random(in: 0...9, using: &$0)), \"x\\\"y\"]}'" } }),
        ("mood[]", { array(&$0) { "'\(["sad", "so so", "happy"].randomElement(using: &$0)!)'" } }),
        ("int[]", { "'{{\(Int.random(in: 0...9, using: &$0)),2},{3,4}}'" }),
    ]

    @Test func textAndBinaryGiveIdenticalRowsInEveryMode() async throws {
        var generator = SeededGenerator.printed()
        try await withPostgres { postgres in
            let database = DecodeDatabase(postgres: postgres)
            let list = Self.columns.enumerated().map { "c\($0) \($1.type)" }.joined(separator: ", ")
            try postgres.sql(
                """
                create type mood as enum ('sad', 'so so', 'happy'); create table t(id serial primary key, \(list));
                create publication p for table t; select pg_create_logical_replication_slot('s_\(postgres.name)', 'pgoutput');
                """)
            var script = DecodeDatabase.session
            for _ in 0..<300 {
                let values = Self.columns.map { Int.random(in: 0..<8, using: &generator) == 0 ? "null" : "(\($0.literal(&generator)))::\($0.type)" }
                script += "insert into t(\(Self.columns.indices.map { "c\($0)" }.joined(separator: ","))) values (\(values.joined(separator: ",")));\n"
            }
            try postgres.sql(script)
            let tables = try database.tables("public"), types = try database.types(), source = SourceIdentity(name: "x", database: "y")
            let text = try database.messages("s_\(postgres.name)", "p"), binary = try database.messages("s_\(postgres.name)", "p", binary: true)
            for conversion in Self.conversions {
                func rows(_ stream: [(lsn: UInt64, bytes: [UInt8])]) throws -> RecordBatch {
                    var player = StreamPlayer(catalog: tables, types: types, conversion: conversion, source: source)
                    try player.play(stream)
                    return player.batches["x.public.t"]![0]
                }
                let schema = try TableSchema(tables[0], types: types, topic: "x.public.t", conversion: conversion, source: source)
                #expect(schema.supportsBinary)
                let a = try rows(text), b = try rows(binary)
                #expect(a.count == 300 && b.count == 300)
                let left = a.value!.child("after")!, right = b.value!.child("after")!
                for (i, field) in left.schema.fields.enumerated() {
                    let x = left.child(at: i), y = right.child(at: i)
                    for row in 0..<a.count where !Self.same(x[row], y[row]) {
                        let type = i == 0 ? "id" : Self.columns[i - 1].type
                        Issue.record("\(type) (\(field.name)) row \(row), \(conversion): text \(x[row]) binary \(y[row])")
                    }
                }
                // The COPY stream, cut anywhere, holds the same rows as the stream, but for early dates.
                let snapshot = try Self.copied(schema, database.copy(schema, isOrdered: true), &generator)
                #expect(snapshot.count == 300)
                for (i, field) in left.schema.fields.enumerated() where !field.name.isTemporalColumn(Self.columns.map(\.type)) {
                    let x = left.child(at: i), y = snapshot.value!.child("after")!.child(at: i)
                    for row in 0..<a.count where !Self.same(x[row], y[row]) {
                        Issue.record("\(field.name) row \(row): stream \(x[row]) snapshot \(y[row])")
                    }
                }
            }
        }
    }

    /// A transaction too large for the server's memory comes in pieces (protocol version 2) before its end is known.
    @Test func streamedTransactionsAreParsedInPieces() async throws {
        try await withPostgres { postgres in
            let database = DecodeDatabase(postgres: postgres)
            try postgres.sql(
                """
                create table t(id int primary key, v text); create publication p for table t;
                select pg_create_logical_replication_slot('s_\(postgres.name)', 'pgoutput');
                insert into t select i, repeat('x', 100) from generate_series(1, 3000) i;
                begin; insert into t select i, repeat('y', 100) from generate_series(3001, 6000) i; savepoint a;
                insert into t select i, repeat('z', 100) from generate_series(6001, 9000) i; rollback to a; insert into t values (9001, 'end'); commit;
                """)
            let lines = try postgres.sql(
                "set logical_decoding_work_mem = '64kB';" + """
                    select encode(data, 'hex') from pg_logical_slot_peek_binary_changes('s_\(postgres.name)', null, null,
                        'proto_version', '2', 'publication_names', 'p', 'streaming', 'on')
                    """)
            let schema = try TableSchema(
                database.tables("public")[0], types: try database.types(), topic: "x", conversion: ValueConversion(),
                source: SourceIdentity(name: "x", database: "y"))
            // Rows by subtransaction, held until the top transaction commits.
            var builders: [UInt32: ChangeBatchBuilder] = [:], current: UInt32?, committed = Set<UInt32>(), aborted = Set<UInt32>()
            for line in lines.split(separator: "\n") {
                try DecodeDatabase.unhex(line).withUnsafeBytes { bytes in
                    switch try PgOutputMessage.parse(bytes, inStream: current != nil) {
                    case .streamStart(let xid, _): current = xid
                    case .streamStop: current = nil
                    case .streamCommit(let xid, let commit):
                        committed.insert(xid)
                        #expect(commit.endLSN > commit.commitLSN)
                    case .streamAbort(_, let subtransaction): aborted.insert(subtransaction)
                    case .relation(let relation): #expect(relation.name == "t" && relation.columns.map(\.name) == ["id", "v"])
                    case .change(let change): try builders[change.xid, default: ChangeBatchBuilder(schema)].append(change, in: bytes, ChangeInfo())
                    default: break
                    }
                }
            }
            #expect(committed.count == 2 && aborted.count >= 1)
            var ids: [Int64] = []
            for xid in builders.keys.sorted() where !aborted.contains(xid) {
                let batch = builders[xid]!.finish()[0]
                ids += (0..<batch.count).map { row in
                    guard case .struct(let key) = batch.key![row] else { return -1 }
                    return key[0].integerValue!
                }
            }
            #expect(ids == Array(1...6000) + [9001])
        }
    }

    private static var conversions: [ValueConversion] {
        var out: [ValueConversion] = []
        for time in [ValueConversion.TimePrecision.adaptive, .connect, .isostring, .microseconds, .nanoseconds, .adaptiveTimeMicroseconds] {
            var conversion = ValueConversion()
            conversion.time = time
            out.append(conversion)
        }
        var other = ValueConversion()
        other.decimal = .string
        other.binary = .hex
        other.interval = .string
        out.append(other)
        other.decimal = .double
        other.binary = .base64URLSafe
        out.append(other)
        return out
    }

    /// NaN equals NaN here, and -0 is not 0.
    private static func same(_ a: Value, _ b: Value) -> Bool {
        switch (a, b) {
        case (.float(let x), .float(let y)): x.bitPattern == y.bitPattern || (x.isNaN && y.isNaN)
        case (.double(let x), .double(let y)): x.bitPattern == y.bitPattern || (x.isNaN && y.isNaN)
        default: a == b
        }
    }

    private static func copied(_ schema: TableSchema, _ stream: [UInt8], _ generator: inout SeededGenerator) throws -> RecordBatch {
        var builder = SnapshotBatchBuilder(schema, SnapshotInfo(lsn: 1, xid: 1, startedMicros: 1)), parts: [RecordBatch] = []
        var at = 0
        while at < stream.count {
            let end = min(stream.count, at + Int.random(in: 1...700, using: &generator))
            try stream[at..<end].withUnsafeBytes { try builder.append($0) }
            if Int.random(in: 0..<20, using: &generator) == 0, let batch = builder.finish(processedNanos: 1) { parts.append(batch) }
            at = end
        }
        #expect(builder.isAtEnd && builder.rowCount >= 0)
        if let batch = builder.finish(processedNanos: 1) { parts.append(batch) }
        let value = Column.concatenating(parts.map { $0.value! })
        return RecordBatch(
            topic: schema.topic, count: value.count, key: nil, value: value, timestamps: .constant(1, RecordBatch.timestampSchema, count: value.count))
    }
}

extension String {
    /// Whether `cN` is a column whose snapshot has Java's idea of early dates.
    fileprivate func isTemporalColumn(_ types: [String]) -> Bool {
        guard hasPrefix("c"), let n = Int(dropFirst()) else { return false }
        return types[n].hasPrefix("date") || types[n].hasPrefix("timestamp")
    }
}

private func edge<T>(_ generator: inout SeededGenerator, _ edges: [T], _ ordinary: (inout SeededGenerator) -> T) -> T {
    Int.random(in: 0..<6, using: &generator) == 0 ? edges.randomElement(using: &generator)! : ordinary(&generator)
}

private func quoted(_ text: String) -> String { "'\(text.replacingOccurrences(of: "'", with: "''"))'" }

private func text(_ generator: inout SeededGenerator) -> String {
    let alphabet = Array("abc XYZ\",{}\\'é日NULL\n\t")
    return String((0..<Int.random(in: 0...12, using: &generator)).map { _ in alphabet.randomElement(using: &generator)! })
}

private func decimal(_ integers: Int, _ fraction: Int, _ generator: inout SeededGenerator) -> String {
    func digits(_ n: Int) -> String { String((0..<n).map { _ in Character("\(Int.random(in: 0...9, using: &generator))") }) }
    let head = digits(Int.random(in: 1...integers, using: &generator)), tail = digits(Int.random(in: 0...fraction, using: &generator))
    return (Bool.random(using: &generator) ? "-" : "") + head + (tail.isEmpty ? "" : "." + tail)
}

private func hex(_ generator: inout SeededGenerator) -> String {
    (0..<Int.random(in: 0...9, using: &generator)).map { _ in "a\(Int.random(in: 0...9, using: &generator))" }.joined()
}

private func two(_ range: ClosedRange<Int>, _ generator: inout SeededGenerator) -> String {
    let n = Int.random(in: range, using: &generator)
    return n < 10 ? "0\(n)" : "\(n)"
}

private func date(_ generator: inout SeededGenerator) -> String {
    let year = Int.random(in: 1000...9999, using: &generator)
    return "\(year)-\(two(1...12, &generator))-\(two(1...28, &generator))"
}

private func time(_ generator: inout SeededGenerator) -> String {
    "\(two(0...23, &generator)):\(two(0...59, &generator)):\(two(0...59, &generator)).\(Int.random(in: 0...999_999, using: &generator))"
}

private func uuid(_ generator: inout SeededGenerator) -> String {
    UUIDText.string((0..<16).map { _ in UInt8.random(in: 0...255, using: &generator) })
}

private func interval(_ generator: inout SeededGenerator) -> String {
    func n(_ limit: Int) -> Int { Int.random(in: -limit...limit, using: &generator) }
    return "make_interval(years => \(n(200)), months => \(n(30)), days => \(n(999)), hours => \(n(100)), mins => \(n(200)), secs => \(n(5000)).\(abs(n(999))))"
}

private func array(_ generator: inout SeededGenerator, _ element: (inout SeededGenerator) -> String) -> String {
    let items = (0..<Int.random(in: 0...4, using: &generator)).map { _ in
        Int.random(in: 0..<6, using: &generator) == 0 ? "null" : element(&generator)
    }
    return items.isEmpty ? "'{}'" : "array[\(items.joined(separator: ","))]"
}
