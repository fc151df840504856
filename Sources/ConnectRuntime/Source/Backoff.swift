/// Waits between tries: doubled each time, never over a maximum, with full jitter so that tasks that failed together do not return together.
package struct Backoff: Sendable {
    package let initial: Duration
    package let maximum: Duration
    package private(set) var attempts = 0

    package init(initial: Duration, maximum: Duration) {
        self.initial = initial
        self.maximum = maximum
    }

    /// How long to wait before the next try: between half and the whole of the doubled delay.
    package mutating func next() -> Duration {
        let full = min(maximum, initial * (1 << min(attempts, 20)))
        attempts += 1
        return full / 2 + full / 2 * Double.random(in: 0...1)
    }

    package mutating func reset() { attempts = 0 }
}
