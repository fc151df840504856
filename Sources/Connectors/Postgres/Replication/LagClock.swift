/// How far behind the server's log the connector is, in time: sans I/O.
///
///     the log's end, asked now and then   ──●────●────●────●──▶ now
///     taken so far                        ────────▲ everything before the ● left of it was taken: behind since then at most
///
/// An idle database is never behind, although its last transaction is long ago; a database whose other tables are busy is behind no longer than
/// since the end last seen that the connector has passed; and while transactions flow, the last one taken tells better than either.
struct LagClock {
    private var ends: [(lsn: UInt64, micros: Int64)] = []
    private static let most = 256

    /// Notes where the log ends now and returns the lag in microseconds.
    /// - Parameters:
    ///   - taken: everything before this LSN was received and is durable.
    ///   - lastCommit: when the last transaction taken committed, by the server's clock as `now`; nil: none was.
    mutating func lag(end: UInt64, now: Int64, taken: UInt64, lastCommit: Int64?) -> Int64 {
        ends.append((end, now))
        guard taken < end else {
            ends = [(end, now)]
            return 0
        }
        let passed = ends.lastIndex { $0.lsn <= taken }
        if let passed { ends.removeFirst(passed) }
        // A long lag needs no fine steps.
        if ends.count > Self.most { ends = ends.enumerated().filter { $0.offset % 2 == 0 }.map(\.element) }
        let sinceEnd = now - ends[0].micros
        guard let lastCommit else { return sinceEnd }
        return max(0, passed == nil && ends[0].lsn > taken ? now - lastCommit : min(sinceEnd, now - lastCommit))
    }
}
