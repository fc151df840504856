import ConnectAPI
import Synchronization

/// Figures of tasks and what connectors report of themselves, for `/metrics`.
///
/// Two kinds: counters of the runtime's own workers, read when they are asked for, and series that connectors set once a batch
/// (`MetricSink`). What belongs to a task goes when its connector does.
package final class MetricsRegistry: Sendable {
    package struct TaskKey: Sendable, Hashable, Comparable {
        package let connector: String
        package let task: Int
        package static func < (a: Self, b: Self) -> Bool { (a.connector, a.task) < (b.connector, b.task) }
    }

    package struct TaskEntry: Sendable {
        package let counters: TaskCounters
        package let isSink: Bool
    }

    /// One labelled value of a metric.
    package struct Label: Sendable, Hashable, Comparable {
        package let name: String
        package let value: String
        package static func < (a: Self, b: Self) -> Bool { (a.name, a.value) < (b.name, b.value) }
    }

    /// How often a duration was at most each bound, in seconds.
    package struct Histogram: Sendable {
        /// From a quick request to the upload of a file of many parts.
        static let bounds: [Double] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900]
        /// Of those up to each bound and above the one before; the last: above all.
        private(set) var counts = [Int](repeating: 0, count: bounds.count + 1)
        private(set) var sum = 0.0

        mutating func observe(_ seconds: Double) {
            counts[Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count] += 1
            sum += seconds
        }
    }

    private struct State {
        var tasks: [TaskKey: TaskEntry] = [:]
        var series: [String: [[Label]: Double]] = [:]
        var histograms: [String: [[Label]: Histogram]] = [:]
    }
    private let state = Mutex(State())

    package init() {}

    package func register(_ counters: TaskCounters, connector: String, task: Int, isSink: Bool) {
        state.withLock { $0.tasks[TaskKey(connector: connector, task: task)] = TaskEntry(counters: counters, isSink: isSink) }
    }

    /// Everything of a connector, or of one task of it.
    package func remove(connector: String, task: Int? = nil) {
        let labels = [Label(name: "connector", value: connector)] + (task.map { [Label(name: "task", value: String($0))] } ?? [])
        state.withLock { state in
            state.tasks = state.tasks.filter { $0.key.connector != connector || $0.key.task != task ?? $0.key.task }
            func without<T>(_ families: [String: [[Label]: T]]) -> [String: [[Label]: T]] {
                families.mapValues { $0.filter { series in !labels.allSatisfy { series.key.contains($0) } } }.filter { !$0.value.isEmpty }
            }
            state.series = without(state.series)
            state.histograms = without(state.histograms)
        }
    }

    package var tasks: [(key: TaskKey, entry: TaskEntry)] {
        state.withLock { $0.tasks }.sorted { $0.key < $1.key }.map { (key: $0.key, entry: $0.value) }
    }

    /// What connectors reported, by name and labels.
    package var reported: [(name: String, series: [(labels: [Label], value: Double)])] { Self.sorted(state.withLock { $0.series }) }

    /// The histograms among it.
    package var histograms: [(name: String, series: [(labels: [Label], value: Histogram)])] { Self.sorted(state.withLock { $0.histograms }) }

    private static func sorted<T>(_ families: [String: [[Label]: T]]) -> [(name: String, series: [(labels: [Label], value: T)])] {
        families.sorted { $0.key < $1.key }.map { name, series in
            (name: name, series: series.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { (labels: $0.key, value: $0.value) })
        }
    }

    func set(_ name: String, _ labels: [Label], _ value: Double) { state.withLock { $0.series[name, default: [:]][labels] = value } }
    func add(_ name: String, _ labels: [Label], _ value: Double) { state.withLock { $0.series[name, default: [:]][labels, default: 0] += value } }
    func observe(_ name: String, _ labels: [Label], _ seconds: Double) {
        state.withLock { $0.histograms[name, default: [:]][labels, default: Histogram()].observe(seconds) }
    }
}

/// What one task is given to report to: its series bear its connector and task.
package struct TaskMetrics: MetricSink {
    private let registry: MetricsRegistry
    private let own: [MetricsRegistry.Label]

    package init(_ registry: MetricsRegistry, connector: String, task: Int) {
        self.registry = registry
        own = [.init(name: "connector", value: connector), .init(name: "task", value: String(task))]
    }

    package func set(_ name: String, _ labels: [String: String], _ value: Double) { registry.set(name, all(labels), value) }
    package func add(_ name: String, _ labels: [String: String], _ value: Double) { registry.add(name, all(labels), value) }
    package func observe(_ name: String, _ labels: [String: String], _ seconds: Double) { registry.observe(name, all(labels), seconds) }

    private func all(_ labels: [String: String]) -> [MetricsRegistry.Label] {
        (labels.filter { $0.key != "connector" && $0.key != "task" }.map { .init(name: $0.key, value: $0.value) } + own).sorted()
    }
}
