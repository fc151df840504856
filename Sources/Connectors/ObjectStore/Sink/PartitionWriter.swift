import ConnectAPI

/// What the writers of a task share.
struct WriterContext: Sendable {
    var connector: String
    var plan: SinkPlan
    /// For values without schemas in formats whose files have columns.
    var schemas: SchemaMemory?
    var uploads: UploadContext
    var reject: @Sendable (RejectedRecord) async throws -> Void
    let manyDirectories = ManyDirectories()
    /// Milliseconds; replaced in tests.
    var clock: @Sendable () -> Int64 = { WallClock.milliseconds }
}

/// Writes one topic partition.
///
///     ConsumedBatch ─▶ place rows in directories ─▶ ask the store about directories not seen since the start ─▶ hand bad rows over
///        ─▶ rotation divides the rows ─▶ open files take their slices ─▶ cut files become uploads ─▶ CommitCut says what may be committed
///
/// Everything that can fail and be tried again comes before the first row is kept, so that a `.retry` error leaves the batch untaken.
final class PartitionWriter {
    let partition: TopicPartition
    let context: WriterContext
    private var lanes: [String: Lane] = [:]
    var cut = CommitCut()
    /// Uploads under way by file number.
    private var uploads: [Int: (upload: FileUpload, lane: Lane, directory: Int32)] = [:]
    /// Sets under way, oldest first.
    private var sets: [FileSet] = []
    /// When the committable offset last grew, or there was nothing to commit.
    private var grewAt: Int64
    private let nextNumber: () -> Int
    private var lastTimestamp: Int64?

    init(_ partition: TopicPartition, _ context: WriterContext, nextNumber: @escaping () -> Int) {
        self.partition = partition
        self.context = context
        self.nextNumber = nextNumber
        grewAt = context.clock()
    }

    /// The topics its files are of.
    var topics: Set<String> { Set(lanes.keys).union([partition.topic]) }
    var bufferedBytes: Int { lanes.values.reduce(0) { $0 + $1.bufferedBytes } }
    var openFiles: Int { lanes.values.reduce(0) { $0 + $1.open.count } }
    var oldestOpening: Int64? { lanes.values.lazy.compactMap(\.oldestOpening).min() }
    var takenUpTo: Int64 { cut.next ?? 0 }
    var allLanes: [Lane] { Array(lanes.values) }
    var hasUploads: Bool { !uploads.isEmpty }

    /// Up to where everything is stored; nil before the first commit.
    var watermark: Watermark? {
        guard let committed = cut.committed else { return nil }
        let waiting = lanes.values.flatMap { $0.open.values.map(\.identity.startTimestamp) } + uploads.values.map(\.upload.file.startTimestamp)
        guard let timestamp = waiting.min() ?? lastTimestamp else { return nil }
        return Watermark(partition: partition, nextOffset: committed, timestamp: timestamp)
    }

    // MARK: Writing

    func write(_ consumed: ConsumedBatch) async throws {
        let now = context.clock()
        let lane = lane(for: consumed.batch.topic, now)
        try await openLedger(lane)
        var (placed, rejects) = try place(consumed, lane, now)
        if let ledger = lane.ledger { placed = try dropStored(placed, ledger) }
        try await probe(placed, lane)
        // The first record may be a late one: what was stored before it is no later than the delay after it.
        if placed.count > 0, let times = placed.times {
            try await lookBack(lane, from: times[0].addingReportingOverflow(context.plan.manifestDelay).partialValue)
        }
        var failure: (any Error)?
        for (i, reject) in rejects.enumerated() {
            do {
                try await context.reject(RejectedRecord(partition: partition, offset: reject.offset, error: reject.error))
                context.uploads.metrics.rejected()
            } catch {
                if let error = error as? ConnectorError, error.disposition == .retry { throw error }
                // Not tolerated: what came before the record is kept and stored as far as it is due, then the task fails.
                placed = placed.select((0..<placed.count).filter { placed.batch.offsets[$0] < rejects[i].offset })
                failure = error
                break
            }
        }
        if consumed.batch.count > 0 { cut.start(at: consumed.offsets[0]) }
        try await divide(placed, lane, now)
        if let failure {
            for upload in uploads.values { _ = await upload.upload.outcome }
            for set in sets { _ = await set.isStored }
            throw failure
        }
        if let times = placed.times { lane.closed?.took(times, rows: placed.count, now: now) }
        cut.advance(to: consumed.nextOffset)
        if placed.count > 0 { lastTimestamp = placed.timestamp(placed.count - 1) }
        context.uploads.metrics.took(records: consumed.batch.count)
        if context.plan.fileMaxBytes > 0 {
            for (directory, file) in lane.open where file.encodedBytes >= context.plan.fileMaxBytes { try close(directory, lane, .bytes) }
        }
    }

    /// More directories than this are forgotten once none has an open file.
    private static let rememberedDirectories = 100_000

    private func lane(for topic: String, _ now: Int64) -> Lane {
        if let lane = lanes[topic] {
            let isIdle = lane.open.isEmpty && lane.uploads.isEmpty && lane.rotation.recordCount == 0 && lane.closed?.isEmpty != false
            // Records an earlier run stored must all have passed: to ask about them again from the middle of a file would find nothing.
            let isPast = takenUpTo > lane.storedUpTo.values.max() ?? .min
            guard lane.partitioner.names.count > Self.rememberedDirectories, isIdle, isPast else { return lane }
        }
        let lane = Lane(
            .init(partition: partition, topic: topic), Partitioner(context.plan.partitioner, affix: context.plan.schemaAffix),
            PartitionRotation(context.plan.rotation, now: now))
        lane.ledger = lanes[topic]?.ledger
        if context.plan.manifestDelay >= 0 { lane.closed = ClosedDirectories(delay: context.plan.manifestDelay, now: now) }
        lanes[topic] = lane
        return lane
    }

    /// Learns what is stored of a lane, where a ledger says it, and ends what a crash left unfinished.
    private func openLedger(_ lane: Lane) async throws {
        guard context.plan.keepsLedger, lane.ledger == nil else { return }
        lane.ledger = try await Ledger.open(lane.identity, connector: context.connector, context.uploads)
        // Only now: what the last entry names must not be dropped.
        guard context.plan.orphanAge >= 0 else { return }
        let place = SealedPlace(connector: context.connector, source: lane.identity.partition.description, topic: lane.identity.topic)
        let (naming, identity, store) = (context.plan.naming, lane.identity, context.uploads.store), before = WallClock.milliseconds - context.plan.orphanAge
        context.uploads.metrics.droppedUploads(await store.dropSealed(of: place, before: before))
        guard naming.template == nil else { return }
        context.uploads.metrics.droppedUploads(
            await store.dropUploads(naming.topicPrefix(identity.topic), startedBefore: before) { naming.isName($0, of: identity) })
    }

    /// Makes visible what a killed task committed, also when no record comes any more.
    func open() async throws {
        guard context.plan.keepsLedger || context.plan.manifestDelay >= 0 else { return }
        try await openLedger(lane(for: partition.topic, context.clock()))
    }

    private func divide(_ placed: PlacedBatch, _ lane: Lane, _ now: Int64) async throws {
        var row = 0
        for end in boundaries(placed) {
            try await divide(placed, from: row, to: end, lane, now)
            row = end
            try closeAll(lane, .boundary)
            lane.rotation.reset()
        }
        try await divide(placed, from: row, to: placed.count, lane, now)
    }

    /// The rows after those that end their files.
    private func boundaries(_ placed: PlacedBatch) -> [Int] {
        guard let name = context.plan.boundaryHeader, let header = placed.batch.batch.headers.first(where: { $0.name == name }) else { return [] }
        return (header.present?.setPositions ?? Array(0..<placed.count)).map { $0 + 1 }
    }

    private func divide(_ placed: PlacedBatch, from first: Int, to end: Int, _ lane: Lane, _ now: Int64) async throws {
        var row = first
        while row < end {
            switch lane.rotation.next(
                from: row, count: end, directories: placed.directories, times: placed.times,
                schema: context.plan.formats.values.mixesSchemas ? nil : placed.value?.schema,
                nulls: placed.nulls, now: now)
            {
            case .cut(let reason): try closeAll(lane, reason)
            case .append(let rows, let thenCut):
                for group in placed.grouped(rows) {
                    if context.plan.fileMaxRecords == 0 {
                        try await append(group.rows, rows, of: placed, to: group.directory, lane, now)
                    } else {
                        try await appendPieces(group.rows ?? Array(rows), of: placed, to: group.directory, lane, now)
                    }
                }
                if let thenCut { try closeAll(lane, thenCut) }
                row = rows.upperBound
            }
        }
    }

    /// Gives a directory's rows to its file and to the ones after it, each of at most `file.max.records`.
    private func appendPieces(_ rows: [Int], of placed: PlacedBatch, to directory: Int32, _ lane: Lane, _ now: Int64) async throws {
        var rest = rows[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(context.plan.fileMaxRecords - (lane.open[directory]?.count ?? 0)))
            rest = rest.dropFirst(piece.count)
            let isRun = piece[piece.count - 1] - piece[0] == piece.count - 1
            try await append(isRun ? nil : piece, piece[0]..<piece[piece.count - 1] + 1, of: placed, to: directory, lane, now)
            if let file = lane.open[directory], file.count >= context.plan.fileMaxRecords { try close(directory, lane, .records) }
        }
    }

    /// Gives a directory's rows of a range to its file. Rows that are stored already count for rotation, and are not written again.
    private func append(
        _ listed: [Int]?, _ range: Range<Int>, of placed: PlacedBatch, to directory: Int32, _ lane: Lane, _ now: Int64
    ) async throws {
        let stored = lane.storedUpTo[directory] ?? .min
        let last = placed.batch.offsets[listed?.last ?? range.upperBound - 1]
        guard last > stored else {
            context.uploads.metrics.skipped(records: listed?.count ?? range.count)
            return
        }
        var rows = listed, range = range
        if placed.batch.offsets[listed?.first ?? range.lowerBound] <= stored {
            let fresh = (listed ?? Array(range)).filter { placed.batch.offsets[$0] > stored }
            context.uploads.metrics.skipped(records: (listed?.count ?? range.count) - fresh.count)
            rows = fresh
            range = fresh[0]..<fresh[fresh.count - 1] + 1
        }
        let first = rows?.first ?? range.lowerBound
        var file = lane.take(directory) ?? begin(directory, lane, placed, first, now)
        // Put back also when a row fails the task: what came before it is stored as far as it is due.
        defer { lane.keep(file, directory) }
        let isTombstones = file.identity.kind == .keys
        if let nulls = placed.nulls, !isTombstones { rows = (rows ?? Array(range)).filter { !nulls[$0] } }
        // The older record stays should the newest be refused.
        let before = context.plan.keepsNewest ? file : nil
        if context.plan.keepsNewest, let newest = rows.map({ $0.last }) ?? range.last {
            rows = [newest]
            file.forgetRows()
        }
        if let values = isTombstones ? placed.keys : placed.value {
            let all = FileRows(values: values, keys: isTombstones ? nil : placed.keys, headers: placed.headers)
            let contiguous = rows == nil || rows?.count == range.count
            if contiguous || rows?.isEmpty == false {
                try await add(contiguous ? all.slice(range) : all.select(rows!), contiguous ? nil : rows, from: range.lowerBound, of: placed, to: &file)
            }
        }
        if let before, file.count == 0 { file = before }
        file.covers(last)
        if !context.plan.keepsNewest { try stream(&file, directory, lane, endingRows: false) }
    }

    private func begin(_ directory: Int32, _ lane: Lane, _ placed: PlacedBatch, _ first: Int, _ now: Int64) -> OpenFile {
        let kind = context.plan.naming.kind(lane.name(directory)), format = context.plan.formats.format(of: kind)
        let identity = FileIdentity(
            number: nextNumber(), partition: partition, topic: lane.identity.topic, directory: lane.name(directory), start: placed.batch.offsets[first],
            startTimestamp: placed.timestamp(first), nameTime: context.plan.naming.usesWallClock ? now : placed.nameTime(first),
            connector: context.connector, kind: kind, contentType: format.contentType, keepsFacts: format.keepsFacts,
            set: lane.ledger == nil ? nil : lane.set)
        cut.begin(identity.number, start: identity.start)
        if lane.closed != nil, let times = placed.times, let stretch = lane.partitioner.stretch(at: times[first]) {
            lane.closed?.wait(directory, end: stretch.end)
        }
        if let warning = context.manyDirectories.warning(lane.open.count + 1, of: lane.identity) { context.uploads.log.warn(warning) }
        return OpenFile(identity, openedAt: now)
    }

    /// Sends the parts that are full, while the file stays open.
    private func stream(_ file: inout OpenFile, _ directory: Int32, _ lane: Lane, endingRows: Bool) throws {
        for part in try file.takeParts(context.uploads, endingRows: endingRows) { upload(of: &file, directory, lane).add(part) }
    }

    private func upload(of file: inout OpenFile, _ directory: Int32, _ lane: Lane, isWhole: Bool = false) -> FileUpload {
        if let upload = file.upload { return upload }
        let upload = FileUpload(file.identity, after: lane.uploads[directory], context.uploads, isWhole: isWhole)
        file.upload = upload
        lane.uploads[directory] = upload
        uploads[file.identity.number] = (upload, lane, directory)
        return upload
    }

    /// Adds rows to a file, and hands over those its format refuses. A refusal leaves the file as it was, so the rows go again by halves until
    /// the bad ones stand alone. The error must not reach the runtime: it would bring the batch again, of which rows were kept.
    private func add(_ values: FileRows, _ rows: [Int]?, from first: Int, of placed: PlacedBatch, to file: inout OpenFile) async throws {
        do {
            try file.append(values, context.plan.formats)
        } catch let error as ConnectorError where error.disposition == .reject {
            guard values.count > 1 else {
                let offset = placed.batch.offsets[rows?[0] ?? first]
                try await context.reject(RejectedRecord(partition: partition, offset: offset, error: error))
                context.uploads.metrics.rejected()
                return
            }
            let middle = values.count / 2
            try await add(values.slice(0..<middle), rows.map { Array($0[..<middle]) }, from: first, of: placed, to: &file)
            try await add(values.slice(middle..<values.count), rows.map { Array($0[middle...]) }, from: first + middle, of: placed, to: &file)
        }
    }

    // MARK: Storing

    private func closeAll(_ lane: Lane, _ reason: PartitionRotation.Reason) throws {
        var ended: [(upload: FileUpload, last: Int64)] = []
        for directory in lane.open.keys.sorted() { if let file = try end(directory, lane, reason) { ended.append(file) } }
        guard let ledger = lane.ledger, let last = ended.map(\.last).max() else { return }
        let set = FileSet(lane.set, ended.map(\.upload), next: last + 1, after: lane.lastSet, ledger, context.uploads)
        sets.append(set)
        lane.lastSet = set
        lane.set = Ledger.drawID()
    }

    /// Stores a file by itself, or with all others where a ledger lists sets.
    private func close(_ directory: Int32, _ lane: Lane, _ reason: PartitionRotation.Reason) throws {
        guard lane.ledger != nil else { return _ = try end(directory, lane, reason) }
        try closeAll(lane, reason)
        lane.rotation.reset()
    }

    /// Ends a file; nil when it holds no row.
    private func end(_ directory: Int32, _ lane: Lane, _ reason: PartitionRotation.Reason) throws -> (upload: FileUpload, last: Int64)? {
        guard var file = lane.take(directory) else { return nil }
        guard let (facts, rest, companions) = try file.finish() else {
            cut.drop(file.identity.number)
            return nil
        }
        context.uploads.metrics.closed(reason)
        let upload = upload(of: &file, directory, lane, isWhole: true)
        upload.end(facts, rest: rest, companions: companions)
        return (upload, facts.end)
    }

    /// Stores all open files for a reason from outside the rotation.
    func closeAll(_ reason: PartitionRotation.Reason) throws {
        for lane in lanes.values.sorted(by: { $0.identity.topic < $1.identity.topic }) {
            try closeAll(lane, reason)
            lane.rotation.reset()
        }
    }

    /// An open file that could give its memory back.
    struct Holder {
        let writer: PartitionWriter
        fileprivate let lane: Lane
        fileprivate let directory: Int32
        let bytes: Int
        let openedAt: Int64

        /// Larger ones first, and older ones among those of about the same size.
        func goesBefore(_ other: Holder) -> Bool {
            let (mine, others) = (bytes.leadingZeroBitCount, other.bytes.leadingZeroBitCount)
            return mine != others ? mine < others : openedAt < other.openedAt
        }
    }

    var holders: [Holder] {
        lanes.values.flatMap { lane in
            lane.holdings.map { Holder(writer: self, lane: lane, directory: $0, bytes: $1.bytes, openedAt: $1.openedAt) }
        }
    }

    /// Frees a file's memory: what fills parts is sent and the file stays open; a smaller one is stored.
    func relieve(_ holder: Holder) throws {
        guard let open = holder.lane.open[holder.directory] else { return }
        guard open.unsentBytes >= context.uploads.partSize, !context.plan.keepsNewest else { return try close(holder.directory, holder.lane, .memory) }
        guard var file = holder.lane.take(holder.directory) else { return }
        defer { holder.lane.keep(file, holder.directory) }
        try stream(&file, holder.directory, holder.lane, endingRows: true)
    }

    /// Gives up open files without storing them: their records are read from the topic again.
    func dropOpenFiles() {
        for lane in lanes.values {
            for directory in Array(lane.open.keys) { lane.take(directory)?.upload?.cancel() }
        }
    }

    /// What the clock asks for.
    func tick() throws {
        let now = context.clock()
        for lane in lanes.values {
            if let reason = lane.rotation.tick(now) { try closeAll(lane, reason) }
            if context.plan.fileMaxAge > 0 {
                for directory in lane.opened(by: now - context.plan.fileMaxAge) { try close(directory, lane, .age) }
            }
        }
        if !cut.isHeldBack {
            grewAt = now
        } else if now - grewAt >= context.plan.maxUncommitted {
            try closeAll(.uncommitted)
            grewAt = now
        }
    }

    /// Takes note of an upload that ended; true when it was one of this writer's. Throws why it failed.
    func settle(_ number: Int, _ outcome: FileUpload.Outcome) throws -> Bool {
        guard let (upload, lane, directory) = uploads.removeValue(forKey: number) else { return false }
        if lane.uploads[directory] === upload { lane.uploads[directory] = nil }
        if uploads.isEmpty { sets = [] }
        switch outcome {
        case .stored(let facts): cut.store(number, end: facts.end)
        case .sealed: break
        case .failed(let error): throw error
        }
        return true
    }

    /// The offset the log may commit, when it grew.
    func committable() -> Int64? {
        guard let offset = cut.committable() else { return nil }
        grewAt = context.clock()
        context.uploads.metrics.committed(partition, offset, taken: takenUpTo)
        return offset
    }

    /// Ends what is under way, and waits until it has ended.
    func abandon() async {
        for upload in uploads.values { upload.upload.cancel() }
        for set in sets { set.cancel() }
        for upload in uploads.values { _ = await upload.upload.outcome }
        for set in sets { _ = await set.isStored }
        (uploads, sets) = ([:], [])
        lanes = [:]
    }
}
