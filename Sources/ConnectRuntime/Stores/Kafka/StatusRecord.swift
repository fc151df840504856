import ConnectAPI
import JSON

/// A record of the status topic, in Kafka Connect's own format.
package enum StatusRecord: Sendable, Hashable {
    /// `task` nil: the connector's own. A nil status: the record was removed.
    case status(String, task: Int?, WorkerStatus?)
    case topic(String, connector: String, ActiveTopic?)
    case unknown(String)

    /// A state, and who says so.
    package struct WorkerStatus: Sendable, Hashable {
        package var status: StoredStatus
        package var workerID: String
        /// Later ones win over earlier ones of another worker.
        package var generation: Int64
        package var version: String?
        package init(_ status: StoredStatus, workerID: String, generation: Int64, version: String? = nil) {
            self.status = status
            self.workerID = workerID
            self.generation = generation
            self.version = version
        }
    }

    package struct ActiveTopic: Sendable, Hashable {
        package let task: Int
        package let discovered: Int64
        package init(task: Int, discovered: Int64) {
            self.task = task
            self.discovered = discovered
        }
    }

    package init(_ record: InternalRecord) throws {
        let key = record.keyText
        func name(after prefix: String) -> String? { key.hasPrefix(prefix) ? String(key.dropFirst(prefix.count)) : nil }
        if let name = name(after: "status-connector-") {
            self = .status(name, task: nil, try Self.status(record))
        } else if let rest = name(after: "status-task-"), let (name, task) = ConfigRecord.splitTask(rest) {
            self = .status(name, task: task, try Self.status(record))
        } else if let rest = name(after: "status-topic-"), let cut = rest.firstRange(of: ":connector-") {
            // No topic has a colon in its name, so the first one ends it.
            let topic = String(rest[..<cut.lowerBound]), connector = String(rest[cut.upperBound...])
            guard let object = try record.object() else {
                self = .topic(topic, connector: connector, nil)
                return
            }
            guard let body = object["topic"], let task = body["task"]?.integerValue, let discovered = body["discoverTimestamp"]?.integerValue else {
                throw record.malformed("it is no active topic")
            }
            self = .topic(topic, connector: connector, ActiveTopic(task: Int(truncatingIfNeeded: task), discovered: discovered))
        } else {
            self = .unknown(key)
        }
    }

    private static func status(_ record: InternalRecord) throws -> WorkerStatus? {
        guard let object = try record.object() else { return nil }
        guard let text = object["state"]?.stringValue else { throw record.malformed("it has no state") }
        // What Kafka Connect never shows.
        if text == "DESTROYED" { return nil }
        guard let state = StoredStatus.State(rawValue: text) else { throw record.malformed("it has an unknown state") }
        guard let worker = object["worker_id"]?.stringValue, let generation = object["generation"]?.integerValue else {
            throw record.malformed("it has no worker_id or generation")
        }
        return WorkerStatus(
            StoredStatus(state, trace: object["trace"]?.stringValue), workerID: worker, generation: generation, version: object["version"]?.stringValue)
    }

    /// nil: of a kind we only read past.
    package var encoded: InternalRecord? {
        switch self {
        case .status(let name, let task, let status):
            return InternalRecord(
                task.map { "status-task-\(name)-\($0)" } ?? "status-connector-\(name)",
                status.map {
                    .object([
                        ("state", .string($0.status.state.rawValue)), ("trace", $0.status.trace.map { .string($0) } ?? .null),
                        ("worker_id", .string($0.workerID)), ("generation", .integer($0.generation)),
                        ("version", $0.version.map { .string($0) } ?? .null),
                    ])
                })
        case .topic(let topic, let connector, let active):
            return InternalRecord(
                "status-topic-\(topic):connector-\(connector)",
                active.map {
                    .object([
                        (
                            "topic",
                            .object([
                                ("name", .string(topic)), ("connector", .string(connector)), ("task", .integer($0.task)),
                                ("discoverTimestamp", .integer($0.discovered)),
                            ])
                        )
                    ])
                })
        case .unknown: return nil
        }
    }
}
