import ConnectAPI
package import Kafka

extension DistributedHerder {
    /// What a worker of a cluster is made of beside what every worker is.
    package struct Cluster: Sendable {
        package let topics: InternalTopics
        package let store: KafkaConnectorStore
        package let offsets: KafkaSourceOffsetStore
        package let clients: WorkerClients
        package let admin: KafkaAdmin
        /// The cluster's id, for `GET /`.
        package let id: String

        /// Reaches the brokers, makes the internal topics that are missing, and reads the positions of sources. Waits a minute
        /// for brokers that are not there yet.
        package static func connect(_ worker: WorkerConfig, makingTopics: Bool = true) async throws -> Cluster {
            let topics = try InternalTopics(worker), clients = WorkerClients(worker), admin = try clients.admin()
            let log = Logger("sluice.herder"), deadline = ContinuousClock.now + .seconds(60)
            while true {
                do {
                    if makingTopics { try await topics.make(admin) }
                    let producer = try clients.producer(), store = try KafkaConnectorStore(topics, clients, producer)
                    let offsets = try KafkaSourceOffsetStore(topics, clients, admin, producer) { connector in
                        store.config.read { $0[connector] }?.values
                    }
                    try await offsets.open()
                    return Cluster(topics: topics, store: store, offsets: offsets, clients: clients, admin: admin, id: await admin.clusterID() ?? "")
                } catch let error as ConnectorError where error.disposition == .retry && ContinuousClock.now < deadline {
                    log.warn("The cluster cannot be reached yet, trying again: \(error)")
                    try await Task.sleep(for: .seconds(2))
                }
            }
        }
    }
}
