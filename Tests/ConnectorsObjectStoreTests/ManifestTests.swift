import ConnectAPI
import Foundation
import JSON
import TestSupport
import Testing

@testable import ConnectorsObjectStore

/// `directory.manifest.delay.ms`: a directory of time that is over has a manifest, which lists its files, all of them, and no record comes into it any more
/// that is not later than the delay allows.
@Suite struct ManifestTests {
    private static let hour: Int64 = 3_600_000, delay: Int64 = 600_000, start: Int64 = 1_800_000_000_000

    private static let settings = [
        "partitioner.class": "HourlyPartitioner", "timezone": "UTC", "timestamp.extractor": "Record", "directory.manifest.delay.ms": String(delay),
        "flush.size": "1000000", "flush.on.stop": "true",
    ]

    /// The files each manifest lists, by directory.
    private func manifests(_ store: MemoryStore) throws -> [String: [String]] {
        var found: [String: [String]] = [:]
        for (key, object) in store.objects where key.hasPrefix("topics/_manifest/t/") {
            let json = try JSONValue.parse(object.body), directory = try #require(json["directory"]?.stringValue)
            #expect(key == "topics/_manifest/t/\(directory)/0.json" && json["partition"]?.integerValue == 0)
            found[directory] = json["files"]?.arrayValue?.compactMap(\.stringValue)
        }
        return found
    }

    private func files(_ store: MemoryStore) -> [String: [String]] {
        Dictionary(grouping: store.objects.keys.filter { $0.hasPrefix("topics/t/") }.sorted()) {
            $0.split(separator: "/").dropFirst(2).dropLast().joined(separator: "/")
        }
    }

    /// Writes and lets the clock of uploads pass.
    private func write(_ task: inout ObjectStoreSinkTask, _ topic: TestTopic, _ range: Range<Int>) async throws {
        try await task.write(topic.batch(range))
        try await settle(&task)
    }

    private func settle(_ task: inout ObjectStoreSinkTask) async throws {
        for _ in 0..<4 {
            _ = try await task.flush(.tick)
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    @Test func anHourThatIsOverSaysSo() async throws {
        let base = MemoryStore(), t = Self.start
        let topic = TestTopic([0, 10, Self.hour + 1, Self.hour + Self.delay, Self.hour - 5, 2 * Self.hour].map { ("k", t + $0) })
        let first = "year=2027/month=01/day=15/hour=08"
        let harness = SinkHarness(Self.settings.merging(["file.max.age.ms": "1000"]) { $1 }, store: base)
        var task = try harness.task()
        _ = try await task.open([topic.partition])
        func pass() async throws {
            harness.clock.advance(2000)
            try await settle(&task)
        }
        try await write(&task, topic, 0..<2)
        try await pass()
        #expect(files(base)[first]?.count == 1)
        #expect(try manifests(base).isEmpty, "the hour is not over")
        try await write(&task, topic, 2..<3)
        try await pass()
        #expect(try manifests(base).isEmpty, "a record may still be late")
        // They are seen to once a second.
        harness.clock.advance(1000)
        try await write(&task, topic, 3..<4)
        #expect(try manifests(base) == [first: files(base)[first]!])
        // Later than the delay: stored, and listed.
        try await write(&task, topic, 4..<5)
        #expect(try manifests(base)[first]?.count == 1)
        try await pass()
        #expect(files(base)[first]?.count == 2)
        try await pass()
        #expect(try manifests(base)[first] == files(base)[first])
        #expect(try manifests(base).count == 1)
        // Nothing comes any more: the wall's clock tells.
        harness.clock.advance(2 * Self.hour + Self.delay)
        try await settle(&task)
        #expect(try manifests(base) == files(base))
        await task.close([topic.partition])
    }

    /// Crashes at any call, any cuts, records that are late but not later than the delay: a manifest lists what its directory has, and it stays so; at the end every
    /// directory has one.
    @Test func manifestsListAllThatTheirDirectoriesEverGet() async throws {
        let first = ExactlyOnceTests.seed()
        print("seed \(first)")
        for seed in first..<first + 60 {
            var random = SeededGenerator(seed: seed)
            var now = Self.start
            let topic = TestTopic(
                (0..<Int.random(in: 20...80, using: &random)).map { _ in
                    now += Int64.random(in: 0...Self.hour / 6, using: &random)
                    return ("k", now - Int64.random(in: 0..<Self.delay, using: &random))
                })
            let base = MemoryStore(), clock = TestClock(Self.start)
            var settings = Self.settings
            if Bool.random(using: &random) { settings["flush.size"] = String(Int.random(in: 1...30, using: &random)) }
            if Bool.random(using: &random) { settings["file.max.age.ms"] = String(Int.random(in: 10...5000, using: &random)) }
            let what: Comment = "seed \(seed), \(settings)"
            var committed: Int64 = 0
            func check() throws {
                let there = files(base)
                for (directory, listed) in try manifests(base) { #expect(listed == there[directory], "\(directory), \(what)") }
            }
            for life in 0..<5 {
                let store = FaultyStore(base, seed: random.next(), diesAt: life == 4 ? .max : Int.random(in: 5...60, using: &random))
                var harness = SinkHarness(settings, store: store)
                harness.clock = clock
                var task = try harness.task(), at = Int(committed)
                do {
                    _ = try await task.open([topic.partition])
                    while at < topic.records.count {
                        let end = min(topic.records.count, at + Int.random(in: 1...12, using: &random))
                        try await task.write(topic.batch(at..<end))
                        at = end
                        clock.advance(Int64.random(in: 0...3000, using: &random))
                        committed = try await task.flush(.tick)[topic.partition] ?? committed
                        try await Task.sleep(for: .microseconds(200))
                        try check()
                    }
                    while committed < topic.records.count {
                        committed = try await task.flush(.closing)[topic.partition] ?? committed
                        try await Task.sleep(for: .milliseconds(1))
                    }
                    clock.advance(max(0, now - clock.now) + 2 * Self.hour)
                    try await settle(&task)
                    // What could not be written is only warned of.
                    if !store.isDead {
                        await task.close([topic.partition])
                        break
                    }
                } catch is FaultyStore.Dead {
                } catch is CancellationError {
                }
                store.die()
                await task.close([topic.partition])
            }
            try check()
            #expect(try manifests(base) == files(base), what)
        }
    }

    @Test func onlyDirectoriesOfTimeAreClosedByTime() throws {
        func findings(_ settings: [String: String]) -> [String] {
            S3SinkConfiguration.parse(["s3.bucket.name": "b", "format.class": "JsonFormat"].merging(Self.settings.merging(settings) { $1 }) { $1 }).findings
                .map(\.key)
        }
        #expect(findings([:]) == [])
        for wrong in [["partitioner.class": "DefaultPartitioner"], ["file.name.template": "{{topic}}"], ["s3.schema.partition.affix.type": "PREFIX"]] {
            #expect(findings(wrong) == ["directory.manifest.delay.ms"], "\(wrong)")
        }
        // A directory of a day takes all its hours, also where a day has 23 of them.
        var days = Partitioner(
            .time(TimeDirectories(duration: Self.hour, format: try PathFormat("yyyy-MM-dd"), zone: try TimeZoneRules("Europe/Paris"), extractor: .record)))
        let noon: Int64 = 1_774_782_000_000  // 2026-03-29T13:00+02:00
        let found = days.stretch(at: noon), day = try #require(found)
        #expect(days.names[Int(day.directory)] == "2026-03-29" && day.end - day.start == 23 * Self.hour)
        let (first, last, next) = (days.stretch(at: day.start), days.stretch(at: day.end - 1), days.stretch(at: day.end))
        #expect(first?.directory == day.directory && last?.directory == day.directory && next?.directory != day.directory && next?.start == day.end)
        // A day of minutes has its end, too; a year of them none that is worth finding.
        func minutes(_ format: String) throws -> Partitioner {
            let zone = try TimeZoneRules("Europe/Paris")
            return Partitioner(.time(TimeDirectories(duration: 60_000, format: try PathFormat(format), zone: zone, extractor: .record)))
        }
        var minutesOfDays = try minutes("yyyy-MM-dd"), minutesOfYears = try minutes("yyyy")
        let ofDay = minutesOfDays.stretch(at: noon), ofYear = minutesOfYears.stretch(at: noon)
        #expect(ofDay?.start == day.start && ofDay?.end == day.end && ofYear == nil)
        // Nothing is known to be over before a record was taken.
        var closed = ClosedDirectories(delay: 5000, now: noon)
        closed.wait(1, end: noon)
        #expect(closed.due(now: noon + 1000).isEmpty && closed.due(now: noon + 1000 * Self.hour).count == 1)
    }
}
