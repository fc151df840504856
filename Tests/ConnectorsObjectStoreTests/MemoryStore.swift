import ConnectAPI
import TestSupport
import Synchronization

@testable import ConnectorsObjectStore

/// Objects in memory, with S3's rules for conditional creation and uploads.
final class MemoryStore: ObjectStore {
    struct Object: Sendable {
        var body: [UInt8]
        var metadata: [String: String]
        /// Wall-clock milliseconds; a test may move them back.
        var modified: Int64
    }
    private struct State {
        var objects: [String: Object] = [:]
        var uploads: [String: (key: String, attributes: ObjectAttributes, parts: [Int: [UInt8]])] = [:]
        var counter = 0
    }
    private let state = Mutex(State())
    /// A listing of several pages is not of one moment.
    private let pageSize: Int

    init(pageSize: Int = .max) { self.pageSize = pageSize }

    var place: String { "memory" }
    var completesMetadata: Bool { false }
    var objects: [String: Object] { state.withLock { $0.objects } }
    var openUploads: Int { state.withLock { $0.uploads.count } }

    func prepare() async throws {}

    func put(_ key: String, _ body: [UInt8], _ attributes: ObjectAttributes, ifAbsent: Bool) async throws -> PutOutcome {
        state.withLock { state in
            if ifAbsent, state.objects[key] != nil { return .exists }
            state.objects[key] = Object(body: body, metadata: attributes.metadata, modified: WallClock.milliseconds)
            return .stored
        }
    }

    func beginUpload(_ key: String, _ attributes: ObjectAttributes) async throws -> Upload {
        state.withLock { state in
            state.counter += 1
            state.uploads["u\(state.counter)"] = (key, attributes, [:])
            return Upload(key: key, id: "u\(state.counter)", attributes: attributes)
        }
    }

    func uploadPart(_ upload: Upload, number: Int, offset: Int64, _ bytes: [UInt8]) async throws -> UploadedPart {
        state.withLock { $0.uploads[upload.id]?.parts[number] = bytes }
        return UploadedPart(number: number, tag: "t\(number)", checksum: "", size: bytes.count)
    }

    func complete(_ upload: Upload, _ parts: [UploadedPart], _ attributes: ObjectAttributes, ifAbsent: Bool) async throws -> PutOutcome {
        state.withLock { state in
            guard let open = state.uploads[upload.id] else { return .stored }
            if ifAbsent, state.objects[upload.key] != nil { return .exists }
            state.objects[upload.key] = Object(
                body: parts.flatMap { open.parts[$0.number] ?? [] }, metadata: open.attributes.metadata, modified: WallClock.milliseconds)
            state.uploads[upload.id] = nil
            return .stored
        }
    }

    func abort(_ upload: Upload) async { state.withLock { $0.uploads[upload.id] = nil } }

    func head(_ key: String) async throws -> ObjectInfo? {
        state.withLock { $0.objects[key].map { ObjectInfo(size: Int64($0.body.count), metadata: $0.metadata) } }
    }

    func read(_ key: String, _ range: Range<Int64>) async throws -> [UInt8]? {
        state.withLock { state in
            state.objects[key].map { Array($0.body[min(Int(range.lowerBound), $0.body.count)..<min(Int(range.upperBound), $0.body.count)]) }
        }
    }

    func page(_ prefix: String, after next: String?, limit: Int) async throws -> ObjectPage {
        state.withLock { state in
            let keys = state.objects.keys.filter { key in key.hasPrefix(prefix) && (next.map { key > $0 } ?? true) }.sorted()
            let page = keys.prefix(min(limit, pageSize)).map {
                ObjectEntry(key: $0, size: Int64(state.objects[$0]!.body.count), modified: state.objects[$0]!.modified)
            }
            return ObjectPage(entries: page, next: page.count < keys.count ? page.last?.key : nil)
        }
    }

    func delete(_ key: String) async throws { state.withLock { _ = $0.objects.removeValue(forKey: key) } }
}

/// Passes calls on, fails some of them before or after they took effect, and dies for good at a chosen call.
final class FaultyStore: ObjectStore {
    private struct State {
        var random: SeededGenerator
        var calls = 0
        var isDead = false
    }
    private let base: any ObjectStore
    private let state: Mutex<State>
    private let diesAt: Int
    private let failureRate: Double

    init(_ base: any ObjectStore, seed: UInt64, diesAt: Int = .max, failureRate: Double = 0) {
        self.base = base
        self.diesAt = diesAt
        self.failureRate = failureRate
        state = Mutex(State(random: SeededGenerator(seed: seed)))
    }

    struct Dead: Error {}

    /// As if the process were gone.
    func die() { state.withLock { $0.isDead = true } }
    var isDead: Bool { state.withLock { $0.isDead } }

    private enum Fate { case fine, failsBefore, failsAfter, diesBefore, diesAfter }

    private func fate() throws -> Fate {
        try state.withLock { state in
            if state.isDead { throw Dead() }
            state.calls += 1
            if state.calls >= diesAt {
                state.isDead = true
                return Bool.random(using: &state.random) ? .diesBefore : .diesAfter
            }
            if Double.random(in: 0..<1, using: &state.random) < failureRate {
                return Bool.random(using: &state.random) ? .failsBefore : .failsAfter
            }
            return .fine
        }
    }

    private func pass<T>(_ body: () async throws -> T) async throws -> T {
        let lost = ConnectorError("test.lost", .retry, "The answer was lost")
        switch try fate() {
        case .fine: return try await body()
        case .failsBefore: throw lost
        case .failsAfter:
            _ = try await body()
            throw lost
        case .diesBefore: throw Dead()
        case .diesAfter:
            _ = try await body()
            throw Dead()
        }
    }

    var place: String { base.place }
    var completesMetadata: Bool { base.completesMetadata }
    func prepare() async throws { try await base.prepare() }
    func put(_ key: String, _ body: [UInt8], _ attributes: ObjectAttributes, ifAbsent: Bool) async throws -> PutOutcome {
        try await pass { try await base.put(key, body, attributes, ifAbsent: ifAbsent) }
    }
    func beginUpload(_ key: String, _ attributes: ObjectAttributes) async throws -> Upload { try await pass { try await base.beginUpload(key, attributes) } }
    func uploadPart(_ upload: Upload, number: Int, offset: Int64, _ bytes: [UInt8]) async throws -> UploadedPart {
        try await pass { try await base.uploadPart(upload, number: number, offset: offset, bytes) }
    }
    func complete(_ upload: Upload, _ parts: [UploadedPart], _ attributes: ObjectAttributes, ifAbsent: Bool) async throws -> PutOutcome {
        // The store's own retries make a lost answer harmless: that is tested with the S3 store.
        try await pass { try await base.complete(upload, parts, attributes, ifAbsent: ifAbsent) }
    }
    func seal(_ upload: Upload, _ parts: [UploadedPart], _ attributes: ObjectAttributes) async throws -> SealedFile {
        try await pass { try await base.seal(upload, parts, attributes) }
    }
    func dropSealed(of ledger: SealedPlace, before milliseconds: Int64) async -> Int {
        await base.dropSealed(of: ledger, before: milliseconds)
    }
    func abort(_ upload: Upload) async { if (try? fate()) != nil { await base.abort(upload) } }
    func head(_ key: String) async throws -> ObjectInfo? { try await pass { try await base.head(key) } }
    func read(_ key: String, _ range: Range<Int64>) async throws -> [UInt8]? { try await pass { try await base.read(key, range) } }
    func page(_ prefix: String, after next: String?, limit: Int) async throws -> ObjectPage {
        try await pass { try await base.page(prefix, after: next, limit: limit) }
    }
    func delete(_ key: String) async throws { try await pass { try await base.delete(key) } }
}
