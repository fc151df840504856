package import ConnectAPI
import Kafka
import Synchronization

/// Moves a worker's data directory to Kafka, step by step, in an order that leaves no gap: records, then where sinks and sources stand, then
/// the connectors that go on from there.
///
///     data directory ─▶ plan: what Kafka does not have yet ─▶ said, or done
///
/// Every step is planned from what Kafka has now, so that a migration that was cut short is run again, and one that is done does nothing. What
/// is there and is different is never overwritten: it is said and left alone. A topic's records are copied with their order and number, so that
/// record `start + n` of the data directory is record `n` in Kafka.
package struct Migration: Sendable {
    package enum Step: Sendable, CustomStringConvertible {
        case records(TopicPartition, partitions: Int32, from: Int64, to: Int64)
        case groupOffsets(String, [TopicPartition: Int64])
        case positions(connector: String, [SourcePosition])
        case connector(String, StoredConnector)
        case statuses(connector: String, [Int?: StoredStatus])
        case activeTopics(connector: String, [String])
        /// Nothing is done, and why.
        case leave(String)

        package var description: String {
            switch self {
            case .records(let partition, _, let from, let to): "copy \(to - from) records to \(partition) (offsets \(from) to \(to - 1) of the data directory)"
            case .groupOffsets(let group, let offsets):
                "set the offsets of group \(group): \(offsets.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ", "))"
            case .positions(let connector, let positions): "write \(positions.count) source position(s) of connector \(connector)"
            case .connector(let name, let stored): "create connector \(name) (\(stored.targetState.rawValue))"
            case .statuses(let connector, let statuses): "write \(statuses.count) status(es) of connector \(connector)"
            case .activeTopics(let connector, let topics): "remember \(topics.count) topic(s) of connector \(connector)"
            case .leave(let why): "leave as it is: \(why)"
            }
        }
        package var isAction: Bool { if case .leave = self { false } else { true } }
    }

    private let embedded: EmbeddedLog
    private let log: KafkaLog
    private let admin: KafkaAdmin
    private let producer: KafkaProducer
    /// nil: the internal topics are not there yet, so nothing is in them.
    private let cluster: DistributedHerder.Cluster?
    private let workerID: String

    /// With `making` the internal topics are made where they are missing.
    package init(_ embedded: EmbeddedLog, _ worker: WorkerConfig, making: Bool) async throws {
        self.embedded = embedded
        let clients = KafkaClients(worker: worker.values)
        admin = try clients.admin()
        // Exactly the records there are: what is sent twice is written once.
        producer = try clients.producer("sluice-migrate", defaults: ["enable.idempotence": "true", "max.in.flight.requests.per.connection": "5"])
        let topics = try InternalTopics(worker)
        let isThere = try await admin.partitionCounts()[topics.config] != nil
        cluster = making || isThere ? try await DistributedHerder.Cluster.connect(worker, makingTopics: making) : nil
        try await cluster?.store.open()
        log = KafkaLog(clients: clients, topics: KafkaTopicCreator(clients, isEnabled: false), offsets: LocalOffsetStore(embedded))
        workerID = worker.workerID(host: "127.0.0.1", port: worker.listen.port)
    }

    package func close() async {
        await cluster?.store.close()
        await cluster?.offsets.close()
        await log.close()
        await producer.close()
    }

    // MARK: The plan

    package func plan() async throws -> [Step] {
        let topics = try await embedded.topics()
        var steps: [Step] = []
        for (topic, ranges) in topics.sorted(by: { $0.key < $1.key }) { steps += try await records(of: topic, ranges) }
        for (name, stored) in try await embedded.store.connectors().sorted(by: { $0.key < $1.key }) {
            steps += try await state(of: name, topics)
            let there = cluster?.store.config.read { $0[name] }
            if there == nil {
                steps.append(.connector(name, stored))
            } else if Set(there!.config) != Set(stored.config) {
                steps.append(.leave("connector \(name) is in Kafka with another configuration"))
            }
        }
        return steps
    }

    private func records(of topic: String, _ ranges: [PartitionRange]) async throws -> [Step] {
        let there = try await admin.partitionCounts(topic: topic)[topic]
        let wanted = (ranges.map(\.partition).max() ?? 0) + 1
        if let there, there < wanted { return [.leave("topic \(topic) has \(there) partitions in Kafka, and \(wanted) in the data directory")] }
        let ends = there == nil ? [:] : Dictionary(uniqueKeysWithValues: (try await log.topics()[topic] ?? []).map { ($0.partition, $0) })
        var steps: [Step] = []
        for range in ranges where range.end > range.start {
            let partition = TopicPartition(topic, range.partition), copied = ends[range.partition]?.end ?? 0, from = range.start + copied
            if from > range.end {
                steps.append(.leave("\(partition) has more records in Kafka than the data directory"))
            } else if copied > 0, try await !isSame(partition, range.start, copied) {
                steps.append(.leave("\(partition) has records in Kafka that are not the data directory's"))
            } else if from < range.end {
                steps.append(.records(partition, partitions: wanted, from: from, to: range.end))
            }
        }
        return steps
    }

    /// Whether the last record that was copied is the one it should be.
    private func isSame(_ partition: TopicPartition, _ start: Int64, _ copied: Int64) async throws -> Bool {
        guard let there = try await log.read(partition, from: copied - 1, maxBytes: 1).first,
            let here = try await embedded.read(partition, from: start + copied - 1, maxBytes: 1).first
        else { return false }
        let rendering = try KafkaRendering(here.rendering), record = here.batch.slice(0..<1)
        let value = try await Lookup.resolving { try rendering.render(record) }.value.map { Array($0.values[0]) } ?? []
        switch there.batch.value?[0] {
        case .bytes(let bytes)?: return bytes == value
        default: return value.isEmpty
        }
    }

    private func state(of name: String, _ topics: [String: [PartitionRange]]) async throws -> [Step] {
        var steps: [Step] = []
        let group = "connect-\(name)", offsets = try await embedded.consumerOffsets(of: group)
        if !offsets.isEmpty {
            let starts = Dictionary(
                topics.flatMap { topic, ranges in ranges.map { (TopicPartition(topic, $0.partition), $0.start) } }, uniquingKeysWith: { $1 })
            let moved = Dictionary(uniqueKeysWithValues: offsets.map { ($0.key, max(0, $0.value - (starts[$0.key] ?? 0))) })
            let there = try await admin.groupOffsets(group)
            if there.isEmpty {
                steps.append(.groupOffsets(group, moved))
            } else if there != moved {
                steps.append(.leave("group \(group) has offsets in Kafka"))
            }
        }
        let positions = try await embedded.sourcePositions(of: name), known = try await cluster?.offsets.positions(of: name) ?? []
        if !positions.isEmpty {
            if known.isEmpty {
                steps.append(.positions(connector: name, positions))
            } else if Set(known) != Set(positions) {
                steps.append(.leave("connector \(name) has source positions in Kafka"))
            }
        }
        let statuses = try await embedded.store.statuses(of: name)
        if !statuses.isEmpty, cluster?.store.status.read({ $0.statuses[name] }) == nil { steps.append(.statuses(connector: name, statuses)) }
        let active = try await embedded.store.topics(of: name)
        if !active.isEmpty, try await cluster?.store.topics(of: name).isEmpty ?? true { steps.append(.activeTopics(connector: name, active)) }
        return steps
    }

    // MARK: Doing it

    package func perform(_ step: Step) async throws {
        guard let cluster else { throw ConnectorError("migrate.no_topics", .stop, "The internal topics of the cluster are not there") }
        switch step {
        case .records(let partition, let partitions, let from, let to): try await copy(partition, partitions, from, to)
        case .groupOffsets(let group, let offsets): try await admin.alterGroupOffsets(group, offsets)
        case .positions(let connector, let positions): try await cluster.offsets.alter(positions, of: connector)
        case .connector(let name, let stored): try await cluster.store.put(stored, name: name)
        case .statuses(let connector, let statuses):
            for (task, status) in statuses { cluster.store.put(.init(status, workerID: workerID, generation: 0), connector: connector, task: task) }
        case .activeTopics(let connector, let topics): for topic in topics { try await cluster.store.addTopic(topic, connector: connector) }
        case .leave: break
        }
    }

    private func copy(_ partition: TopicPartition, _ partitions: Int32, _ from: Int64, _ to: Int64) async throws {
        try await admin.createTopics([.init(partition.topic, partitions: partitions, replicationFactor: -1)])
        var next = from, renderings: [Rendering: KafkaRendering] = [:]
        while next < to {
            let batches = try await embedded.read(partition, from: next, maxBytes: 4 << 20)
            if batches.isEmpty { throw ConnectorError("log.corrupt", .stop, "\(partition) ends at \(next), before \(to)") }
            for stored in batches {
                let answers = Deliveries(), rows = Int(min(Int64(stored.batch.count), to - stored.firstOffset))
                let rendering = try renderings[stored.rendering] ?? KafkaRendering(stored.rendering)
                renderings[stored.rendering] = rendering
                try await rendering.forEachPiece(of: stored.batch.slice(0..<rows)) { piece in
                    var piece = piece
                    piece.partition = partition.partition
                    answers.expect()
                    producer.produce(piece) { answers.settle($0) }
                }
                try await answers.all()
                next = stored.firstOffset + Int64(rows)
            }
        }
    }
}

/// Waits for the answers of a batch's pieces.
private final class Deliveries: Sendable {
    private let pieces = Mutex<[PendingAppend]>([])
    private let settled = Mutex(0)

    func expect() { pieces.withLock { $0.append(PendingAppend()) } }

    /// Answers come in the order of the pieces, since all are of one partition.
    func settle(_ result: Result<Void, ConnectorError>) {
        let i = settled.withLock { settled in
            defer { settled += 1 }
            return settled
        }
        pieces.withLock { $0[i] }.resolve(result.mapError { $0 })
    }

    func all() async throws { for piece in pieces.withLock({ $0 }) { try await piece.durable() } }
}
