package import ConnectAPI

/// The control plane as REST and `connectors.d` see it. Methods throw `HerderError` with the status and text Kafka Connect answers
/// (spec: REST sections 1.3 to 1.6).
package protocol Herder: Sendable {
    func workerInfo() -> WorkerInfo
    /// nil while starting: `GET /health` answers 503.
    func isReady() async -> Bool

    func connectors() async throws -> [String]
    func info(_ name: String) async throws -> ConnectorView
    func status(_ name: String) async throws -> ConnectorStatusView
    func taskStatus(_ name: String, _ task: Int) async throws -> TaskStatusView
    func tasks(_ name: String) async throws -> [TaskView]
    func topics(_ name: String) async throws -> [String]
    func resetTopics(_ name: String) async throws

    /// Creates; throws 409 when the name is taken, 400 with the validation texts.
    func create(_ name: String, _ config: [ConfigEntry], initialState: TargetState) async throws -> ConnectorView
    /// Creates or replaces; the flag says which.
    func put(_ name: String, _ config: [ConfigEntry]) async throws -> (created: Bool, ConnectorView)
    /// Overwrites keys; a nil value removes the key.
    func patch(_ name: String, _ changes: [(key: String, value: String?)]) async throws -> ConnectorView
    func delete(_ name: String) async throws
    func pause(_ name: String) async throws
    func resume(_ name: String) async throws
    func stop(_ name: String) async throws
    /// Returns the status with RESTARTING marks when tasks take part, nil when only the connector instance restarts.
    func restart(_ name: String, includeTasks: Bool, onlyFailed: Bool) async throws -> ConnectorStatusView?
    func restartTask(_ name: String, _ task: Int) async throws

    func offsets(_ name: String) async throws -> [SourcePosition]
    /// Returns the message of the answer.
    func alterOffsets(_ name: String, _ positions: [SourcePosition]) async throws -> String
    func resetOffsets(_ name: String) async throws -> String

    /// Validates against the class named in the config.
    func validate(_ config: [ConfigEntry], plugin: String?) async throws -> ConfigInfos
    var plugins: PluginRegistry { get }
    /// The log, for reading topics (`sluice tap`).
    var log: any Log { get }
}

package struct HerderError: Error, Sendable {
    package let status: Int
    package let message: String
    package init(_ status: Int, _ message: String) {
        self.status = status
        self.message = message
    }
}

package struct WorkerInfo: Sendable {
    package let version: String
    package let commit: String
    package let clusterID: String
    /// `host:port` as advertised.
    package let workerID: String
    package init(version: String, commit: String, clusterID: String, workerID: String) {
        self.version = version
        self.commit = commit
        self.clusterID = clusterID
        self.workerID = workerID
    }
}

package enum ConnectorType: String, Sendable { case source, sink, unknown }

package struct ConnectorView: Sendable {
    package let name: String
    package let config: [ConfigEntry]
    package let tasks: [Int]
    package let type: ConnectorType
    package init(name: String, config: [ConfigEntry], tasks: [Int], type: ConnectorType) {
        self.name = name
        self.config = config
        self.tasks = tasks
        self.type = type
    }
}

package struct TaskView: Sendable {
    package let task: Int
    package let config: [ConfigEntry]
    package init(task: Int, config: [ConfigEntry]) {
        self.task = task
        self.config = config
    }
}

package struct TaskStatusView: Sendable {
    package let id: Int
    package let status: StoredStatus
    package let workerID: String
    package let version: String?
    package init(id: Int, status: StoredStatus, workerID: String, version: String?) {
        self.id = id
        self.status = status
        self.workerID = workerID
        self.version = version
    }
}

package struct ConnectorStatusView: Sendable {
    package let name: String
    package let type: ConnectorType
    package let connector: TaskStatusView
    package let tasks: [TaskStatusView]
    package init(name: String, type: ConnectorType, connector: TaskStatusView, tasks: [TaskStatusView]) {
        self.name = name
        self.type = type
        self.connector = connector
        self.tasks = tasks
    }
}
