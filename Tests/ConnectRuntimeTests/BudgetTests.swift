import Synchronization
import Testing

@testable import ConnectRuntime

@Suite struct BudgetTests {
    @Test func holdsBackWhatDoesNotFitAndServesInOrder() async throws {
        let budget = ByteBudget(capacity: 100)
        try await budget.acquire(60)
        let order = Recorder()
        let large = Task {
            try await budget.acquire(95)
            order.add("large")
            budget.release(95)
        }
        while budget.waiting < 1 { await Task.yield() }
        // Would fit beside the 60, and must not pass the one that waits.
        let small = Task {
            try await budget.acquire(10)
            order.add("small")
            budget.release(10)
        }
        while budget.waiting < 2 { await Task.yield() }
        budget.release(60)
        try await large.value
        try await small.value
        #expect(order.all.first == "large")
        #expect(budget.used == 0)
        #expect(budget.peak <= 100)
    }

    @Test func aRequestLargerThanTheBudgetPassesAlone() async throws {
        let budget = ByteBudget(capacity: 10)
        try await budget.acquire(1000)
        #expect(budget.used == 1000)
        budget.release(1000)
    }

    @Test func aCancelledWaitHoldsNothingAndLetsTheNextPass() async throws {
        let budget = ByteBudget(capacity: 100)
        try await budget.acquire(50)
        let first = Task { try await budget.acquire(90) }
        while budget.waiting < 1 { await Task.yield() }
        let second = Task { try await budget.acquire(40) }
        while budget.waiting < 2 { await Task.yield() }
        first.cancel()
        await #expect(throws: CancellationError.self) { try await first.value }
        try await second.value
        #expect(budget.used == 90)
        budget.release(90)
    }

    @Test func manyTasksNeverHoldMoreThanTheBudget() async throws {
        let budget = ByteBudget(capacity: 1000)
        try await withThrowingTaskGroup { group in
            for task in 0..<50 {
                group.addTask {
                    for round in 0..<50 {
                        let bytes = (task * 31 + round * 17) % 400 + 1
                        try await budget.acquire(bytes)
                        await Task.yield()
                        budget.release(bytes)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(budget.used == 0)
        #expect(budget.peak <= 1000)
    }
}

private final class Recorder: Sendable {
    private let names = Mutex<[String]>([])
    var all: [String] { names.withLock { $0 } }
    func add(_ name: String) { names.withLock { $0.append(name) } }
}
