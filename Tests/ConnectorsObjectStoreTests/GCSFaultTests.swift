import ConnectAPI
import Foundation
import Synchronization
import Testing
import TestSupport

@testable import ConnectorsObjectStore

/// Cloud Storage behind a proxy that does harm: every record is in the bucket once, and no task fails for what passes.
@Suite(.serialized) struct GCSFaultTests {
    @Test func everyFaultPasses() async throws {
        try await withOwnGCSStub { server in
            let seed = SeededGenerator.printed().seed
            let random = Mutex((SeededGenerator(seed: seed), hurt: [String: Int]()))
            let upstream = server.endpoint.split(separator: ":").last.flatMap { Int($0) } ?? 0
            let proxy = try FaultProxy(to: upstream) { request in
                random.withLock { state in
                    guard Double.random(in: 0..<1, using: &state.0) < 0.25 else { return nil }
                    var faults: [(String, FaultProxy.Fault)] = [
                        ("500", .answer(500, body: "{}")), ("503", .answer(503, body: "{}")), ("429", .answer(429, body: "{}")), ("lost", .loseAnswer),
                        ("reset", .reset(afterBytes: Int.random(in: 0...max(1, request.bodyBytes), using: &state.0))), ("slow", .slow(bytesPerSecond: 20_000)),
                    ]
                    // A session that is gone.
                    if request.method == "PUT", request.target.hasPrefix("/session/") { faults.append(("410", .answer(410, body: "{}"))) }
                    let (name, fault) = faults.randomElement(using: &state.0)!
                    state.hurt[name, default: 0] += 1
                    return fault
                }
            }
            defer { proxy.stop() }
            func store(_ endpoint: String, hidden: String? = nil) throws -> (GCSStore, BlockingPool) {
                let pool = BlockingPool(threads: 6)
                let client = GCSClient(
                    GCSClient.Settings(
                        endpoint: try GCSEndpoint(url: endpoint, bucket: server.bucket), credentials: GoogleCredentialChain(),
                        retry: GCSRetry(initialDelay: 5, maxDelay: 50, totalTimeout: 20_000, maxAttempts: 6)), pool: pool, log: Logger("test"))
                return (GCSStore(client, .init(conditional: true, hiddenDirectory: hidden)), pool)
            }
            let (hurt, pool) = try store(proxy.endpoint), (direct, directPool) = try store(server.endpoint)
            let (hiding, hidingPool) = try store(proxy.endpoint, hidden: "ledger/_sealed/")
            defer {
                pool.stop()
                directPool.stop()
                hidingPool.stop()
            }
            // A file of several requests a session, small files of one request each, and files that a ledger lists.
            for (prefix, count, size, settings) in [
                ("large/", 2000, 1000, ["file.max.records": "2000"]), ("small/", 200, 10, ["file.max.records": "10"]),
                ("ledger/", 600, 1000, ["file.max.records": "100", "exactly.once.mode": "ledger", "file.name.template": "{{uuid}}"]),
            ] {
                let topic = TestTopic((0..<count).map { ("\($0)\(String(repeating: "x", count: size))", 1_800_000_000_000 + Int64($0)) })
                var harness = SinkHarness(
                    [
                        "gcs.bucket.name": server.bucket, "format.output.type": "jsonl", "format.output.envelope": "false", "file.name.prefix": prefix,
                        "file.name.template": "{{topic}}-{{partition}}-{{start_offset:padding=true}}", "kafka.retry.backoff.ms": "20",
                    ].merging(settings) { $1 }, store: prefix == "ledger/" ? hiding : hurt)
                harness.plan = { try GCSSinkConfiguration($0).plan }
                harness.partSize = 256 << 10
                var task = try harness.task(), committed: Int64 = 0, at = 0
                _ = try await task.open([topic.partition])
                let deadline = Date().addingTimeInterval(60)
                while committed < count, Date() < deadline {
                    do {
                        if at < count {
                            let end = min(count, at + 100)
                            try await task.write(topic.batch(at..<end))
                            at = end
                        } else {
                            try await Task.sleep(for: .milliseconds(20))
                        }
                        if let offset = try await task.flush(at < count ? .tick : .closing)[topic.partition] { committed = offset }
                    } catch let error as ConnectorError where error.disposition == .retry { try await Task.sleep(for: .milliseconds(20)) }
                }
                await task.close([topic.partition])
                #expect(committed == count, "seed \(seed)")
                var rows: [Int64] = []
                for key in try await direct.list(prefix, limit: 10_000) where !key.contains("_sluice") && !key.contains("_ledger") {
                    let bytes = try await direct.head(key)?.size ?? 0
                    rows += offsets(try await direct.read(key, 0..<max(1, bytes)) ?? [])
                }
                #expect(rows.sorted() == (0..<Int64(count)).map { $0 }, "seed \(seed): \(rows.count) rows of \(prefix)")
                #expect(try await direct.list("\(prefix)_sealed", limit: 10) == [], "seed \(seed)")
            }
            print(random.withLock { $0.hurt })
        }
    }
}
