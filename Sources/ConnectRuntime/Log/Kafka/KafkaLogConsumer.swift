import ConnectAPI
import Kafka

/// A sink task as a member of the consumer group `connect-<name>`.
///
/// The group divides the partitions, cooperatively: only what moves stops. Topics are looked for here and subscribed to by name, so that
/// `topics.regex` is Java's and a topic made later is found within seconds. While nobody takes records the partitions are paused and the group
/// is polled all the same.
actor KafkaLogConsumer: LogConsumer {
    private let consumer: KafkaConsumer
    private let member: SinkMember
    private let report = Logger("sluice.kafka")
    private var subscribed: Set<String> = []
    private var lookedForTopics: ContinuousClock.Instant?
    private var polled = ContinuousClock.now
    private var isPolling = false
    private var isPaused = false
    private var started: Set<TopicPartition> = []
    /// Assigned, and not started yet.
    private var opening: [[TopicPartition]] = []
    /// What `keepAlive` found.
    private var held: [LogConsumerEvent] = []

    init(_ clients: KafkaClients, _ member: SinkMember) throws {
        self.member = member
        consumer = try clients.consumer("connector-consumer-\(member.connector)-\(member.task)", group: member.group, config: member.config)
    }

    func next(timeout: Duration) async throws -> [LogConsumerEvent] {
        try await lookForTopics()
        guard !subscribed.isEmpty else {
            try await Task.sleep(for: min(timeout, .milliseconds(250)))
            return []
        }
        if !held.isEmpty {
            defer { held = [] }
            return held
        }
        if isPaused {
            try await consumer.resume(started.sorted())
            isPaused = false
        }
        return try await poll(min(timeout, .milliseconds(100)))
    }

    private func poll(_ timeout: Duration) async throws -> [LogConsumerEvent] {
        isPolling = true
        let found = await consumer.poll(timeout: timeout, maxBytes: 1 << 20)
        isPolling = false
        polled = .now
        var events: [LogConsumerEvent] = []
        for records in found.records where started.contains(records.partition) { events.append(.records(records.stored)) }
        for rebalance in found.rebalances {
            switch rebalance {
            case .assigned(let partitions):
                if partitions.isEmpty {
                    try await consumer.complete(rebalance)
                } else {
                    opening.append(partitions)
                    events.append(.assigned(partitions))
                }
            case .revoked(let partitions, let lost):
                if partitions.isEmpty { try await consumer.complete(rebalance) } else { events.append(.revoked(partitions, lost: lost)) }
            }
        }
        // What passes by itself is librdkafka's to try again.
        if events.isEmpty, let error = found.errors.first(where: { $0.disposition == .stop && $0.code != KafkaError.unknownTopic }) { throw error }
        return events
    }

    /// Subscribes anew when topics that match appeared or went.
    private func lookForTopics() async throws {
        let pause: Duration = subscribed.isEmpty ? .milliseconds(250) : .seconds(3)
        if let lookedForTopics, lookedForTopics.duration(to: .now) < pause { return }
        let all = try await consumer.partitionCounts().keys
        lookedForTopics = .now
        let matching = Set(try all.filter { try !$0.hasPrefix("__") && member.subscription.includes($0) })
        guard !matching.isEmpty, matching != subscribed else { return }
        subscribed = matching
        try await consumer.subscribe(matching.sorted())
    }

    func start(_ offsets: [TopicPartition: Int64]) async throws {
        guard let i = opening.firstIndex(where: { Set($0).isSuperset(of: offsets.keys) }) else { return }
        let partitions = opening.remove(at: i)
        started.formUnion(partitions)
        try await consumer.complete(.assigned(partitions), at: offsets)
    }

    func release(_ partitions: [TopicPartition]) async throws {
        started.subtract(partitions)
        opening.removeAll { !Set($0).isDisjoint(with: partitions) }
        try await consumer.complete(.revoked(partitions, lost: false))
    }

    func committed(_ partitions: [TopicPartition]) async throws -> [TopicPartition: Int64] {
        try await consumer.committed(partitions).mapValues(\.offset)
    }

    func commit(_ offsets: [TopicPartition: Int64]) async throws { try await consumer.commit(offsets) }

    func ranges(_ partitions: [TopicPartition]) async throws -> [TopicPartition: PartitionRange] {
        let starts = try await consumer.offsets(of: partitions, at: .beginning), ends = try await consumer.offsets(of: partitions, at: .end)
        return Dictionary(
            uniqueKeysWithValues: partitions.map { ($0, PartitionRange(partition: $0.partition, start: starts[$0] ?? 0, end: ends[$0] ?? 0)) })
    }

    func ends() async -> [TopicPartition: Int64] { await consumer.knownEnds(started.sorted()) }

    /// A consumer that is not polled is taken for dead after `max.poll.interval.ms`.
    func keepAlive() async {
        guard !isPolling, !subscribed.isEmpty, polled.duration(to: .now) > .seconds(2) else { return }
        do {
            if !isPaused {
                isPaused = true
                try await consumer.pause(started.sorted())
            }
            held += try await poll(.zero)
        } catch {
            report.warn("\(member.connector)-\(member.task): \(error)")
        }
    }

    func close() async { await consumer.close() }
}
