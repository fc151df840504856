import ConnectAPI

/// `errors.retry.timeout` and `errors.retry.delay.max.ms`: how long and how often a failure that may pass is tried again.
struct ErrorRetries: Sendable, Hashable {
    /// nil: without end; zero: not at all.
    let timeout: Duration?
    let delayMaximum: Duration

    static let none = ErrorRetries(timeout: .zero, delayMaximum: .zero)

    /// One operation's tries.
    struct Run {
        private let retries: ErrorRetries
        private let began = ContinuousClock.now
        private var attempt = 0

        fileprivate init(_ retries: ErrorRetries) { self.retries = retries }

        /// How long to wait before the next try; nil: no time is left. Doubled from 300 ms on, and random below the maximum once past it, as
        /// Kafka Connect waits.
        mutating func next() -> Duration? {
            var wait = Duration.milliseconds(300) * (1 << min(attempt, 20))
            attempt += 1
            if wait > retries.delayMaximum { wait = retries.delayMaximum * Double.random(in: 0..<1) }
            guard let timeout = retries.timeout else { return wait }
            let left = timeout - began.duration(to: .now)
            return left > .zero ? min(wait, left) : nil
        }
    }

    func begin() -> Run { Run(self) }

    static func mayPass(_ error: any Error) -> Bool {
        let known = (error as? SinkConversion.Failure)?.underlying ?? error
        return (known as? ConnectorError)?.disposition == .retry
    }
}
