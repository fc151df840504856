import ConnectAPI

/// A task of the cluster.
package struct TaskID: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let connector: String
    package let task: Int
    package init(_ connector: String, _ task: Int) {
        self.connector = connector
        self.task = task
    }
    package var description: String { "\(connector)-\(task)" }
    package static func < (a: Self, b: Self) -> Bool { (a.connector, a.task) < (b.connector, b.task) }
}

/// What one worker does about one connector, told from what the config topic says, the slots it owns and what it runs.
struct TaskPlan: Equatable {
    /// What a worker knows of a task it runs, FAILED ones included: they do not start again by themselves.
    struct Running: Equatable {
        let slot: Int
        let generation: Int
        let isPaused: Bool
    }

    /// Tasks to end, all together, before any is started: their slot went, or they are of an older generation.
    var ends: [Int] = []
    /// Tasks that are not in the configuration any more: their statuses go too.
    var removals: [Int] = []
    var starts: [Start] = []
    var pauses: [Int] = []
    var resumes: [Int] = []

    struct Start: Equatable {
        let task: Int
        let slot: Int
    }

    /// `mayStart` is false while an older generation must be fenced first (exactly-once).
    init(_ connector: ClusterConfig.Connector?, owned: Set<Int>, running: [Int: Running], mayStart: Bool = true) {
        let tasks = connector?.tasks
        let slots = connector?.targetState == .stopped ? [] : tasks?.slots ?? []
        let isPaused = connector?.targetState == .paused
        for (task, run) in running.sorted(by: { $0.key < $1.key }) {
            let isWanted = slots.indices.contains(task) && slots[task] == run.slot && owned.contains(run.slot) && run.generation == tasks?.generation
            if !isWanted {
                ends.append(task)
                if tasks.map({ task >= $0.configs.count }) ?? true { removals.append(task) }
            } else if run.isPaused != isPaused {
                if isPaused { pauses.append(task) } else { resumes.append(task) }
            }
        }
        guard mayStart else { return }
        for (task, slot) in slots.enumerated() where owned.contains(slot) && (running[task] == nil || ends.contains(task)) {
            starts.append(Start(task: task, slot: slot))
        }
    }
}
