import TestSupport
import Testing

@testable import ConnectRuntime

/// Who runs what, without sockets.
@Suite struct TaskPlanTests {
    private func cluster(_ records: [ConfigRecord]) -> ClusterConfig {
        var cluster = ClusterConfig()
        for record in records { _ = cluster.apply(record) }
        return cluster
    }

    private func connector(_ tasks: Int, slots: [Int]?, _ state: TargetState = .started, value: String = "x") -> ClusterConfig.Connector {
        cluster(
            [.connector("c", []), .targetState("c", state)] + (0..<tasks).map { .task("c", $0, [ConfigEntry("v", value), ConfigEntry("n", "\($0)")]) }
                + [.commit("c", tasks: tasks, slots: slots)])["c"]!
    }

    private func running(_ connector: ClusterConfig.Connector, _ tasks: [Int], paused: Bool = false) -> [Int: TaskPlan.Running] {
        Dictionary(
            uniqueKeysWithValues: tasks.map { ($0, .init(slot: connector.tasks.slots![$0], generation: connector.tasks.generation, isPaused: paused)) })
    }

    @Test func aWorkerStartsTheTasksOfItsSlots() {
        let plan = TaskPlan(connector(3, slots: [4, 2, 9]), owned: [2, 9, 11], running: [:])
        #expect(plan.starts == [.init(task: 1, slot: 2), .init(task: 2, slot: 9)])
        #expect(plan.ends.isEmpty)
    }

    @Test func onlyMovedTasksStop() {
        let c = connector(3, slots: [1, 2, 3])
        let plan = TaskPlan(c, owned: [1, 3], running: running(c, [0, 1, 2]))
        #expect(plan.ends == [1])
        #expect(plan.removals.isEmpty, "it runs elsewhere: its status stays")
        #expect(plan.starts.isEmpty)
    }

    @Test func aNewGenerationRestartsEveryTaskOfTheWorker() {
        let old = connector(2, slots: [1, 2])
        var c = cluster([.connector("c", [])])
        for round in ["x", "y"] {
            for task in 0..<2 { _ = c.apply(.task("c", task, [ConfigEntry("v", round), ConfigEntry("n", "\(task)")])) }
            _ = c.apply(.commit("c", tasks: 2, slots: [1, 2]))
        }
        let plan = TaskPlan(c["c"], owned: [1, 2], running: running(old, [0, 1]))
        #expect(plan.ends == [0, 1])
        #expect(plan.starts.map(\.task) == [0, 1])
        let fenced = TaskPlan(c["c"], owned: [1, 2], running: running(old, [0, 1]), mayStart: false)
        #expect(fenced.ends == [0, 1])
        #expect(fenced.starts.isEmpty)
    }

    @Test func pausedStoppedAndDeletedConnectors() {
        let c = connector(2, slots: [1, 2]), paused = connector(2, slots: [1, 2], .paused)
        #expect(TaskPlan(paused, owned: [1, 2], running: running(c, [0, 1])).pauses == [0, 1])
        #expect(TaskPlan(c, owned: [1, 2], running: running(c, [0, 1], paused: true)).resumes == [0, 1])
        let stopped = TaskPlan(connector(0, slots: [], .stopped), owned: [1, 2], running: running(c, [0, 1]))
        #expect(stopped.ends == [0, 1])
        #expect(stopped.removals == [0, 1])
        let gone = TaskPlan(nil, owned: [1, 2], running: running(c, [0, 1]))
        #expect(gone.removals == [0, 1])
    }

    /// The law of slots: no two tasks share one, tasks keep theirs, freed ones are used again, and capacity never exceeds the need by much.
    @Test func slotsAreGivenOnceAndKept() {
        var random = SeededGenerator.printed(), plan = SlotPlan(capacity: 8, taken: [], owners: [:])
        var byConnector: [Int: [Int]] = [:], peak = 0
        for _ in 0..<2000 {
            let name = Int.random(in: 0..<12, using: &random), tasks = Int.random(in: 0...9, using: &random)
            plan.taken = Set(byConnector.filter { $0.key != name }.values.joined())
            plan.owners = Dictionary(uniqueKeysWithValues: (1..<plan.capacity).map { ($0, "w\($0 % 3)") })
            let before = byConnector[name] ?? [], slots = plan.slots(for: tasks, keeping: before)
            #expect(slots.count == tasks)
            #expect(Set(slots).isDisjoint(with: plan.taken) && Set(slots).count == tasks)
            #expect(slots.allSatisfy { (1..<plan.capacity).contains($0) })
            #expect(Array(slots.prefix(before.count)) == Array(before.prefix(tasks)))
            byConnector[name] = slots
            peak = max(peak, byConnector.values.reduce(1) { $0 + $1.count })
            #expect(plan.capacity <= peak + 7)
        }
    }

    @Test func newTasksGoToTheWorkerWithTheFewest() {
        var plan = SlotPlan(capacity: 8, taken: [1, 2], owners: [1: "a", 2: "a", 3: "a", 4: "a", 5: "b", 6: "b"])
        #expect(plan.slots(for: 3, keeping: []) == [5, 6, 3])
    }
}
