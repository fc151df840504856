/// What the worker remembers of its connectors: configurations, target states, task configurations, statuses, active topics. With the
/// embedded log it lives in the log's database, so that a restart forgets nothing (Invariant 9).
package protocol ConnectorStore: Sendable {
    func connectors() async throws -> [String: StoredConnector]
    func put(_ connector: StoredConnector, name: String) async throws
    /// Removes configuration, target state, status and topics; source positions and consumer offsets stay.
    func remove(_ name: String) async throws
    func putStatus(_ status: StoredStatus, connector: String, task: Int?) async throws
    /// Key nil: the connector's own status.
    func statuses(of connector: String) async throws -> [Int?: StoredStatus]
    func removeTaskStatuses(of connector: String, from task: Int) async throws
    func addTopic(_ topic: String, connector: String) async throws
    func topics(of connector: String) async throws -> [String]
    func resetTopics(of connector: String) async throws
}

package struct StoredConnector: Sendable, Hashable {
    /// As submitted, with `name`; order kept for the REST answer.
    package var config: [ConfigEntry]
    package var targetState: TargetState
    /// The file it came from, when `connectors.d` made it.
    package var file: String?
    package init(config: [ConfigEntry], targetState: TargetState, file: String? = nil) {
        self.config = config
        self.targetState = targetState
        self.file = file
    }
    package var values: [String: String] { Dictionary(config.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 }) }
}

package struct ConfigEntry: Sendable, Hashable {
    package let key: String
    package let value: String
    package init(_ key: String, _ value: String) {
        self.key = key
        self.value = value
    }
}

package enum TargetState: String, Sendable, Hashable { case started = "STARTED", paused = "PAUSED", stopped = "STOPPED" }

package struct StoredStatus: Sendable, Hashable {
    package enum State: String, Sendable, Hashable {
        case unassigned = "UNASSIGNED", running = "RUNNING", paused = "PAUSED", stopped = "STOPPED", failed = "FAILED", restarting = "RESTARTING"
    }
    package var state: State
    package var trace: String?
    package init(_ state: State, trace: String? = nil) {
        self.state = state
        self.trace = trace
    }
}
