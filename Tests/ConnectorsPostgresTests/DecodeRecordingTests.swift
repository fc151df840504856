import ConnectAPI
import Foundation
import TestSupport
import Testing

@testable import ConnectorsPostgres

/// Plays the inputs of the recordings on a real server and compares every decoded record with what Debezium 3.3.1 wrote: keys, values, their
/// schemas and headers.
@Suite struct DecodeRecordingTests {
    private static func conversion(_ scenario: String) -> ValueConversion {
        var conversion = ValueConversion()
        switch scenario {
        case "binary-hex": conversion.binary = .hex
        case "decimal-double": conversion.decimal = .double
        case "decimal-string": conversion.decimal = .string
        case "time-adaptive-microseconds": conversion.time = .adaptiveTimeMicroseconds
        case "time-connect": conversion.time = .connect
        case "time-isostring": conversion.time = .isostring
        case "time-nanoseconds": conversion.time = .nanoseconds
        case "unknown-datatypes": conversion.includesUnknownTypes = true
        case "no-tombstones": conversion.tombstonesOnDelete = false
        default: break
        }
        return conversion
    }

    /// Byte for byte; says where two records differ, not only that they do.
    private static func compare(_ got: [Rendered], _ real: [Rendered], _ what: String) {
        #expect(got.count == real.count, "\(what): \(got.count) records, real \(real.count)")
        for (i, (mine, theirs)) in zip(got, real).enumerated() {
            let a = mine.masked, b = theirs.masked
            #expect(a.key == b.key && a.headers == b.headers, "\(what)[\(i)]")
            guard a.value != b.value else { continue }
            let x = Array((a.value ?? "null").utf8), y = Array((b.value ?? "null").utf8)
            let at = zip(x, y).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? min(x.count, y.count)
            func excerpt(_ bytes: [UInt8]) -> String { String(decoding: bytes[max(0, at - 60)..<min(bytes.count, at + 80)], as: UTF8.self) }
            Issue.record("\(what)[\(i)]: …\(excerpt(x))… real …\(excerpt(y))…")
        }
    }

    @Test func everyRecordOfTheMainScenariosEqualsTheRecording() async throws {
        try await withPostgres { postgres in
            let database = DecodeDatabase(postgres: postgres)
            try postgres.sql(Recording.sql("ddl") + Recording.sql("seed"))
            try postgres.sql("create publication p for tables in schema golden")
            try postgres.sql("select pg_create_logical_replication_slot('s_\(postgres.name)', 'pgoutput')")
            let snapshotTypes = try database.types(), snapshotTables = try database.tables("golden")
            let rows = try snapshots(database, snapshotTables, snapshotTypes)
            try postgres.sql(Recording.sql("dml"))
            // Debezium reads the catalog when it sees a Relation message: as it is now, after the whole script.
            let tables = try database.tables("golden"), types = try database.types()
            let text = try database.messages("s_\(postgres.name)", "p")
            let binary = try database.messages("s_\(postgres.name)", "p", binary: true)

            for scenario in [
                "default-binary",
                "default", "binary-hex", "decimal-double", "decimal-string", "time-adaptive-microseconds", "time-connect", "time-isostring",
                "time-nanoseconds", "unknown-datatypes", "no-tombstones", "skipped-none", "tx-metadata",
            ] {
                // The server's binary format must give the same records, for tables whose types all have a binary decoder.
                let isBinary = scenario == "default-binary", stream = isBinary ? binary : text
                let scenario = isBinary ? "default" : scenario
                let prefix = scenario.replacingOccurrences(of: "-", with: "_")
                let conversion = Self.conversion(scenario), source = SourceIdentity(name: prefix, database: "golden")
                var player = StreamPlayer(catalog: tables, types: types, conversion: conversion, source: source)
                player.skipsTruncates = scenario != "skipped-none"
                try player.play(stream, withMetadata: scenario == "tx-metadata")
                let directory = Bundle.module.resourceURL!.appendingPathComponent("Golden/debezium/\(scenario)").path
                for file in try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
                where !file.contains(".transaction.") && !(isBinary && file.contains("all_types")) {
                    let topic = String(file.dropLast(6)), recording = try Rendered.recorded(scenario, topic)
                    var got: [Rendered] = []
                    if topic.hasSuffix(".message") {
                        let control = ControlRecords(source: source, conversion: conversion)
                        got = try Rendered.records(control.messages(player.messages, topic: topic))
                    } else {
                        let name = topic.split(separator: ".")[2].replacingOccurrences(of: "Weird_Table-1", with: "Weird Table-1")
                        if let table = snapshotTables.first(where: { $0.name == name }) {
                            let schema = try TableSchema(table, types: snapshotTypes, topic: topic, conversion: conversion, source: source)
                            got = try Self.snapshot(schema, rows[table.oid]!(schema))
                        }
                        got += try (player.batches[topic] ?? []).flatMap { try Rendered.records($0) }
                    }
                    // Of the large table the other scenarios keep the rows that tell them apart.
                    if topic.hasSuffix(".all_types"), scenario != "default" { got = [0, 2, 4, 5].map { got[$0] } }
                    Self.compare(got, recording, "\(scenario)/\(topic)")
                }
            }
        }
    }

    @Test func specialValuesEqualTheRecordings() async throws {
        try await withPostgres { postgres in
            let database = DecodeDatabase(postgres: postgres)
            try postgres.sql("create schema golden;" + Recording.sql("seed_special"))
            try postgres.sql("create publication p for tables in schema golden")
            try postgres.sql("select pg_create_logical_replication_slot('s_\(postgres.name)', 'pgoutput')")
            let tables = try database.tables("golden"), types = try database.types()
            let rows = try snapshots(database, tables, types)
            try postgres.sql(
                "insert into golden.special values(10,'NaN','NaN','Infinity','-Infinity','infinity','-infinity','infinity')")
            for (scenario, name) in [("special-values", "special"), ("special-num-scale", "special_num")] {
                let prefix = scenario.replacingOccurrences(of: "-", with: "_"), topic = "\(prefix).golden.\(name)"
                let source = SourceIdentity(name: prefix, database: "golden")
                for binary in [false, true] {
                    var player = StreamPlayer(catalog: tables, types: types, conversion: ValueConversion(), source: source)
                    try player.play(try database.messages("s_\(postgres.name)", "p", binary: binary))
                    let table = tables.first { $0.name == name }!
                    let schema = try TableSchema(table, types: types, topic: topic, conversion: ValueConversion(), source: source)
                    let got = try Self.snapshot(schema, rows[table.oid]!(schema)) + (player.batches[topic] ?? []).flatMap { try Rendered.records($0) }
                    Self.compare(got, try Rendered.recorded(scenario, topic), "\(scenario)/\(topic) binary \(binary)")
                }
            }
        }
    }

    /// COPY streams taken now, for later decoding: by table, what gives the stream of a schema's columns.
    private func snapshots(
        _ database: DecodeDatabase, _ tables: [TableDefinition], _ types: [UInt32: TypeDefinition]
    ) throws -> [UInt32: (TableSchema) throws -> [UInt8]] {
        var out: [UInt32: (TableSchema) throws -> [UInt8]] = [:]
        for table in tables {
            // The set of columns depends on whether unknown types are read.
            var streams: [[String]: [UInt8]] = [:]
            for includesUnknown in [false, true] {
                var conversion = ValueConversion()
                conversion.includesUnknownTypes = includesUnknown
                let schema = try TableSchema(
                    table, types: types, topic: "t", conversion: conversion, source: SourceIdentity(name: "t", database: "golden"))
                streams[schema.snapshotColumns.map(\.name)] = try database.copy(schema)
            }
            let taken = streams
            out[table.oid] = { schema in try #require(taken[schema.snapshotColumns.map(\.name)]) }
        }
        return out
    }

    private static func snapshot(_ schema: TableSchema, _ stream: [UInt8]) throws -> [Rendered] {
        var builder = SnapshotBatchBuilder(schema, SnapshotInfo(lsn: 42, xid: 7, startedMicros: 1_700_000_000_000_000))
        try stream.withUnsafeBytes { try builder.append($0) }
        #expect(builder.isAtEnd)
        return try builder.finish(processedNanos: 1_700_000_000_000_000_000, first: .firstInDataCollection, last: .lastInDataCollection).map {
            try Rendered.records($0)
        } ?? []
    }
}
