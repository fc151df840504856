import ConnectAPI
import Foundation
import Testing
import TestSupport

@testable import ConnectorsObjectStore

/// The law of `CompactionTests` on real stores. `SLUICE_COMPACTION_ROUNDS=N` tries N stories on each.
@Suite(.serialized) struct CompactionStoreTests {
    private static var rounds: UInt64 { ProcessInfo.processInfo.environment["SLUICE_COMPACTION_ROUNDS"].flatMap { UInt64($0) } ?? 1 }

    private static func law(on store: any ObjectStore, inParts: Bool = true) async throws {
        let first = ExactlyOnceTests.seed()
        print("seed \(first)")
        for seed in first..<first + rounds {
            let directory = "law-\(UUID().uuidString)"
            _ = try await CompactionTests.law(seed, store, ["topics.dir": directory], records: 120, inParts: inParts) {
                try await CompactionTests.objects(store, directory + "/")
            }
        }
    }

    /// Stores, merges, and dies at the given calls between; then everything is there once.
    private static func merges(on store: any ObjectStore, dyingAt calls: [Int]) async throws {
        let directory = "merge-\(UUID().uuidString)", topic = CompactionTests.topic(90)
        let harness = CompactionTests.harness(store, ["topics.dir": directory, "flush.size": "10", "compact.target.bytes": "100000"])
        try await CompactionTests.store(topic, harness)
        for call in calls {
            try await CompactionTests.compact(CompactionTests.on(FaultyStore(store, seed: UInt64(call), diesAt: call), harness), committed: 90)
            let counts = CompactionTests.counts(try await CompactionTests.objects(store, directory + "/"))
            #expect((0..<90).allSatisfy { (1...2).contains(counts[$0] ?? 0) }, "died at call \(call)")
        }
        try await CompactionTests.compact(harness, committed: 90)
        let objects = try await CompactionTests.objects(store, directory + "/")
        ExactlyOnceTests.check(objects, upTo: 90, 0)
        #expect(objects.count == 1 && objects[0].metadata["kafka-count"] == "90", "\(objects.map(\.key))")
    }

    @Test func everyRecordOnceInS3() async throws {
        try await withSwiftS3 { server in
            let (store, pool) = try S3StoreTests().store(server, uniqueBucket())
            defer { pool.stop() }
            try await store.prepare()
            // A part has 5 MiB.
            try await Self.law(on: store, inParts: false)
            try await Self.merges(on: store, dyingAt: [32, 30, 34])
        }
    }

    @Test func everyRecordOnceInADirectory() async throws {
        for usesAttributes in [true, false] {
            try await withTemporaryDirectory { root in
                let pool = BlockingPool(threads: 4)
                defer { pool.stop() }
                let store = LocalStore(root: root, owner: "lake-0", pool: pool, usesAttributes: usesAttributes)
                try await store.prepare()
                try await Self.law(on: store)
                try await Self.merges(on: store, dyingAt: [32, 30, 34])
            }
        }
    }

    /// The emulator ignores conditions: one task at a time.
    @Test func mergesInGoogleCloudStorage() async throws {
        try await withGCSEmulator { server in
            let (store, pool) = try GCSEmulatorTests.store(server)
            defer { pool.stop() }
            try await Self.merges(on: store, dyingAt: [30, 34])
        }
        try await withOwnGCSStub { server in
            let (store, pool) = try GCSEmulatorTests.store(server)
            defer { pool.stop() }
            try await Self.law(on: store)
        }
    }
}
