import Synchronization

/// Totals sampled now and then, for rates over the last half minute to minute, as Kafka's two windows of 30 s give them.
package final class RateWindow<Key: Hashable & Sendable>: Sendable {
    private struct Sample {
        let time: ContinuousClock.Instant
        let totals: [Key: Int64]
    }
    private let samples = Mutex<[Sample]>([])
    private let length: Duration = .seconds(60)

    package init() {}

    package func sample(_ totals: [Key: Int64]) {
        let now = ContinuousClock.now
        samples.withLock { samples in
            samples.append(Sample(time: now, totals: totals))
            while let first = samples.first, first.time.duration(to: now) > length { samples.removeFirst() }
        }
    }

    /// A second's growth of a total since the window's first sample; 0 where there is none. A total that began anew counts from 0.
    package func rate(_ key: Key, now total: Int64) -> Double {
        let first = samples.withLock { $0.first { $0.totals[key] != nil } }
        guard let first, let before = first.totals[key] else { return 0 }
        let seconds = first.time.duration(to: .now).milliseconds / 1e3
        return seconds > 0 ? Double(max(0, total >= before ? total - before : total)) / seconds : 0
    }
}
