import Synchronization

/// How far streaming has come: written by the decoding task once a chunk, read by `SlotMonitor` now and then.
final class StreamProgress: Sendable {
    struct State: Sendable {
        /// Everything before it has been received, and what of it is ours is durable.
        var restLSN: UInt64
        /// When the last transaction taken committed, in microseconds of the server's clock.
        var commitMicros: Int64?
        /// When the last event was emitted.
        var lastEvent: ContinuousClock.Instant?
        /// How long after their commit the latest frames were emitted.
        var delays = LagSample()
        /// What waits to be decoded; nil while nothing is read.
        var queue: ChunkQueue?
        /// The walsender is what reads, and giving it up for stretches of WAL is possible.
        var watchesWalsender = false
        var isBehind = false
    }
    private let state: Mutex<State>

    init(start: UInt64) { state = Mutex(State(restLSN: start)) }

    var now: State { state.withLock { $0 } }
    func update(_ change: (inout State) -> Void) { state.withLock { change(&$0) } }

    /// A reader begins to fill a queue.
    func begin(_ queue: ChunkQueue, watchesWalsender: Bool) {
        update { state in
            state.queue = queue
            state.watchesWalsender = watchesWalsender
            state.isBehind = false
        }
    }

    /// The walsender cannot keep up with what is written.
    var isBehind: Bool { now.isBehind }
}

/// The latest delays of frames, in milliseconds: Debezium's statistics of `MilliSecondsBehindSource`.
struct LagSample: Sendable {
    private var values: [Double] = []
    private var next = 0
    private static let size = 512

    mutating func record(_ milliseconds: Double) {
        if values.count < Self.size { values.append(milliseconds) } else { values[next] = milliseconds }
        next = (next + 1) % Self.size
    }

    struct Summary: Equatable { let minimum, maximum, average, p50, p95, p99: Double }

    /// nil: nothing has been recorded.
    var summary: Summary? {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        func percentile(_ share: Double) -> Double { sorted[min(sorted.count - 1, Int((share * Double(sorted.count)).rounded(.up)) - 1)] }
        return Summary(
            minimum: sorted[0], maximum: sorted[sorted.count - 1], average: sorted.reduce(0, +) / Double(sorted.count), p50: percentile(0.5),
            p95: percentile(0.95), p99: percentile(0.99))
    }
}
