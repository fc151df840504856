/// What the status topic says, record by record.
package struct ClusterStatus: Sendable {
    package private(set) var statuses: [String: [Int?: StatusRecord.WorkerStatus]] = [:]
    private var activeTopics: [String: [String: StatusRecord.ActiveTopic]] = [:]

    package init() {}

    package mutating func apply(_ record: StatusRecord) {
        switch record {
        case .status(let name, let task, let status):
            // What a worker says on its way out may come after what the next owner has said.
            if let status, status.status.state == .unassigned, let now = statuses[name]?[task], now.workerID != status.workerID,
                status.generation < now.generation
            {
                return
            }
            statuses[name, default: [:]][task] = status
            if statuses[name]?.isEmpty == true { statuses[name] = nil }
        case .topic(let topic, let connector, let active):
            activeTopics[connector, default: [:]][topic] = active
            if activeTopics[connector]?.isEmpty == true { activeTopics[connector] = nil }
        case .unknown: break
        }
    }

    /// In the order they were first used.
    package func topics(of connector: String) -> [String] {
        (activeTopics[connector] ?? [:]).sorted { ($0.value.discovered, $0.key) < ($1.value.discovered, $1.key) }.map(\.key)
    }
}
