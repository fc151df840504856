/// The rows of a batch to be, as columns: which tuples they are made of and what the source block says of them.
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

    static let bytesPerRow = 3 * 4 + 1 + 5 * 8

    private(set) var before: [Int32] = []
    private(set) var after: [Int32] = []
    private(set) var key: [Int32] = []
    private(set) var ops: [Op] = []
    private(set) var lsn: [UInt64] = []
    /// -1: none.
    private(set) var xid: [Int64] = []
    private(set) var commitMicros: [Int64] = []
    /// 0: none seen.
    private(set) var lastCommit: [UInt64] = []
    private(set) var processedNanos: [Int64] = []
    /// Rows with a key-change header and the tuple it names, ascending; empty in most batches.
    private(set) var newKeys: [(row: Int, tuple: Int32)] = []
    private(set) var oldKeys: [(row: Int, tuple: Int32)] = []
    /// Both empty unless `provide.transaction.metadata` is on.
    private(set) var totalOrder: [Int64] = []
    private(set) var collectionOrder: [Int64] = []
    private(set) var hasBefore = false
    private(set) var hasDeletes = false

    var count: Int { ops.count }

    @inline(__always)
    mutating func append(before: Int32, after: Int32, key: Int32, _ op: Op, _ info: ChangeInfo, newKey: Int32 = 0, oldKey: Int32 = 0) {
        if newKey != 0 { newKeys.append((ops.count, newKey)) }
        if oldKey != 0 { oldKeys.append((ops.count, oldKey)) }
        if before != 0 { hasBefore = true }
        if op != .create, op != .update { hasDeletes = true }
        if info.totalOrder != 0 || !totalOrder.isEmpty { appendOrder(info) }
        self.before.append(before)
        self.after.append(after)
        self.key.append(key)
        ops.append(op)
        lsn.append(info.lsn)
        xid.append(info.xid.map(Int64.init) ?? -1)
        commitMicros.append(info.commitMicros)
        lastCommit.append(info.lastCommitLSN ?? 0)
        processedNanos.append(info.processedNanos)
    }

    private mutating func appendOrder(_ info: ChangeInfo) {
        // Metadata switched on in mid-batch: the rows before have none.
        while totalOrder.count < ops.count {
            totalOrder.append(0)
            collectionOrder.append(0)
        }
        totalOrder.append(info.totalOrder)
        collectionOrder.append(info.collectionOrder)
    }

    /// One clock reading for all rows.
    mutating func setProcessed(_ nanos: Int64) { processedNanos = Array(repeating: nanos, count: count) }

    mutating func removeAll() {
        before.removeAll(keepingCapacity: true)
        after.removeAll(keepingCapacity: true)
        key.removeAll(keepingCapacity: true)
        ops.removeAll(keepingCapacity: true)
        lsn.removeAll(keepingCapacity: true)
        xid.removeAll(keepingCapacity: true)
        commitMicros.removeAll(keepingCapacity: true)
        lastCommit.removeAll(keepingCapacity: true)
        processedNanos.removeAll(keepingCapacity: true)
        newKeys.removeAll()
        oldKeys.removeAll()
        totalOrder.removeAll()
        collectionOrder.removeAll()
        hasBefore = false
        hasDeletes = false
    }

    /// Maximal runs of rows that are all truncations or none.
    var runs: [Range<Int>] {
        guard hasDeletes, ops.contains(.truncate) else { return [0..<count] }
        var out: [Range<Int>] = [], start = 0
        for row in 1..<max(1, count) where (ops[row] == .truncate) != (ops[row - 1] == .truncate) {
            out.append(start..<row)
            start = row
        }
        out.append(start..<count)
        return out
    }
}
