import ConnectAPI
import Synchronization

/// Which task of a sink has which partition. A partition stays with the task that got it when it was first seen: no task ever takes over
/// another's open files. A restart of the connector divides anew.
///
/// As Kafka's consumers by default, the partitions of each topic are divided into ranges, so that the same partition of every topic is with
/// the same task; a topic of one partition is task 0's. `consumer.override.partition.assignment.strategy` with any of Kafka's other
/// assignors (RoundRobin, Sticky, CooperativeSticky) gives each partition to the task that has the fewest, which spreads many small topics.
final class SinkPartitions: Sendable {
    private let owners: Mutex<[TopicPartition: Int]> = Mutex([:])
    private let tasks: Int
    private let spreads: Bool

    init(tasks: Int, config: [String: String] = [:]) {
        self.tasks = tasks
        let strategies = [String](configText: config["consumer.override.partition.assignment.strategy"] ?? "") ?? []
        spreads = strategies.first.map { !$0.isEmpty && !$0.contains("RangeAssignor") } ?? false
    }

    /// The partitions of these that belong to the task.
    func claim(_ partitions: [TopicPartition], for task: Int) -> [TopicPartition] {
        owners.withLock { owners in
            let counts = spreads ? [:] : Dictionary(partitions.map { ($0.topic, 1) }, uniquingKeysWith: +)
            var load = [Int](repeating: 0, count: tasks)
            for owner in owners.values { load[owner] += 1 }
            for partition in partitions.sorted() where owners[partition] == nil {
                let owner =
                    spreads ? load.indices.min { (load[$0], $0) < (load[$1], $1) }! : range(Int(partition.partition), of: counts[partition.topic] ?? 1)
                owners[partition] = owner
                load[owner] += 1
            }
            return partitions.filter { owners[$0] == task }.sorted()
        }
    }

    /// The first tasks take one more where the partitions do not divide evenly.
    private func range(_ partition: Int, of count: Int) -> Int {
        let (each, more) = count.quotientAndRemainder(dividingBy: tasks), large = more * (each + 1)
        let owner = partition < large ? partition / (each + 1) : each == 0 ? tasks - 1 : more + (partition - large) / each
        return max(0, min(owner, tasks - 1))
    }
}
