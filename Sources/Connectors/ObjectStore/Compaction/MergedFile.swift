import ConnectAPI
import Parquet

/// Writes the file that a plan asks for: its sources are read a piece at a time, in order, and leave in parts.
///
/// Memory: a part (`s3.part.size`, `gcs.upload.part.size`), a piece of a source, and the footers of Parquet files (`CompactionPolicy.maxFooterBytes`),
/// however many files there are and however large they become.
struct MergedFile {
    private let plan: CompactionPlan
    private let context: CompactionContext
    private var pending: [UInt8] = []
    private var upload: Upload?
    private var parts: [UploadedPart] = []
    private var sentBytes: Int64 = 0

    static let pieceBytes: Int64 = 4 << 20

    init(_ plan: CompactionPlan, _ context: CompactionContext) { (self.plan, self.context) = (plan, context) }

    private var store: any ObjectStore { context.store }

    /// Returns the bytes of the file; nil: a source is not what the plan says, and nothing was written.
    mutating func write() async throws -> Int64? {
        do {
            guard try await copySources() else {
                await abandon()
                return nil
            }
            try await finish()
            return sentBytes
        } catch {
            await abandon()
            throw error
        }
    }

    // MARK: Reading

    private mutating func copySources() async throws -> Bool {
        switch context.join {
        case .bytes(let between, let header):
            for (i, source) in plan.sources.enumerated() {
                if i > 0 { pending += between }
                guard try await copy(source.key, (i > 0 ? Int64(header) : 0)..<source.size) else { return false }
            }
        case .parquet:
            var join: ParquetJoin?, pairs: [(key: String, value: String)] = []
            pending = ParquetJoin.magic
            for source in plan.sources {
                guard let footer = try await store.footer(of: source.key, source.size), footer["kafka-start"] == String(source.start),
                    footer["kafka-end"] == String(source.end)
                else { return false }
                if join == nil { pairs = footer.pairs.filter { plan.metadata[$0.key] == nil } }
                var next = join ?? ParquetJoin(like: footer)
                let range = try next.add(footer)
                join = next
                guard try await copy(source.key, range) else { return false }
            }
            guard let join, join.rows == plan.facts.count else { return false }
            pending += join.finish(pairs + plan.metadata.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
        }
        return true
    }

    private mutating func copy(_ key: String, _ range: Range<Int64>) async throws -> Bool {
        var at = range.lowerBound
        while at < range.upperBound {
            let end = min(at + Self.pieceBytes, range.upperBound)
            guard let piece = try await store.read(key, at..<end), piece.count == end - at else { return false }
            pending += piece
            at = end
            while case let size = context.uploads.partSize(number: parts.count + 1), pending.count > size { try await send(size) }
        }
        return true
    }

    // MARK: Writing

    private var attributes: ObjectAttributes { ObjectAttributes(contentType: context.contentType, metadata: plan.metadata) }

    private mutating func send(_ size: Int) async throws {
        try Task.checkCancellation()
        if upload == nil { upload = try await store.beginUpload(plan.target, attributes) }
        // What is left is a piece at most; the part itself is not copied.
        var part: [UInt8] = []
        swap(&part, &pending)
        pending = Array(part[size...])
        part.removeSubrange(size...)
        parts.append(try await store.uploadPart(upload!, number: parts.count + 1, offset: sentBytes, part))
        sentBytes += Int64(size)
    }

    /// Another task may have written the same file meanwhile: then it stays.
    private mutating func finish() async throws {
        guard upload != nil else {
            sentBytes = Int64(pending.count)
            _ = try await store.put(plan.target, pending, attributes, ifAbsent: true)
            return
        }
        if !pending.isEmpty { try await send(pending.count) }
        guard let upload, try await store.complete(upload, parts, attributes, ifAbsent: true) == .stored else { return await abandon() }
        self.upload = nil
    }

    private mutating func abandon() async {
        guard let upload else { return }
        self.upload = nil
        let store = store
        // Also when this task is cancelled: the store must not keep parts nobody will use.
        await Task { await store.abort(upload) }.value
    }
}
