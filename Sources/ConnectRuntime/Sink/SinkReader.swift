import ConnectAPI
import JavaRegex
import Synchronization

/// Reads a sink task's partitions ahead of its main loop, within a byte budget.
///
///     Log.read ─▶ byte budget ─▶ converters, where they differ ─▶ transforms ─▶ mailbox
///
/// New topics are looked for when nothing comes and at least once a second. Reading begins once the main loop has opened a partition and
/// said where. A partition whose stored bytes are damaged stops and is reported; the others go on, and the task fails only when none is left.
final class SinkReader: Sendable {
    private let log: any Log
    private let partitions: SinkPartitions
    private let task: Int
    private let subscription: SinkSubscription
    private let budget: ByteBudget
    private let gate: PauseGate
    private let mailbox: SinkMailbox
    private let prepare: @Sendable (StoredBatch) async throws -> [ConsumedBatch]
    /// Told of each partition that stops.
    private let onDamage: @Sendable (TopicPartition, ConnectorError) async -> Void
    private let counters: TaskCounters
    private let report: Logger

    private struct State {
        /// Where to read next.
        var offsets: [TopicPartition: Int64] = [:]
        var ends: [TopicPartition: Int64] = [:]
        /// Damaged partitions, past which nothing is read until the task starts again.
        var stopped: Set<TopicPartition> = []
    }
    private let state = Mutex(State())
    /// Bytes asked of the log at a time.
    private static let fetchBytes = 1 << 20

    init(
        log: any Log, partitions: SinkPartitions, task: Int, subscription: SinkSubscription, budget: ByteBudget, gate: PauseGate,
        mailbox: SinkMailbox, counters: TaskCounters, report: Logger,
        onDamage: @escaping @Sendable (TopicPartition, ConnectorError) async -> Void = { _, _ in },
        prepare: @escaping @Sendable (StoredBatch) async throws -> [ConsumedBatch]
    ) {
        self.log = log
        self.partitions = partitions
        self.task = task
        self.subscription = subscription
        self.budget = budget
        self.gate = gate
        self.mailbox = mailbox
        self.counters = counters
        self.report = report
        self.onDamage = onDamage
        self.prepare = prepare
    }

    /// Begins to read a partition.
    func start(_ partition: TopicPartition, at offset: Int64) { state.withLock { $0.offsets[partition] = offset } }

    /// The ends of the partitions, as last seen.
    var ends: [TopicPartition: Int64] { state.withLock { $0.ends } }

    /// Reads until cancelled; anything else that ends it is told to the mailbox.
    func run() async {
        var known: Set<TopicPartition> = []
        var refreshed: ContinuousClock.Instant?
        var backoff = Backoff(initial: .milliseconds(200), maximum: .seconds(10))
        while !Task.isCancelled {
            do {
                try await gate.pass()
                if refreshed.map({ $0.duration(to: .now) >= .seconds(1) }) ?? true {
                    try await refresh(&known)
                    refreshed = .now
                }
                if try await readAll(of: known.count) == false {
                    // A damaged partition wakes nobody.
                    let offsets = state.withLock { state in state.offsets.merging(state.stopped.map { ($0, .max) }) { mine, _ in mine } }
                    await log.waitForRecords(past: offsets, timeout: known.count == offsets.count ? .seconds(1) : .milliseconds(20))
                    // Woken for a topic that was not there before, perhaps.
                    try await refresh(&known)
                    refreshed = .now
                }
                backoff.reset()
            } catch is CancellationError {
                return
            } catch let error as ConnectorError where error.disposition == .retry {
                let wait = backoff.next()
                counters.update { $0.retries += 1 }
                report.warn("Could not read the log, trying again in \(Int(wait.milliseconds)) ms: \(error)")
                try? await Task.sleep(for: wait)
            } catch {
                return mailbox.push(.failed(error))
            }
        }
    }

    private func refresh(_ known: inout Set<TopicPartition>) async throws {
        var ends: [TopicPartition: Int64] = [:]
        for (topic, ranges) in try await log.topics() where try subscription.includes(topic) {
            for range in ranges { ends[TopicPartition(topic, range.partition)] = range.end }
        }
        let own = partitions.claim(Array(ends.keys), for: task)
        let new = own.filter { known.insert($0).inserted }
        if !new.isEmpty { mailbox.push(.assigned(new)) }
        let mine = ends.filter { known.contains($0.key) }
        state.withLock { $0.ends = mine }
    }

    /// One read of every partition; false when none had a record. `claimed`: how many partitions are this task's.
    private func readAll(of claimed: Int) async throws -> Bool {
        var any = false
        for (partition, offset) in state.withLock({ $0.offsets }).sorted(by: { $0.key < $1.key }) {
            try await gate.pass()
            let batches: [StoredBatch]
            do {
                batches = try await log.read(partition, from: offset, maxBytes: Self.fetchBytes)
            } catch let error as ConnectorError where error.code == "log.corrupt" {
                try await stop(partition, at: offset, error, of: claimed)
                continue
            }
            for stored in batches {
                any = true
                let bytes = stored.batch.byteCount
                // Invariant 5: what is read ahead fits the budget; the main loop gives it back.
                try await budget.acquire(bytes)
                counters.update {
                    $0.polled += Int64(stored.batch.count)
                    $0.activate(Int64(stored.batch.count))
                }
                let next = stored.firstOffset + Int64(stored.batch.count)
                do {
                    mailbox.push(.delivery(.init(stored: stored, batches: try await prepare(stored), next: next, bytes: bytes)))
                } catch {
                    budget.release(bytes)
                    throw error
                }
                state.withLock { $0.offsets[partition] = next }
            }
        }
        return any
    }
}

extension SinkReader {
    /// Leaves a damaged partition; throws when it was the last.
    private func stop(_ partition: TopicPartition, at offset: Int64, _ error: ConnectorError, of claimed: Int) async throws {
        let stopped = state.withLock { state in
            state.offsets[partition] = nil
            state.stopped.insert(partition)
            return state.stopped.count
        }
        let located = ConnectorError(
            error.code, .stop, "\(partition) stops at offset \(offset): \(error.message)",
            hint: "Restore the data directory, or skip the damage with PATCH /connectors/NAME/offsets", underlying: error)
        counters.update { $0.stoppedPartitions = stopped }
        report.error("\(Trace.message(of: located))")
        guard stopped < claimed else { throw located }
        await onDamage(partition, located)
    }
}

/// Which topics a sink reads: a list, or a pattern that matches whole names.
struct SinkSubscription: Sendable {
    private let topics: Set<String>
    private let pattern: JavaPattern?
    /// Topics that are never read, whatever the pattern: the sink's own dead letters.
    private let excluded: String?

    init(_ config: [String: String]) throws {
        topics = Set(([String](configText: config["topics"]?.trimmingSpaces() ?? "") ?? []).filter { !$0.isEmpty })
        let regex = config["topics.regex"]?.trimmingSpaces() ?? ""
        pattern = regex.isEmpty ? nil : try JavaPattern(regex)
        excluded = ErrorTolerance(config).deadLetterTopic
    }

    func includes(_ topic: String) throws -> Bool { try topic != excluded && (topics.contains(topic) || pattern?.matches(topic) == true) }
}
