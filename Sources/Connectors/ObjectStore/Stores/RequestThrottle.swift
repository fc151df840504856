/// How fast requests may go to a service that asked for less: a token bucket whose rate falls by half with every refusal for load (SlowDown, 429, 503) and
/// doubles with every success, until nothing is held back any more. Sans-I/O: clock readings in, waits out.
///
/// A task with a thousand files to store in a storm sends a request or two a second, and is back at full speed moments after it ends.
struct RequestThrottle: Sendable {
    /// Requests a second; nil: no limit.
    private(set) var rate: Double?
    /// When the next request may go, in milliseconds.
    private var next: Double = 0
    private static let first = 8.0, least = 1.0, most = 1000.0

    /// Milliseconds to wait before a request. It takes a token: call it once for a request.
    mutating func delay(now: Int64) -> Int64 {
        guard let rate else { return 0 }
        let at = max(Double(now), next)
        next = at + 1000 / rate
        return Int64(at) - now
    }

    mutating func refused() { rate = max(Self.least, rate.map { $0 / 2 } ?? Self.first) }

    mutating func succeeded() {
        guard let rate else { return }
        self.rate = rate * 2 > Self.most ? nil : rate * 2
        // Waits taken at the lower rate are over sooner.
        next = 0
    }
}
