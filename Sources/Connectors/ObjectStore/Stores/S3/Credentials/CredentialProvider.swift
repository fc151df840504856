import ConnectAPI
import Synchronization

/// The credentials in use: asked for once, renewed five minutes before they expire, and kept while renewing fails and they are still good.
final class CredentialProvider: Sendable {
    private struct State {
        var found: FoundCredentials?
        var isKnown = false
        /// Milliseconds since 1970 from which they are renewed.
        var renewAt = Int64.max
    }
    private let chain: CredentialChain
    private let http: CredentialHTTP
    private let log: Logger
    private let clock: @Sendable () -> Int64
    private let state = Mutex(State())
    static let margin: Int64 = 300_000

    init(_ chain: CredentialChain, _ http: CredentialHTTP, log: Logger, clock: @escaping @Sendable () -> Int64 = { WallClock.milliseconds }) {
        self.chain = chain
        self.http = http
        self.log = log
        self.clock = clock
    }

    /// nil: requests are not signed.
    func current() async throws -> Credentials? {
        let now = clock()
        let (known, kept) = state.withLock { ($0.isKnown && now < $0.renewAt, $0.found) }
        if known { return kept?.credentials }
        do {
            let found = try await chain.resolve(http)
            keep(found, now)
            return found?.credentials
        } catch  where kept?.credentials.expiration.map({ now < $0 }) ?? false {
            // Still good: asked again in half a minute.
            state.withLock { $0.renewAt = now + 30_000 }
            log.warn("The S3 credentials from \(kept!.source) could not be renewed, and are used until they expire: \(error)")
            return kept!.credentials
        }
    }

    private func keep(_ found: FoundCredentials?, _ now: Int64) {
        let isNew = state.withLock { state in
            defer {
                state.found = found
                state.isKnown = true
                // Spread out, so that many tasks do not ask at once. Of credentials that live for less than ten minutes, half their life.
                state.renewAt =
                    found?.credentials.expiration.map { max(now + ($0 - now) / 2, $0 - Self.margin) - Int64.random(in: 0...min(60_000, max(0, $0 - now) / 10)) }
                    ?? .max
            }
            return state.found?.source != found?.source
        }
        if isNew, chain.configured == nil, let found { log.info("S3 credentials come from \(found.source)") }
    }

    /// The service called them expired: the next request asks anew.
    func expire() { state.withLock { $0.isKnown = false } }

    /// Seconds until they expire; nil: they do not, or none are in use.
    var expiresIn: Double? { state.withLock { $0.found?.credentials.expiration }.map { Double($0 - clock()) / 1000 } }
    var source: String? { state.withLock { $0.found?.source } }
}
