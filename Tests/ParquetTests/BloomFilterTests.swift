import ConnectAPI
import Foundation
import TestSupport
import Testing

@testable import Parquet

/// DuckDB asks the filters: no value that is there is denied, and few that are not are let pass.
@Suite struct BloomFilterTests {
    /// Published vectors of XXH64 with seed 0.
    @Test func hashesAreXXH64() {
        func hash(_ text: String) -> UInt64 { Array(text.utf8).withUnsafeBytes { XXHash64.hash($0) } }
        #expect(hash("") == 0xEF46_DB37_51D8_E999)
        #expect(hash("a") == 0xD24E_C4F1_A98C_6E5B)
        #expect(hash("abc") == 0x44BC_2CF5_AD77_0999)
        #expect(hash("Nobody inspects the spammish repetition") == 0xFBCE_A83C_8A37_8BF1)
    }

    @Test func duckDBFindsWhatIsThereAndPassesOverWhatIsNot() async throws {
        let fields: [(String, Schema)] = [
            ("i", Schema(.int32, optional: true)), ("l", Schema(.int64)), ("d", Schema(.float64)), ("s", Schema(.string, optional: true)),
            ("none", Schema(.int64)),
        ]
        let schema = Schema.struct(fields.map { Schema.Field($0.0, $0.1) })
        let column = Column(
            schema,
            (0..<6000).map { row in
                let n = Int64(row) * 2
                return .struct([
                    row % 5 == 0 ? .null : .integer(n), .integer(n &* 1_000_003), .double(Double(n) / 8), row % 7 == 0 ? .null : .string("key-\(n)"),
                    .integer(n),
                ])
            })
        var options = ParquetOptions()
        options.rowGroupRows = 2000
        // Neither dictionaries nor bounds tell the values apart: every second number is missing.
        options.bloomFilters = ["i", "l", "d", "s"]
        try await withTemporaryDirectory { directory in
            var oracle = Oracle(directory)
            try oracle.add(
                "filters", column, options, cuts: [1, 3000], groups: [2000, 2000, 2000],
                queries: ["SELECT count(*) FROM FILE WHERE d = 0.0": "1", "SELECT count(*) FROM FILE WHERE d = -0.0": "1"])
            try oracle.verify()
            let script = """
                import duckdb, json, sys
                path = sys.argv[1]
                def excluded(column, value):
                    return duckdb.execute(f"select bloom_filter_excludes from parquet_bloom_probe('{path}', '{column}', {value}) order by row_group_id").fetchall()
                types = {'i': 'INTEGER', 'l': 'BIGINT', 'd': 'DOUBLE', 's': 'VARCHAR'}
                wrong, passed, asked = [], 0, 0
                for row in range(0, 6000, 61):
                    n = row * 2
                    there = {'i': None if row % 5 == 0 else n, 'l': n * 1000003, 'd': n / 8, 's': None if row % 7 == 0 else f"'key-{n}'"}
                    absent = {'i': n + 1, 'l': n * 1000003 + 1, 'd': n / 8 + 0.001, 's': f"'key-{n + 1}'"}
                    for column, value in there.items():
                        if value is None: continue
                        answer = [e for (e,) in excluded(column, f"{value}::{types[column]}")]
                        if answer[row // 2000]: wrong.append((column, value, answer))
                    for column, value in absent.items():
                        answer = [e for (e,) in excluded(column, f"{value}::{types[column]}")]
                        asked += len(answer)
                        passed += answer.count(False)
                sizes = duckdb.execute(f"select path_in_schema, coalesce(min(bloom_filter_length), -1), coalesce(max(bloom_filter_length), -1) from parquet_metadata('{path}') group by 1 order by 1").fetchall()
                print(json.dumps([wrong, passed, asked, {p: [a, b] for p, a, b in sizes}]))
                """
            let out = try JSONSerialization.jsonObject(with: Data(Python.run(script, [directory + "/filters.parquet"]).utf8)) as! [Any]
            #expect((out[0] as? [Any])?.isEmpty == true, "\(out[0])")
            let passed = out[1] as? Int ?? .max, asked = out[2] as? Int ?? 0
            #expect(asked > 1000 && passed < asked / 50, "\(passed) of \(asked) were let pass")
            let sizes = out[3] as? [String: [Int]] ?? [:]
            // 2000 values at 1 %: 2.4 KB, as a power of two.
            #expect((4096...4200).contains(sizes["l"]?[0] ?? 0) && sizes["none"] == [-1, -1], "\(sizes)")
        }
    }

    @Test func memoryFollowsDistinctValues() {
        var filter = BloomFilter(falsePositives: 0.01)
        let values = (0..<100_000).map { Int64($0 % 100) }
        values.withUnsafeBytes { bytes in
            for _ in 0..<20 { filter.insert(.fixed(bytes.baseAddress!), 0..<100_000, .int64) }
        }
        #expect(filter.memory < 4 << 20)
        #expect(filter.take().map { $0.count < 300 } == true)
        #expect(filter.take() == nil)
    }
}
