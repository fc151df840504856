import ConnectAPI
import Foundation
import TestSupport
import Testing

@testable import Parquet

/// What readers trip over, as DuckDB and pyarrow see it: old annotations, names alike but for case, required columns, bounds of long texts, checksums,
/// filters nobody asked for, and the defaults of a file.
@Suite struct ReaderTrapTests {
    private func file(_ fields: [(String, Schema)]) -> Schema { Schema.struct(fields.map { Schema.Field($0.0, $0.1) }) }

    /// Writes the rows and lets Python look at `path`; `out` is JSON.
    private func seen(
        _ column: Column, _ script: String, _ options: ParquetOptions = ParquetOptions(), change: (inout [UInt8]) -> Void = { _ in }
    ) async throws -> Any {
        try await withTemporaryDirectory { directory in
            var bytes = try encode(column, options)
            change(&bytes)
            try Data(bytes).write(to: URL(fileURLWithPath: directory + "/f.parquet"))
            let whole = "import json, sys, duckdb, pyarrow.parquet as pq\npath = sys.argv[1] + '/f.parquet'\n\(script)\nprint(json.dumps(out))"
            return try JSONSerialization.jsonObject(with: Data(Python.run(whole, [directory]).utf8), options: .fragmentsAllowed)
        }
    }

    private static let schema =
        "out = {n: [t, r, c] for n, t, r, c in duckdb.sql(f\"select name, type, repetition_type, converted_type from parquet_schema('{path}')\").fetchall()}"

    /// Readers from before logical types take the old ones, where there is one; nothing is unsigned, which Snowflake refuses above 2^63 - 1.
    @Test func oldAnnotationsStandBesideTheNewOnes() async throws {
        let nested: [(String, Schema)] = [("numbers", .array(Schema(.int32), optional: true)), ("pairs", .map(Schema(.string), Schema(.int64)))]
        let schema = file(RandomColumns.scalars.map { ($0.name, $0.schema) } + nested)
        let column = Column(schema, [.struct(schema.fields.map { _ in .null })])
        let found = try #require(try await seen(column, Self.schema) as? [String: [Any]])
        let old = [
            "int8": "INT_8", "int16": "INT_16", "text": "UTF8", "json": "UTF8", "enumeration": "UTF8", "uuid": "UTF8", "decimal9": "DECIMAL",
            "decimal18": "DECIMAL", "decimal38": "DECIMAL", "date": "DATE", "connectDate": "DATE", "time": "TIME_MILLIS", "microTime": "TIME_MICROS",
            "timestamp": "TIMESTAMP_MICROS", "connectTimestamp": "TIMESTAMP_MICROS", "microTimestamp": "TIMESTAMP_MICROS", "nanoTimestamp": "TIMESTAMP_MICROS",
            "zonedTimestamp": "TIMESTAMP_MICROS", "numbers": "LIST", "pairs": "MAP",
        ]
        for (name, type) in old { #expect(found[name]?[2] as? String == type, "\(name): \(found[name] ?? [])") }
        for name in ["boolean", "int32", "int64", "float64", "bytes", "bits", "microDuration"] { #expect(found[name]?[2] is NSNull, "\(name)") }
        #expect(!found.values.contains { ($0[2] as? String)?.hasPrefix("UINT") == true || $0[0] as? String == "INT96" })
        // The three levels of a list, by their names.
        let levels = [
            "numbers": "OPTIONAL", "list": "REPEATED", "element": "OPTIONAL", "pairs": "OPTIONAL", "key_value": "REPEATED", "key": "REQUIRED",
            "value": "OPTIONAL",
        ]
        for (name, repetition) in levels { #expect(found[name]?[1] as? String == repetition, "\(name)") }
    }

    @Test func columnsAreRequiredOnlyWhenAsked() async throws {
        let schema = file([("a", Schema(.int32)), ("b", Schema(.string, optional: true))]), column = Column(schema, [.struct([1, "x"]), .struct([2, .null])])
        var options = ParquetOptions()
        for (keeps, repetition) in [(false, "OPTIONAL"), (true, "REQUIRED")] {
            options.keepRequired = keeps
            let found = try #require(try await seen(column, Self.schema, options) as? [String: [Any]])
            #expect(found["a"]?[1] as? String == repetition && found["b"]?[1] as? String == "OPTIONAL")
        }
    }

    /// Athena and BigQuery know no case.
    @Test func namesAlikeButForCaseAreToldApart() async throws {
        let names = ["ID", "id", "Id", "order id", "Order_Id", "größe"], schema = file(names.map { ($0, Schema(.int32)) })
        let column = Column(schema, [.struct((0..<names.count).map { .integer(Int64($0)) })])
        for spelling in [ParquetOptions.FieldNames.lower, .sanitize] {
            var options = ParquetOptions()
            options.fieldNames = spelling
            let found = try await seen(
                column,
                "out = [pq.read_schema(path).names, list(duckdb.sql(f\"select * from read_parquet('{path}')\").fetchall()[0])]", options)
            let answer = try #require(found as? [[Any]]), columns = try #require(answer[0] as? [String])
            #expect(Set(columns.map { $0.lowercased() }).count == names.count, "\(columns)")
            #expect(answer[1] as? [Int] == Array(0..<names.count))
            let allowed = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
            if spelling == .sanitize { #expect(columns.allSatisfy { $0.allSatisfy(allowed.contains) }, "\(columns)") }
        }
    }

    @Test func boundsOfLongTextsAreShortAndHold() async throws {
        let schema = file([("s", Schema(.string)), ("b", Schema(.bytes))])
        let texts = (0..<50).map { String(repeating: $0 % 2 == 0 ? "ä" : "z", count: 70 + $0) + "\($0)" }
        let column = Column(schema, texts.map { .struct([.string($0), .bytes(Array($0.utf8))]) })
        let found = try await seen(
            column,
            """
            statistics = pq.ParquetFile(path).metadata.row_group(0).column(0).statistics
            texts = pq.read_table(path).column('s').to_pylist()
            cut = duckdb.sql(f"select stats_min_value, stats_max_value, min_is_exact, max_is_exact from parquet_metadata('{path}') where path_in_schema = 's'").fetchall()[0]
            low, high = cut[0], cut[1]
            out = [len(low.encode()), len(high.encode()), all(low <= t <= high for t in texts), cut[2], cut[3],
                   duckdb.sql(f"select count(*) from read_parquet('{path}') where s = '{texts[7]}'").fetchall()[0][0]]
            """)
        let answer = try #require(found as? [Any])
        #expect((answer[0] as? Int ?? 999) <= 64 && (answer[1] as? Int ?? 999) <= 64 && answer[2] as? Bool == true, "\(answer)")
        #expect(answer[3] as? Bool == false && answer[4] as? Bool == false, "bounds that were cut say so: \(answer)")
        #expect(answer[5] as? Int == 1)
    }

    /// A byte that changed in storage is an error, not another value.
    @Test func aDamagedPageIsNoticed() async throws {
        let schema = file([("n", Schema(.int64))])
        var options = ParquetOptions()
        options.codec = .none
        options.dictionary = false
        let column = Column(schema, (0..<1000).map { .struct([.integer($0)]) })
        let script = """
            def read():
                try:
                    return pq.ParquetFile(path, page_checksum_verification=True).read().column('n').to_pylist() == list(range(1000))
                except OSError as error:
                    return 'CRC' in str(error)
            out = read()
            """
        #expect(try await seen(column, script, options) as? Bool == true)
        let damaged = try await seen(
            column, script.replacingOccurrences(of: "== list(range(1000))", with: "and 'read'"), options, change: { $0[2000] ^= 1 })
        #expect(damaged as? Bool == true, "pyarrow names the CRC")
    }

    @Test func aFileIsAsTheDefaultsSay() async throws {
        let defaults = ParquetOptions()
        #expect(defaults.codec == .snappy && defaults.pageVersion == .v1 && defaults.pageBytes == 1 << 20)
        #expect(defaults.dictionary && defaults.dictionaryBytes == 1 << 20 && defaults.rowGroupRows == 1_048_576 && defaults.rowGroupBytes == 128 << 20)
        #expect(defaults.statistics && defaults.statisticsBytes == 64 && defaults.checksums && defaults.bloomFilters.isEmpty)
        #expect(defaults.timestampEncoding == .micros && defaults.timestampLocalAsUTC && defaults.parseZoned && !defaults.keepRequired)
        let rows = 1_048_576 + 1000
        let column = Column(file([("n", Schema(.int64))]), count: rows, .struct([Column(Schema(.int64), count: rows, .int64((0..<rows).map { Int64($0) }))]))
        let found = try await seen(
            column,
            """
            m = pq.ParquetFile(path).metadata
            c = m.row_group(0).column(0)
            more = duckdb.sql(f"select bloom_filter_offset, compression, dictionary_page_offset from parquet_metadata('{path}') where row_group_id = 0").fetchall()[0]
            out = [[m.row_group(i).num_rows for i in range(m.num_row_groups)], c.compression, c.is_stats_set, c.has_column_index, c.has_offset_index,
                   more[0], more[1], 'PLAIN' in c.encodings, c.statistics.null_count]
            """)
        let answer = try #require(found as? [Any])
        #expect(answer[0] as? [Int] == [1_048_576, 1000] && answer[1] as? String == "SNAPPY")
        #expect(answer[2] as? Bool == true && answer[3] as? Bool == true && answer[4] as? Bool == true && answer[5] is NSNull)
        #expect(answer[7] as? Bool == true, "distinct values fall back from the dictionary")
    }

    /// For a COPY nobody controls: texts that every reader takes for what they are.
    @Test func timestampsMayBeTexts() async throws {
        let schema = file([
            ("local", Schema(.int64, name: LogicalName.microTimestamp)), ("zoned", Schema(.string, name: LogicalName.zonedTimestamp)),
            ("connect", Schema(.int64, name: LogicalName.connectTimestamp)), ("nano", Schema(.int64, name: LogicalName.nanoTimestamp)),
        ])
        let column = Column(
            schema, [.struct([.integer(-1), "2024-05-06T09:08:09.5+02:00", .integer(1_714_979_289_123), .integer(1_714_979_289_123_456_789)])])
        var options = ParquetOptions()
        options.timestampEncoding = .string
        let found = try await seen(
            column,
            "out = [duckdb.sql(f\"select local, zoned, connect, nano, local::timestamp::varchar, nano::timestamp_ns::varchar from read_parquet('{path}')\").fetchall()[0], [str(t) for t in pq.read_schema(path).types]]",
            options)
        let answer = try #require(found as? [[String]])
        #expect(Set(answer[1]) == ["string"])
        #expect(answer[0][0].hasPrefix("1969-12-31T23:59:59.999999") && answer[0][4] == "1969-12-31 23:59:59.999999", "\(answer[0])")
        #expect(answer[0][2].hasPrefix("2024-05-06T07:08:09.123") && answer[0][5].hasPrefix("2024-05-06 07:08:09.123456"), "\(answer[0])")
    }
}
