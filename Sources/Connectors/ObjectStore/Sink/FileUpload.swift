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
    let progress: UploadProgress
    let metrics: SinkMetrics
    let log: Logger
}

/// A file whose bytes are complete, on its way to the store.
struct FinishedFile: Sendable {
    let number: Int
    let partition: TopicPartition
    let topic: String
    let directory: String
    let facts: FileFacts
    let body: [UInt8]
    let contentType: String

    var attributes: ObjectAttributes { ObjectAttributes(contentType: contentType, metadata: facts.metadata) }
}

/// Stores one file: a task of its own, tried until it succeeds, fails for good or is cancelled.
///
///     small: PUT        large: begin ─▶ parts, a few at a time ─▶ (the file before it in its directory is stored) ─▶ complete
///
/// Files of one directory become visible in the order of their offsets, so that after a crash the files beyond the committed offset are a
/// prefix of what was to be written, and looking for the next one finds where it ends.
final class FileUpload: Sendable {
    enum Outcome: Sendable {
        case stored
        case failed(any Error)
    }

    let file: FinishedFile
    private let task: Task<Outcome, Never>

    init(_ file: FinishedFile, after predecessor: FileUpload?, _ context: UploadContext) {
        self.file = file
        context.progress.started(file.number, bytes: file.body.count)
        task = Task {
            let outcome = await FileUpload.run(file, after: predecessor, context)
            context.progress.ended(file.number, bytes: file.body.count, outcome)
            return outcome
        }
    }

    func cancel() { task.cancel() }
    var outcome: Outcome { get async { await task.value } }

    private static func run(_ file: FinishedFile, after predecessor: FileUpload?, _ context: UploadContext) async -> Outcome {
        let started = ContinuousClock.now
        var attempt = Attempt(file: file, context: context)
        var warned = false
        while true {
            do {
                try Task.checkCancellation()
                try await attempt.upload()
                if let predecessor, case .failed = await predecessor.outcome { throw CancellationError() }
                try Task.checkCancellation()
                try await attempt.publish()
                context.progress.recovered(file.number)
                context.metrics.uploaded(bytes: file.body.count, took: started.duration(to: .now))
                return .stored
            } catch let error as ConnectorError where error.disposition == .retry && !Task.isCancelled {
                if !warned { context.log.warn("A file of \(file.partition) from offset \(file.facts.start) waits to be stored: \(error)") }
                warned = true
                context.progress.failing(file.number, error)
                try? await Task.sleep(for: context.retryBackoff)
            } catch {
                await attempt.abandon()
                return .failed(Task.isCancelled ? CancellationError() : error)
            }
        }
    }
}

/// The steps of storing one file, each of which may be taken again.
private struct Attempt {
    let file: FinishedFile
    let context: UploadContext
    private var upload: Upload?
    private var parts: [Int: UploadedPart] = [:]
    /// Which of its possible names the file takes.
    private var choice = 0

    init(file: FinishedFile, context: UploadContext) {
        self.file = file
        self.context = context
    }

    private var names: [String] {
        context.naming.names(
            topic: file.topic, partition: file.partition.partition, directory: file.directory, start: file.facts.start,
            startTimestamp: file.facts.startTimestamp)
    }
    private var isLarge: Bool { file.body.count > context.partSize }

    /// Sends the parts that are not there yet.
    mutating func upload() async throws {
        guard isLarge else { return }
        let upload: Upload
        if let begun = self.upload { upload = begun } else { upload = try await context.store.beginUpload(names[choice], file.attributes) }
        self.upload = upload
        let size = context.partSize, count = (file.body.count + size - 1) / size
        let missing = (1...count).filter { parts[$0] == nil }
        let store = context.store, body = file.body
        var failure: (any Error)?
        await withTaskGroup(of: Result<UploadedPart, any Error>.self) { group in
            var next = missing.makeIterator()
            func add(_ number: Int) {
                group.addTask {
                    let from = (number - 1) * size
                    do {
                        return .success(
                            try await store.uploadPart(
                                upload, number: number, offset: Int64(from), Array(body[from..<min(from + size, body.count)])))
                    } catch {
                        return .failure(error)
                    }
                }
            }
            for _ in 0..<4 { if let number = next.next() { add(number) } }
            for await result in group {
                switch result {
                case .success(let part): parts[part.number] = part
                case .failure(let error): failure = failure ?? error
                }
                if failure == nil, let number = next.next() { add(number) }
            }
        }
        if let failure { throw failure }
    }

    /// Makes the file visible, once.
    mutating func publish() async throws {
        if try await write(ifAbsent: context.conditional) == .stored { return }
        context.metrics.conflicted()
        switch try await Conflict.judge(file, at: names[choice], context) {
        case .sameFile: await abandon()
        case .replaceable: _ = try await write(ifAbsent: false)
        case .taken where choice + 1 < names.count:
            await abandon()
            choice += 1
            try await upload()
            try await publish()
        case .taken: throw Conflict.error(file, at: names[choice], context)
        }
    }

    private func write(ifAbsent: Bool) async throws -> PutOutcome {
        guard isLarge, let upload else {
            return try await context.store.put(names[choice], file.body, file.attributes, ifAbsent: ifAbsent)
        }
        return try await context.store.complete(
            upload, parts.values.sorted { $0.number < $1.number }, file.attributes, ifAbsent: ifAbsent)
    }

    /// Drops what was begun.
    mutating func abandon() async {
        guard let upload else { return }
        self.upload = nil
        parts = [:]
        let store = context.store
        // Also when this task is cancelled: the store must not keep parts nobody will use.
        await Task { await store.abort(upload) }.value
    }
}

/// What an object means that already has a file's name.
enum Conflict {
    /// The very records: an answer was lost, or another task stored them.
    case sameFile
    /// The first of our records, and nothing follows: a request of a task that was killed arrived late. Ours holds them all.
    case replaceable
    /// Another file.
    case taken

    static func judge(_ file: FinishedFile, at key: String, _ context: UploadContext) async throws -> Conflict {
        guard let found = try await context.store.head(key) else { return .replaceable }
        guard let facts = FileFacts(found.metadata) else {
            context.log.warn(
                "\(key) in \(context.store.place) was not written by this connector and is replaced: it has the name of a file from offset \(file.facts.start)")
            return .replaceable
        }
        guard facts.start == file.facts.start, facts.connector == file.facts.connector, facts.startTimestamp == file.facts.startTimestamp else { return .taken }
        if facts.end == file.facts.end { return .sameFile }
        guard facts.end < file.facts.end,
            let prefix = context.naming.prefix(topic: file.topic, partition: file.partition.partition, directory: file.directory)
        else { return .taken }
        let later = try await context.store.list(prefix, limit: 100_000).contains { name in
            context.naming.start(of: name, prefix: prefix).map { $0 > facts.start && $0 <= file.facts.end } ?? false
        }
        return later ? .taken : .replaceable
    }

    static func error(_ file: FinishedFile, at key: String, _ context: UploadContext) -> ConnectorError {
        ConnectorError(
            "objectstore.conflict", .stop,
            "\(key) in \(context.store.place) exists and does not hold the records of \(file.partition) from offset \(file.facts.start) to \(file.facts.end)",
            hint:
                "Another connector writes to the same names, or the topic was created anew: give this one another topics.dir or move the old files away. If another task of this connector was just stopped, restart this one"
        )
    }
}

/// Which uploads run, end and fail: written by uploads, read by the task.
final class UploadProgress: Sendable {
    private struct State {
        var bytes = 0
        var running = 0
        var ended: [(number: Int, outcome: FileUpload.Outcome)] = []
        var failing: [Int: ConnectorError] = [:]
    }
    private let state = Mutex(State())
    private let signal: AsyncStream<Void>.Continuation
    private let signals: AsyncStream<Void>

    init() { (signals, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

    /// Bytes of files on their way.
    var bytes: Int { state.withLock { $0.bytes } }
    var running: Int { state.withLock { $0.running } }
    /// Why a file is not getting through at the moment.
    var failing: ConnectorError? { state.withLock { $0.failing.values.first } }

    /// Waits for an upload to end or to fail; cancellation ends the wait.
    func wait() async { for await _ in signals { return } }

    /// The uploads that ended since the last call.
    func takeEnded() -> [(number: Int, outcome: FileUpload.Outcome)] {
        state.withLock { state in
            defer { state.ended = [] }
            return state.ended
        }
    }

    fileprivate func started(_ number: Int, bytes: Int) {
        state.withLock {
            $0.bytes += bytes
            $0.running += 1
        }
    }
    fileprivate func ended(_ number: Int, bytes: Int, _ outcome: FileUpload.Outcome) {
        state.withLock {
            $0.bytes -= bytes
            $0.running -= 1
            $0.failing[number] = nil
            $0.ended.append((number, outcome))
        }
        signal.yield()
    }
    fileprivate func failing(_ number: Int, _ error: ConnectorError) {
        state.withLock { $0.failing[number] = error }
        signal.yield()
    }
    fileprivate func recovered(_ number: Int) { state.withLock { $0.failing[number] = nil } }
}
