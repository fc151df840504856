internal import CRdKafka
package import ConnectAPI
import Synchronization

/// A consumer on a thread of its own: by hand (`assign`) or as a member of a group (`subscribe`).
///
/// A rebalance is an event of `poll`, answered later with `complete`: meanwhile polling, heartbeats and records of the other partitions go on.
/// Offsets are committed only by `commit`.
package actor KafkaConsumer {
    /// What Kafka Connect gives sink consumers, and what `poll` relies on.
    package static let connectDefaults = [
        "enable.auto.commit": "false", "enable.auto.offset.store": "false", "auto.offset.reset": "earliest", "enable.partition.eof": "true",
        "partition.assignment.strategy": "cooperative-sticky", "queued.max.messages.kbytes": "32768", "fetch.wait.max.ms": "100",
        "isolation.level": "read_uncommitted", "allow.auto.create.topics": "false",
        "reconnect.backoff.ms": "50", "reconnect.backoff.max.ms": "1000",
    ]

    package enum Rebalance: Sendable, Equatable {
        case assigned([TopicPartition])
        /// `lost`: they may be another member's already; nothing of them may be committed.
        case revoked([TopicPartition], lost: Bool)
    }

    /// What one `poll` brought.
    package struct Polled: Sendable {
        package var records: [FetchedRecords] = []
        /// Partitions that were read to their end, and where that is.
        package var ends: [TopicPartition: Int64] = [:]
        package var rebalances: [Rebalance] = []
        package var errors: [ConnectorError] = []
    }

    private let thread: ThreadExecutor
    package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
    private let handle: KafkaHandle
    // `nonisolated(unsafe)`: only used on the actor's thread and, at the very end, by deinit.
    private nonisolated(unsafe) var queue: OpaquePointer?
    private nonisolated(unsafe) var messages = [UnsafeMutablePointer<rd_kafka_message_t>?](repeating: nil, count: 2048)
    private var isClosed = false
    private var isMember = false
    /// The next offset of each partition that is being read, by what `poll` has returned.
    private var reached: [TopicPartition: Int64] = [:]
    /// The rebalance that `poll` has told of and `complete` has not answered; there is one at a time.
    private var unanswered: Rebalance?
    /// How long a drained queue is watched before it is asked for more.
    private static let drainedMilliseconds: Int32 = 20
    package nonisolated let group: String?

    package init(_ settings: KafkaSettings) throws {
        group = settings["group.id"]
        var settings = settings
        // librdkafka wants a group also where none is used; nothing is committed to it then.
        if group == nil { settings.use("group.id", "sluice-unused") }
        handle = try KafkaHandle(.consumer, settings) { conf in
            rd_kafka_conf_set_rebalance_cb(conf) { rk, code, list, opaque in
                guard let rk, let list, let opaque else { return }
                Unmanaged<ClientState>.fromOpaque(opaque).takeUnretainedValue().rebalance(rk, code, list)
            }
        }
        thread = ThreadExecutor("kafka-consumer")
        rd_kafka_poll_set_consumer(handle.rk)
        queue = rd_kafka_queue_get_consumer(handle.rk)
    }

    deinit {
        if let queue { rd_kafka_queue_destroy(queue) }
        thread.stop()
    }

    /// Leaves the group in order, without committing. Nothing may be called afterwards.
    package func close() {
        guard !isClosed else { return }
        isClosed = true
        // librdkafka would wait for ever for the answer to a rebalance it has told of.
        if let open = handle.state.takeRebalances().last ?? unanswered { try? complete(open) }
        handle.state.isClosing.store(true, ordering: .releasing)
        rd_kafka_consumer_close(handle.rk)
    }

    // MARK: What is read

    /// Joins the group for these topics; a name beginning with `^` is a regular expression (POSIX extended).
    package func subscribe(_ topics: [String]) throws {
        let list = PartitionList(topics.map { TopicPartition($0, RD_KAFKA_PARTITION_UA) })
        if !isMember { handle.state.isJoining.store(true, ordering: .releasing) }
        isMember = true
        try KafkaError.check(list.withPointer { rd_kafka_subscribe(handle.rk, $0) }, "subscribe to \(topics.joined(separator: ", "))")
    }

    /// Reads these partitions from these offsets, without a group; replaces what was assigned.
    package func assign(_ offsets: [TopicPartition: Int64]) throws {
        reached = [:]
        try KafkaError.check(PartitionList(offsets).withPointer { rd_kafka_assign(handle.rk, $0) }, "assign partitions")
    }

    /// Adds partitions to what is read.
    package func incrementalAssign(_ offsets: [TopicPartition: Int64]) throws {
        for partition in offsets.keys { reached[partition] = nil }
        try KafkaError.check(PartitionList(offsets).withPointer { rd_kafka_incremental_assign(handle.rk, $0) }, "assign partitions")
    }

    package func incrementalUnassign(_ partitions: [TopicPartition]) throws {
        for partition in partitions { reached[partition] = nil }
        try KafkaError.check(PartitionList(partitions).withPointer { rd_kafka_incremental_unassign(handle.rk, $0) }, "give up partitions")
    }

    /// Answers a rebalance: reading begins at `offsets`, elsewhere at the group's, else where `auto.offset.reset` says.
    package func complete(_ rebalance: Rebalance, at offsets: [TopicPartition: Int64] = [:]) throws {
        let cooperative = String(cString: rd_kafka_rebalance_protocol(handle.rk)) == "COOPERATIVE"
        switch rebalance {
        case .assigned(let partitions):
            let from = Dictionary(partitions.map { ($0, offsets[$0] ?? Int64(RD_KAFKA_OFFSET_INVALID)) }, uniquingKeysWith: { $1 })
            if cooperative { try incrementalAssign(from) } else { try assign(from) }
        case .revoked(let partitions, _):
            if cooperative {
                try incrementalUnassign(partitions)
            } else {
                reached = [:]
                try KafkaError.check(rd_kafka_assign(handle.rk, nil), "give up partitions")
            }
        }
        unanswered = nil
    }

    package func pause(_ partitions: [TopicPartition]) throws {
        for partition in partitions { reached[partition] = nil }
        try KafkaError.check(PartitionList(partitions).withPointer { rd_kafka_pause_partitions(handle.rk, $0) }, "pause")
    }

    package func resume(_ partitions: [TopicPartition]) throws {
        try KafkaError.check(PartitionList(partitions).withPointer { rd_kafka_resume_partitions(handle.rk, $0) }, "resume")
    }

    /// What is assigned now.
    package func assignment() throws -> [TopicPartition] {
        var list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
        try KafkaError.check(rd_kafka_assignment(handle.rk, &list), "ask for the assignment")
        return list.map { PartitionList(owning: $0).partitions } ?? []
    }

    package func seek(_ offsets: [TopicPartition: Int64], timeout: Duration = .seconds(10)) throws {
        for partition in offsets.keys { reached[partition] = nil }
        let list = PartitionList(offsets)
        try KafkaError.check(list.withPointer { rd_kafka_seek_partitions(handle.rk, $0, timeout.wholeMilliseconds) }, "seek")
        try list.check("seek in")
    }

    // MARK: Reading

    /// Waits for something to come and takes what is there, up to about `maxBytes`.
    package func poll(timeout: Duration, maxBytes: Int = 4 << 20) -> Polled {
        var polled = Polled()
        guard !isClosed else { return polled }
        var collector = FetchCollector()
        // One message is waited for, the others are taken as they lie: a call for many would wait for all of them.
        let wait = timeout.wholeMilliseconds, short = min(wait, Self.drainedMilliseconds)
        var first = rd_kafka_consumer_poll(handle.rk, short)
        if first == nil, wait > short {
            // What came in parts was drained in parts: only now is it known that nothing more is on its way.
            fetchOn()
            first = rd_kafka_consumer_poll(handle.rk, wait - short)
        }
        if let first {
            messages[0] = first
            collector.add(messages[0..<1], to: &polled)
            rd_kafka_message_destroy(first)
            var isDrained = false
            while collector.byteCount < maxBytes {
                let count = rd_kafka_consume_batch_queue(queue, 0, &messages, messages.count)
                isDrained = count <= 0
                if isDrained { break }
                collector.add(messages[0..<count], to: &polled)
                for message in messages[0..<count] { rd_kafka_message_destroy(message) }
            }
            for run in polled.records { reached[run.partition] = max(reached[run.partition] ?? 0, run.firstOffset + Int64(run.count)) }
            reached.merge(polled.ends) { $1 }
            if isDrained { fetchOn() }
        }
        polled.rebalances = handle.state.takeRebalances()
        unanswered = polled.rebalances.last ?? unanswered
        return polled
    }

    /// Goes on fetching at once where more is known to be there. librdkafka looks once a second whether a queue that was full may be filled again
    /// (before 2.2 that cannot be set); a request to the partition's broker makes it look now.
    private func fetchOn() {
        let behind = knownEnds(Array(reached.keys)).filter { $0.value > reached[$0.key]! }.map(\.key)
        guard !behind.isEmpty else { return }
        let list = PartitionList(behind, at: Edge.end.rawValue)
        // What it answers, or that it does not, is of no consequence here: fetching has its own errors.
        _ = list.withPointer { rd_kafka_offsets_for_times(handle.rk, $0, 100) }
    }

    // MARK: Offsets

    /// Commits the group's offsets: the next to be read. Throws `kafka.stale_group_member` when the group has moved on.
    package func commit(_ offsets: [TopicPartition: Int64], metadata: [TopicPartition: String] = [:]) throws {
        guard !offsets.isEmpty else { return }
        let list = PartitionList(offsets)
        list.setMetadata(metadata)
        try KafkaError.check(list.withPointer { rd_kafka_commit(handle.rk, $0, 0) }, "commit offsets of group \(group ?? "")")
        try list.check("commit the offset of")
    }

    /// The group's offsets of those partitions that have one.
    package func committed(
        _ partitions: [TopicPartition], timeout: Duration = .seconds(30)
    ) throws -> [TopicPartition: (offset: Int64, metadata: String)] {
        guard !partitions.isEmpty else { return [:] }
        let list = PartitionList(partitions)
        try KafkaError.check(list.withPointer { rd_kafka_committed(handle.rk, $0, timeout.wholeMilliseconds) }, "read the offsets of group \(group ?? "")")
        try list.check("read the committed offset of")
        let metadata = list.metadata
        return Dictionary(uniqueKeysWithValues: list.offsets.map { ($0.key, ($0.value, metadata[$0.key] ?? "")) })
    }

    package enum Edge: Int64, Sendable { case beginning = -2, end = -1 }

    /// First or next offsets, one request a broker. With `isolation.level=read_committed` the end is before the first open transaction.
    package func offsets(of partitions: [TopicPartition], at edge: Edge, timeout: Duration = .seconds(30)) throws -> [TopicPartition: Int64] {
        guard !partitions.isEmpty else { return [:] }
        // The protocol takes -1 and -2 where a time would stand.
        let list = PartitionList(partitions, at: edge.rawValue)
        try KafkaError.check(list.withPointer { rd_kafka_offsets_for_times(handle.rk, $0, timeout.wholeMilliseconds) }, "ask for the offsets of partitions")
        try list.check("ask for the offset of")
        return list.offsets
    }

    /// Next offsets as the last fetches saw them, without asking.
    package func knownEnds(_ partitions: [TopicPartition]) -> [TopicPartition: Int64] {
        var out: [TopicPartition: Int64] = [:]
        for partition in partitions {
            var low: Int64 = 0, high: Int64 = 0
            let code = rd_kafka_get_watermark_offsets(handle.rk, partition.topic, partition.partition, &low, &high)
            if code == RD_KAFKA_RESP_ERR_NO_ERROR, high >= 0 { out[partition] = high }
        }
        return out
    }

    /// The number of partitions of every topic, or of one.
    package func partitionCounts(topic: String? = nil, timeout: Duration = .seconds(30)) throws -> [String: Int32] {
        try handle.partitionCounts(topic, timeout)
    }

    /// The member as the group knows it now.
    // @unchecked: never changed.
    final class GroupMetadata: @unchecked Sendable {
        let pointer: OpaquePointer
        init(_ pointer: OpaquePointer) { self.pointer = pointer }
        deinit { rd_kafka_consumer_group_metadata_destroy(pointer) }
    }

    /// For `sendOffsets`.
    func groupMetadata() throws -> GroupMetadata {
        guard let pointer = rd_kafka_consumer_group_metadata(handle.rk) else {
            throw ConnectorError("kafka.failed", .stop, "The consumer is in no group")
        }
        return GroupMetadata(pointer)
    }
}
