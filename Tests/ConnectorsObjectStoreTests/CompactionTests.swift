import ConnectAPI
import Foundation
import Testing
import TestSupport

@testable import ConnectorsObjectStore

/// Small files are merged beside the writing. A row is never missing, wherever a task dies; it is seen twice only between the creation of a merged file and
/// the deletion of its sources, and once when tasks have run on.
@Suite struct CompactionTests {
    static let settings = [
        "compact.interval.ms": "1", "compact.min.age.ms": "0", "compact.min.files": "3", "compact.target.bytes": "2000", "flush.on.stop": "true",
    ]
    static let partition = TopicPartition("t", 0)

    typealias Objects = [(key: String, body: [UInt8], metadata: [String: String])]

    static func objects(_ store: any ObjectStore, _ prefix: String = "") async throws -> Objects {
        var objects: Objects = []
        for key in try await store.list(prefix, limit: 100_000) where !key.contains("_compact/") {
            guard let info = try await store.head(key), let body = try await store.read(key, 0..<max(1, info.size)) else { continue }
            objects.append((key, body, info.metadata))
        }
        return objects
    }

    /// How often each row is stored.
    static func counts(_ objects: Objects) -> [Int64: Int] {
        Dictionary(objects.filter { !$0.key.contains("_sluice/") }.flatMap { offsets($0.body) }.map { ($0, 1) }, uniquingKeysWith: +)
    }

    static func topic(_ count: Int, directories: Int = 1) -> TestTopic {
        TestTopic((0..<count).map { ("d\($0 % directories)", 1_800_000_000_000 + Int64($0)) })
    }

    /// Stores a topic in files of `flush.size` records, merging nothing. The committed offset is the topic's end.
    static func store(_ topic: TestTopic, _ harness: SinkHarness) async throws {
        var harness = harness
        harness.settings["compact.interval.ms"] = "-1"
        var task = try harness.task()
        _ = try await task.open([topic.partition])
        for start in stride(from: 0, to: topic.records.count, by: 50) { try await task.write(topic.batch(start..<min(start + 50, topic.records.count))) }
        #expect(try await task.flush(.closing)[topic.partition] == Int64(topic.records.count))
        await task.close([topic.partition])
    }

    /// One look of a task that has the partition.
    static func compact(_ harness: SinkHarness, committed: Int64, partition: TopicPartition = partition) async throws {
        var task = try harness.task()
        _ = try await task.open([partition])
        await task.committed([partition: committed])
        _ = try await task.flush(.tick)
        await task.compaction?.finish()
        await task.close([partition])
    }

    static func harness(_ store: any ObjectStore, _ settings: [String: String] = [:]) -> SinkHarness {
        SinkHarness(Self.settings.merging(settings) { $1 }, store: store)
    }

    // MARK: What is merged

    @Test func runsOfSmallFilesBecomeOne() async throws {
        let store = MemoryStore(pageSize: 7), topic = Self.topic(400, directories: 2)
        let harness = Self.harness(store, ["flush.size": "20", "partitioner.class": "FieldPartitioner", "partition.field.name": "k"])
        try await Self.store(topic, harness)
        let before = store.objects.filter { !$0.key.contains("_") }
        #expect(before.count == 40)
        try await Self.compact(harness, committed: 400)
        let after = try await Self.objects(store)
        ExactlyOnceTests.check(after, upTo: 400, 0)
        #expect(after.count == 4 && harness.metrics["merged_files_total"] == 40 && harness.metrics["merges_total"] == 4, "\(after.map(\.key))")
        for object in after {
            let facts = FileFacts(object.metadata), rows = offsets(object.body)
            #expect(facts?.start == rows.first && facts?.end == rows.last && facts?.count == rows.count && facts?.connector == "lake" && facts?.source == "t-0")
            #expect(object.metadata["kafka-merged"].map { object.key.hasSuffix("-\($0).json") } == true, "\(object.key)")
        }
        // Nothing is left to do, and merged files are not merged again.
        try await Self.compact(harness, committed: 400)
        #expect(try await Self.objects(store).map(\.key) == after.map(\.key))
        #expect(store.objects.keys.filter { $0.contains("_compact/") }.count == 2)
    }

    @Test func whatIsYoungUncommittedLargeOrFewStays() async throws {
        let topic = Self.topic(100)
        func left(_ settings: [String: String], committed: Int64 = 100, _ change: (MemoryStore) async throws -> Void = { _ in }) async throws -> [String] {
            let store = MemoryStore(pageSize: 7), harness = Self.harness(store, ["flush.size": "10"].merging(settings) { $1 })
            try await Self.store(topic, harness)
            try await change(store)
            try await Self.compact(harness, committed: committed)
            let counts = Self.counts(try await Self.objects(store))
            #expect(counts.count == 100 && counts.values.allSatisfy { $0 == 1 })
            return try await store.list("topics/t/", limit: 1000).map { String($0.split(separator: "+").last!.prefix(21)) }
        }
        let all = (0..<10).map { "00000000\($0)0.json" }
        #expect(try await left(["compact.target.bytes": "100000"]) == ["0000000000-0000000099"])
        // The clock of a test is ahead of the store's by about as much as this.
        #expect(try await left(["compact.min.age.ms": "100000000000"]) == all)
        #expect(try await left([:], committed: 0) == all)
        #expect(try await left([:], committed: 20) == all)
        #expect(try await left(["compact.target.bytes": "100000"], committed: 45) == ["0000000000-0000000039"] + all[4...])
        #expect(try await left(["compact.min.files": "11", "compact.target.bytes": "100000"]) == all)
        #expect(try await left(["compact.target.bytes": "50"]) == all)
        // A large file ends a run.
        let large = try await left(["compact.target.bytes": "100000"]) { store in
            let key = "topics/t/partition=0/t+0+0000000040.json", object = store.objects[key]!
            _ = try await store.put(
                key, object.body + Array(repeating: UInt8(ascii: "\n"), count: 60_000), ObjectAttributes(metadata: object.metadata), ifAbsent: false)
        }
        #expect(large == ["0000000000-0000000039", all[4], "0000000050-0000000099"])
        // So does one of another connector, or that says nothing.
        for metadata in [["kafka-start": "40", "kafka-end": "49", "kafka-count": "10", "kafka-connector": "other"], [:]] {
            let foreign = try await left(["compact.target.bytes": "100000"]) { store in
                let key = "topics/t/partition=0/t+0+0000000040.json", object = store.objects[key]!
                _ = try await store.put(key, object.body, ObjectAttributes(metadata: metadata), ifAbsent: false)
            }
            #expect(foreign == ["0000000000-0000000039", all[4], "0000000050-0000000099"])
        }
    }

    // MARK: Dying

    /// A task dies at every call, before and after it took effect; what a reader sees then, and what the next task makes of it.
    @Test func killedAtEveryStepTheNextTaskGoesOn() async throws {
        for (name, settings, partSize) in [("whole", [:], nil), ("parts", ["compact.target.bytes": "3000"], 300)] as [(String, [String: String], Int?)] {
            for seed in UInt64(1)...2 {
                var call = 1, wasTwice = false
                while true {
                    let base = MemoryStore(pageSize: 7), topic = Self.topic(120)
                    var harness = Self.harness(base, ["flush.size": "15"].merging(settings) { $1 })
                    try await Self.store(topic, harness)
                    harness.partSize = partSize
                    let faulty = FaultyStore(base, seed: seed &* 1000 &+ UInt64(call), diesAt: call)
                    try await Self.compact(Self.on(faulty, harness), committed: 120)
                    let died = faulty.isDead
                    let counts = Self.counts(try await Self.objects(base))
                    #expect((0..<120).allSatisfy { (1...2).contains(counts[$0] ?? 0) }, "\(name), call \(call), seed \(seed)")
                    if counts.values.contains(2) { wasTwice = true }
                    try await Self.compact(harness, committed: 120)
                    ExactlyOnceTests.check(try await Self.objects(base), upTo: 120, seed, "\(name), call \(call)")
                    #expect(try await Self.objects(base).count < 8 && base.openUploads <= 1, "\(name), call \(call), seed \(seed)")
                    if !died { break }
                    call += 1
                }
                #expect(call > 20 && wasTwice, "\(name): \(call) calls")
            }
        }
    }

    static func on(_ store: any ObjectStore, _ harness: SinkHarness) -> SinkHarness {
        var other = SinkHarness(harness.settings, store: store)
        (other.partSize, other.plan, other.metrics, other.clock) = (harness.partSize, harness.plan, harness.metrics, harness.clock)
        return other
    }

    /// Lives of a task that writes, merges, fails and dies, until the topic is stored: any rotation, several directories.
    @Test func everyRecordOnceAfterCrashesWhileItMerges() async throws {
        let first = ExactlyOnceTests.seed()
        print("seed \(first)")
        var merged = 0.0
        for seed in first..<first + 60 {
            let base = MemoryStore(pageSize: 7)
            merged += try await Self.law(seed, base, [:]) { try await Self.objects(base) }
        }
        #expect(merged > 500, "\(merged)")
    }

    /// Returns how many files were merged.
    static func law(
        _ seed: UInt64, _ base: any ObjectStore, _ settings: [String: String], records: Int = 300, inParts: Bool = true, objects: () async throws -> Objects
    ) async throws -> Double {
        var random = SeededGenerator(seed: seed)
        let topic = Self.topic(Int.random(in: 50...records, using: &random), directories: Int.random(in: 1...4, using: &random))
        var all = Self.settings.merging(["flush.size": String(Int.random(in: 3...40, using: &random))]) { $1 }.merging(settings) { $1 }
        if Bool.random(using: &random) { all.merge(["partitioner.class": "FieldPartitioner", "partition.field.name": "k"]) { $1 } }
        if Bool.random(using: &random) { all.merge(["flush.size": "100000", "file.max.bytes": String(Int.random(in: 50...500, using: &random))]) { $1 } }
        all["compact.target.bytes"] = String(Int.random(in: 500...5000, using: &random))
        let clock = TestClock(), metrics = CountingMetrics()
        var committed: Int64 = 0
        for life in 0..<12 {
            let isLast = life >= 10
            let store = FaultyStore(
                base, seed: random.next(), diesAt: isLast ? .max : Int.random(in: 20...300, using: &random), failureRate: isLast ? 0 : 0.03)
            var harness = SinkHarness(all, store: store)
            (harness.clock, harness.metrics) = (clock, metrics)
            if inParts, Bool.random(using: &random) { harness.partSize = Int.random(in: 100...900, using: &random) }
            do { try await live(harness, topic, &committed, &random) } catch is FaultyStore.Dead {} catch is CancellationError {}
            store.die()
            let counts = Self.counts(try await objects())
            #expect((0..<committed).allSatisfy { (1...2).contains(counts[$0] ?? 0) }, "committed \(committed), seed \(seed), life \(life)")
        }
        #expect(committed == Int64(topic.records.count), "seed \(seed)")
        let last = try await objects()
        ExactlyOnceTests.check(last, upTo: topic.records.count, seed)
        return metrics["merged_files_total"]
    }

    private static func live(_ harness: SinkHarness, _ topic: TestTopic, _ committed: inout Int64, _ random: inout SeededGenerator) async throws {
        var task = try harness.task(), at = Int(committed)
        do {
            while true {
                do {
                    _ = try await task.open([topic.partition])
                    break
                } catch let error as ConnectorError where error.disposition == .retry {}
            }
            await task.committed([topic.partition: committed])
            while at < topic.records.count || committed < topic.records.count {
                let end = min(topic.records.count, at + Int.random(in: 1...40, using: &random))
                do {
                    if at < end { try await task.write(topic.batch(at..<end)) }
                    at = end
                } catch let error as ConnectorError where error.disposition == .retry { try await Task.sleep(for: .milliseconds(1)) }
                harness.clock.advance(Int64.random(in: 0...300, using: &random))
                let offsets = try await at == topic.records.count ? task.flush(.closing) : task.flush(.tick)
                // The log does not always get to commit what was flushed.
                if let offset = offsets[topic.partition], at == topic.records.count || Bool.random(using: &random) {
                    committed = offset
                    await task.committed([topic.partition: offset])
                }
                if Int.random(in: 0..<4, using: &random) == 0 { await task.compaction?.finish() }
            }
            await task.compaction?.finish()
            harness.clock.advance(1000)
            _ = try await task.flush(.tick)
            await task.compaction?.finish()
            await task.close([topic.partition])
        } catch {
            await task.close([topic.partition])
            throw error
        }
    }

    // MARK: Several tasks, stale plans

    @Test func twoTasksOnTheSamePlansDoNoHarm() async throws {
        let first = ExactlyOnceTests.seed()
        print("seed \(first)")
        for seed in first..<first + 60 {
            var random = SeededGenerator(seed: seed)
            let base = MemoryStore(pageSize: 7), topic = Self.topic(Int.random(in: 60...200, using: &random))
            try await Self.store(topic, Self.harness(base, ["flush.size": "5"]))
            let count = Int64(topic.records.count)
            let tasks = (0..<3).map { _ in
                // Each has its own view of what a target is.
                (JitterStore(base, seed: random.next()), String(Int.random(in: 300...3000, using: &random)), Int.random(in: 0...1, using: &random))
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (store, target, view) in tasks {
                    group.addTask {
                        for _ in 0..<3 {
                            try await Self.compact(
                                Self.harness(store, ["flush.size": "5", "compact.target.bytes": target]), committed: view == 0 ? count : count / 2)
                        }
                    }
                }
                // A reader beside them never misses a row.
                group.addTask {
                    for _ in 0..<10 {
                        let seen = Self.rows(base.objects)
                        #expect((0..<count).allSatisfy { seen[$0] != nil }, "seed \(seed)")
                        await Task.yield()
                    }
                }
                try await group.waitForAll()
            }
            try await Self.compact(Self.harness(base, ["flush.size": "5"]), committed: count)
            ExactlyOnceTests.check(try await Self.objects(base), upTo: topic.records.count, seed)
        }
    }

    private static func rows(_ objects: [String: MemoryStore.Object]) -> [Int64: Int] {
        counts(objects.filter { !$0.key.contains("_") }.map { ($0.key, $0.value.body, $0.value.metadata) })
    }

    @Test func aPlanWhoseSourceIsGoneIsStale() async throws {
        let base = MemoryStore(pageSize: 7), topic = Self.topic(60), harness = Self.harness(base, ["flush.size": "10", "compact.target.bytes": "100000"])
        try await Self.store(topic, harness)
        // Killed after the plan: the third call of a look that finds no plan lists, the plan is among the next.
        var call = 1
        while !base.objects.keys.contains(where: { $0.contains("_compact/") }) {
            try await Self.compact(Self.on(FaultyStore(base, seed: 1, diesAt: call), harness), committed: 60)
            call += 1
        }
        #expect(try await Self.objects(base).count == 6)
        let gone = "topics/t/partition=0/t+0+0000000020.json"
        try await base.delete(gone)
        try await Self.compact(harness, committed: 60)
        let left = try await Self.objects(base)
        #expect(left.count == 1, "\(left.map(\.key))")
        #expect(Self.counts(left).count == 50 && Self.counts(left).values.allSatisfy { $0 == 1 })
        // A source that was replaced stays.
        let other = MemoryStore(pageSize: 7), again = Self.harness(other, ["flush.size": "10", "compact.target.bytes": "100000"])
        try await Self.store(topic, again)
        let key = "topics/t/partition=0/t+0+0000000020.json", object = other.objects[key]!
        let plan = CompactionPlan(
            number: 0, id: "00c0ffee", connector: "lake", source: "t-0", startTimestamp: 1_800_000_000_000,
            target: "topics/t/partition=0/t+0+0000000000-0000000059-00c0ffee.json",
            sources: (0..<6).map {
                .init(
                    key: "topics/t/partition=0/t+0+00000000\($0)0.json", size: Int64(other.objects["topics/t/partition=0/t+0+00000000\($0)0.json"]!.body.count),
                    start: $0 * 10, end: $0 * 10 + 9, count: 10)
            })
        #expect(CompactionPlan(plan.json) == plan)
        let body = (0..<6).flatMap { other.objects["topics/t/partition=0/t+0+00000000\($0)0.json"]!.body }
        _ = try await other.put(plan.target, body, ObjectAttributes(metadata: plan.metadata), ifAbsent: true)
        _ = try await other.put(key, object.body + [10], ObjectAttributes(metadata: object.metadata), ifAbsent: false)
        let plans = Self.harness(other)
        let context = try Self.context(plans)
        #expect(try await Merge(plan: plan, context: context).run())
        #expect(try await Self.objects(other).map(\.key) == [plan.target, key])
    }

    static func context(_ harness: SinkHarness) throws -> CompactionContext {
        let plan = try S3SinkConfiguration(harness.settings).plan, log = Logger("test")
        let uploads = UploadContext(
            store: harness.store, naming: plan.naming, partSize: plan.partSize, conditional: true, retryBackoff: .zero, tags: nil,
            progress: UploadProgress(log), metrics: SinkMetrics(harness.metrics, connector: "lake", task: 0), log: log)
        return CompactionContext(
            connector: "lake", policy: plan.compaction!, join: plan.formats.values.join!, contentType: "", uploads: uploads,
            clock: { [clock = harness.clock] in clock.now })
    }

    /// A plan is outside bytes.
    @Test func damagedPlansAreNoPlans() throws {
        var random = SeededGenerator.printed()
        let plan = CompactionPlan(
            number: 3, id: "a", connector: "lake", source: "t-0", startTimestamp: 5, target: "x-9-a",
            sources: [.init(key: "x", size: 4, start: 0, end: 4, count: 5), .init(key: "y", size: 4, start: 7, end: 9, count: 3)])
        #expect(CompactionPlan(plan.json) == plan)
        for _ in 0..<5000 {
            var damaged = plan.json
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                damaged[Int.random(in: 0..<damaged.count, using: &random)] = UInt8.random(in: 32...127, using: &random)
            }
            if let read = CompactionPlan(damaged) {
                #expect(read.sources.count >= 2 && read.sources[0].end < read.sources[1].start && !read.sources.contains { $0.key == read.target })
            }
        }
        #expect(CompactionPlan(Array("{}".utf8)) == nil)
    }

    /// Files whose metadata count more rows than can be: they are left alone, and those beside them are merged.
    @Test func filesThatCountWhatCannotBeStay() async throws {
        let store = MemoryStore(), harness = Self.harness(store, ["flush.size": "10", "compact.target.bytes": "100000", "compact.min.files": "2"])
        let topic = Self.topic(60)
        try await Self.store(topic, harness)
        for i in [0, 1] {
            let key = "topics/t/partition=0/t+0+00000000\(i)0.json", object = store.objects[key]!
            let metadata = object.metadata.merging(["kafka-count": String(Int.max - i)]) { $1 }
            _ = try await store.put(key, object.body, ObjectAttributes(metadata: metadata), ifAbsent: false)
        }
        let context = try Self.context(harness), lane = Lane.Identity(partition: topic.partition, topic: "t")
        harness.clock.advance(1 << 40)
        await Compactor(context: context, lanes: [lane: 60], memory: CompactionMemory()).run()
        let left = try await Self.objects(store)
        #expect(left.count == 3 && left.count { $0.key.contains("0000000020-0000000059-") } == 1, "\(left.map(\.key))")
    }

    // MARK: Refusals

    @Test func whatCannotBeMergedIsRefused() throws {
        func said(_ settings: [String: String]) -> [String] {
            let base = ["s3.bucket.name": "b", "flush.size": "3", "format.class": "JsonFormat", "compact.interval.ms": "60000"]
            let given = base.merging(settings) { $1 }
            return S3SinkConfiguration.parse(given).findings.filter { $0.key == "compact.interval.ms" }.map(\.message)
        }
        func aiven(_ settings: [String: String]) -> [String] {
            let given = ["gcs.bucket.name": "b", "format.output.type": "jsonl", "compact.interval.ms": "60000"].merging(settings) { $1 }
            return GCSSinkConfiguration.parse(given).findings.filter { $0.key == "compact.interval.ms" }.map(\.message)
        }
        #expect(said([:]).isEmpty && said(["format.class": "ParquetFormat"]).isEmpty && said(["format.class": "ByteArrayFormat"]).isEmpty)
        #expect(said(["exactly.once.mode": "ledger"]).first?.contains("remove exactly.once.mode=ledger") == true)
        #expect(said(["format.class": "AvroFormat"]).first?.contains("choose Parquet, JSON lines, CSV or bytes") == true)
        #expect(said(["store.kafka.headers": "true"]).first?.contains("store.kafka.headers to false") == true)
        #expect(said(["enable.conditional.writes": "false"]).first?.contains("enable.conditional.writes=true") == true)
        let hourly = ["partitioner.class": "HourlyPartitioner", "timezone": "UTC", "locale": "en", "timestamp.extractor": "Record"]
        #expect(said(hourly.merging(["directory.manifest.delay.ms": "1000"]) { $1 }).first?.contains("remove directory.manifest.delay.ms") == true)
        #expect(said(["file.delim": ""]).first?.contains("file.delim") == true)
        #expect(said(["file.name.template": "{{directory}}-{{start_offset}}"]).first?.contains("before the last /") == true)
        #expect(said(["file.name.template": "{{directory}}/{{start_offset}}"]).isEmpty)
        #expect(said(["exactly.once.mode": "ledger", "compact.interval.ms": "-1"]).isEmpty)
        #expect(aiven([:]).isEmpty && aiven(["format.output.type": "csv"]).isEmpty && aiven(["format.output.type": "parquet"]).isEmpty)
        #expect(aiven(["format.output.type": "json"]).first?.contains("choose Parquet") == true)
        #expect(aiven(["file.name.template": "{{key}}"]).first?.contains("{{start_offset}}") == true)
        #expect(aiven(["file.name.template": "x-{{field:k}}-{{start_offset}}"]).first?.contains("before the last /") == true)
        #expect(aiven(["file.name.template": "{{field:k}}/{{timestamp:format=HHmmss}}-{{start_offset}}"]).isEmpty)
        #expect(S3SinkConfiguration.parse(["compact.min.files": "1"]).findings.contains { $0.key == "compact.min.files" })
    }
}
