/// The rows of a batch to be: which tuples each is made of and what the source block says of it.
///
/// What changes with the transaction, not with the row, is kept once a run of rows (`Context`); most batches have a handful.
struct EnvelopeRows {
    enum Op: UInt8 {
        case create, update, delete, tombstone, truncate, read
        /// The letter of the envelope's `op`; a tombstone has none and gets the delete's, which nobody sees.
        var letter: UInt8 {
            switch self {
            case .create: UInt8(ascii: "c")
            case .update: UInt8(ascii: "u")
            case .delete, .tombstone: UInt8(ascii: "d")
            case .truncate: UInt8(ascii: "t")
            case .read: UInt8(ascii: "r")
            }
        }
    }

    struct Row {
        let lsn: UInt64
        let before: Int32
        let after: Int32
        let key: Int32
        /// Index in `contexts`.
        let context: Int32
        let op: Op
    }

    struct Context: Equatable {
        let xid: UInt32?
        let commitMicros: Int64
        let lastCommitLSN: UInt64?
        let processedNanos: Int64
    }

    private(set) var all: [Row] = []
    private(set) var contexts: [Context] = []
    /// Rows with a key-change header and the tuple it names, ascending; empty in most batches.
    private(set) var newKeys: [(row: Int, tuple: Int32)] = []
    private(set) var oldKeys: [(row: Int, tuple: Int32)] = []
    /// Number of the event in its transaction and in its table's part of it; both empty unless `provide.transaction.metadata` is on.
    private(set) var totalOrder: [Int64] = []
    private(set) var collectionOrder: [Int64] = []
    private(set) var hasBefore = false
    /// Every row is an insert or a snapshot's read: key and after are of the same tuple.
    private(set) var isPlain = true

    var count: Int { all.count }
    /// Memory held.
    var byteCount: Int { all.count * MemoryLayout<Row>.stride + contexts.count * MemoryLayout<Context>.stride + totalOrder.count * 16 }

    @inline(__always)
    mutating func append(before: Int32, after: Int32, key: Int32, _ op: Op, _ info: ChangeInfo, newKey: Int32 = 0, oldKey: Int32 = 0) {
        if newKey != 0 { newKeys.append((all.count, newKey)) }
        if oldKey != 0 { oldKeys.append((all.count, oldKey)) }
        if before != 0 { hasBefore = true }
        if op != .create, op != .read { isPlain = false }
        if info.totalOrder != 0 || !totalOrder.isEmpty { appendOrder(info) }
        let context = Context(
            xid: info.xid, commitMicros: info.commitMicros, lastCommitLSN: info.lastCommitLSN, processedNanos: info.processedNanos)
        if contexts.last != context { contexts.append(context) }
        all.append(
            Row(lsn: info.lsn, before: before, after: after, key: key, context: Int32(truncatingIfNeeded: contexts.count &- 1), op: op))
    }

    private mutating func appendOrder(_ info: ChangeInfo) {
        // Metadata switched on in mid-batch: the rows before have none.
        while totalOrder.count < all.count {
            totalOrder.append(0)
            collectionOrder.append(0)
        }
        totalOrder.append(info.totalOrder)
        collectionOrder.append(info.collectionOrder)
    }

    mutating func removeAll() {
        all.removeAll(keepingCapacity: true)
        contexts.removeAll(keepingCapacity: true)
        newKeys.removeAll()
        oldKeys.removeAll()
        totalOrder.removeAll()
        collectionOrder.removeAll()
        hasBefore = false
        isPlain = true
    }

    /// The same rows under one reading of the connector's clock.
    mutating func setProcessed(_ nanos: Int64) {
        contexts = contexts.map {
            Context(xid: $0.xid, commitMicros: $0.commitMicros, lastCommitLSN: $0.lastCommitLSN, processedNanos: nanos)
        }
    }

    /// Maximal runs of rows that are all truncations or none.
    var runs: [Range<Int>] {
        guard !isPlain else { return [0..<count] }
        var out: [Range<Int>] = [], start = 0
        for row in 1..<max(1, count) where (all[row].op == .truncate) != (all[row - 1].op == .truncate) {
            out.append(start..<row)
            start = row
        }
        out.append(start..<count)
        return out
    }
}
