import ConnectAPI
import Foundation
import Testing
import TestSupport

@testable import ConnectorsObjectStore

@Suite struct LocalStoreTests {
    private func withStore(attributes: Bool = true, _ body: (LocalStore, String) async throws -> Void) async throws {
        try await withTemporaryDirectory { root in
            let pool = BlockingPool(threads: 2)
            defer { pool.stop() }
            let store = LocalStore(root: root + "/lake", owner: "c-0", pool: pool, usesAttributes: attributes)
            try await store.prepare()
            try await body(store, root + "/lake")
        }
    }

    @Test(arguments: [true, false]) func createsOnlyWhatIsAbsentWithItsMetadata(attributes: Bool) async throws {
        try await withStore(attributes: attributes) { (store, root) async throws in
            let first = ObjectAttributes(metadata: ["kafka-end": "9", "kafka-connector": "a b=%\n"])
            #expect(try await store.put("topics/t/partition=0/t+0+0.json", [1, 2], first, ifAbsent: true) == .stored)
            #expect(try await store.put("topics/t/partition=0/t+0+0.json", [3], ObjectAttributes(metadata: ["kafka-end": "1"]), ifAbsent: true) == .exists)
            #expect(try await store.head("topics/t/partition=0/t+0+0.json") == ObjectInfo(size: 2, metadata: first.metadata))
            #expect(FileManager.default.contents(atPath: root + "/topics/t/partition=0/t+0+0.json") == Data([1, 2]))
            #expect(try await store.put("topics/t/partition=0/t+0+0.json", [3], ObjectAttributes(metadata: ["kafka-end": "1"]), ifAbsent: false) == .stored)
            #expect(try await store.head("topics/t/partition=0/t+0+0.json") == ObjectInfo(size: 1, metadata: ["kafka-end": "1"]))
            #expect(try FileManager.default.contentsOfDirectory(atPath: root + "/.sluice/tmp").isEmpty)
            #expect(try await store.list("", limit: 10) == ["topics/t/partition=0/t+0+0.json"])
        }
    }

    @Test func uploadsInPartsInAnyOrder() async throws {
        try await withStore { (store, root) async throws in
            let attributes = ObjectAttributes(metadata: ["kafka-end": "3"])
            let upload = try await store.beginUpload("a/b", ObjectAttributes())
            let second = try await store.uploadPart(upload, number: 2, offset: 3, [4, 5])
            let first = try await store.uploadPart(upload, number: 1, offset: 0, [1, 2, 3])
            #expect(try await store.head("a/b") == nil, "not visible before it is complete")
            #expect(try await store.complete(upload, [first, second], attributes, ifAbsent: true) == .stored)
            #expect(FileManager.default.contents(atPath: root + "/a/b") == Data([1, 2, 3, 4, 5]))
            let dropped = try await store.beginUpload("a/c", ObjectAttributes())
            await store.abort(dropped)
            #expect(try FileManager.default.contentsOfDirectory(atPath: root + "/.sluice/tmp").isEmpty)
        }
    }

    @Test func noKeyLeavesTheRootAndAllComeBack() async throws {
        try await withStore { (store, root) async throws in
            for (i, key) in SigV4Tests.nasty.enumerated() where !key.hasSuffix("/") {
                #expect(try await store.put(key, [UInt8(i)], ObjectAttributes(metadata: ["i": "\(i)"]), ifAbsent: true) == .stored, "\(key)")
                #expect(try await store.head(key)?.metadata == ["i": "\(i)"], "\(key)")
            }
            let outside = try FileManager.default.contentsOfDirectory(atPath: (root as NSString).deletingLastPathComponent)
            #expect(outside == ["lake"])
            let listed = try await store.list("", limit: 1000)
            #expect(Set(listed) == Set(SigV4Tests.nasty.filter { !$0.hasSuffix("/") }))
            await #expect(throws: ConnectorError.self) { try await store.put(String(repeating: "x", count: 300), [], ObjectAttributes(), ifAbsent: true) }
        }
    }

    @Test func sweepsWhatACrashOfTheSameTaskLeft() async throws {
        try await withStore { (store, root) async throws in
            for name in ["c-0.77.1", "c-0.77.2", "other-0.5.1"] {
                _ = FileManager.default.createFile(atPath: "\(root)/.sluice/tmp/\(name)", contents: Data([1]))
            }
            try await store.prepare()
            #expect(try FileManager.default.contentsOfDirectory(atPath: root + "/.sluice/tmp") == ["other-0.5.1"])
        }
    }

    @Test func errorsNameThePathAndWhatToDo() async throws {
        let pool = BlockingPool(threads: 1)
        defer { pool.stop() }
        do {
            try await LocalStore(root: "/proc/nowhere", owner: "c", pool: pool).prepare()
            Issue.record("a directory below /proc was made")
        } catch let error as ConnectorError {
            #expect(error.message.contains("/proc/nowhere"))
        }
        #expect(LocalError(ENOSPC, "write", "/x").disposition == .retry)
        #expect(LocalError(EACCES, "write", "/x").disposition == .stop)
    }
}
