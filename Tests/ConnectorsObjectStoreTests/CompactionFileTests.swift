import ConnectAPI
import Foundation
import Testing
import TestSupport

@testable import ConnectorsObjectStore

/// What merged files hold, read by others: the rows of their sources, in order.
@Suite struct CompactionFileTests {
    private static func harness(_ store: any ObjectStore, _ settings: [String: String], aiven: Bool) -> SinkHarness {
        var harness = CompactionTests.harness(store, ["compact.target.bytes": "1000000"].merging(settings) { $1 })
        if aiven { harness.plan = { try GCSSinkConfiguration($0.filter { $0.key != "s3.bucket.name" }.merging(["gcs.bucket.name": "b"]) { $1 }).plan } }
        return harness
    }

    @Test func textsAreJoinedInEveryCompression() async throws {
        let lines = ["format.output.type": "jsonl", "format.output.envelope": "false", "file.max.records": "20"]
        let formats: [(name: String, settings: [String: String], aiven: Bool)] = [
            ("json", ["flush.size": "20"], false), ("json.gz", ["flush.size": "20", "s3.compression.type": "gzip"], false),
            ("jsonl", lines, true), ("jsonl.gz", lines.merging(["file.compression.type": "gzip"]) { $1 }, true),
            ("jsonl.zst", lines.merging(["file.compression.type": "zstd"]) { $1 }, true),
            ("jsonl.snappy", lines.merging(["file.compression.type": "snappy"]) { $1 }, true),
            ("csv", ["format.output.type": "csv", "format.output.fields": "offset,timestamp", "file.max.records": "20"], true),
        ]
        try await withTemporaryDirectory { directory in
            for (name, settings, aiven) in formats {
                let store = MemoryStore(), topic = CompactionTests.topic(200), harness = Self.harness(store, settings, aiven: aiven)
                try await CompactionTests.store(topic, harness)
                let sources = try await CompactionTests.objects(store).sorted { Int($0.metadata["kafka-start"]!)! < Int($1.metadata["kafka-start"]!)! }
                #expect(sources.count == 10, "\(name)")
                try await CompactionTests.compact(harness, committed: 200)
                let merged = try await CompactionTests.objects(store)
                #expect(
                    merged.count == 1 && merged[0].metadata["kafka-end"] == "199" && merged[0].metadata["kafka-count"] == "200", "\(name): \(merged.map(\.key))"
                )
                for (i, body) in (sources + merged).map(\.body).enumerated() { try Data(body).write(to: URL(fileURLWithPath: "\(directory)/\(i).\(name)")) }
            }
            let script =
                pythonSnappy + """
                    import sys, gzip, pyarrow as pa, duckdb
                    d = sys.argv[1]
                    for name in sys.argv[2].split():
                        def text(i):
                            path = f'{d}/{i}.{name}'
                            if name.endswith('.zst'): return pa.input_stream(path, compression='zstd').read()
                            data = open(path, 'rb').read()
                            return gzip.decompress(data) if name.endswith('.gz') else snappy(data) if name.endswith('.snappy') else data
                        sources = [text(i) for i in range(10)]
                        between = b'' if sources[0].endswith(b'\\n') else b'\\n'
                        assert text(10) == between.join(sources), name
                        if name.startswith('json') and not name.endswith('.snappy'):
                            kind = {'gz': 'gzip', 'zst': 'zstd'}.get(name.split('.')[-1], 'none')
                            got = duckdb.sql(f"select count(*), sum(o), count(distinct o) from read_json('{d}/10.{name}', format='newline_delimited', compression='{kind}')")
                            assert got.fetchall() == [(200, 19900, 200)], name
                    print('ok')
                    """
            let answer = try Python.run(script, [directory, formats.map(\.name).joined(separator: " ")])
            #expect(answer.trimmingCharacters(in: .whitespacesAndNewlines) == "ok")
        }
    }

    /// Two schemas, files small and streamed, in one directory: what is of one schema becomes one file.
    @Test func parquetFilesOfOneSchemaBecomeOne() async throws {
        try await withTemporaryDirectory { root in
            let pool = BlockingPool(threads: 2)
            defer { pool.stop() }
            let store = LocalStore(root: root, owner: "lake-0", pool: pool)
            try await store.prepare()
            var harness = Self.harness(
                store, ["format.class": "ParquetFormat", "flush.size": "20", "parquet.row.group.rows": "8", "parquet.bloom.filter.columns": "o"], aiven: false)
            harness.partSize = 700
            let topic = CompactionTests.topic(200), partition = topic.partition
            var settings = harness
            settings.settings["compact.interval.ms"] = "-1"
            var task = try settings.task()
            _ = try await task.open([partition])
            try await task.write(topic.batch(0..<100))
            let wider = Schema.struct(TestTopic.schema.fields + [Schema.Field("extra", Schema(.float64, optional: true))])
            for start in stride(from: 100, to: 200, by: 20) {
                let batch = topic.batch(start..<start + 20).batch
                var column = batch.value!
                if start >= 140 {
                    column = Column(
                        wider, count: 20,
                        .struct(column.children + [Column(wider.fields[2].schema, (0..<20).map { $0 % 3 == 0 ? .null : .double(Double($0) / 2) })]))
                }
                let records = RecordBatch(topic: "t", count: 20, key: nil, value: column, timestamps: batch.timestamps)
                try await task.write(ConsumedBatch(records, from: partition, offsets: .contiguous(from: Int64(start)), nextOffset: Int64(start) + 20))
            }
            #expect(try await task.flush(.closing)[partition] == 200)
            await task.close([partition])
            let read = """
                import sys, json, glob, duckdb, pyarrow.parquet as pq
                out = []
                for f in sorted(glob.glob(sys.argv[1] + '/topics/t/partition=0/*.parquet')):
                    p = pq.ParquetFile(f, page_checksum_verification=True)
                    m = {k.decode(): v.decode() for k, v in p.metadata.metadata.items() if k != b'ARROW:schema'}
                    rows = p.read().to_pylist()
                    for g in range(p.num_row_groups):
                        s = p.metadata.row_group(g).column(0).statistics
                        own = [r['o'] for r in p.read_row_group(g).to_pylist()]
                        assert (s.min, s.max, s.null_count) == (min(own), max(own), 0), f
                    names = p.schema_arrow.names
                    duck = duckdb.sql(f"select * from read_parquet('{f}', hive_partitioning=false)").fetchall()
                    assert duck == [tuple(r[n] for n in names) for r in rows], f
                    out.append({'rows': rows, 'groups': p.num_row_groups, 'start': m['kafka-start'], 'end': m['kafka-end'], 'count': m['kafka-count'],
                                'merged': m.get('kafka-merged', ''), 'schema': m['kafka-schema'], 'topic': m['kafka-topic'], 'partition': m['kafka-partition']})
                print(json.dumps(out))
                """
            struct File: Decodable {
                struct Row: Decodable, Equatable {
                    let o: Int64
                    let k: String
                    let extra: Double?
                }
                let rows: [Row]
                let groups: Int
                let start: String, end: String, count: String, merged: String, schema: String, topic: String, partition: String
            }
            func files() throws -> [File] { try JSONDecoder().decode([File].self, from: Data(Python.run(read, [root]).utf8)) }
            let before = try files()
            #expect(before.count == 10 && before[0].groups == 3)
            try await CompactionTests.compact(harness, committed: 200)
            let after = try files()
            #expect(after.map { [$0.start, $0.end, $0.count] } == [["0", "139", "140"], ["140", "199", "60"]])
            #expect(after.flatMap(\.rows) == before.flatMap(\.rows))
            #expect(after.map(\.groups) == [21, 9] && after.allSatisfy { !$0.merged.isEmpty && $0.topic == "t" && $0.partition == "0" })
            #expect(after[0].schema == before[0].schema && after[1].schema == before[9].schema && after[0].schema != after[1].schema)
            // What a merged file says is found as in any other file.
            for key in try await store.list("topics/t/", limit: 10) {
                guard case .file(let facts) = try await StoredFile.look(at: key, in: store) else {
                    Issue.record("\(key) says nothing")
                    continue
                }
                #expect(facts.connector == "lake" && facts.source == "t-0" && facts.startTimestamp == 1_800_000_000_000 + facts.start)
            }
        }
    }

    /// Names of templates tell neither partition nor offset, and files of different groups are never mixed.
    @Test func filesOfATemplateAreMergedByGroupAndPartition() async throws {
        for template in ["{{field:k}}/{{partition}}-{{start_offset}}.jsonl", "{{topic}}/{{field:k}}/{{timestamp:format=HHmmssSSS}}.x.jsonl"] {
            let store = MemoryStore()
            let harness = Self.harness(
                store,
                [
                    "format.output.type": "jsonl", "format.output.envelope": "false", "file.name.template": template, "file.name.prefix": "p/",
                    "file.max.records": "7",
                ],
                aiven: true)
            for partition in [Int32(0), 1] {
                let topic = TestTopic((0..<140).map { ("d\($0 % 2)", 1_800_000_000_000 + Int64($0)) }, partition: TopicPartition("t", partition))
                try await CompactionTests.store(topic, harness)
            }
            #expect(try await CompactionTests.objects(store).count == 40)
            for partition in [Int32(0), 1] { try await CompactionTests.compact(harness, committed: 140, partition: TopicPartition("t", partition)) }
            let merged = try await CompactionTests.objects(store)
            #expect(merged.count == 4, "\(merged.map(\.key))")
            for object in merged {
                let rows = offsets(object.body), group = object.key.contains("/d0/") ? Int64(0) : 1
                #expect(rows == (0..<70).map { Int64($0) * 2 + group } && object.key.hasSuffix(".jsonl"), "\(object.key)")
                #expect(object.metadata["kafka-end"] == "\(138 + group)" && object.metadata["kafka-count"] == "70")
            }
            #expect(Set(merged.map { $0.metadata["kafka-source"] }) == ["t-0", "t-1"])
        }
    }

    @Test func namesTellWhatTheyTell() throws {
        var naming = FileNaming(fileExtension: ".snappy.parquet")
        let name = naming.names(topic: "shop.t", partition: 3, directory: "a/b", start: 12, time: 0)[0]
        #expect(naming.place(name, topic: "shop.t") == .init(directory: "topics/shop.t/a/b", partition: 3, start: 12))
        let merged = naming.mergedName(name, end: 40, id: "0a")
        #expect(merged == "topics/shop.t/a/b/shop.t+3+0000000012-0000000040-0a.snappy.parquet")
        #expect(naming.place(merged, topic: "shop.t") == .init(directory: "topics/shop.t/a/b", partition: 3, start: 12, isMerged: true))
        for other in ["topics/shop.t/a/b/other+3+12.snappy.parquet", "topics/shop.t/a/shop.t+3+12.json", "topics/shop.t/a/shop.t+x+12.snappy.parquet", ""] {
            #expect(naming.place(other, topic: "shop.t") == nil, "\(other)")
        }
        naming.template = try NameTemplate("{{topic}}/x-{{partition}}-{{start_offset}}.p.q", zone: .utc)
        #expect(naming.mergedName("topics/a.b/x-0-5.p.q", end: 9, id: "0a") == "topics/a.b/x-0-5-9-0a.p.q")
        #expect(naming.listingPrefix("a.b") == "topics/a.b/x-" && naming.place("topics/_compact/a/0/1.json", topic: "a.b") == nil)
        #expect(naming.place("topics/a.b/x-0-5.p.q", topic: "a.b") == .init(directory: "topics/a.b/"))
        naming.template = try NameTemplate("{{topic}}-{{partition}}-{{start_offset}}", zone: .utc)
        #expect(naming.mergedName("topics/a-0-5", end: 9, id: "0a") == "topics/a-0-5-9-0a")
    }
}
