public import ConnectAPI
import Synchronization

/// Takes a source task's frames as a log would, all of them durable at once.
public final class RecordingOutput: SourceOutput {
    public struct Frame: Sendable {
        public let batches: [RecordBatch]
        public let position: SourcePosition?
    }
    private let taken = Mutex<[Frame]>([])

    public init() {}

    public func emit(_ batches: [RecordBatch], at position: SourcePosition?) async throws -> FrameNumber {
        try Task.checkCancellation()
        return taken.withLock {
            $0.append(Frame(batches: batches, position: position))
            return FrameNumber($0.count)
        }
    }
    public var durable: FrameNumber { FrameNumber(frames.count) }
    public func flush() async throws {}
    public func stage(_ batches: [RecordBatch], in unit: String) async throws {}
    public func publish(_ unit: String, at position: SourcePosition) async throws {}
    public func discard(_ unit: String) async throws {}

    public var frames: [Frame] { taken.withLock { $0 } }
    /// The values of a topic's records, in order.
    public func values(_ topic: String) -> [Value] {
        frames.flatMap(\.batches).filter { $0.topic == topic }.flatMap { batch in (0..<batch.count).map { batch.value?[$0] ?? .null } }
    }
    public func count(_ topic: String) -> Int { frames.reduce(0) { $0 + $1.batches.reduce(0) { $0 + ($1.topic == topic ? $1.count : 0) } } }
    public var position: SourcePosition? { frames.last { $0.position != nil }?.position }
}

/// Metrics nobody reads.
public struct NoMetrics: MetricSink {
    public init() {}
    public func set(_ name: String, _ labels: [String: String], _ value: Double) {}
    public func add(_ name: String, _ labels: [String: String], _ value: Double) {}
    public func observe(_ name: String, _ labels: [String: String], _ seconds: Double) {}
}

/// Runs a source's first task until the output has what is asked for, the task returns or throws, or ten seconds have passed.
@discardableResult
public func run<C: SourceConnector>(
    _ type: C.Type, _ config: [String: String], from positions: [SourcePosition] = [], seconds: Double = 10,
    until done: @escaping @Sendable (RecordingOutput) -> Bool
) async throws -> RecordingOutput {
    let output = RecordingOutput(), source = try C(C.Configuration(config))
    let context = TaskContext(
        connector: "test", task: 0, log: Logger("test"), metrics: NoMetrics(), memoryBudget: 64 << 20, scratchDirectory: "/tmp", reject: { throw $0.error })
    let task = try await source.taskConfigurations(maxTasks: 1)[0]
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
            var task = try await source.makeTask(task, resumingAt: positions, context)
            do { try await task.run(output) } catch is CancellationError {}
        }
        group.addTask {
            let deadline = ContinuousClock.now + .seconds(seconds)
            while !done(output), .now < deadline, !Task.isCancelled { try? await Task.sleep(for: .milliseconds(10)) }
        }
        try await group.next()
        group.cancelAll()
        try await group.waitForAll()
    }
    return output
}
