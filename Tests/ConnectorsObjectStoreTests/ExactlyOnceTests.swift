import ConnectAPI
import Foundation
import Testing
import TestSupport

@testable import ConnectorsObjectStore

/// Any interleaving of directories, any rotation, a crash at any step: the store holds every record once, in order per directory.
@Suite struct ExactlyOnceTests {
    static func seed() -> UInt64 {
        ProcessInfo.processInfo.environment["SLUICE_SEED"].flatMap { UInt64($0) } ?? 1
    }

    private struct Story {
        var settings: [String: String]
        var topic: TestTopic
        var memory: Int
        var partSize: Int?

        init(_ random: inout SeededGenerator) {
            let n = Int.random(in: 1...400, using: &random), directories = Int.random(in: 1...6, using: &random)
            let start: Int64 = 1_800_000_000_000
            let stickiness = Double.random(in: 0..<1, using: &random)
            var records: [(key: String, time: Int64)] = [], key = "d0", time = start
            for _ in 0..<n {
                if Double.random(in: 0..<1, using: &random) > stickiness { key = "d\(Int.random(in: 0..<directories, using: &random))" }
                time += Int64.random(in: -50...400, using: &random)
                records.append((key, time))
            }
            topic = TestTopic(records)
            memory = 64 << 20
            if Bool.random(using: &random) { partSize = Int.random(in: 20...400, using: &random) }
            settings = ["flush.size": String(Int.random(in: 1...80, using: &random)), "flush.on.stop": "true"]
            switch Int.random(in: 0..<4, using: &random) {
            case 0: break
            case 1: settings["partitioner.class"] = "DefaultPartitioner"
            case 2:
                settings.merge([
                    "partitioner.class": "TimeBasedPartitioner", "path.format": "'m'=mm-ss", "partition.duration.ms": "5000", "timezone": "UTC",
                    "timestamp.extractor": "Record",
                ]) { $1 }
                if Bool.random(using: &random) { settings["rotate.interval.ms"] = "7000" }
            default: settings.merge(["partitioner.class": "FieldPartitioner", "partition.field.name": "k"]) { $1 }
            }
            if Bool.random(using: &random) {
                settings["flush.size"] = "100000"
                settings["file.max.bytes"] = String(Int.random(in: 50...2000, using: &random))
            }
            if Bool.random(using: &random) { settings["file.max.age.ms"] = String(Int.random(in: 10...3000, using: &random)) }
            if Int.random(in: 0..<3, using: &random) == 0 {
                settings["rotate.schedule.interval.ms"] = "1000"
                settings["timezone"] = "UTC"
            }
            if Int.random(in: 0..<3, using: &random) == 0 { settings["max.uncommitted.ms"] = String(Int.random(in: 1...5000, using: &random)) }
        }
    }

    /// The same law under Aiven's configuration: a template divides the records, and every file has limits of its own.
    private static func aiven(_ random: inout SeededGenerator, prefix: String) -> Story {
        var story = Story(&random)
        // Hours go by within a story.
        story.topic = TestTopic(story.topic.records.map { ($0.key, 1_800_000_000_000 + ($0.time - 1_800_000_000_000) * 600) })
        let templates = [
            "{{topic}}/{{partition}}/{{start_offset:padding=true}}", "{{timestamp:unit=dd}}/{{timestamp:unit=HH}}/{{start_offset:padding=true}}.json",
            "{{field:k}}/{{start_offset:padding=true}}", "{{table}}/{{date}}/{{field:k}}/{{timestamp:unit=HH}}/{{start_offset:padding=true}}",
        ]
        story.settings = [
            "gcs.bucket.name": "lake", "format.output.type": "jsonl", "format.output.envelope": "false", "kafka.retry.backoff.ms": "0",
            "file.name.template": templates.randomElement(using: &random)!, "file.name.prefix": prefix,
            "file.max.records": String(Bool.random(using: &random) ? Int.random(in: 1...50, using: &random) : 0),
            "file.max.bytes": String(Bool.random(using: &random) ? Int.random(in: 50...2000, using: &random) : 0),
            "file.max.age.ms": String(Bool.random(using: &random) ? Int.random(in: 10...3000, using: &random) : -1),
            "max.uncommitted.ms": String(Int.random(in: 1...300_000, using: &random)),
        ]
        return story
    }

    /// One life of the process: from the committed offset until it dies or the topic is at its end.
    private func live(
        _ harness: SinkHarness, _ store: FaultyStore, _ story: Story, committed: inout Int64, _ random: inout SeededGenerator
    ) async throws -> Bool {
        var task = try harness.task()
        var at = 0
        do {
            let asked = try await task.open([story.topic.partition])
            at = Int(asked[story.topic.partition] ?? committed)
            while at < story.topic.records.count {
                let end = min(story.topic.records.count, at + Int.random(in: 1...40, using: &random))
                do {
                    try await task.write(story.topic.batch(at..<end))
                    at = end
                } catch let error as ConnectorError where error.disposition == .retry { try await Task.sleep(for: .milliseconds(1)) }
                harness.clock.advance(Int64.random(in: 0...300, using: &random))
                if Bool.random(using: &random) {
                    if let offset = try await task.flush(.tick)[story.topic.partition] {
                        #expect(offset > committed, "committed offsets grow")
                        committed = offset
                    }
                }
            }
            while committed < story.topic.records.count {
                if let offset = try await task.flush(.closing)[story.topic.partition] { committed = offset }
                try await Task.sleep(for: .milliseconds(1))
            }
            await task.close([story.topic.partition])
            return true
        } catch is FaultyStore.Dead {
        } catch is CancellationError {
        }
        store.die()
        await task.close([story.topic.partition])
        return false
    }

    static func check(_ objects: [(key: String, body: [UInt8], metadata: [String: String])], upTo count: Int, _ seed: UInt64, _ name: String = "") {
        var seen: [Int64: String] = [:]
        var last: [String: Int64] = [:]
        let facts = Dictionary(uniqueKeysWithValues: objects.filter { $0.key.contains("/_sluice/") }.map { ($0.key, $0.metadata) })
        for var object in objects.sorted(by: { $0.key < $1.key }) where facts[object.key] == nil {
            if case .object(let name) = FactsPlace(object.metadata) { object.metadata = facts[name] ?? [:] }
            let directory = String(object.key[..<(object.key.lastIndex(of: "/") ?? object.key.startIndex)])
            let rows = offsets(object.body)
            #expect(
                rows.first.map(String.init) == object.metadata["kafka-start"] && rows.last.map(String.init) == object.metadata["kafka-end"],
                "\(object.key), seed \(seed) \(name)")
            for row in rows {
                #expect(seen[row] == nil, "offset \(row) is in \(seen[row] ?? "") and \(object.key), seed \(seed) \(name)")
                seen[row] = object.key
                #expect(row > last[directory] ?? -1, "order in \(directory), seed \(seed) \(name)")
                last[directory] = row
            }
        }
        let missing = (0..<Int64(count)).filter { seen[$0] == nil }
        #expect(missing.isEmpty, "missing \(missing.prefix(10)), seed \(seed) \(name)")
    }

    private func run(
        _ seed: UInt64, on base: any ObjectStore, _ settings: [String: String] = [:], aiven prefix: String? = nil,
        objects: () async throws -> [(key: String, body: [UInt8], metadata: [String: String])]
    ) async throws -> Int {
        var random = SeededGenerator(seed: seed)
        let story = prefix.map { Self.aiven(&random, prefix: $0) } ?? Story(&random)
        let clock = TestClock()
        var committed: Int64 = 0
        for life in 0..<8 {
            let last = life == 7
            let store = FaultyStore(
                base, seed: random.next(), diesAt: last ? .max : Int.random(in: 1...25, using: &random),
                failureRate: Bool.random(using: &random) ? 0.1 : 0)
            var harness = SinkHarness(story.settings.merging(settings) { $1 }, store: store)
            if prefix != nil { harness.plan = { try GCSSinkConfiguration($0).plan } }
            harness.partSize = story.partSize
            harness.clock = clock
            let done = try await live(harness, store, story, committed: &committed, &random)
            // Invariant 4, at every crash: what is committed is stored.
            if settings.isEmpty {
                let stored = Set(try await objects().flatMap { offsets($0.body) })
                #expect((0..<committed).allSatisfy { stored.contains($0) }, "committed \(committed) beyond the store, seed \(seed)")
            }
            if done { break }
        }
        #expect(committed == Int64(story.topic.records.count), "seed \(seed)")
        if settings.isEmpty { Self.check(try await objects(), upTo: story.topic.records.count, seed) }
        return story.topic.records.count
    }

    @Test func everyRecordOnceAfterCrashesInMemory() async throws {
        let first = Self.seed()
        print("seed \(first)")
        for seed in first..<first + 250 {
            let store = MemoryStore()
            _ = try await run(seed, on: store) { store.objects.map { ($0.key, $0.value.body, $0.value.metadata) } }
        }
    }

    @Test func everyRecordOnceAfterCrashesUnderAivensTemplates() async throws {
        let first = Self.seed()
        print("seed \(first)")
        for seed in first..<first + 150 {
            let store = MemoryStore()
            _ = try await run(seed, on: store, aiven: "p/") { store.objects.map { ($0.key, $0.value.body, $0.value.metadata) } }
        }
    }

    @Test func everyRecordOnceAfterCrashesInGCS() async throws {
        let first = Self.seed()
        print("seed \(first)")
        try await withOwnGCSStub { server in
            let (store, pool) = try GCSEmulatorTests.store(server)
            defer { pool.stop() }
            for seed in first..<first + 3 {
                let prefix = "law/\(UUID().uuidString)/"
                _ = try await run(seed, on: store, aiven: prefix) {
                    var objects: [(key: String, body: [UInt8], metadata: [String: String])] = []
                    for key in try await store.list(prefix, limit: 10_000) {
                        guard let info = try await store.head(key), let body = try await store.read(key, 0..<max(1, info.size)) else { continue }
                        objects.append((key, body, info.metadata))
                    }
                    return objects
                }
            }
        }
    }

    @Test func everyRecordOnceAfterCrashesInADirectory() async throws {
        let first = Self.seed()
        print("seed \(first)")
        for seed in first..<first + 25 {
            try await withTemporaryDirectory { root in
                let pool = BlockingPool(threads: 4)
                defer { pool.stop() }
                let store = LocalStore(root: root, owner: "lake-0", pool: pool)
                try await store.prepare()
                _ = try await run(seed, on: store) { try Self.files(root) }
            }
        }
    }

    /// Large Parquet files end in a footer that says which records they hold: the only place a restart can learn it from.
    @Test func everyRecordOnceInParquetSentInParts() async throws {
        let first = Self.seed()
        print("seed \(first)")
        try await withTemporaryDirectory { root in
            var counts: [String] = []
            for seed in first..<first + 60 {
                let store = MemoryStore()
                let count = try await run(
                    seed, on: store,
                    ["format.class": "ParquetFormat", "parquet.row.group.rows": "7", "parquet.codec": "none"]
                ) { [] }
                counts.append("\(seed) \(count)")
                let directory = "\(root)/\(seed)"
                try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
                for (i, object) in store.objects.values.enumerated() { try Data(object.body).write(to: URL(fileURLWithPath: "\(directory)/\(i).parquet")) }
                #expect(!store.objects.keys.contains { $0.contains("_sluice") }, "a footer needs no object beside it")
            }
            let script = """
                import glob, sys
                import pyarrow.parquet as pq
                groups = 0
                for seed, count in (line.split() for line in sys.argv[2].splitlines()):
                    rows = []
                    for f in glob.glob(f"{sys.argv[1]}/{seed}/*.parquet"):
                        p = pq.ParquetFile(f)
                        groups = max(groups, p.num_row_groups)
                        offsets = p.read().column("o").to_pylist()
                        assert [str(offsets[0]), str(offsets[-1])] == [p.metadata.metadata[k].decode() for k in (b"kafka-start", b"kafka-end")], f
                        rows += offsets
                    assert sorted(rows) == list(range(int(count))), (seed, sorted(rows))
                print(groups)
                """
            let groups = try Python.run(script, [root, counts.joined(separator: "\n")])
            #expect(Int(groups.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0 > 1)
        }
    }

    static func files(_ root: String) throws -> [(key: String, body: [UInt8], metadata: [String: String])] {
        guard let walk = FileManager.default.enumerator(atPath: root) else { return [] }
        return walk.compactMap { entry -> (key: String, body: [UInt8], metadata: [String: String])? in
            let name = entry as! String
            guard name.hasSuffix(".json"), !name.contains(".sluice"), let data = FileManager.default.contents(atPath: root + "/" + name) else { return nil }
            let fd = open(root + "/" + name, O_RDONLY)
            defer { close(fd) }
            return (name, Array(data), MetadataText.parse(ExtendedAttribute.get(fd) ?? []))
        }
    }
}
