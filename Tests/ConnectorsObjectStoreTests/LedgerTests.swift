import ConnectAPI
import Foundation
import Testing
import TestSupport

@testable import ConnectorsObjectStore

/// `exactly.once.mode=ledger`: names of the clock, of a counter and of directories by the clock, null records and any cut; a crash at any step, and two
/// tasks of one partition. A row is never visible twice, not even between a crash and the next start, and at the end every row is there.
@Suite struct LedgerTests {
    /// Records {o, k} of which some have no value.
    private struct Topic {
        var records: [(key: String, time: Int64, isNull: Bool)]
        let partition = TopicPartition("t", 0)
        private static let schema = Schema(
            .struct, optional: true, fields: [Schema.Field("o", Schema(.int64)), Schema.Field("k", Schema(.string))])

        init(_ random: inout SeededGenerator) {
            var time: Int64 = 1_800_000_000_000
            let nulls = Bool.random(using: &random) ? 0.15 : 0
            records = (0..<Int.random(in: 1...300, using: &random)).map { _ in
                time += Int64.random(in: -50...400, using: &random)
                return ("d\(Int.random(in: 0..<4, using: &random))", time, Double.random(in: 0..<1, using: &random) < nulls)
            }
        }

        var rows: [Int64] { records.indices.filter { !records[$0].isNull }.map(Int64.init) }

        func batch(_ range: Range<Int>) -> ConsumedBatch {
            let values = range.map { records[$0].isNull ? Value.null : .struct([.integer(Int64($0)), .string(records[$0].key)]) }
            let batch = RecordBatch(
                topic: partition.topic, count: range.count, key: nil, value: Column(Self.schema, values),
                timestamps: Column(RecordBatch.timestampSchema, count: range.count, .int64(range.map { records[$0].time })))
            return ConsumedBatch(batch, from: partition, offsets: .contiguous(from: Int64(range.lowerBound)), nextOffset: Int64(range.upperBound))
        }
    }

    private static let names: [[String: String]] = [
        [
            "partitioner.class": "TimeBasedPartitioner", "path.format": "'at'=HH-mm-ss-SSS", "partition.duration.ms": "50", "timezone": "UTC",
            "timestamp.extractor": "Wallclock",
        ], ["file.name.template": "{{topic}}/{{counter}}.json"], ["file.name.template": "{{table}}/{{timestamp:format=HHmmss}}.json"],
        ["file.name.template": "{{topic}}/{{uuid}}.json"],
        ["partitioner.class": "FieldPartitioner", "partition.field.name": "k"], ["store.kafka.headers": "true", "headers.format.class": "JsonFormat"],
    ]

    private static func settings(_ random: inout SeededGenerator) -> [String: String] {
        var settings = ["exactly.once.mode": "ledger", "flush.on.stop": "true", "behavior.on.null.values": "ignore"]
        settings.merge(names.randomElement(using: &random)!) { $1 }
        settings["flush.size"] = String(Bool.random(using: &random) ? Int.random(in: 1...60, using: &random) : 1_000_000)
        if Bool.random(using: &random) { settings["file.max.bytes"] = String(Int.random(in: 50...2000, using: &random)) }
        if Bool.random(using: &random) { settings["file.max.age.ms"] = String(Int.random(in: 10...3000, using: &random)) }
        if Int.random(in: 0..<3, using: &random) == 0 { settings.merge(["rotate.schedule.interval.ms": "1000", "timezone": "UTC"]) { $1 } }
        return settings
    }

    /// Aiven's configuration: WALLCLOCK and limits of each file.
    private static func aiven(_ random: inout SeededGenerator) -> [String: String] {
        [
            "aws.s3.bucket.name": "b", "exactly.once.mode": "ledger", "format.output.type": "jsonl", "format.output.envelope": "false",
            "file.compression.type": "none", "kafka.retry.backoff.ms": "0", "file.name.timestamp.source": "WALLCLOCK",
            "file.name.template": ["{{timestamp:format=HHmmss}}/{{counter}}", "{{topic}}/{{field:k}}/{{timestamp:unit=HH}}"].randomElement(using: &random)!,
            "file.max.records": String(Int.random(in: 0...50, using: &random)), "file.max.age.ms": String(Int.random(in: 10...3000, using: &random)),
        ]
    }

    private typealias Objects = [(key: String, body: [UInt8], metadata: [String: String])]

    private static func objects(_ store: any ObjectStore) async throws -> Objects {
        var objects: Objects = []
        for key in try await store.list("", limit: 100_000) {
            guard let info = try await store.head(key), let body = try await store.read(key, 0..<max(1, info.size)) else { continue }
            objects.append((key, body, info.metadata))
        }
        return objects
    }

    private static func isRecordFile(_ key: String) -> Bool {
        !["_ledger/", "_sluice/", "_sealed/", ".headers."].contains { key.contains($0) }
    }

    /// The rows that are visible, each once, in files that the ledger lists.
    private static func visible(_ store: any ObjectStore, _ what: Comment) async throws -> Set<Int64> {
        let all = try await objects(store), entries = all.filter { $0.key.contains("_ledger/") }.compactMap { LedgerEntry($0.body) }
        let listed = Set(entries.flatMap { entry in entry.files.map(\.upload.key) })
        #expect(entries.map(\.number).sorted() == (0..<Int64(entries.count)).map { $0 }, what)
        var seen: Set<Int64> = []
        for object in all where isRecordFile(object.key) {
            #expect(listed.contains(object.key), "\(object.key) is in no entry; \(what)")
            let rows = offsets(object.body)
            if let facts = FileFacts(object.metadata) {
                #expect(rows.count == facts.count && rows.allSatisfy { facts.start...facts.end ~= $0 }, what)
            } else {
                #expect(object.metadata["kafka-facts"] != nil, what)
            }
            for row in rows { #expect(seen.insert(row).inserted, "\(row) is visible twice, \(object.key); \(what)") }
        }
        return seen
    }

    private static func harness(_ settings: [String: String], _ store: any ObjectStore, isAiven: Bool, partSize: Int?) -> SinkHarness {
        var harness = SinkHarness(settings, store: store)
        if isAiven {
            harness.settings = settings
            harness.plan = { try AivenS3SinkConfiguration($0).plan }
        }
        harness.partSize = partSize
        return harness
    }

    // MARK: Crashes

    private func live(_ harness: SinkHarness, _ store: FaultyStore, _ topic: Topic, committed: inout Int64, _ random: inout SeededGenerator) async throws
        -> Bool
    {
        var task = try harness.task(), at = 0
        do {
            while true {
                do {
                    at = Int(try await task.open([topic.partition])[topic.partition] ?? committed)
                    break
                } catch let error as ConnectorError where error.disposition == .retry {}
            }
            while at < topic.records.count {
                let end = min(topic.records.count, at + Int.random(in: 1...40, using: &random))
                do {
                    try await task.write(topic.batch(at..<end))
                    at = end
                } catch let error as ConnectorError where error.disposition == .retry { try await Task.sleep(for: .milliseconds(1)) }
                harness.clock.advance(Int64.random(in: 0...300, using: &random))
                if Bool.random(using: &random), let offset = try await task.flush(.tick)[topic.partition] {
                    #expect(offset > committed, "committed offsets grow")
                    committed = offset
                }
            }
            while committed < topic.records.count {
                if let offset = try await task.flush(.closing)[topic.partition] { committed = offset }
                try await Task.sleep(for: .milliseconds(1))
            }
            await task.close([topic.partition])
            return true
        } catch is FaultyStore.Dead {
        } catch is CancellationError {
        }
        store.die()
        await task.close([topic.partition])
        return false
    }

    /// `remade`: the store as each life makes it for itself.
    private func run(
        _ seed: UInt64, on base: any ObjectStore, lives: Int = 8, isSlow: Bool = false, remade: (() throws -> any ObjectStore)? = nil
    ) async throws {
        var random = SeededGenerator(seed: seed)
        var topic = Topic(&random)
        let isAiven = Int.random(in: 0..<4, using: &random) == 0
        var settings = isAiven ? Self.aiven(&random) : Self.settings(&random)
        if isSlow {
            topic.records = Array(topic.records.prefix(80))
            settings.merge(isAiven ? ["file.max.records": "20"] : ["flush.size": "20", "file.max.bytes": "-1", "file.max.age.ms": "3000"]) { $1 }
        }
        let clock = TestClock()
        let partSize = !isSlow && Bool.random(using: &random) ? Int.random(in: 20...400, using: &random) : nil
        let what: Comment = "seed \(seed), \(settings.sorted { $0.key < $1.key })"
        var committed: Int64 = 0
        for life in 0..<lives {
            let isLast = life == lives - 1
            let store = FaultyStore(
                try remade?() ?? base, seed: random.next(), diesAt: isLast ? .max : Int.random(in: 1...25, using: &random),
                failureRate: Bool.random(using: &random) ? 0.1 : 0)
            var harness = Self.harness(settings, store, isAiven: isAiven, partSize: partSize)
            harness.clock = clock
            let isDone = try await live(harness, store, topic, committed: &committed, &random)
            // At every crash: no row is visible twice, and what is committed is visible.
            let rows = try await Self.visible(base, what)
            #expect(topic.rows.allSatisfy { $0 >= committed || rows.contains($0) }, what)
            if isDone { break }
        }
        #expect(try await Self.visible(base, what) == Set(topic.rows), what)
    }

    @Test func everyRowOnceAtEveryCrashInMemory() async throws {
        let first = ExactlyOnceTests.seed()
        print("seed \(first)")
        for seed in first..<first + 250 { try await run(seed, on: MemoryStore()) }
    }

    @Test func everyRowOnceAtEveryCrashInADirectory() async throws {
        let first = ExactlyOnceTests.seed()
        for seed in first..<first + 25 {
            try await withTemporaryDirectory { root in
                let pool = BlockingPool(threads: 4)
                defer { pool.stop() }
                let store = LocalStore(root: root, owner: "lake-0", pool: pool)
                try await store.prepare()
                try await run(seed, on: store)
            }
        }
    }

    @Test func everyRowOnceAtEveryCrashInS3() async throws {
        let first = ExactlyOnceTests.seed()
        try await withSwiftS3 { server in
            for seed in first..<first + 1 {
                let (store, pool) = try S3StoreTests().store(server, uniqueBucket())
                defer { pool.stop() }
                try await store.prepare()
                try await run(seed, on: store, lives: 3, isSlow: true)
            }
        }
    }

    /// Sealed files are hidden objects there; each life has its own view of them, as a process has.
    @Test func everyRowOnceAtEveryCrashInCloudStorage() async throws {
        let first = ExactlyOnceTests.seed()
        print("seed \(first)")
        try await withOwnGCSStub { server in
            let pool = BlockingPool(threads: 6)
            defer { pool.stop() }
            for seed in first..<first + 3 {
                let prefix = "run\(seed)/"
                func store() throws -> PrefixStore {
                    PrefixStore(try Self.cloudStore(server, pool, hidden: prefix + "topics/_sealed/"), prefix)
                }
                try await run(seed, on: try store(), lives: 4, isSlow: true, remade: store)
            }
        }
    }

    private static func cloudStore(_ server: GCSServer, _ pool: BlockingPool, hidden: String) throws -> GCSStore {
        var chain = GoogleCredentialChain()
        chain.environment = { _ in nil }
        let client = GCSClient(
            GCSClient.Settings(
                endpoint: try GCSEndpoint(url: server.endpoint, bucket: server.bucket), credentials: chain,
                retry: GCSRetry(initialDelay: 2, maxDelay: 10, totalTimeout: 5000, maxAttempts: 3)), pool: pool, log: Logger("test"))
        return GCSStore(client, .init(hiddenDirectory: hidden))
    }

    /// What may happen to a hidden object between its sealing and its disappearance.
    @Test func hiddenObjectsBecomeFilesOnceWhoeverComposesThem() async throws {
        try await withOwnGCSStub { server in
            let pool = BlockingPool(threads: 4)
            defer { pool.stop() }
            let one = try Self.cloudStore(server, pool, hidden: "_sealed/"), other = try Self.cloudStore(server, pool, hidden: "_sealed/")
            func sealed(_ key: String, set: String, bytes: [UInt8] = [1, 2, 3]) async throws -> SealedFile {
                let attributes = ObjectAttributes(
                    contentType: "a/b", metadata: ["kafka-connector": "lake", "kafka-source": "t-0", "kafka-topic": "u", Ledger.metadataKey: set])
                let upload = try await one.beginUpload(key, attributes), part = try await one.uploadPart(upload, number: 1, offset: 0, bytes)
                let sealed = try await one.seal(upload, [part], attributes)
                #expect(try await one.seal(upload, [part], attributes) == sealed, "asked again")
                #expect(try await one.head(key)?.metadata != attributes.metadata, "not visible")
                #expect(try await one.head(sealed.upload.id)?.size == Int64(bytes.count))
                return sealed
            }
            func show(_ file: SealedFile, _ store: GCSStore) async throws -> PutOutcome {
                try await store.complete(file.upload, file.parts, file.attributes, ifAbsent: true)
            }
            // Another process shows it; whoever comes later finds it shown.
            let a = try await sealed("dir/a+b", set: "1")
            #expect(try await show(a, other) == .stored)
            #expect(try await show(a, one) == .stored)
            #expect(try await other.head("dir/a+b") == ObjectInfo(size: 3, metadata: a.attributes.metadata))
            #expect(try await one.read("dir/a+b", 0..<3) == [1, 2, 3])
            // Killed between composing and deleting: what is left goes when it is shown again.
            let b = try await sealed("b", set: "2")
            try server.set(["faults": [["on": "compose", "do": "drop-after"]]])
            #expect(try await show(b, one) == .stored)
            // The name is another's: the bytes stay.
            _ = try await one.put("c", [9], ObjectAttributes(), ifAbsent: true)
            let c = try await sealed("c", set: "3")
            #expect(try await show(c, one) == .exists)
            #expect(try await one.list("_sealed/", limit: 10) == [c.upload.id])
            // Nobody's: an entry was never written.
            _ = try await sealed("d", set: "4")
            func place(_ connector: String = "lake", _ source: String = "t-0", _ topic: String = "u") -> SealedPlace {
                SealedPlace(connector: connector, source: source, topic: topic)
            }
            #expect(await one.dropSealed(of: place(), before: WallClock.milliseconds - 60_000) == 0)
            for other in [place("else"), place("lake", "t-1"), place("lake", "t-0", "t")] {
                #expect(await one.dropSealed(of: other, before: WallClock.milliseconds + 60_000) == 0, "\(other)")
            }
            #expect(await other.dropSealed(of: place(), before: WallClock.milliseconds + 60_000) == 2)
            let gone = await #expect(throws: ConnectorError.self) { _ = try await show(try await one.seal(c.upload, c.parts, c.attributes), one) }
            #expect(gone?.code == "gcs.upload_gone")
            // An entry names nothing but hidden objects.
            let stranger = Upload(key: "e", id: "dir/a+b", attributes: a.attributes)
            await #expect(throws: ConnectorError.self) { _ = try await one.seal(stranger, [], a.attributes) }
            // Several parts, large enough for several requests, and dropped ones.
            let large = (0..<(3 * ResumableUpload.quantum + 7)).map { UInt8(truncatingIfNeeded: $0 >> 3) }
            #expect(try await show(try await sealed("large", set: "5", bytes: large), one) == .stored)
            #expect(try await one.read("large", 0..<Int64(large.count)) == large)
            let dropped = try await sealed("f", set: "6")
            await other.abort(dropped.upload)
            #expect(try await one.list("_sealed/", limit: 10) == [])
            try server.set(["deny": ["storage.objects.delete"]])
            let kept = try await sealed("g", set: "7")
            let denied = await #expect(throws: ConnectorError.self) { _ = try await show(kept, one) }
            #expect(denied?.hint?.contains("storage.objects.delete") == true)
        }
    }

    @Test func aConfigurationOfTheCloudStorageSinkMayKeepALedger() throws {
        let settings = [
            "gcs.bucket.name": "b", "exactly.once.mode": "ledger", "file.name.prefix": "lake/", "file.name.timestamp.source": "WALLCLOCK",
            "file.name.template": "{{timestamp:format=HHmmss}}/{{counter}}.csv",
        ]
        let plan = try GCSSinkConfiguration(settings).plan, options = try GCSSinkConfiguration(settings).storeOptions
        #expect(plan.keepsLedger && plan.warnings.isEmpty && options.hiddenDirectory == "lake/_sealed/")
        #expect(try GCSSinkConfiguration(settings.merging(["exactly.once.mode": "names"]) { $1 }).storeOptions.hiddenDirectory == nil)
        let newest = settings.merging(["file.name.template": "{{key}}"]) { $1 }
        #expect(GCSSinkConfiguration.parse(newest).findings.map(\.key) == ["exactly.once.mode"])
    }

    @Test func compressedContentIsNotMerged() throws {
        let settings = [
            "gcs.bucket.name": "b", "format.output.type": "jsonl", "file.compression.type": "gzip", "gcs.object.content.encoding": "gzip",
        ]
        #expect(GCSSinkConfiguration.parse(settings).findings.isEmpty)
        #expect(GCSSinkConfiguration.parse(settings.merging(["compact.interval.ms": "60000"]) { $1 }).findings.map(\.key) == ["compact.interval.ms"])
    }

    // MARK: Two tasks

    @Test func everyRowOnceBesideATaskThatWasGivenUp() async throws {
        let first = ExactlyOnceTests.seed()
        print("seed \(first)")
        var overtaken = 0
        for seed in first..<first + 120 { overtaken += try await rivals(seed) }
        #expect(overtaken > 0, "no task ever met another's entry")
    }

    private func rivals(_ seed: UInt64) async throws -> Int {
        var random = SeededGenerator(seed: seed)
        let topic = Topic(&random), isAiven = Int.random(in: 0..<4, using: &random) == 0
        let settings = isAiven ? Self.aiven(&random) : Self.settings(&random), base = MemoryStore()
        let partSize = Bool.random(using: &random) ? Int.random(in: 20...400, using: &random) : nil
        let what: Comment = "seed \(seed), \(settings.sorted { $0.key < $1.key })"
        struct Life {
            var task: ObjectStoreSinkTask
            let clock: TestClock
            var at: Int
            var committed: Int64
        }
        func life(from offset: Int64) async throws -> Life {
            let harness = Self.harness(settings, JitterStore(base, seed: random.next()), isAiven: isAiven, partSize: partSize)
            var task = try harness.task()
            _ = try await task.open([topic.partition])
            return Life(task: task, clock: harness.clock, at: Int(offset), committed: offset)
        }
        var lives = [try await life(from: 0)], overtaken = 0
        while lives.contains(where: { $0.committed < topic.records.count }) {
            if lives.count < 3, Int.random(in: 0..<12, using: &random) == 0 { lives.append(try await life(from: lives[lives.count - 1].committed)) }
            let i = Int.random(in: lives.indices, using: &random)
            lives[i].clock.advance(Int64.random(in: 0...300, using: &random))
            do {
                if lives[i].at < topic.records.count, Bool.random(using: &random) {
                    let end = min(topic.records.count, lives[i].at + Int.random(in: 1...40, using: &random))
                    try await lives[i].task.write(topic.batch(lives[i].at..<end))
                    lives[i].at = end
                } else {
                    let reason: FlushReason = lives[i].at == topic.records.count ? .closing : .tick
                    if let offset = try await lives[i].task.flush(reason)[topic.partition] {
                        #expect(offset > lives[i].committed, what)
                        lives[i].committed = offset
                    }
                }
            } catch let error as ConnectorError where error.disposition == .restart {
                await lives[i].task.close([topic.partition])
                lives[i] = try await life(from: lives[i].committed)
                overtaken += 1
                try #require(overtaken < 10_000, what)
            }
            if Int.random(in: 0..<20, using: &random) == 0 { _ = try await Self.visible(base, what) }
        }
        for i in lives.indices { await lives[i].task.close([topic.partition]) }
        #expect(try await Self.visible(base, what) == Set(topic.rows), what)
        return overtaken
    }

    /// Killed after sealing and before the entry, again and again: the files that no entry names go by age, other partitions' and connectors' stay.
    @Test func sealedFilesOfKilledTasksGoByAge() async throws {
        try await withTemporaryDirectory { root in
            let pool = BlockingPool(threads: 2)
            defer { pool.stop() }
            let base = LocalStore(root: root, owner: "lake-0", pool: pool)
            try await base.prepare()
            func sealed() -> [String] {
                FileManager.default.enumerator(atPath: root + "/.sluice/sealed")?.compactMap { $0 as? String }.filter { $0.contains("x") } ?? []
            }
            let settings = ["exactly.once.mode": "ledger", "flush.size": "5"], topic = CompactionTests.topic(20)
            func run(_ store: any ObjectStore, age: String) async throws -> Bool {
                var task = try SinkHarness(settings.merging(["s3.orphan.uploads.max.age.ms": age]) { $1 }, store: store).task()
                var offset: Int64 = 0
                do {
                    _ = try await task.open([topic.partition])
                    try await task.write(topic.batch(0..<20))
                    while offset < 20 { offset = try await task.flush(.closing)[topic.partition] ?? offset }
                } catch is FaultyStore.Dead {} catch is CancellationError {}
                await task.close([topic.partition])
                return offset == 20
            }
            // A task of another partition, another connector's, and this one under another topic sealed some too.
            for (connector, source, topic) in [("lake", "t-1", "t"), ("other%2E", "t-0", "t"), ("lake", "t-0", "renamed")] {
                let attributes = ObjectAttributes(metadata: ["kafka-connector": connector, "kafka-source": source, "kafka-topic": topic])
                let upload = try await base.beginUpload("topics/t/x.json", attributes)
                let part = try await base.uploadPart(upload, number: 1, offset: 0, [1])
                let file = try await base.seal(upload, [part], attributes)
                #expect(try await base.seal(upload, [part], attributes) == file)
            }
            // What no entry names: an entry's files are shown by whoever opens the ledger.
            func orphans() async throws -> Int {
                var named: Set<String> = []
                for key in try await base.list("topics/_ledger/", limit: 100) {
                    named.formUnion(LedgerEntry(try await base.read(key, 0..<1 << 20) ?? [])?.files.map(\.upload.id) ?? [])
                }
                return sealed().count { !named.contains(".sluice/sealed/" + $0) }
            }
            var call = 1
            while try await orphans() < 4 {
                _ = try await run(FaultyStore(base, seed: UInt64(call), diesAt: call), age: "-1")
                call += 1
                try #require(call < 60, "nothing is left of killed tasks: \(sealed())")
            }
            let left = try await orphans()
            #expect(try await run(base, age: "86400000"))
            #expect(sealed().count == left, "young ones stay")
            // Times of a file system may be whole seconds.
            try await Task.sleep(for: .milliseconds(1100))
            #expect(try await run(base, age: "0"))
            #expect(
                sealed().sorted().map { $0.split(separator: "/").dropLast().joined(separator: "/") } == ["lake/t-0/renamed", "lake/t-1/t", "other%2E/t-0/t"])
            #expect(try await Self.visible(base, "sealed") == Set(0..<20))
        }
    }

    // MARK: What is refused

    @Test func refusesWhatWouldStoreRowsTwiceOrNever() async throws {
        var random = SeededGenerator(seed: 3)
        var topic = Topic(&random)
        topic.records = (0..<20).map { ("d", 1_800_000_000_000 + Int64($0), false) }
        let base = MemoryStore(), settings = ["exactly.once.mode": "ledger", "flush.size": "5"]
        func write(_ topic: Topic) async throws {
            var task = try SinkHarness(settings, store: base).task()
            _ = try await task.open([topic.partition])
            do {
                try await task.write(topic.batch(0..<20))
                var offset: Int64 = 0
                while offset < 20 {
                    offset = try await task.flush(.closing)[topic.partition] ?? offset
                    try await Task.sleep(for: .milliseconds(1))
                }
            } catch {
                await task.close([topic.partition])
                throw error
            }
            await task.close([topic.partition])
        }
        func code(_ body: () async throws -> Void) async -> String? {
            do { try await body() } catch { return (error as? ConnectorError)?.code }
            return nil
        }
        try await write(topic)
        try await write(topic)
        #expect(try await Self.visible(base, "again").count == 20)
        // The topic was created anew.
        var other = topic
        for i in other.records.indices { other.records[i].time += 7 }
        #expect(await code { try await write(other) } == "objectstore.conflict")
        // The ledger is gone and the files are not.
        let ledger = base.objects.filter { $0.key.contains("_ledger") }
        for key in ledger.keys { try await base.delete(key) }
        #expect(await code { try await write(topic) } == "objectstore.conflict")
        #expect(base.openUploads == 0, "nothing is left of what was not stored")
        for (key, entry) in ledger { _ = try await base.put(key, Array(entry.body.dropLast(3)), ObjectAttributes(), ifAbsent: false) }
        #expect(await code { try await write(topic) } == "objectstore.ledger")
        #expect(throws: (any Error).self) { try S3SinkConfiguration(SinkHarness(["exactly.once.mode": "maybe"], store: base).settings) }
    }

    /// Whatever an entry's bytes became, they are an entry that says the same or none.
    @Test func entriesComeBackAsTheyWere() throws {
        var random = SeededGenerator(seed: ExactlyOnceTests.seed())
        for _ in 0..<300 {
            let attributes = ObjectAttributes(contentType: "a/b", metadata: ["kafka-set": "é\"\\", "x": "\(random.next())"])
            let file = SealedFile(
                upload: Upload(key: "k\n\(random.next())", id: "u", attributes: attributes),
                parts: [UploadedPart(number: 1, tag: "\"t\"", checksum: "c", size: 5)], attributes: attributes)
            let first = LedgerEntry.Record(offset: Int64.random(in: 0..<1 << 40, using: &random), timestamp: -1)
            let entry = LedgerEntry(
                number: Int64.random(in: 0..<1 << 40, using: &random), id: "i", connector: "c", first: first, origin: first, next: first.offset + 1,
                files: [file])
            #expect(LedgerEntry(entry.json) == entry)
            var bytes = entry.json
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if let read = LedgerEntry(bytes) { #expect(read.next > read.first.offset && read.number >= 0) }
        }
    }
}

/// A store whose keys lie below a prefix of another.
private final class PrefixStore: ObjectStore {
    private let base: GCSStore
    private let prefix: String
    init(_ base: GCSStore, _ prefix: String) { (self.base, self.prefix) = (base, prefix) }

    var place: String { base.place }
    var completesMetadata: Bool { base.completesMetadata }
    private func inside(_ upload: Upload) -> Upload { Upload(key: prefix + upload.key, id: upload.id, attributes: upload.attributes) }

    func prepare() async throws { try await base.prepare() }
    func put(_ key: String, _ body: [UInt8], _ attributes: ObjectAttributes, ifAbsent: Bool) async throws -> PutOutcome {
        try await base.put(prefix + key, body, attributes, ifAbsent: ifAbsent)
    }
    func beginUpload(_ key: String, _ attributes: ObjectAttributes) async throws -> Upload {
        Upload(key: key, id: try await base.beginUpload(prefix + key, attributes).id, attributes: attributes)
    }
    func uploadPart(_ upload: Upload, number: Int, offset: Int64, _ bytes: [UInt8]) async throws -> UploadedPart {
        try await base.uploadPart(inside(upload), number: number, offset: offset, bytes)
    }
    func complete(_ upload: Upload, _ parts: [UploadedPart], _ attributes: ObjectAttributes, ifAbsent: Bool) async throws -> PutOutcome {
        try await base.complete(inside(upload), parts, attributes, ifAbsent: ifAbsent)
    }
    func seal(_ upload: Upload, _ parts: [UploadedPart], _ attributes: ObjectAttributes) async throws -> SealedFile {
        SealedFile(upload: upload, parts: try await base.seal(inside(upload), parts, attributes).parts, attributes: attributes)
    }
    func abort(_ upload: Upload) async { await base.abort(inside(upload)) }
    func head(_ key: String) async throws -> ObjectInfo? { try await base.head(prefix + key) }
    func read(_ key: String, _ range: Range<Int64>) async throws -> [UInt8]? { try await base.read(prefix + key, range) }
    func page(_ below: String, after next: String?, limit: Int) async throws -> ObjectPage {
        var page = try await base.page(prefix + below, after: next, limit: limit)
        for i in page.entries.indices { page.entries[i].key.removeFirst(prefix.count) }
        return page
    }
    func delete(_ key: String) async throws { try await base.delete(prefix + key) }
}
