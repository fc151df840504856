import ConnectAPI
package import Kafka
import Synchronization

/// This worker as a member of its group: which slots it has, and since which epoch.
///
/// A slot is a partition of the assignment topic, so Kafka's group coordinator decides who has it, and only slots that move are taken away.
///
///     join ─▶ assigned ─▶ claim: epoch = committed + 1, committed again with our name ─▶ .gained
///                 revoked ─▶ .revoked ─▶ … the herder ends the tasks … ─▶ release ─▶ the next owner is told
///
/// The claim is an offset commit, which the coordinator takes from the slot's present owner only: what is committed says who has a slot, since
/// when, and where to reach it. No topic holds records for it, and no zombie can write there.
package actor WorkerGroup {
    package enum Event: Sendable {
        /// Slots with their epochs.
        case gained([Int: Int64])
        /// `lost`: others may have them already.
        case revoked(Set<Int>, lost: Bool)
    }

    package struct Owner: Sendable, Hashable {
        package let workerID: String
        package let epoch: Int64
    }

    package nonisolated let name: String
    package nonisolated let events: AsyncStream<Event>
    private nonisolated let tell: AsyncStream<Event>.Continuation
    private let topic: String
    private let consumer: KafkaConsumer
    private let admin: KafkaAdmin
    private let workerID: @Sendable () -> String
    private let log = Logger("sluice.herder")
    private let polling = Mutex<Task<Void, Never>?>(nil)
    private var epochs: [Int: Int64] = [:]
    /// Assigned, and not claimed yet.
    private var unclaimed: Set<Int> = []
    /// Revoked, and not released yet.
    private var leaving: [KafkaConsumer.Rebalance] = []
    package private(set) var completedRebalances: Int64 = 0
    package private(set) var lastRebalance = ContinuousClock.now
    private var hasJoined = false

    package init(_ topics: InternalTopics, consumer: KafkaConsumer, admin: KafkaAdmin, workerID: @escaping @Sendable () -> String) {
        name = topics.group
        topic = topics.assignments
        self.consumer = consumer
        self.admin = admin
        self.workerID = workerID
        (events, tell) = AsyncStream.makeStream()
    }

    /// Joins, and stays a member until `leave`.
    package func join() async throws {
        try await consumer.subscribe([topic])
        polling.withLock { $0 = Task { await self.poll() } }
    }

    /// Leaves in order: others have the slots at once.
    package func leave() async {
        let task = polling.withLock { $0.take() }
        task?.cancel()
        await task?.value
        await consumer.close()
        tell.finish()
    }

    /// Whether the first rebalance is over.
    package var isMember: Bool { hasJoined }
    package var isRebalancing: Bool { !leaving.isEmpty || !unclaimed.isEmpty }

    // MARK: Membership

    private func poll() async {
        while !Task.isCancelled {
            let polled = await consumer.poll(timeout: .milliseconds(100))
            for error in polled.errors where error.disposition != .retry { log.error("The worker's group \(name): \(error)") }
            for rebalance in polled.rebalances { await take(rebalance) }
            if !unclaimed.isEmpty { await claim() }
        }
    }

    private func take(_ rebalance: KafkaConsumer.Rebalance) async {
        completedRebalances += 1
        lastRebalance = .now
        switch rebalance {
        case .assigned(let partitions):
            do {
                // There is nothing to read: the partitions stand for what they are numbered.
                try await consumer.complete(rebalance, at: Dictionary(partitions.map { ($0, Int64(-1)) }, uniquingKeysWith: { $1 }))
                try await consumer.pause(partitions)
            } catch {
                log.warn("Could not take slots: \(Trace.message(of: error)); the group divides them again")
            }
            unclaimed.formUnion(partitions.map { Int($0.partition) })
            hasJoined = true
        case .revoked(let partitions, let lost):
            let slots = Set(partitions.map { Int($0.partition) })
            leaving.append(rebalance)
            unclaimed.subtract(slots)
            for slot in slots { epochs[slot] = nil }
            tell.yield(.revoked(slots, lost: lost))
        }
    }

    /// The herder has ended what ran in these slots.
    package func release(_ slots: Set<Int>) async {
        guard let i = leaving.firstIndex(where: { $0.slots == slots }) else { return }
        let rebalance = leaving.remove(at: i)
        do {
            try await consumer.complete(rebalance)
        } catch {
            log.warn("Could not give up slots: \(Trace.message(of: error))")
        }
    }

    /// Tried again with the next poll until it works or the slots are taken away.
    private func claim() async {
        let slots = unclaimed
        do {
            let before = try await consumer.committed(slots.map(partition))
            let claims = Dictionary(uniqueKeysWithValues: slots.map { ($0, (before[partition($0)]?.offset ?? 0) + 1) })
            try await commit(claims)
            // The poll loop is the only caller, and takes no rebalance meanwhile.
            unclaimed.subtract(slots)
            epochs.merge(claims) { $1 }
            tell.yield(.gained(claims))
        } catch let error as ConnectorError where error.disposition == .retry {
            log.debug("Slots are not claimed yet: \(error)")
        } catch {
            log.error("Could not claim slots: \(Trace.message(of: error))")
        }
    }

    private func commit(_ epochs: [Int: Int64]) async throws {
        let me = workerID()
        try await consumer.commit(
            Dictionary(uniqueKeysWithValues: epochs.map { (partition($0), $1) }),
            metadata: Dictionary(uniqueKeysWithValues: epochs.keys.map { (partition($0), me) }))
    }

    private func partition(_ slot: Int) -> TopicPartition { TopicPartition(topic, Int32(slot)) }

    // MARK: What the leader asks

    /// Throws unless the coordinator still has this worker as the owner of the slot: before a leader writes, it asks. While the group
    /// rebalances there is no answer, and it is waited for.
    package func confirm(_ slot: Int) async throws {
        let deadline = ContinuousClock.now + .seconds(15)
        while true {
            guard let epoch = epochs[slot] else {
                throw ConnectorError(KafkaError.staleMember, .retry, "This worker does not lead the group \(name) any more")
            }
            do {
                return try await commit([slot: epoch])
            } catch let error as ConnectorError where error.code == KafkaError.staleMember && ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    /// Who claimed which slot last; who went since is still named until another claims.
    package func owners() async throws -> [Int: Owner] {
        let committed = try await consumer.committed(try await slots().map(partition))
        return Dictionary(
            uniqueKeysWithValues: committed.map { (Int($0.key.partition), Owner(workerID: $0.value.metadata, epoch: $0.value.offset)) })
    }

    /// The owner of one slot; nil: nobody ever claimed it.
    package func owner(of slot: Int) async throws -> Owner? {
        try await consumer.committed([partition(slot)]).first.map { Owner(workerID: $0.value.metadata, epoch: $0.value.offset) }
    }

    /// How many slots there are, the leader's included.
    package func capacity() async throws -> Int { Int(try await admin.partitionCounts(topic: topic)[topic] ?? 0) }

    private func slots() async throws -> Range<Int> { 0..<(try await capacity()) }

    /// Adds slots; the group divides them within seconds, and no task stops for it.
    package func grow(to capacity: Int) async throws { try await admin.createPartitions(topic, total: capacity) }
}

extension KafkaConsumer.Rebalance {
    fileprivate var slots: Set<Int> {
        switch self {
        case .assigned(let partitions), .revoked(let partitions, _): Set(partitions.map { Int($0.partition) })
        }
    }
}
