import ConnectAPI
import Synchronization

/// Merges small files of a task's partitions beside its writing (`compact.*`): one look at a time, in a task of its own that the sink task owns and waits
/// for. Nothing of it holds the writing up or fails it.
///
/// Follows docs/design/2026-11-26-compaction.md.
struct Compaction {
    private let context: CompactionContext
    private let memory = CompactionMemory()
    private var running: Task<Void, Never>?
    private var startedAt: Int64?

    /// nil: files stay as they are.
    init?(_ writer: WriterContext) {
        guard let policy = writer.plan.compaction, let join = writer.plan.formats.values.join else { return nil }
        context = CompactionContext(
            connector: writer.connector, policy: policy, join: join, contentType: writer.plan.formats.values.contentType, uploads: writer.uploads,
            clock: writer.clock)
    }

    /// The first look is due at once, so that what a killed task left is ended soon.
    var isDue: Bool { !memory.isBusy && (startedAt.map { context.clock() - $0 >= context.policy.interval } ?? true) }

    /// `lanes`: with the offset the log has committed of their partitions.
    mutating func begin(_ lanes: [Lane.Identity: Int64]) {
        if lanes.isEmpty { return }
        startedAt = context.clock()
        memory.begin()
        let compactor = Compactor(context: context, lanes: lanes, memory: memory)
        running = Task { [memory] in
            await compactor.run()
            memory.end()
        }
    }

    /// Waits for the look that is under way.
    func finish() async { await running?.value }

    /// Ends the look that is under way, wherever it is.
    mutating func stop() async {
        running?.cancel()
        await running?.value
        running = nil
        // Partitions that stay are looked at again soon.
        startedAt = nil
    }
}

/// What a task knows from one look to the next.
final class CompactionMemory: Sendable {
    private struct State {
        var isBusy = false
        var done: [Lane.Identity: Int64] = [:]
        var mayDelete = false
    }
    private let state = Mutex(State())

    var isBusy: Bool { state.withLock { $0.isBusy } }
    func begin() { state.withLock { $0.isBusy = true } }
    func end() { state.withLock { $0.isBusy = false } }

    /// The number of the last plan of which this task knows that it is carried out.
    func done(_ lane: Lane.Identity) -> Int64? { state.withLock { $0.done[lane] } }
    func didCarryOut(_ number: Int64, _ lane: Lane.Identity) { state.withLock { $0.done[lane] = max(number, $0.done[lane] ?? number) } }

    var mayDelete: Bool { state.withLock { $0.mayDelete } }
    func proved() { state.withLock { $0.mayDelete = true } }
}
