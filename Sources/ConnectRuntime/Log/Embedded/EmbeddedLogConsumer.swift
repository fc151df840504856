import ConnectAPI
import Synchronization

/// A sink task's reader of the embedded log: it claims partitions as they appear and keeps them.
///
/// New topics are looked for when nothing comes and at least once a second.
final class EmbeddedLogConsumer: LogConsumer {
    private struct State {
        var known: Set<TopicPartition> = []
        /// Where to read next.
        var offsets: [TopicPartition: Int64] = [:]
        var ends: [TopicPartition: Int64] = [:]
        /// Partitions of this round that are still to be read, last first.
        var round: [TopicPartition] = []
        /// Whether this round found a record.
        var found = false
        var refreshed: ContinuousClock.Instant?
        /// Damaged partitions.
        var stopped: Set<TopicPartition> = []
    }
    private let log: EmbeddedLog
    private let member: SinkMember
    private let state = Mutex(State())
    /// Bytes asked of the log at a time.
    private static let fetchBytes = 1 << 20

    init(_ log: EmbeddedLog, _ member: SinkMember) {
        self.log = log
        self.member = member
    }

    func next(timeout: Duration) async throws -> [LogConsumerEvent] {
        if state.withLock({ $0.refreshed.map { $0.duration(to: .now) >= .seconds(1) } ?? true }), let event = try await refresh() { return [event] }
        if let read = try await readOne() { return read }
        // A damaged partition wakes nobody.
        let (offsets, allStarted) = state.withLock { state in
            (
                state.offsets.merging(state.stopped.map { ($0, .max) }) { mine, _ in mine },
                state.known.count == state.offsets.count + state.stopped.count
            )
        }
        await log.waitForRecords(past: offsets, timeout: allStarted ? timeout : min(timeout, .milliseconds(20)))
        // Woken for a topic that was not there before, perhaps.
        return try await refresh().map { [$0] } ?? []
    }

    /// The next partition that has records; nil when a whole round had none.
    private func readOne() async throws -> [LogConsumerEvent]? {
        while true {
            let next = state.withLock { state -> (TopicPartition, Int64)? in
                if state.round.isEmpty {
                    state.round = state.offsets.keys.sorted(by: >)
                    state.found = false
                }
                guard let partition = state.round.popLast(), let offset = state.offsets[partition] else { return nil }
                return (partition, offset)
            }
            guard let (partition, offset) = next else { return nil }
            let batches: [StoredBatch]
            do {
                batches = try await log.read(partition, from: offset, maxBytes: Self.fetchBytes)
            } catch let error as ConnectorError where error.code == "log.corrupt" {
                let isLast = state.withLock { state in
                    state.offsets[partition] = nil
                    state.stopped.insert(partition)
                    return state.stopped.count == state.known.count
                }
                return [.damaged(DamagedPartition(partition: partition, offset: offset, error: error, isLast: isLast))]
            }
            let isOver = state.withLock { state in
                if let last = batches.last {
                    state.found = true
                    state.offsets[partition] = last.endOffset
                }
                return state.round.isEmpty && !state.found
            }
            if !batches.isEmpty { return batches.map { .records($0) } }
            if isOver { return nil }
        }
    }

    private func refresh() async throws -> LogConsumerEvent? {
        var ends: [TopicPartition: Int64] = [:]
        for (topic, ranges) in try await log.topics() where try member.subscription.includes(topic) {
            for range in ranges { ends[TopicPartition(topic, range.partition)] = range.end }
        }
        let own = member.siblings.partitions.claim(Array(ends.keys), for: member.task)
        let new = state.withLock { state in
            state.refreshed = .now
            let new = own.filter { state.known.insert($0).inserted }
            state.ends = ends.filter { state.known.contains($0.key) }
            return new
        }
        return new.isEmpty ? nil : .assigned(new)
    }

    func start(_ offsets: [TopicPartition: Int64]) { state.withLock { $0.offsets.merge(offsets) { $1 } } }
    func release(_ partitions: [TopicPartition]) {}

    func committed(_ partitions: [TopicPartition]) async throws -> [TopicPartition: Int64] { try await log.consumerOffsets(of: member.group) }
    func commit(_ offsets: [TopicPartition: Int64]) async throws { try await log.commit(offsets, group: member.group) }

    func ranges(_ partitions: [TopicPartition]) async throws -> [TopicPartition: PartitionRange] {
        let topics = try await log.topics()
        var out: [TopicPartition: PartitionRange] = [:]
        for partition in partitions { out[partition] = topics[partition.topic]?.first { $0.partition == partition.partition } }
        return out
    }

    func ends() -> [TopicPartition: Int64] { state.withLock { $0.ends } }
    func keepAlive() {}
    func close() {}
}
