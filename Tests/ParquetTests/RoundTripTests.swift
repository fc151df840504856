import ConnectAPI
import Foundation
import TestSupport
import Testing

@testable import Parquet

/// pyarrow and DuckDB read what was written, value by value, and every page, bound and checksum holds.
@Suite struct RoundTripTests {
    static let allTypes = Schema.struct(RandomColumns.scalars.map { Schema.Field($0.name, $0.schema) })

    /// Every type, in the shapes that encoders and level coders take different ways for.
    @Test(arguments: ParquetOptions.Codec.allCases) func everyTypeAndNullPatternReadsBack(codec: ParquetOptions.Codec) async throws {
        try await withTemporaryDirectory { directory in
            var oracle = Oracle(directory), random = RandomColumns(seed: 11)
            let patterns: [(String, (Int) -> Bool)] = [
                ("none", { _ in false }), ("all", { _ in true }), ("alternating", { $0 % 2 == 0 }), ("runs", { $0 / 9 % 2 == 0 }),
                ("first", { $0 < 100 }),
            ]
            for (name, isNull) in patterns {
                let values = Column(
                    Self.allTypes,
                    (0..<200).map { row in
                        .struct(
                            Self.allTypes.fields.map {
                                isNull(row) ? .null : random.value($0.schema, nulls: 0, distinct: row % 3 == 0 ? 5 : .max)
                            })
                    })
                for dictionary in [true, false] {
                    for pageRows in [7, 64, 20_000] {
                        for version in [ParquetOptions.PageVersion.v1, .v2] {
                            var options = ParquetOptions()
                            options.codec = codec
                            options.dictionary = dictionary
                            options.pageRows = pageRows
                            options.pageVersion = version
                            let column = pageRows == 64 ? inSourceStorage(values) : values
                            try oracle.add("\(name)-\(dictionary)-\(pageRows)-\(version)", column, options, cuts: [3, 70, 71])
                        }
                    }
                }
            }
            try oracle.verify()
        }
    }

    @Test func randomNestedSchemasReadBack() async throws {
        let seed = SeededGenerator.printed().seed
        try await withTemporaryDirectory { directory in
            var oracle = Oracle(directory), random = RandomColumns(seed: seed)
            for i in 0..<60 {
                let schema = random.record(fields: Int(random.int(1...6)), depth: Int(random.int(0...4)))
                let rows = Int(random.int(0...150))
                let column = random.column(schema, rows: rows, nulls: random.int(0...60), distinct: random.chance(50) ? 6 : .max)
                var options = ParquetOptions()
                options.codec = ParquetOptions.Codec.allCases[Int(random.int(0...4))]
                options.dictionary = random.chance(70)
                options.dictionaryBytes = random.chance(50) ? Int(random.int(1...400)) : 1 << 20
                options.pageBytes = random.chance(50) ? Int(random.int(1...600)) : 1 << 20
                options.pageRows = random.chance(50) ? Int(random.int(1...40)) : 20_000
                options.rowGroupRows = random.chance(50) ? Int(random.int(1...90)) : 1 << 20
                options.rowGroupBytes = random.chance(50) ? Int(random.int(1...5000)) : 128 << 20
                options.pageVersion = random.chance(50) ? .v1 : .v2
                options.decimalEncoding = random.chance(70) ? .compact : .legacy
                options.keepRequired = random.chance(50)
                options.parseZoned = random.chance(70)
                options.statistics = random.chance(80)
                options.bloomFilters = random.chance(30) ? ["*"] : random.chance(30) ? ["c0", "c1.f0"] : []
                let cuts = (0..<random.int(0...4)).map { _ in Int(random.int(0...Int64(rows))) }
                try oracle.add("random-\(i)", random.chance(50) ? inSourceStorage(column) : column, options, cuts: cuts)
            }
            try oracle.verify()
        }
    }

    /// Batch boundaries carry no meaning, and neither does how a batch is stored.
    @Test func bytesDependOnRowsAlone() throws {
        var random = RandomColumns(seed: 5)
        for round in 0..<40 {
            let schema = random.record(fields: 4, depth: Int(random.int(0...3)))
            let rows = Int(random.int(1...300))
            let column = random.column(schema, rows: rows, nulls: random.int(0...50), distinct: random.chance(50) ? 9 : .max)
            var options = ParquetOptions()
            options.codec = .none
            options.pageRows = Int(random.int(1...60))
            options.pageBytes = Int(random.int(1...900))
            options.dictionaryBytes = Int(random.int(1...700))
            options.rowGroupBytes = Int(random.int(1...6000))
            options.rowGroupRows = Int(random.int(1...200))
            let whole = try encode(column, options)
            #expect(try encode(column, options, cuts: Array(0...rows)) == whole, "row by row, round \(round)")
            let cuts = (0..<5).map { _ in Int(random.int(0...Int64(rows))) }
            #expect(try encode(inSourceStorage(column), options, cuts: cuts) == whole, "cut at \(cuts), round \(round)")
        }
    }

    @Test func rowGroupsEndByRowsAndByBytes() async throws {
        try await withTemporaryDirectory { directory in
            var oracle = Oracle(directory)
            let schema = Schema.struct([Schema.Field("n", Schema(.int64)), Schema.Field("s", Schema(.string))])
            let column = Column(schema, (0..<1000).map { .struct([.integer(Int64($0)), .string(String(repeating: "x", count: 83))]) })
            var options = ParquetOptions()
            options.rowGroupRows = 300
            try oracle.add("rows", column, options, cuts: [1, 299, 650], groups: [300, 300, 300, 100])
            options.rowGroupRows = 1 << 20
            options.rowGroupBytes = 9600  // a row: 8 + 4 + 83 + 1 = 96
            try oracle.add("bytes", column, options, cuts: [10, 101, 555], groups: Array(repeating: 100, count: 10))
            try oracle.add("none", column.slice(0..<0), groups: [])
            try oracle.verify()
        }
    }

    @Test func largeColumnsFallBackFromTheirDictionary() async throws {
        try await withTemporaryDirectory { directory in
            var oracle = Oracle(directory), random = RandomColumns(seed: 3)
            let schema = Schema.struct(
                ["few", "many", "manyTexts", "list"].enumerated().map { i, name in
                    Schema.Field(
                        name,
                        i == 3
                            ? Schema.array(Schema(.int32, optional: true), optional: true)
                            : Schema(i == 2 ? .string : .int64, optional: true))
                })
            let column = Column(
                schema,
                (0..<30_000).map { row in
                    .struct([
                        .integer(random.int(0...20)), .integer(row < 9000 ? random.int(0...3) : random.int(0...1 << 60)),
                        .string(row < 9000 ? "same" : "text \(random.int(0...1 << 40))"),
                        random.chance(10) ? .null : .array((0..<random.int(0...5)).map { _ in .integer(random.int(0...7000)) }),
                    ])
                })
            var options = ParquetOptions()
            options.codec = .zstd
            options.dictionaryBytes = 1 << 15
            options.pageRows = 4000
            try oracle.add("fallback", column, options, cuts: [5, 10_000])
            options.pageVersion = .v2
            try oracle.add("fallback2", column, options)
            try oracle.verify()
        }
    }
}
