import ConnectAPI
import JSON

/// A record of the config topic, in Kafka Connect's own format.
///
///     connector-N {"properties":{…}}   target-state-N {"state","state.v2"}   task-N-0 {"properties":{…}} …   commit-N {"tasks":2,"slots":[1,4]}
///
/// A commit makes the task configurations written before it effective. `slots` is ours: where each task runs (see `SlotPlan`); Kafka Connect
/// reads past it.
package enum ConfigRecord: Sendable, Hashable {
    case connector(String, [ConfigEntry]?)
    case task(String, Int, [ConfigEntry]?)
    case commit(String, tasks: Int, slots: [Int]?)
    case targetState(String, TargetState?)
    case restart(String, includeTasks: Bool, onlyFailed: Bool)
    /// How many tasks the generation had that must be fenced before the next one starts (KIP-618).
    case fencing(String, tasks: Int?)
    case sessionKey(SessionKey?)
    case loggerLevel(String, String?)
    /// Of a newer Kafka Connect, or nobody's; left alone.
    case unknown(String)

    /// Signs requests between workers (KIP-507).
    package struct SessionKey: Sendable, Hashable {
        package let key: String
        package let algorithm: String
        package let creationTimestamp: Int64
        package init(key: String, algorithm: String, creationTimestamp: Int64) {
            self.key = key
            self.algorithm = algorithm
            self.creationTimestamp = creationTimestamp
        }
    }

    package init(_ record: InternalRecord) throws {
        let key = record.keyText
        func name(after prefix: String) -> String? { key.hasPrefix(prefix) ? String(key.dropFirst(prefix.count)) : nil }
        func properties() throws -> [ConfigEntry]? {
            guard let object = try record.object() else { return nil }
            guard let entries = object["properties"]?.objectValue?.entries else { throw record.malformed("it has no map of strings 'properties'") }
            return entries
        }
        if let name = name(after: "connector-") {
            self = .connector(name, try properties())
        } else if let rest = name(after: "task-"), let (name, task) = Self.splitTask(rest) {
            self = .task(name, task, try properties())
        } else if let name = name(after: "commit-") {
            guard let object = try record.object() else {
                self = .unknown(key)
                return
            }
            guard let tasks = object["tasks"]?.integerValue, let count = Int32(exactly: tasks), count >= 0 else {
                throw record.malformed("it has no number 'tasks'")
            }
            let slots = object["slots"]?.arrayValue?.map { $0.integerValue.flatMap { Int32(exactly: $0) }.map { Int($0) } ?? -1 }
            // Slots that do not fit the tasks are none: the leader gives them out anew.
            let fit = slots.flatMap { $0.count == Int(count) && $0.allSatisfy { $0 > 0 } && Set($0).count == $0.count ? $0 : nil }
            self = .commit(name, tasks: Int(count), slots: fit)
        } else if let name = name(after: "target-state-") {
            guard let object = try record.object() else {
                self = .targetState(name, nil)
                return
            }
            // Old workers know no STOPPED and write one state only.
            guard let state = (object["state.v2"] ?? object["state"])?.stringValue.flatMap({ TargetState(rawValue: $0) }) else {
                throw record.malformed("its state is none of STARTED, PAUSED, STOPPED")
            }
            self = .targetState(name, state)
        } else if let name = name(after: "restart-connector-") {
            guard let object = try record.object() else {
                self = .unknown(key)
                return
            }
            self = .restart(
                name, includeTasks: object["include-tasks"]?.boolValue ?? false, onlyFailed: object["only-failed"]?.boolValue ?? false)
        } else if let name = name(after: "tasks-fencing-") {
            guard let object = try record.object() else {
                self = .fencing(name, tasks: nil)
                return
            }
            guard let tasks = object["task-count"]?.integerValue, let count = Int32(exactly: tasks), count >= 0 else {
                throw record.malformed("it has no number 'task-count'")
            }
            self = .fencing(name, tasks: Int(count))
        } else if key == "session-key" {
            guard let object = try record.object() else {
                self = .sessionKey(nil)
                return
            }
            guard let key = object["key"]?.stringValue, let algorithm = object["algorithm"]?.stringValue,
                let created = object["creation-timestamp"]?.integerValue
            else { throw record.malformed("it is no session key") }
            self = .sessionKey(SessionKey(key: key, algorithm: algorithm, creationTimestamp: created))
        } else if let namespace = name(after: "logger-cluster-") {
            self = .loggerLevel(namespace, try record.object()?["level"]?.stringValue)
        } else {
            self = .unknown(key)
        }
    }

    /// nil: of a kind we only read past.
    package var encoded: InternalRecord? {
        func properties(_ entries: [ConfigEntry]?) -> JSONValue? {
            entries.map { .object([("properties", .object($0.map { ($0.key, .string($0.value)) }))]) }
        }
        switch self {
        case .connector(let name, let config): return InternalRecord("connector-\(name)", properties(config))
        case .task(let name, let task, let config): return InternalRecord("task-\(name)-\(task)", properties(config))
        case .commit(let name, let tasks, let slots):
            var members: [(String, JSONValue)] = [("tasks", .integer(tasks))]
            if let slots { members.append(("slots", .array(slots.map { .integer($0) }))) }
            return InternalRecord("commit-\(name)", .object(members))
        case .targetState(let name, let state):
            // Workers older than STOPPED take it for PAUSED.
            return InternalRecord(
                "target-state-\(name)",
                state.map { .object([("state", .string($0 == .stopped ? "PAUSED" : $0.rawValue)), ("state.v2", .string($0.rawValue))]) })
        case .restart(let name, let includeTasks, let onlyFailed):
            return InternalRecord(
                "restart-connector-\(name)", .object([("include-tasks", .bool(includeTasks)), ("only-failed", .bool(onlyFailed))]))
        case .fencing(let name, let tasks):
            return InternalRecord("tasks-fencing-\(name)", tasks.map { .object([("task-count", .integer($0))]) })
        case .sessionKey(let key):
            return InternalRecord(
                "session-key",
                key.map {
                    .object([
                        ("key", .string($0.key)), ("algorithm", .string($0.algorithm)), ("creation-timestamp", .integer($0.creationTimestamp)),
                    ])
                })
        case .loggerLevel(let namespace, let level):
            return InternalRecord("logger-cluster-\(namespace)", level.map { .object([("level", .string($0))]) })
        case .unknown: return nil
        }
    }

    /// `name-3`; the name may have dashes of its own.
    static func splitTask(_ text: String) -> (name: String, task: Int)? {
        guard let dash = text.lastIndex(of: "-"), let task = Int32(text[text.index(after: dash)...]), task >= 0 else { return nil }
        return (String(text[..<dash]), Int(task))
    }
}
