import ConnectAPI
import Foundation
import JSON
import Testing
import TestSupport

@testable import ConnectorsObjectStore

/// What stands in files beside what records hold: columns left out, texts instead of columns, filters, footers.
@Suite struct FileContentTests {
    private let partition = TopicPartition("t", 0)

    /// Stores one topic partition in a directory and lets Python look at it: `out` of the script's body is JSON.
    private func read(
        _ settings: [String: String], _ batches: [ConsumedBatch], aiven: Bool = false, tolerating: Bool = false, _ script: String
    ) async throws -> (answer: Any, rejected: [Int64]) {
        try await withTemporaryDirectory { directory in
            let pool = BlockingPool(threads: 2)
            defer { pool.stop() }
            var harness = SinkHarness(
                ["format.class": "ParquetFormat", "flush.size": "1000", "flush.on.stop": "true"].merging(settings) { $1 },
                store: LocalStore(root: directory + "/lake", owner: "t", pool: pool))
            harness.scratch = directory
            if aiven { harness.plan = { try GCSSinkConfiguration($0.merging(["gcs.bucket.name": "b"]) { $1 }).plan } }
            if tolerating { harness.rejected.tolerate() }
            var task = try harness.task()
            _ = try await task.open([partition])
            for batch in batches { try await task.write(batch) }
            #expect(try await task.flush(.closing)[partition] == batches.last?.nextOffset)
            await task.close([partition])
            let whole = """
                import glob, json, os, sys
                import duckdb, pyarrow.parquet as pq
                root = sys.argv[1] + '/lake'
                files = sorted(f for f in glob.glob(root + '/**/*', recursive=True) if os.path.isfile(f) and '.sluice' not in f)
                \(script)
                print(json.dumps(out))
                """
            let answer = try JSONSerialization.jsonObject(with: Data(Python.run(whole, [directory]).utf8), options: .fragmentsAllowed)
            return (answer, harness.rejected.offsets)
        }
    }

    private func batch(_ column: Column) -> ConsumedBatch { batch(column, 0..<column.count) }

    /// No column: records without a value.
    private func batch(_ column: Column?, _ rows: Range<Int>) -> ConsumedBatch {
        let batch = RecordBatch(
            topic: "t", count: rows.count, key: nil, value: column,
            timestamps: .constant(1_714_979_289_000, RecordBatch.timestampSchema, count: rows.count))
        return ConsumedBatch(batch, from: partition, offsets: .contiguous(from: Int64(rows.lowerBound)), nextOffset: Int64(rows.upperBound))
    }

    private static let orders = Schema.struct([
        Schema.Field("id", Schema(.int64)), Schema.Field("Country", Schema(.string)), Schema.Field("year", Schema(.int32)),
    ])
    private var orders: Column { Column(Self.orders, (0..<6).map { .struct([.integer($0), .string($0 % 2 == 0 ? "DE" : "FR"), 2024]) }) }

    /// Hive's layout with the column in the file too is what Athena and BigQuery refuse; DuckDB reads the column from the directory.
    @Test func columnsOfDirectoriesAreLeftOutWhenAsked() async throws {
        let byField = ["partitioner.class": "FieldPartitioner", "partition.field.name": "Country"]
        let daily = ["partitioner.class": "DailyPartitioner", "timezone": "UTC", "timestamp.extractor": "Record"]
        let columns = "out = [pq.read_schema(f).names for f in files]"
        for (settings, aiven, names) in [
            (byField, false, ["id", "Country", "year"]), (byField.merging(["partition.drop.field": "true"]) { $1 }, false, ["id", "year"]),
            (daily, false, ["id", "Country", "year"]), (daily.merging(["partition.drop.field": "true"]) { $1 }, false, ["id", "Country"]),
            (["topics.dir": "country=x", "partition.drop.field": "true"], false, ["id", "year"]),
            (
                [
                    "file.name.template": "year={{timestamp:unit=yyyy}}/country={{field:Country}}/{{start_offset}}.parquet", "format.output.type": "parquet",
                    "format.output.envelope": "false", "partition.drop.field": "true",
                ], true, ["id"]
            ),
        ] {
            let found = try await read(settings, [batch(orders)], aiven: aiven, columns).answer as? [[String]]
            #expect(found?.isEmpty == false && found?.allSatisfy { $0 == names } == true, "\(settings): \(found ?? [])")
        }
        let rows = try await read(
            byField.merging(["partition.drop.field": "true"]) { $1 }, [batch(orders)],
            "out = duckdb.sql(f\"select id, Country from read_parquet('{root}/**/*.parquet', hive_partitioning=true) order by id\").fetchall()")
        #expect((rows.answer as? [[Any]])?.map { $0[1] as? String } == ["DE", "FR", "DE", "FR", "DE", "FR"])
    }

    @Test func valuesWithoutSchemasMayBeOneColumnOfText() async throws {
        var values = VarBytes()
        let lines = ["{\"b\":{\"c\":[1,2.5,null]},\"a\":1}", "{\"a\":\"x\"}", "null", "[1,2]", "7", "{\"a\":1e30,\"ä\":\"\\\"\"}"]
        for line in lines { values.append(line.utf8) }
        var reader = ConnectJSONReader(ConnectJSONOptions(schemasEnabled: false))
        let batches = try reader.read(values, present: nil).map { batch($0.column, $0.rows) }
        let settings = [
            "parquet.schemaless": "json", "value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false",
            "behavior.on.null.values": "ignore",
        ]
        let script = "out = [[pq.read_schema(f).names, [json.loads(v) for v in pq.read_table(f).column('value').to_pylist()]] for f in files]"
        let found = try await read(settings, batches, script).answer as? [[Any]]
        let file = try #require(found?.first)
        #expect(found?.count == 1 && file[0] as? [String] == ["value"], "one file, whatever the shapes")
        let wanted = try JSONSerialization.jsonObject(with: Data("[\(lines.filter { $0 != "null" }.joined(separator: ","))]".utf8)) as? NSArray
        #expect(file[1] as? NSArray == wanted)

        let envelope = settings.merging(["format.output.type": "parquet", "format.output.fields": "value,offset", "file.max.age.ms": "-1"]) { $1 }
        let columns = "t = pq.read_table(files[0]); out = [len(files), t.schema.names, str(t.schema.field('value').type), t.column('offset').to_pylist()]"
        let aiven = try await read(envelope, batches, aiven: true, columns).answer as? NSArray
        #expect(aiven == [1, ["value", "offset"], "string", [0, 1, 2, 3, 4, 5]] as NSArray, "\(aiven ?? [])")
    }

    @Test func ignoredNullsGoToTheDeadLetterQueueWhereThereIsOne() async throws {
        let schema = Self.orders.with(optional: true)
        let column = Column(schema, [orders[0], .null, orders[2], .null])
        let ignore = ["behavior.on.null.values": "ignore"], letters = ["errors.tolerance": "all", "errors.deadletterqueue.topic.name": "dlq"]
        for (settings, rejected) in [
            (ignore, []), (ignore.merging(letters) { $1 }, [1, 3]), (ignore.merging(letters.merging(["report.null.values.to.dlq": "false"]) { $1 }) { $1 }, []),
        ] as [([String: String], [Int64])] {
            let found = try await read(settings, [batch(column)], tolerating: true, "out = sum(pq.read_metadata(f).num_rows for f in files)")
            #expect(found.answer as? Int == 2 && found.rejected == rejected, "\(settings)")
        }
    }

    /// The keys reach the writer, and the footer tells of topic, offsets and schema.
    @Test func footersAndFiltersAreAsConfigured() async throws {
        let script = """
            pairs = pq.read_metadata(files[0]).metadata
            schema = json.loads(pairs[b'kafka-schema'])
            filtered = duckdb.sql(f"select path_in_schema from parquet_metadata('{files[0]}') where bloom_filter_length is not null").fetchall()
            out = [pairs[b'kafka-topic'].decode(), pairs[b'kafka-start'].decode(), pairs[b'kafka-end'].decode(), [f['field'] for f in schema['fields']],
                   [f['type'] for f in schema['fields']], sorted(p for (p,) in filtered)]
            """
        let filters = ["parquet.bloom.filter.columns": "id, Country", "parquet.bloom.filter.fpp": "0.001"]
        let expected: NSArray = ["t", "0", "5", ["id", "Country", "year"], ["int64", "string", "int32"], ["Country", "id"]]
        #expect(try await read(filters, [batch(orders)], script).answer as? NSArray == expected)
        let aiven = filters.merging(["format.output.type": "parquet", "format.output.envelope": "false"]) { $1 }
        #expect(try await read(aiven, [batch(orders)], aiven: true, script).answer as? NSArray == expected)
        #expect(S3SinkConfiguration.parse(["parquet.bloom.filter.fpp": "1.5"]).findings.contains { $0.key == "parquet.bloom.filter.fpp" })
    }
}
