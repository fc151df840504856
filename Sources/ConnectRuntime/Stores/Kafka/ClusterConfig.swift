import ConnectAPI

/// What the config topic says, record by record: the truth all workers share.
///
/// Records come in any order that compaction leaves: states, task configurations and commits may stand before the connector they are about.
/// Task configurations wait for the commit of all of them; a commit that finds fewer (a leader died between two and compaction took the old
/// ones) makes the connector inconsistent, and its tasks run nowhere until the leader has written them again.
package struct ClusterConfig: Sendable {
    package struct Connector: Sendable, Hashable {
        package let config: [ConfigEntry]
        package let targetState: TargetState
        package let tasks: TaskSet
        /// Tasks of the generation last fenced (exactly-once).
        package let fencedTasks: Int?
    }

    package struct TaskSet: Sendable, Hashable {
        /// Effective ones.
        package fileprivate(set) var configs: [[ConfigEntry]] = []
        /// The slot of each task; nil: Kafka Connect wrote the tasks, and nobody of ours has given them slots.
        package fileprivate(set) var slots: [Int]?
        package fileprivate(set) var isConsistent = true
        /// Whether the generation before was fenced since the last commit (exactly-once).
        package fileprivate(set) var isFenced = false
        /// Moves when the configurations do: tasks of an older generation restart.
        package fileprivate(set) var generation = 0
        /// Written, and not committed yet.
        fileprivate var waiting: [Int: [ConfigEntry]] = [:]
    }

    /// What a record changed.
    package enum Change: Sendable, Hashable {
        case connector(String)
        case removed(String)
        case tasks(String)
        case targetState(String)
        case restart(String, includeTasks: Bool, onlyFailed: Bool)
        case sessionKey
        case loggerLevel(String, String)
    }

    private var configs: [String: [ConfigEntry]] = [:]
    private var states: [String: TargetState] = [:]
    private var tasks: [String: TaskSet] = [:]
    private var fenced: [String: Int] = [:]
    package private(set) var sessionKey: ConfigRecord.SessionKey?
    private var records = 0

    package init() {}

    package var names: [String] { configs.keys.sorted() }

    package subscript(name: String) -> Connector? {
        configs[name].map {
            Connector(config: $0, targetState: states[name] ?? .started, tasks: tasks[name] ?? TaskSet(), fencedTasks: fenced[name])
        }
    }

    /// Whose each slot in use is.
    package var slotOwners: [Int: (connector: String, task: Int)] {
        var out: [Int: (connector: String, task: Int)] = [:]
        for name in configs.keys {
            for (task, slot) in (tasks[name]?.slots ?? []).enumerated() { out[slot] = (name, task) }
        }
        return out
    }

    /// nil: nothing that matters to a worker.
    package mutating func apply(_ record: ConfigRecord) -> Change? {
        records += 1
        switch record {
        case .connector(let name, let config?):
            let before = configs.updateValue(config, forKey: name)
            return before == config ? nil : .connector(name)
        case .connector(let name, nil):
            tasks[name] = nil
            return configs.removeValue(forKey: name) == nil ? nil : .removed(name)
        case .task(let name, let task, let config):
            tasks[name, default: TaskSet()].waiting[task] = config
            return nil
        case .commit(let name, let count, let slots):
            commit(&tasks[name, default: TaskSet()], count, slots)
            return configs[name] == nil ? nil : .tasks(name)
        case .targetState(let name, let state):
            let before = states[name]
            states[name] = state
            return configs[name] == nil || before ?? .started == state ?? .started ? nil : .targetState(name)
        case .restart(let name, let includeTasks, let onlyFailed):
            return configs[name] == nil ? nil : .restart(name, includeTasks: includeTasks, onlyFailed: onlyFailed)
        case .fencing(let name, let tasks):
            fenced[name] = tasks
            self.tasks[name]?.isFenced = true
            return configs[name] == nil ? nil : .tasks(name)
        case .sessionKey(let key):
            sessionKey = key
            return .sessionKey
        case .loggerLevel(let namespace, let level?): return .loggerLevel(namespace, level)
        case .loggerLevel(_, nil), .unknown: return nil
        }
    }

    private func commit(_ set: inout TaskSet, _ count: Int, _ slots: [Int]?) {
        let configs = (0..<count).compactMap { set.waiting[$0] }
        set.waiting = [:]
        set.isFenced = false
        set.isConsistent = configs.count == count
        set.slots = set.isConsistent ? slots : nil
        if !set.isConsistent || configs != set.configs { set.generation = records }
        set.configs = set.isConsistent ? configs : []
    }
}
