/// What went wrong, what to do about it, and what the runtime should do.
///
/// `description` is safe to print over REST: it names the place (connector, topic, offset, LSN, file, key) and never carries row data or a
/// secret (Invariant 10).
public struct ConnectorError: Error, Sendable, CustomStringConvertible {
    public enum Disposition: Sendable, Hashable {
        /// Worth trying again as it is: the network, a server that is away, throttling.
        case retry
        /// The rows named are bad, others are not: dead letter queue where tolerated.
        case reject
        /// What a sink task holds is of no use any more: it is made anew at once and reads from the committed offsets on.
        case restart
        /// Someone must change something first; the task fails.
        case stop
    }

    /// Stable and dotted, such as `postgres.slot_missing`.
    public let code: String
    public let disposition: Disposition
    /// What happened and where, as a sentence without a full stop.
    public let message: String
    /// What to do now; nil when the message says it.
    public let hint: String?
    public let underlying: (any Error)?

    public init(
        _ code: String, _ disposition: Disposition, _ message: String, hint: String? = nil, underlying: (any Error)? = nil
    ) {
        self.code = code
        self.disposition = disposition
        self.message = message
        self.hint = hint
        self.underlying = underlying
    }

    public var description: String { hint.map { "\(message). \($0) [\(code)]" } ?? "\(message) [\(code)]" }
}
