import ConnectAPI
import Synchronization
import TestSupport
import Testing

@testable import ConnectorsObjectStore

/// A task that was given up and does not know it yet writes on beside the one that has its partition now (and a third beside both): every record is
/// stored once, in order per directory, whatever cuts the files and however their cuts differ.
@Suite struct RivalTaskTests {
    /// One task as the runtime leads it: it reads from its committed offset on, and is made anew when it asks for it.
    private struct Life {
        var task: ObjectStoreSinkTask
        let harness: SinkHarness
        var at: Int
        var committed: Int64
        var restarts = 0
    }

    private static let rotations: [(name: String, settings: [String: String], directories: [String])] = [
        ("records", ["flush.size": "37"], ["one", "five", "time"]), ("bytes", ["file.max.bytes": "700"], ["one", "five", "time"]),
        ("age", ["file.max.age.ms": "900"], ["one", "five", "time"]),
        ("schedule", ["rotate.schedule.interval.ms": "1000", "timezone": "UTC"], ["one", "five", "time"]),
        ("interval", ["rotate.interval.ms": "7000"], ["time"]), ("memory", [:], ["one", "time"]),
        ("uncommitted", ["file.max.bytes": "700", "max.uncommitted.ms": "400"], ["five"]),
    ]
    private static let directories: [String: [String: String]] = [
        "one": ["partitioner.class": "DefaultPartitioner"], "five": ["partitioner.class": "FieldPartitioner", "partition.field.name": "k"],
        "time": [
            "partitioner.class": "TimeBasedPartitioner", "path.format": "'m'=mm-ss", "partition.duration.ms": "5000", "timezone": "UTC",
            "timestamp.extractor": "Record",
        ],
    ]

    @Test func everyRecordIsStoredOnceBesideATaskThatWasGivenUp() async throws {
        let first = ExactlyOnceTests.seed()
        print("seed \(first)")
        var restarts: [String: Int] = [:]
        for rotation in Self.rotations {
            for directories in rotation.directories {
                for seed in first..<first + 20 {
                    let settings = ["flush.size": "1000000", "flush.on.stop": "true"].merging(rotation.settings) { $1 }.merging(Self.directories[directories]!)
                    { $1 }
                    restarts[rotation.name, default: 0] += try await run(seed, settings, memory: rotation.name == "memory", "\(rotation.name), \(directories)")
                }
            }
        }
        // Cuts by count are the same for all; any other kind must have met a file that was cut elsewhere.
        for (name, count) in restarts where name != "records" && name != "interval" { #expect(count > 0, "\(name) never met another's file") }
    }

    private func run(_ seed: UInt64, _ settings: [String: String], memory: Bool, _ name: String) async throws -> Int {
        var random = SeededGenerator(seed: seed)
        let padding = memory ? String(repeating: "x", count: 8000) : ""
        var time: Int64 = 1_800_000_000_000
        let topic = TestTopic(
            (0..<Int.random(in: 100...400, using: &random)).map { _ in
                time += Int64.random(in: -50...400, using: &random)
                return ("d\(Int.random(in: 0..<5, using: &random))\(padding)", time)
            })
        let base = MemoryStore(), partSize = Bool.random(using: &random) ? Int.random(in: 100...900, using: &random) : nil
        func life(from offset: Int64) async throws -> Life {
            var harness = SinkHarness(settings, store: JitterStore(base, seed: random.next()))
            harness.partSize = memory ? nil : partSize
            harness.memory = 1 << 20
            var task = try harness.task()
            _ = try await task.open([topic.partition])
            return Life(task: task, harness: harness, at: Int(offset), committed: offset)
        }
        var lives = [try await life(from: 0)], restarts = 0
        while lives.contains(where: { $0.committed < topic.records.count }) {
            // The new owner reads from what the old one has committed; another may follow it.
            if lives.count < 3, Int.random(in: 0..<12, using: &random) == 0 { lives.append(try await life(from: lives[lives.count - 1].committed)) }
            let i = Int.random(in: lives.indices, using: &random)
            // The last owner stays; the others may be gone at any time.
            if lives.count > 1, i < lives.count - 1, Int.random(in: 0..<60, using: &random) == 0 {
                await lives[i].task.close([topic.partition])
                lives.remove(at: i)
                continue
            }
            do {
                try await step(&lives[i], topic, &random)
            } catch let error as ConnectorError where error.disposition == .restart {
                await lives[i].task.close([topic.partition])
                let again = try await life(from: lives[i].committed)
                lives[i] = again
                restarts += 1
                try #require(restarts < 10_000, "\(name), seed \(seed)")
            }
        }
        for i in lives.indices { await lives[i].task.close([topic.partition]) }
        ExactlyOnceTests.check(base.objects.map { ($0.key, $0.value.body, $0.value.metadata) }, upTo: topic.records.count, seed, name)
        return restarts
    }

    private func step(_ life: inout Life, _ topic: TestTopic, _ random: inout SeededGenerator) async throws {
        life.harness.clock.advance(Int64.random(in: 0...300, using: &random))
        if life.at < topic.records.count, Bool.random(using: &random) {
            let end = min(topic.records.count, life.at + Int.random(in: 1...40, using: &random))
            do {
                try await life.task.write(topic.batch(life.at..<end))
                life.at = end
            } catch let error as ConnectorError where error.disposition == .retry {}
        } else {
            // At its end, a task stores what is left.
            let isLast = life.at == topic.records.count
            let offsets = try await isLast ? flushAll(&life) : life.task.flush(.tick)
            if let offset = offsets[topic.partition] {
                #expect(offset > life.committed)
                life.committed = offset
            }
        }
    }

    private func flushAll(_ life: inout Life) async throws -> [TopicPartition: Int64] {
        life.harness.clock.advance(1_000_000)
        return try await life.task.flush(.closing)
    }
}

/// Calls take their time, each another one.
final class JitterStore: ObjectStore {
    private let base: any ObjectStore
    private let random: Mutex<SeededGenerator>

    init(_ base: any ObjectStore, seed: UInt64) {
        self.base = base
        random = Mutex(SeededGenerator(seed: seed))
    }

    var place: String { base.place }
    var completesMetadata: Bool { base.completesMetadata }

    private func pass<T>(_ body: () async throws -> T) async throws -> T {
        let (before, after) = random.withLock { (Int.random(in: 0..<8, using: &$0), Int.random(in: 0..<8, using: &$0)) }
        for _ in 0..<before * before { await Task.yield() }
        let result = try await body()
        for _ in 0..<after * after { await Task.yield() }
        return result
    }

    func prepare() async throws {}
    func put(_ key: String, _ body: [UInt8], _ attributes: ObjectAttributes, ifAbsent: Bool) async throws -> PutOutcome {
        try await pass { try await base.put(key, body, attributes, ifAbsent: ifAbsent) }
    }
    func beginUpload(_ key: String, _ attributes: ObjectAttributes) async throws -> Upload { try await pass { try await base.beginUpload(key, attributes) } }
    func uploadPart(_ upload: Upload, number: Int, offset: Int64, _ bytes: [UInt8]) async throws -> UploadedPart {
        try await pass { try await base.uploadPart(upload, number: number, offset: offset, bytes) }
    }
    func complete(_ upload: Upload, _ parts: [UploadedPart], _ attributes: ObjectAttributes, ifAbsent: Bool) async throws -> PutOutcome {
        try await pass { try await base.complete(upload, parts, attributes, ifAbsent: ifAbsent) }
    }
    func seal(_ upload: Upload, _ parts: [UploadedPart], _ attributes: ObjectAttributes) async throws -> SealedFile {
        try await pass { try await base.seal(upload, parts, attributes) }
    }
    func abort(_ upload: Upload) async { await base.abort(upload) }
    func head(_ key: String) async throws -> ObjectInfo? { try await pass { try await base.head(key) } }
    func read(_ key: String, _ range: Range<Int64>) async throws -> [UInt8]? { try await pass { try await base.read(key, range) } }
    func page(_ prefix: String, after next: String?, limit: Int) async throws -> ObjectPage {
        try await pass { try await base.page(prefix, after: next, limit: limit) }
    }
    func delete(_ key: String) async throws { try await pass { try await base.delete(key) } }
}
