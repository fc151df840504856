import ConnectAPI
import Synchronization

/// What became of a file.
enum FileEvent: Sendable {
    case loaded(Int, StagedFile)
    case failed(any Error)
}

/// Where the work in the background tells the sink task what happened.
final class FileEvents: Sendable {
    private let list = Mutex<[FileEvent]>([])
    func add(_ events: [FileEvent]) { list.withLock { $0 += events } }
    func take() -> [FileEvent] {
        list.withLock { list in
            defer { list = [] }
            return list
        }
    }
}

/// The files of one table on their way: uploaded in the order of their lane, loaded together, taken off the stage at last.
///
///     store ─▶ upload (after the one before it in its lane) ─▶ staged ─▶ load, at most one at a time and once an interval ─▶ FileEvents
///
/// Uploads of a lane keep their order so that what a crash leaves on the stage is complete up to its last offset. Every task started here is
/// waited for in `end` (Invariant 8).
final class TableFiles: Sendable {
    private struct Staged: Sendable {
        let number: Int
        let file: StagedFile
    }
    private struct State {
        var uploads: [Int: (partition: TopicPartition, task: Task<Bool, Never>)] = [:]
        /// The last upload of each directory, while it is under way.
        var last: [String: (number: Int, task: Task<Bool, Never>)] = [:]
        var uploadingBytes = 0
        var staged: [Staged] = []
        var load: Task<Void, Never>?
        var loading = 0
        var nextLoad = ContinuousClock.now
        var discarded: [StagedFile] = []
        var sweep: Task<Void, Never>?
        var failing: ConnectorError?
        var hasWarnedOfSweep = false
    }

    let table: ObjectName
    private let stage: any Stage
    private let context: StagedIngestion.Context
    private let events: FileEvents
    private let state = Mutex(State())

    init(_ table: ObjectName, stage: any Stage, _ context: StagedIngestion.Context, _ events: FileEvents) {
        self.table = table
        self.stage = stage
        self.context = context
        self.events = events
    }

    var uploadingBytes: Int { state.withLock { $0.uploadingBytes } }
    /// Files staged and not loaded.
    var waiting: Int { state.withLock { $0.staged.count + $0.loading } }
    var isBusy: Bool { state.withLock { !$0.uploads.isEmpty || !$0.staged.isEmpty || $0.load != nil } }
    /// Why files do not get through at the moment.
    var failing: ConnectorError? { state.withLock { $0.failing } }

    // MARK: Uploading

    func store(_ number: Int, _ file: StagedFile, _ body: [UInt8]) {
        state.withLock { state in
            let before = state.last[file.directory]?.task
            let task = Task { await upload(number, file, body, after: before) }
            state.uploads[number] = (file.partition, task)
            state.last[file.directory] = (number, task)
            state.uploadingBytes += body.count
        }
    }

    /// A file that is on the stage already.
    func loadAgain(_ number: Int, _ file: StagedFile) { state.withLock { $0.staged.append(Staged(number: number, file: file)) } }

    private func upload(_ number: Int, _ file: StagedFile, _ body: [UInt8], after before: Task<Bool, Never>?) async -> Bool {
        let started = ContinuousClock.now
        var isStaged = false
        if await before?.value != false {
            do {
                try await persisting("stage \(file.path) for \(table)") { try await stage.store(file.path, body) }
                context.metrics.staged(bytes: body.count, took: started.duration(to: .now))
                isStaged = true
            } catch {
                // One that was given up is nobody's failure.
                if !Task.isCancelled { events.add([.failed(error)]) }
            }
        }
        state.withLock { state in
            state.uploads[number] = nil
            if state.last[file.directory]?.number == number { state.last[file.directory] = nil }
            state.uploadingBytes -= body.count
            if isStaged { state.staged.append(Staged(number: number, file: file)) }
        }
        return isStaged
    }

    // MARK: Loading

    func loadIfDue(isClosing: Bool) {
        state.withLock { state in
            let isFull = state.staged.count >= CopyStatement.maximumFiles
            guard state.load == nil, !state.staged.isEmpty, isClosing || isFull || ContinuousClock.now >= state.nextLoad else { return }
            let batch = Array(state.staged.prefix(CopyStatement.maximumFiles))
            state.staged.removeFirst(batch.count)
            state.loading = batch.count
            state.nextLoad = .now + context.loadInterval
            state.load = Task { await load(batch) }
        }
    }

    private func load(_ batch: [Staged]) async {
        let started = ContinuousClock.now
        do {
            try await persisting("load \(batch.count) files into \(table)") { try await context.loader.load(batch.map(\.file), into: table) }
            context.metrics.loaded(files: batch.count, rows: batch.reduce(0) { $0 + ($1.file.rows ?? 0) }, took: started.duration(to: .now))
            events.add(batch.map { .loaded($0.number, $0.file) })
        } catch {
            if !Task.isCancelled { events.add([.failed(error)]) }
        }
        state.withLock { state in
            state.load = nil
            state.loading = 0
        }
    }

    /// Tries until it succeeds, fails for good or is cancelled.
    private func persisting(_ what: String, _ body: () async throws -> Void) async throws {
        var wait = Duration.milliseconds(500), warned = false
        while true {
            do {
                try Task.checkCancellation()
                try await body()
                state.withLock { $0.failing = nil }
                return
            } catch let error as ConnectorError where error.disposition == .retry && !Task.isCancelled {
                if !warned { context.log.warn("Could not \(what), trying again: \(error)") }
                warned = true
                state.withLock { $0.failing = error }
                context.metrics.retried(error.code)
                try await Task.sleep(for: wait)
                wait = min(wait * 2, .seconds(30))
            }
        }
    }

    // MARK: Leaving the stage

    /// The offset behind the file is committed: it may go.
    func discard(_ file: StagedFile) {
        guard context.removesFiles else { return }
        state.withLock { state in
            state.discarded.append(file)
            if state.sweep == nil { state.sweep = Task { await sweep() } }
        }
    }

    private func sweep() async {
        while !Task.isCancelled {
            let files = state.withLock { state in
                defer { state.discarded = [] }
                if state.discarded.isEmpty { state.sweep = nil }
                return state.discarded
            }
            if files.isEmpty { return }
            do { try await context.loader.remove(files, of: table) } catch {
                // They stay; a later run passes over their records, which it will not be given anyway.
                let isFirst = state.withLock { state in
                    defer { state.hasWarnedOfSweep = true }
                    return !state.hasWarnedOfSweep
                }
                if isFirst, !Task.isCancelled { context.log.warn("Loaded files stay on the stage \(stage.reference): \(error)") }
            }
        }
    }

    /// Ends what is under way for partitions that are given up, and waits for it. A load that runs is let finish: Snowflake would anyway.
    func giveUp(_ partitions: Set<TopicPartition>) async {
        let (uploads, load) = state.withLock { state in
            state.staged.removeAll { partitions.contains($0.file.partition) }
            return (state.uploads.values.filter { partitions.contains($0.partition) }.map(\.task), state.load)
        }
        for task in uploads { task.cancel() }
        for task in uploads { _ = await task.value }
        await load?.value
        state.withLock { state in state.staged.removeAll { partitions.contains($0.file.partition) } }
    }

    /// Cancels what is under way and waits for it; a sweep is let finish within a few seconds.
    func end() async {
        let (uploads, load, sweep) = state.withLock { ($0.uploads.values.map(\.task), $0.load, $0.sweep) }
        for task in uploads { task.cancel() }
        load?.cancel()
        if let sweep {
            let timer = Task {
                try? await Task.sleep(for: .seconds(3))
                sweep.cancel()
            }
            await sweep.value
            timer.cancel()
        }
        for task in uploads { _ = await task.value }
        await load?.value
    }
}
