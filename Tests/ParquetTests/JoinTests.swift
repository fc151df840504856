import ConnectAPI
import Foundation
import TestSupport
import Testing

@testable import Parquet

/// A joined file is read as its sources are, one after the other: by pyarrow and DuckDB, value by value, with every page, checksum and bound.
@Suite struct JoinTests {
    /// As a sink does it: a file at a time, its footer first.
    private func join(_ files: [[UInt8]], _ pairs: [(key: String, value: String)]) throws -> [UInt8] {
        var join: ParquetJoin?, bytes = ParquetJoin.magic
        for file in files {
            guard case .footer(let footer) = ParquetFooter.read(file, fileSize: Int64(file.count)) else { throw ConnectorError("test", .stop, "no footer") }
            var next = join ?? ParquetJoin(like: footer)
            let range = try next.add(footer)
            bytes += file[Int(range.lowerBound)..<Int(range.upperBound)]
            #expect(next.byteCount == bytes.count)
            join = next
        }
        return bytes + (join?.finish(pairs) ?? [])
    }

    private func rows(_ column: Column, _ options: ParquetOptions) -> [Any] {
        (0..<column.count).map { Expectation(options).json(column[$0], column.schema, isRoot: true) }
    }

    private func randomOptions(_ random: inout RandomColumns) -> ParquetOptions {
        var options = ParquetOptions()
        options.codec = ParquetOptions.Codec.allCases[Int(random.int(0...4))]
        options.dictionary = random.chance(70)
        options.pageBytes = random.chance(50) ? Int(random.int(1...600)) : 1 << 20
        options.rowGroupRows = random.chance(50) ? Int(random.int(1...90)) : 1 << 20
        options.pageVersion = random.chance(50) ? .v1 : .v2
        options.statistics = random.chance(80)
        options.bloomFilters = random.chance(30) ? ["*"] : []
        return options
    }

    @Test func everyTypeOfEveryCodecIsReadAsInTheSources() async throws {
        let schema = RoundTripTests.allTypes
        try await withTemporaryDirectory { directory in
            var oracle = Oracle(directory), random = RandomColumns(seed: 29)
            for version in [ParquetOptions.PageVersion.v1, .v2] {
                var files: [[UInt8]] = [], expected: [Any] = [], groups: [Int] = []
                for (i, codec) in (ParquetOptions.Codec.allCases + [.zstd]).enumerated() {
                    var options = ParquetOptions()
                    options.codec = codec
                    options.pageVersion = version
                    options.rowGroupRows = 60
                    options.bloomFilters = i % 2 == 0 ? ["*"] : []
                    let column = random.column(schema, rows: i == 3 ? 0 : 100 + i, nulls: Int64(i * 15), distinct: i % 2 == 0 ? 6 : .max)
                    files.append(try encode(column, options, metadata: [("kafka-start", "\(i)")]))
                    expected += rows(column, options)
                    groups += i == 3 ? [] : [60, 40 + i]
                }
                let pairs = [("kafka-start", "0"), ("kafka-end", "614"), ("kafka-count", "515")]
                try oracle.add("all-\(version)", try join(files, pairs), rows: expected, ParquetOptions(), groups: groups, metadata: pairs, joined: true)
            }
            try oracle.verify()
        }
    }

    @Test func randomNestedFilesAreReadAsInTheSources() async throws {
        let seed = SeededGenerator.printed().seed
        try await withTemporaryDirectory { directory in
            var oracle = Oracle(directory), random = RandomColumns(seed: seed)
            for i in 0..<25 {
                let schema = random.record(fields: Int(random.int(1...5)), depth: Int(random.int(0...3)))
                var files: [[UInt8]] = [], expected: [Any] = [], common = randomOptions(&random)
                for _ in 0..<random.int(1...6) {
                    let statistics = common.statistics
                    common = randomOptions(&random)
                    common.statistics = statistics
                    let column = random.column(schema, rows: Int(random.int(0...120)), nulls: random.int(0...60), distinct: random.chance(50) ? 6 : .max)
                    files.append(try encode(column, common))
                    expected += rows(column, common)
                }
                let whole = try join(files, [("n", "\(i)")])
                try oracle.add("random-\(i)", whole, rows: expected, common, metadata: [("n", "\(i)")], joined: true)
                // A joined file is a file like any other.
                try oracle.add("again-\(i)", try join([whole, whole], []), rows: expected + expected, common, joined: true)
            }
            try oracle.verify()
        }
    }

    @Test func filesOfAnotherSchemaAreRefused() throws {
        let one = Schema.struct([.init("a", Schema(.int64))]), other = Schema.struct([.init("a", Schema(.int64, optional: true)), .init("b", Schema(.int32))])
        let files = [try encode(Column(one, [.struct([1])])), try encode(Column(other, [.struct([1, 2])]))]
        #expect(throws: ConnectorError.self) { try join(files, []) }
    }

    /// A footer from outside may number its fields as nobody does.
    @Test func fieldsOfAnyNumberAreWrittenAgain() throws {
        let ids: [Int16] = [1, .min, .max, -2, 5, 4, 20, 0, .max, .min]
        var out = ThriftWriter()
        out.element { out in for id in ids { out.raw(id, .i64, [2]) } }
        var reader = ThriftReader(out.buffer.bytes.withMemoryRebound(to: UInt8.self) { Array($0) }[...]), found: [Int16] = []
        try reader.structure { (reader, id, kind) throws(ThriftReader.Malformed) in
            found.append(id)
            _ = try reader.raw(kind)
            return true
        }
        #expect(found == ids)
    }
}
