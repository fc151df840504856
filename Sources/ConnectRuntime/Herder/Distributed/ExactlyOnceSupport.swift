import ConnectAPI

/// `exactly.once.source.support`: how far the cluster is on its way to exactly-once sources (KIP-618).
package enum ExactlyOnceSupport: String, Sendable {
    case disabled
    /// The leader writes the config topic in transactions already, so that every worker can be moved on to `enabled`, one after the other.
    case preparing
    case enabled

    package init(_ worker: WorkerConfig) throws {
        let value = (worker.values["exactly.once.source.support"] ?? "disabled").trimmingSpaces().lowercased()
        guard let known = Self(rawValue: value) else {
            throw ConnectorError(
                "worker.config", .stop,
                "Invalid value \(value) for configuration exactly.once.source.support: String must be one of (case insensitive): DISABLED, PREPARING, ENABLED")
        }
        self = known
    }

    /// Whether the leader is fenced by a transactional id.
    var fencesLeader: Bool { self != .disabled }

    /// The transactional id of a task, as Kafka Connect's workers name it: an older run of the same task anywhere is fenced by it.
    package static func transactionalID(group: String, connector: String, task: Int) -> String { "\(group)-\(connector)-\(task)" }
    static func leaderTransactionalID(group: String) -> String { "connect-cluster-\(group)" }
}
