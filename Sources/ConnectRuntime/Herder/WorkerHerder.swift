import ConnectAPI
import Synchronization

/// A herder that runs connectors in this process: what `sluice run` and `connectors.d` need of it beside what REST does.
package protocol WorkerHerder: Herder {
    var metrics: WorkerMetrics { get }
    func metricsText() async -> String

    /// Once the listener has its port.
    func advertise(_ workerID: String)
    /// Brings every stored connector to its target state.
    func start() async throws
    /// Ends every task within the graceful timeout; targets stay as they are.
    func shutDown() async

    /// Creates or replaces; `file` is where the configuration comes from.
    func put(_ name: String, _ config: [ConfigEntry], file: String, initialState: TargetState) async throws -> (created: Bool, ConnectorView)
    /// What is wrong with a configuration, without a look at the outside world.
    func findings(_ config: [ConfigEntry]) async throws -> ConfigInfos
    /// Connectors that came from files and go with them.
    func connectorsOfFiles() async -> [(name: String, file: String)]
    /// The topics each sink's group reads, whether it runs or not: what retention must wait for.
    func subscriptions() async throws -> [String: Set<String>]
}

/// Who a worker says it is: known in full once its listener has a port.
final class WorkerIdentity: Sendable {
    private let known: Mutex<WorkerInfo>

    init(_ info: WorkerInfo) { known = Mutex(info) }

    var info: WorkerInfo { known.withLock { $0 } }

    func advertise(_ workerID: String) {
        known.withLock { $0 = WorkerInfo(version: $0.version, commit: $0.commit, clusterID: $0.clusterID, workerID: workerID) }
    }
}
