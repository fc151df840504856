import ConnectAPI
import Synchronization

/// What all uploads of a task share.
struct UploadContext: Sendable {
    let store: any ObjectStore
    let naming: FileNaming
    let partSize: Int
    let conditional: Bool
    /// Between attempts to store a file, once the store's own retries are used up.
    let retryBackoff: Duration
    /// nil: objects get no tags.
    let tags: ObjectTags?
    let queue = UploadQueue()
    /// The task's own: files' UUIDs differ from each other, and from those of any other task.
    private let random = (UInt64.random(in: 0...UInt64.max), UInt64.random(in: 0...UInt64.max))
    let progress: UploadProgress
    let metrics: SinkMetrics
    let log: Logger

    /// The UUID of a file of the task, always the same.
    func uuid(_ number: Int) -> String {
        // Variant 1, version 4, by RFC 9562.
        let high = random.0 & ~0xF000 | 0x4000, low = (random.1 &+ UInt64(truncatingIfNeeded: number)) & ~(3 << 62) | 2 << 62
        return UUIDText.string([high, low].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) } })
    }

    /// The size of a part. It doubles every thousand parts, since an object has at most ten thousand.
    func partSize(number: Int) -> Int { partSize << min((number - 1) / 1000, 9) }
}

/// Stores one file: a task of its own, from the file's first part on, or from its end when it is small. Every step is tried until it succeeds,
/// fails for good, or the upload is cancelled.
///
///     small: ───────────────────────────────────────── the file before it in its directory is stored ─▶ PUT
///     large: begin ─▶ parts, a few at a time, while the file is still open ─▶ … is stored ─▶ facts ─▶ complete
///
///     ledger: begin ─▶ parts ─▶ sealed: `FileSet` makes it visible, together with the others
///
/// Files of one directory become visible in the order of their offsets, so that after a crash the files beyond the committed offset are a
/// prefix of what was to be written, and looking for the next one finds where it ends.
final class FileUpload: Sendable {
    enum Outcome: Sendable {
        case stored(FileFacts)
        /// Its set makes it visible.
        case sealed(FileSet.Member)
        case failed(any Error)
    }

    /// What the writer hands over.
    enum Step: Sendable {
        case part([UInt8])
        /// The rest of the file, and what is beside it.
        case end(FileFacts, rest: [UInt8], companions: [Companion])
    }

    /// An object that belongs to a file: its keys, its headers.
    struct Companion: Sendable {
        let kind: FileNaming.Kind
        let body: [UInt8]
    }

    private struct State {
        /// Until it starts.
        var work: (@Sendable () async -> Outcome)?
        var task: Task<Void, Never>?
        var outcome: Outcome?
        var waiters: [CheckedContinuation<Outcome, Never>] = []
    }

    let file: FileIdentity
    private let steps: AsyncStream<Step>.Continuation
    private let progress: UploadProgress
    /// Where it takes its turn; nil: it starts at once.
    private let queue: UploadQueue?
    private let state: Mutex<State>

    /// `isWhole`: the file has ended, and takes its turn among those that did; others start with their first part.
    init(_ file: FileIdentity, after predecessor: FileUpload?, _ context: UploadContext, isWhole: Bool) {
        self.file = file
        progress = context.progress
        queue = isWhole ? context.queue : nil
        let (stream, steps) = AsyncStream<Step>.makeStream()
        self.steps = steps
        progress.started(file.number)
        state = Mutex(
            State {
                var transfer = FileTransfer(file, after: predecessor, context)
                return await transfer.run(stream, stop: { steps.finish() })
            })
        if !isWhole { start() }
    }

    /// False: it was cancelled before.
    @discardableResult
    func start() -> Bool {
        state.withLock { state in
            guard let work = state.work else { return false }
            state.work = nil
            state.task = Task {
                self.end(await work())
                self.queue?.leave()
            }
            return true
        }
    }

    private func end(_ outcome: Outcome) {
        let waiters = state.withLock { state in
            defer { state = State(outcome: outcome) }
            return state.waiters
        }
        if case .sealed = outcome {} else { progress.ended(file.number, outcome) }
        for waiter in waiters { waiter.resume(returning: outcome) }
    }

    /// The next part of a file that is still open.
    func add(_ part: [UInt8]) {
        progress.handedOver(file.number, bytes: part.count, last: false)
        steps.yield(.part(part))
    }

    /// Ends the file.
    func end(_ facts: FileFacts, rest: [UInt8], companions: [Companion] = []) {
        progress.handedOver(file.number, bytes: rest.count + companions.reduce(0) { $0 + $1.body.count }, last: true)
        steps.yield(.end(facts, rest: rest, companions: companions))
        steps.finish()
        queue?.enter(self)
    }

    func cancel() {
        let isWaiting = state.withLock { state in
            state.task?.cancel()
            defer { state.work = nil }
            return state.work != nil
        }
        if isWaiting { end(.failed(CancellationError())) }
    }

    var outcome: Outcome {
        get async {
            await withCheckedContinuation { continuation in
                let outcome = state.withLock { state in
                    if state.outcome == nil { state.waiters.append(continuation) }
                    return state.outcome
                }
                if let outcome { continuation.resume(returning: outcome) }
            }
        }
    }
}
