import ConnectAPI

/// A connector as its herder holds it; only touched by the herder.
final class ManagedConnector {
    let name: String
    var stored: StoredConnector
    var status = StoredStatus(.unassigned)
    var taskStatuses: [Int: StoredStatus] = [:]
    /// As `/tasks` shows them: references unresolved.
    var taskConfigs: [[ConfigEntry]] = []
    var running: [Int: TaskRunner.Running] = [:]
    /// The plugin of its class; nil when the class is not known any more.
    var plugin: PluginRegistry.Plugin?
    var siblings: SinkSiblings?
    /// A process that starts again brings paused tasks back as paused ones, where there were any.
    var hadTasks = false

    init(_ name: String, _ stored: StoredConnector, _ plugin: PluginRegistry.Plugin?) {
        self.name = name
        self.stored = stored
        self.plugin = plugin
    }

    var type: ConnectorType { plugin?.connectorType ?? .unknown }
    var instance: ConnectorInstance { ConnectorInstance(name: name, stored: stored, plugin: plugin) }
}

/// What is done to a connector, one after the other, in the order of the requests.
enum ConnectorOperation: Sendable {
    /// To its target state from nothing: at creation, when the worker starts, after a change of configuration.
    case start
    case pause
    case resume
    case stop
    /// The instance (its task configurations) and these tasks.
    case restart(instance: Bool, tasks: [Int])
    /// Ends everything; `destroying` also removes what the connector made outside.
    case end(destroying: Bool)
}
