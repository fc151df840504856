/// The worker as a member of its group, in the words of Kafka Connect's rebalance metrics.
struct GroupFigures: Sendable {
    let leader: String?
    let epoch: Int64
    let completedRebalances: Int64
    let isRebalancing: Bool
    let millisecondsSinceRebalance: Int64

    /// A worker with the embedded log never rebalances.
    static let alone = GroupFigures(leader: nil, epoch: 0, completedRebalances: 0, isRebalancing: false, millisecondsSinceRebalance: 0)

    func write(connectors: Int, tasks: Int, _ out: inout PrometheusText) {
        let prefix = "kafka_connect_worker_rebalance_"
        out.add(prefix + "rebalancing", isRebalancing ? 1 : 0, help: "1 while slots move between workers; 0 always with the embedded log")
        if let leader {
            out.add(prefix + "leader_name", [("leader_name", leader)], 1, help: "The worker that divides the work")
            out.add(prefix + "epoch", Double(epoch), help: "The epoch of the leader this worker knows")
            out.add(prefix + "completed_rebalances_total", Double(completedRebalances), help: "Rebalances this worker took part in")
            out.add(prefix + "time_since_last_rebalance_ms", Double(millisecondsSinceRebalance), help: "Time since the last of them")
        }
        out.add("kafka_connect_coordinator_assigned_connectors", Double(connectors), help: "Connectors of this worker")
        out.add("kafka_connect_coordinator_assigned_tasks", Double(tasks), help: "Tasks of this worker")
    }
}
