/// Says which changes of the stream were emitted before the restart: sans I/O, one pass.
///
/// The server sends again whole transactions; what `StreamPosition` says of them is compared by commit LSN, then by ordinal in the transaction.
struct ResumeFilter {
    private let position: StreamPosition
    private let fingerprint: String
    private var decision = Decision.emit
    private var ordinal: Int64 = 0
    private var sameLSN: Int64 = 0
    /// The transaction that is emitted again whole because the publication changed since its first part was.
    private var repeatedTransaction: UInt32?

    private enum Decision { case skipTransaction, skipChanges(Int64), skipThrough(UInt64, count: Int64), emit }

    init(resumingAt position: StreamPosition, fingerprint: String) {
        self.position = position
        self.fingerprint = fingerprint
    }

    /// - Parameter finalLSN: where the transaction's commit record begins.
    mutating func begin(finalLSN: UInt64, xid: UInt32) {
        ordinal = 0
        sameLSN = 0
        if finalLSN < position.committed {
            decision = .skipTransaction
        } else if let partial = position.partial, partial.xid == xid {
            if let changes = partial.changes {
                if partial.fingerprint == fingerprint {
                    decision = .skipChanges(changes)
                } else {
                    decision = .emit
                    repeatedTransaction = xid
                }
            } else {
                decision = .skipThrough(partial.lsn, count: partial.changesAtLSN)
            }
        } else {
            decision = .emit
        }
    }

    /// Whether the next change of the transaction is to be emitted; counts it.
    @inline(__always)
    mutating func admits(lsn: UInt64) -> Bool {
        ordinal += 1
        switch decision {
        case .emit: return true
        case .skipTransaction: return false
        case .skipChanges(let count): return ordinal > count
        case .skipThrough(let last, let count):
            if lsn != last { return lsn > last }
            sameLSN += 1
            // Without a count, every change at the LSN was emitted.
            return count > 0 && sameLSN > count
        }
    }

    /// The current transaction is emitted from its first change on.
    var beginsAnew: Bool { if case .emit = decision { true } else { false } }
    /// The current transaction was emitted whole before.
    var skipsTransaction: Bool { if case .skipTransaction = decision { true } else { false } }

    mutating func takeRepeatedTransaction() -> UInt32? {
        defer { repeatedTransaction = nil }
        return repeatedTransaction
    }

    /// Changes of the current transaction seen so far.
    var changesSeen: Int64 { ordinal }

    /// Messages outside transactions come in the order of the log.
    func admitsOutside(lsn: UInt64) -> Bool { lsn >= position.committed }
}
