import ConnectAPI
import Foundation
import Testing
import TestSupport

@testable import ConnectorsObjectStore

/// What Aiven's sinks write under their configuration: names, groups, texts.
@Suite struct AivenSinkTests {
    private static let schema = Schema.struct([Schema.Field("id", Schema(.int64)), Schema.Field("name", Schema(.string, optional: true))], name: "row")
    private static let time: Int64 = 1_714_979_289_123
    private static let hour: Int64 = 3_600_000

    private struct Record {
        var key: Value = .null
        var value: Value = .null
        var time = AivenSinkTests.time
        var headers: [(String, Value)] = []
    }

    private func batch(
        _ records: [Record], from start: Int64 = 0, partition: Int32 = 0, topic: String = "t", key: Schema = Schema(.string, optional: true),
        value: Schema = schema.with(optional: true), header: Schema = Schema(.string)
    ) -> ConsumedBatch {
        var names: [String] = []
        for record in records { for (name, _) in record.headers where !names.contains(name) { names.append(name) } }
        let headers = names.map { name in
            HeaderColumn(
                name, Column(header.with(optional: true), records.map { $0.headers.first { $0.0 == name }?.1 ?? .null }),
                present: Bitmap(records.map { $0.headers.contains { $0.0 == name } }))
        }
        let batch = RecordBatch(
            topic: topic, count: records.count, key: Column(key, records.map(\.key)), value: Column(value, records.map(\.value)),
            timestamps: Column(RecordBatch.timestampSchema, count: records.count, .int64(records.map(\.time))), headers: headers)
        return ConsumedBatch(batch, from: TopicPartition(topic, partition), offsets: .contiguous(from: start), nextOffset: start + Int64(records.count))
    }

    private func harness(_ settings: [String: String], _ store: any ObjectStore = MemoryStore()) -> SinkHarness {
        var harness = SinkHarness(["gcs.bucket.name": "b"].merging(settings) { $1 }, store: store)
        harness.plan = { try GCSSinkConfiguration($0).plan }
        return harness
    }

    /// Writes the batches, stores everything, and returns the objects.
    private func written(_ settings: [String: String], _ batches: [ConsumedBatch], memory: Int = 64 << 20) async throws -> [String: [UInt8]] {
        let store = MemoryStore()
        var harness = harness(settings, store)
        harness.memory = memory
        var task = try harness.task()
        let partitions = Array(Set(batches.map(\.partition)))
        _ = try await task.open(partitions)
        for batch in batches { try await task.write(batch) }
        let offsets = try await task.flush(.closing)
        for partition in partitions { #expect(offsets[partition] == batches.last { $0.partition == partition }?.nextOffset, "\(partition) is committed") }
        await task.close(partitions)
        return store.objects.mapValues(\.body)
    }

    private func texts(_ settings: [String: String], _ batches: [ConsumedBatch]) async throws -> [String: String] {
        try await written(settings, batches).mapValues { String(decoding: $0, as: UTF8.self) }
    }

    // MARK: Texts

    @Test func csvIsAivens() async throws {
        let bytes = Schema(.bytes, optional: true)
        let records = [
            Record(key: "k1", value: .bytes(Array("v1".utf8)), headers: [("h1", "x1"), ("h2", "")]), Record(value: .bytes([0, 255])),
            Record(key: "k,3", value: .null, time: Self.time + 1),
        ]
        let all = ["format.output.fields": "key,value,offset,timestamp,headers"]
        #expect(
            try await texts(all, [batch(records, value: bytes)]) == [
                "t-0-0": "azE=,djE=,0,1714979289123,aDE=:eDE=;aDI=:;\n,AP8=,1,1714979289123,\naywz,,2,1714979289124,"
            ])
        let plain = ["format.output.fields": "value,key", "format.output.fields.value.encoding": "none"]
        #expect(try await texts(plain, [batch([records[0], records[0]], value: bytes)]) == ["t-0-0": "v1,azE=\nv1,azE="])
        // By default: the base64 of the value.
        #expect(try await texts([:], [batch([Record(value: "text")], value: Schema(.string, optional: true))]) == ["t-0-0": "dGV4dA=="])
    }

    @Test func csvOfStructsSaysWhatToSet() async throws {
        let error = await #expect(throws: ConnectorError.self) { _ = try await texts([:], [batch([Record(value: .struct([1, "a"]))])]) }
        #expect(error?.code == "objectstore.not_bytes" && error?.hint?.contains("value.converter") == true)
    }

    @Test func jsonIsAivens() async throws {
        let records = [
            Record(key: "k", value: .struct([1, "a\"b"]), headers: [("h", "x")]), Record(value: .struct([2, .null]), time: Self.time - 123),
            Record(value: .null),
        ]
        // The order of members is that of Java's HashMap.
        #expect(
            try await texts(["format.output.type": "jsonl", "format.output.fields": "key,value,offset,timestamp,headers"], [batch(records)]) == [
                "t-0-0": """
                {"headers":[{"key":"h","value":"x"}],"offset":0,"value":{"id":1,"name":"a\\"b"},"key":"k","timestamp":"2024-05-06T07:08:09.123Z"}
                {"headers":[],"offset":1,"value":{"id":2,"name":null},"key":null,"timestamp":"2024-05-06T07:08:09Z"}
                {"headers":[],"offset":2,"value":null,"key":null,"timestamp":"2024-05-06T07:08:09.123Z"}
                """
            ])
        #expect(
            try await texts(["format.output.type": "json", "format.output.envelope": "false"], [batch(Array(records.prefix(2)))]) == [
                "t-0-0": "[\n{\"id\":1,\"name\":\"a\\\"b\"},\n{\"id\":2,\"name\":null}\n]"
            ])
        // Without an envelope there is nothing to say of a record without a value.
        #expect(
            try await texts(["format.output.type": "jsonl", "format.output.envelope": "false"], [batch([records[2], records[0], records[2]])]) == [
                "t-0-0": #"{"id":1,"name":"a\"b"}"#
            ])
        #expect(
            try await texts(["format.output.type": "jsonl", "format.output.envelope": "false", "format.output.fields": "key"], [batch([records[0]])]) == [
                "t-0-0": "\"k\""
            ])
    }

    @Test func parquetAndCompressedFilesAreReadByOthers() async throws {
        let records = (0..<500).map {
            Record(key: .string("k\($0)"), value: $0 % 7 == 3 ? .null : .struct([.integer(Int64($0)), .string("n\($0)")]), headers: [("h", "x")])
        }
        try await withTemporaryDirectory { directory in
            for (name, settings) in [
                ("flat", ["format.output.type": "parquet", "format.output.envelope": "false", "file.compression.type": "zstd"]),
                ("all", ["format.output.type": "parquet", "format.output.fields": "key,value,offset,timestamp,headers"]),
                ("gzip", ["format.output.type": "jsonl", "file.compression.type": "gzip"]),
                ("snappy", ["format.output.type": "jsonl", "file.compression.type": "snappy"]),
                ("zstd", ["format.output.type": "jsonl", "file.compression.type": "zstd"]),
            ] {
                let objects = try await written(settings, [batch(Array(records[..<200])), batch(Array(records[200...]), from: 200)])
                #expect(objects.count == 1, "\(name): \(objects.keys)")
                try Data(objects.values.first!).write(to: URL(fileURLWithPath: "\(directory)/\(name)"))
                #expect(
                    objects.keys.first == ["gzip": "t-0-0.gz", "snappy": "t-0-0.snappy", "zstd": "t-0-0.zst", "flat": "t-0-0.zst"][name] ?? "t-0-0", "\(name)")
            }
            let script =
                pythonSnappy + """
                    import sys, gzip, json, pyarrow as pa, pyarrow.parquet as pq, duckdb
                    d = sys.argv[1]
                    flat = pq.read_table(d + '/flat'); every = pq.read_table(d + '/all')
                    assert flat.num_rows == 500 - len([i for i in range(500) if i % 7 == 3]) and flat.column_names == ['id', 'name'], flat.schema
                    assert flat['id'].to_pylist() == [i for i in range(500) if i % 7 != 3]
                    assert pq.ParquetFile(d + '/flat').metadata.row_group(0).column(0).compression == 'ZSTD'
                    rows = every.to_pylist()
                    assert every.column_names == ['key', 'value', 'offset', 'timestamp', 'headers'], every.column_names
                    for i, row in enumerate(rows):
                        assert row['key'] == f'k{i}' and row['offset'] == i and row['timestamp'] == 1714979289123 and dict(row['headers']) == {'h': 'x'}, row
                        assert row['value'] == (None if i % 7 == 3 else {'id': i, 'name': f'n{i}'}), row
                    assert duckdb.sql(f"select count(*), sum(value.id) from read_parquet('{d}/all')").fetchall() == [(500, sum(i for i in range(500) if i % 7 != 3))]
                    raw = {n: open(d + '/' + n, 'rb').read() for n in ('gzip', 'snappy', 'zstd')}
                    texts = [gzip.decompress(raw['gzip']), snappy(raw['snappy']), pa.input_stream(d + '/zstd', compression='zstd').read()]
                    for text in texts:
                        lines = [json.loads(l) for l in text.split(b'\\n')]
                        assert [l['value'] and l['value']['id'] for l in lines] == [None if i % 7 == 3 else i for i in range(500)]
                    print('ok')
                    """
            #expect(try Python.run(script, [directory]).trimmingCharacters(in: .whitespacesAndNewlines) == "ok")
        }
    }

    // MARK: Groups and limits

    private let flat = ["format.output.type": "jsonl", "format.output.envelope": "false"]

    private func ids(_ range: Range<Int>, time: (Int) -> Int64 = { _ in AivenSinkTests.time }) -> [Record] {
        range.map { Record(value: .struct([.integer(Int64($0)), .null]), time: time($0)) }
    }

    private func counts(_ objects: [String: String]) -> [String: Int] { objects.mapValues { $0.split(separator: "\n").count } }

    @Test func limitsHoldForEachFileHoweverRecordsArrive() async throws {
        for cut in [1, 3, 10, 25] {
            let settings = flat.merging(["file.max.records": "10"]) { $1 }
            let batches = stride(from: 0, to: 25, by: cut).map { batch(ids($0..<min(25, $0 + cut)), from: Int64($0)) }
            #expect(counts(try await texts(settings, batches)) == ["t-0-0": 10, "t-0-10": 10, "t-0-20": 5], "batches of \(cut)")
        }
        // Each group counts for itself.
        let hours = flat.merging([
            "file.max.records": "10", "file.name.template": "{{topic}}/{{timestamp:unit=HH}}/{{start_offset}}", "file.name.timestamp.timezone": "Europe/Berlin",
        ]) { $1 }
        let objects = try await texts(hours, [batch(ids(0..<30) { Self.time + ($0 % 2 == 0 ? 0 : Self.hour) })])
        #expect(counts(objects) == ["t/09/0": 10, "t/09/20": 5, "t/10/1": 10, "t/10/21": 5])
    }

    @Test func aKeyOfItsOwnHoldsItsNewestRecord() async throws {
        let settings = flat.merging(["file.name.template": "keys/{{key}}"]) { $1 }
        func record(_ key: Value, _ id: Int64) -> Record { Record(key: key, value: .struct([.integer(id), .null])) }
        let batches = [
            batch([record("a", 1), record("b", 2), record("a", 3)]), batch([record("a", 4), record(.null, 5), record("c/d", 6)], from: 3),
        ]
        #expect(
            try await texts(settings, batches) == [
                "keys/a": #"{"id":4,"name":null}"#, "keys/b": #"{"id":2,"name":null}"#, "keys/null": #"{"id":5,"name":null}"#,
                "keys/c/d": #"{"id":6,"name":null}"#,
            ])
        // The next run replaces what is there, and the newest is what stays.
        let store = MemoryStore()
        for batches in [batches, [batch([record("a", 7)], from: 6)]] {
            var task = try harness(settings, store).task()
            _ = try await task.open([batches[0].partition])
            for batch in batches { try await task.write(batch) }
            #expect(try await task.flush(.closing)[batches[0].partition] == batches.last!.nextOffset)
            await task.close([batches[0].partition])
        }
        #expect(store.objects["keys/a"].map { String(decoding: $0.body, as: UTF8.self) } == #"{"id":7,"name":null}"#)
    }

    @Test func recordsOfAKeyShareFilesWhenTheNameHasAnOffset() async throws {
        let settings = flat.merging(["file.name.template": "{{topic}}-{{partition}}-{{key}}-{{start_offset}}"]) { $1 }
        let records = (0..<6).map { Record(key: .integer(Int64($0 % 2)), value: .struct([.integer(Int64($0)), .null])) }
        #expect(counts(try await texts(settings, [batch(records, key: Schema(.int64))])) == ["t-0-0-0": 3, "t-0-1-1": 3])
        let structs = Schema.struct([Schema.Field("a", Schema(.int64)), Schema.Field("b", Schema(.string, optional: true))])
        let keyed = [Record(key: .struct([7, .null]), value: .struct([1, .null]))]
        #expect(try await texts(settings, [batch(keyed, key: structs)]).keys.first == "t-0-Struct{a=7}-0", "Java's text of a struct")
    }

    @Test func aBoundaryEndsFiles() async throws {
        var records = ids(0..<6)
        records[1].headers = [("poll.end", "1")]
        records[4].headers = [("poll.end", "1")]
        let settings = flat.merging(["batch.boundary.header": "poll.end"]) { $1 }
        #expect(counts(try await texts(settings, [batch(records)])) == ["t-0-0": 2, "t-0-2": 3, "t-0-5": 1])
    }

    /// A template may leave the partition out: files that begin at the same offset and time are told apart.
    @Test func partitionsDoNotTakeEachOthersFilesForTheirOwn() async throws {
        let settings = flat.merging(["file.name.template": "{{date}}/{{topic}}_{{timestamp:format=HHmmss}}.json", "file.max.records": "4"]) { $1 }
        let store = MemoryStore()
        for _ in 0..<2 {
            // The second life begins from the start again: everything is there.
            var task = try harness(settings, store).task()
            let partitions = (0..<3).map { TopicPartition("t", $0) }
            _ = try await task.open(partitions)
            for partition in partitions {
                try await task.write(batch(ids(Int(partition.partition) * 100..<Int(partition.partition) * 100 + 10), partition: partition.partition))
            }
            let offsets = try await task.flush(.closing)
            #expect(partitions.allSatisfy { offsets[$0] == 10 })
            await task.close(partitions)
        }
        let rows = store.objects.values.flatMap { object in
            String(decoding: object.body, as: UTF8.self).split(separator: "\n").compactMap { Int($0.split(separator: ":")[1].prefix { $0.isNumber }) }
        }
        #expect(rows.sorted() == [0, 100, 200].flatMap { Array($0..<$0 + 10) })
    }

    // MARK: Configuration

    @Test func theConfigurationPeopleHaveIsTaken() throws {
        let (configuration, findings) = GCSSinkConfiguration.parse([
            "connector.class": "io.aiven.kafka.connect.gcs.GcsSinkConnector", "topics": "transactions", "gcs.bucket.name": "lake",
            "gcs.credentials.path": "/key.json",
            "file.name.prefix": "transactions/",
            "file.name.template": "{{timestamp:format=yyyy-MM-dd}}/transactions_{{timestamp:format=yyyyMMdd_HHmmss}}_{{partition}}-{{start_offset}}.parquet",
            "format.output.type": "parquet", "format.output.envelope": "false", "format.output.fields": "value", "file.max.age.ms": "600000",
            "gcs.retry.backoff.max.attempts": "3", "kafka.retry.backoff.ms": "100",
        ])
        #expect(findings.isEmpty, "\(findings)")
        let plan = try configuration.plan
        #expect(plan.output == nil && plan.fileMaxAge == 600_000 && plan.conditional && plan.naming.isMetAgain && plan.retryBackoff == 100)
        #expect(
            plan.naming.names(topic: "transactions", partition: 2, directory: "2024-05-06", start: 5, time: Self.time)[0]
                == "transactions/2024-05-06/transactions_20240506_070809_2-5.parquet")
        #expect(GCSSinkConfiguration.keys.count == Set(GCSSinkConfiguration.keys.map(\.name)).count)
    }

    @Test func aivensS3SinkTakesOldAndNewKeys() throws {
        let (old, findings) = AivenS3SinkConfiguration.parse([
            "aws_access_key_id": "a", "aws_secret_access_key": "s", "aws_s3_bucket": "lake", "aws_s3_endpoint": "http://minio:9000",
            "aws_s3_region": "eu-west-3",
            "aws_s3_prefix": "in/{{timestamp:unit=yyyy}}/{{utc_date}}/", "output_compression": "none", "output_fields": "key,value,offset",
        ])
        #expect(findings.isEmpty, "\(findings)")
        #expect(try old.clientSettings.region == "eu-west-3" && old.location.host(region: "eu-west-3") == "minio:9000")
        let names = try old.plan.naming.names(
            topic: "t", partition: 3, directory: ["2024", "2024-05-06"].joined(separator: NameTemplate.separator), start: 7, time: Self.time)
        #expect(names[0] == "in/2024/2024-05-06/t-3-00000000000000000007")
        #expect(try old.plan.output?.fields == [.key, .value, .offset])
        let new = try AivenS3SinkConfiguration([
            "aws.s3.bucket.name": "lake", "aws.s3.backoff.max.delay.ms": "300", "aws.sts.role.arn": "arn", "aws.sts.role.session.name": "me",
        ])
        #expect(try new.plan.naming.names(topic: "t", partition: 3, directory: "", start: 7, time: 0)[0] == "t-3-7.gz", "gzip is the default")
        #expect(try new.clientSettings.retry.cap == 300 && new.clientSettings.credentials.role?.sessionName == "me")
        #expect(try new.location.virtualHost, "AWS's buckets are hosts")
        let bad = AivenS3SinkConfiguration.parse(["aws.s3.bucket.name": "b", "aws.access.key.id": "a", "aws.sts.role.arn": "x", "aws.s3.part.size.bytes": "0"])
        #expect(bad.findings.map(\.key) == ["aws.s3.part.size.bytes"])
    }

    @Test func mistakesAreFoundTogether() {
        for (key, settings) in [
            ("gcs.bucket.name", ["gcs.bucket.name": ""]), ("file.name.template", ["file.name.template": "{{nonsense}}"]),
            ("file.name.template", ["file.name.template": "{{key}}", "file.max.records": "5"]), ("file.max.records", ["file.max.records": "-1"]),
            ("format.output.type", ["format.output.type": "orc"]), ("format.output.fields", ["format.output.fields": "value,colour"]),
            ("format.output.envelope", ["format.output.envelope": "false", "format.output.fields": "key,value"]),
            ("file.compression.type", ["file.compression.type": "lzma"]),
            ("file.compression.type", ["file.compression.type": "gzip", "format.output.type": "avro"]),
            ("gcs.credentials.path", ["gcs.credentials.path": "/a", "gcs.credentials.default": "true"]),
            ("file.name.timestamp.timezone", ["file.name.timestamp.timezone": "Mars/Base"]),
            ("file.name.timestamp.source", ["file.name.timestamp.source": "MOON"]),
            ("file.name.timestamp.field", ["file.name.timestamp.source": "FIELD"]), ("gcs.endpoint", ["gcs.endpoint": "ftp://x"]),
            ("gcs.object.content.encoding", ["gcs.object.content.encoding": "gzip", "format.output.type": "parquet"]),
            ("gcs.upload.part.size", ["gcs.upload.part.size": "300000"]), ("gcs.retry.backoff.delay.multiplier", ["gcs.retry.backoff.delay.multiplier": "0.5"]),
            ("file.name.prefix", ["file.name.prefix": ".well-known/acme-challenge/x"]), ("avro.codec", ["avro.codec": "lzma"]),
        ] {
            let findings = GCSSinkConfiguration.parse(["gcs.bucket.name": "b"].merging(settings) { $1 }).findings
            #expect(findings.map(\.key) == [key], "\(settings): \(findings)")
        }
    }
}
