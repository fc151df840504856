import ConnectAPI
package import Kafka
import Synchronization

/// What a cluster of workers remembers of its connectors: the config topic and the status topic, in Kafka Connect's own format.
///
///     config topic ─▶ ClusterConfig ─▶ changes ─▶ herder          statuses ─▶ latest of each key ─▶ status topic ─▶ ClusterStatus
///
/// Configurations are written by the leader only, and a write returns when this worker has read it. Statuses are seen at once and written
/// behind their writers' backs, of each key the latest.
package final class KafkaConnectorStore: Sendable {
    package let config: KafkaTable<ClusterConfig, ClusterConfig.Change>
    package let status: KafkaTable<ClusterStatus, Never>
    private let topics: InternalTopics
    private let statusWrites = LatestWrites()
    private let writing = Mutex<Task<Void, Never>?>(nil)
    private let log = Logger("sluice.herder")

    package init(_ topics: InternalTopics, _ clients: WorkerClients, _ producer: KafkaProducer) throws {
        self.topics = topics
        config = KafkaTable(topic: topics.config, initial: ClusterConfig(), consumer: try clients.reader(), producer: producer) { state, record in
            guard let key = record.key else { return nil }
            return state.apply(try ConfigRecord(InternalRecord(key: key, value: record.value)))
        }
        status = KafkaTable(topic: topics.status, initial: ClusterStatus(), consumer: try clients.reader(), producer: producer) { state, record in
            if let key = record.key { state.apply(try StatusRecord(InternalRecord(key: key, value: record.value))) }
            return nil
        }
    }

    package func open() async throws {
        try await config.open()
        try await status.open()
        writing.withLock { writing in
            writing = Task { [statusWrites, status, log] in
                await statusWrites.run { records in
                    do {
                        try await status.write(records, reading: false)
                    } catch {
                        // The next state of the same task corrects it.
                        log.warn("Could not store \(records.count) statuses: \(Trace.message(of: error))")
                    }
                }
            }
        }
    }

    /// Returns when what was said of states is written, or the time is up.
    package func close(within timeout: Duration = .seconds(3)) async {
        statusWrites.finish()
        if let task = writing.withLock({ $0.take() }) {
            let alarm = Task {
                try? await Task.sleep(for: timeout)
                task.cancel()
            }
            await task.value
            alarm.cancel()
        }
        await config.close()
        await status.close()
    }

    // MARK: Configurations

    package func record(_ record: ConfigRecord) -> KafkaRecord {
        guard let encoded = record.encoded else { preconditionFailure("only records of known kinds are written") }
        return KafkaRecord(topic: topics.config, partition: 0, key: encoded.key, value: encoded.value)
    }

    package func write(_ records: [ConfigRecord]) async throws { try await config.write(records.map(record)) }

    // MARK: Statuses

    package func put(_ status: StatusRecord.WorkerStatus?, connector: String, task: Int?) { put(.status(connector, task: task, status)) }

    package func put(_ record: StatusRecord) {
        guard let encoded = record.encoded else { return }
        status.anticipate { $0.apply(record) }
        statusWrites.put(KafkaRecord(topic: topics.status, key: encoded.key, value: encoded.value))
    }
}

extension KafkaConnectorStore: ConnectorStore {
    package func connectors() async throws -> [String: StoredConnector] {
        config.read { cluster in
            Dictionary(
                uniqueKeysWithValues: cluster.names.compactMap { name in
                    cluster[name].map { (name, StoredConnector(config: $0.config, targetState: $0.targetState)) }
                })
        }
    }

    package func put(_ connector: StoredConnector, name: String) async throws {
        let before = config.read { $0[name] }
        var records: [ConfigRecord] = []
        // Before the configuration, so that nobody starts what is to be paused.
        if before?.targetState ?? .started != connector.targetState { records.append(.targetState(name, connector.targetState)) }
        if before?.config != connector.config { records.append(.connector(name, connector.config)) }
        try await write(records)
    }

    package func remove(_ name: String) async throws {
        try await write([.connector(name, nil), .targetState(name, nil)])
        forgetStatuses(of: name)
        try await resetTopics(of: name)
    }

    /// Everything but topics.
    package func forgetStatuses(of name: String) {
        for task in status.read({ $0.statuses[name] ?? [:] }).keys { put(nil, connector: name, task: task) }
    }

    package func putStatus(_ status: StoredStatus, connector: String, task: Int?) async throws {
        put(.init(status, workerID: "", generation: 0), connector: connector, task: task)
    }

    package func statuses(of connector: String) async throws -> [Int?: StoredStatus] {
        status.read { ($0.statuses[connector] ?? [:]).mapValues(\.status) }
    }

    package func removeTaskStatuses(of connector: String, from task: Int) async throws {
        for known in status.read({ $0.statuses[connector] ?? [:] }).keys {
            if let known, known >= task { put(nil, connector: connector, task: known) }
        }
    }

    package func addTopic(_ topic: String, connector: String) async throws {
        guard status.read({ !$0.topics(of: connector).contains(topic) }) else { return }
        put(.topic(topic, connector: connector, .init(task: 0, discovered: WallClock.milliseconds)))
    }

    package func topics(of connector: String) async throws -> [String] { status.read { $0.topics(of: connector) } }

    package func resetTopics(of connector: String) async throws {
        for topic in status.read({ $0.topics(of: connector) }) { put(.topic(topic, connector: connector, nil)) }
    }
}
