import ConnectAPI

/// Turns replication frames into batches and positions: sans I/O.
///
///     frames ─▶ begin │ relation │ change … │ commit ─▶ ResumeFilter ─▶ one ChangeBatchBuilder a table ─▶ frame: batches + position
///
/// Many small transactions share a frame; a big one is cut into several, each with a position inside it. Rows of one table stay in
/// order (Invariant 3): a table's builder is finished before its schema changes.
struct StreamDecoder {
    /// What the decoder cannot do by itself.
    enum Pause {
        /// The table must be described with `define` before the next change of it; the stream goes on behind the message.
        case relation(RelationMessage)
        /// Enough is gathered: take the frame.
        case frameIsFull
        /// A change has an enum label the table's schema does not know: `define` it again; the change comes once more.
        case label(RelationMessage)
        /// A transaction that wrote into the signal table has ended.
        case signals([Signal])
    }

    struct Limits: Sendable {
        var rows = 16_384
        var bytes = 4 << 20
    }

    /// Figures since the decoder was made.
    struct Counts: Sendable {
        var creates = 0, updates = 0, deletes = 0, truncates = 0, messages = 0, filtered = 0, transactions = 0
        /// Values that could not be converted and became null.
        var erroneous = 0
        /// Updates left out because no captured column changed.
        var unchanged = 0
        var events: Int { creates + updates + deletes + truncates + messages }
    }

    private let limits: Limits
    private let fingerprint: String
    private let skips: Skips
    private let control: Control
    private var filter: ResumeFilter
    private(set) var position: StreamPosition
    private(set) var counts = Counts()

    private var tables: [UInt32: Int] = [:]
    private var slots: [Table] = []
    private var lastOID: UInt32 = 0
    private var lastTable = -1
    /// Batches finished before the frame is, because their table changed.
    private var finished: [RecordBatch] = []
    private var messages: [(LogicalMessage, ChangeInfo)] = []
    private var boundaries: [ControlRecords.TransactionBoundary] = []
    private(set) var rows = 0
    private var bytesAtLastCheck = 0
    /// Places of the map in which Debezium counts the events of a transaction; it is cleared for each and never shrinks.
    private var javaBuckets = 16
    private var signals: [Signal] = []
    private var watch: Watch?

    /// Tables with values that could not be converted, to be told of once each.
    private var failedTables: [String] = []
    private var transaction: Transaction?
    /// The end of the last commit in this session; nil before any, unless the position brought one.
    private var lastCommitLSN: UInt64?
    /// Nanoseconds since 1970; set it once a chunk.
    var now: Int64 = 0

    private struct Transaction {
        let xid: UInt32
        let finalLSN: UInt64
        var info: ChangeInfo
        var emitted = 0
        var lastLSN: UInt64 = 0
        /// `provide.transaction.metadata`: events so far, of all tables and of each; emitted before the restart or not.
        var events: Int64 = 0
        var eventsOfTable: [(name: String, count: Int64)] = []

        func countsInJavaOrder(_ buckets: inout Int) -> [(collection: String, count: Int64)] {
            buckets = max(buckets, JavaHashMap.buckets(eventsOfTable.count))
            return JavaHashMap.order(eventsOfTable.map { JavaHashMap.hash($0.name.utf16) }, atLeast: buckets).map {
                (collection: eventsOfTable[$0].name, count: eventsOfTable[$0].count)
            }
        }
    }

    /// Records that are no rows of a table, and which of them are wanted.
    struct Control: Sendable {
        let records: ControlRecords
        let messageTopic: String
        let capturesMessage: @Sendable (_ prefix: String) -> Bool
        /// nil: no transaction metadata.
        let transactionTopic: String?
        /// `schema.table`; nil: no signals come through a table.
        var signalTable: String?
    }

    private struct Table {
        /// `schema.table`
        let name: String
        /// nil: not captured.
        var builder: ChangeBatchBuilder?
        /// Which changes are in the table's snapshot already.
        let units: LaterUnits
        /// It is the signal table.
        let isSignal: Bool
        let relation: RelationMessage
        /// nil: no column is an enum.
        let labels: EnumLabels?
        var askedLabels: Set<[UInt8]> = []
        /// A value of it could not be converted, which has been said.
        var hasFailed = false
    }

    /// `skipped.operations`
    struct Skips: Sendable {
        var creates = false, updates = false, deletes = false, truncates = true
        /// `skip.messages.without.change`
        let unchanged: Bool
        init(_ operations: [String], unchanged: Bool = false) {
            self.unchanged = unchanged
            creates = operations.contains("c")
            updates = operations.contains("u")
            deletes = operations.contains("d")
            truncates = operations.contains("t")
        }
    }

    init(resumingAt position: StreamPosition, fingerprint: String, skips: Skips, control: Control, limits: Limits = Limits()) {
        self.position = position
        self.fingerprint = fingerprint
        self.skips = skips
        self.control = control
        self.limits = limits
        filter = ResumeFilter(resumingAt: position, fingerprint: fingerprint)
        lastCommitLSN = position.snapshot == nil ? position.committed : nil
    }

    /// Between transactions, with nothing gathered: what was received so far is all in emitted frames.
    var isAtRest: Bool { transaction == nil && rows == 0 }
    var isInTransaction: Bool { transaction != nil }
    /// The transaction that is emitted again whole, once.
    mutating func takeTransactionToRepeat() -> UInt32? { filter.takeRepeatedTransaction() }

    /// The stream begins again, at the position: what was gathered stays, and what is sent again of it is skipped.
    mutating func reconnect() {
        position = positionInTransaction
        transaction = nil
        filter = ResumeFilter(resumingAt: position, fingerprint: fingerprint)
    }

    // MARK: Frames in

    /// Reads frames from `offset` on until the chunk ends (nil) or something else must happen first.
    mutating func consume(_ chunk: UnsafeRawBufferPointer, from offset: inout Int) throws -> Pause? {
        while offset < chunk.count {
            let length = Int(chunk.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
            let frame = UnsafeRawBufferPointer(rebasing: chunk[(offset + 4)..<(offset + 4 + length)])
            offset += 4 + length
            switch try ReplicationFrame.parse(frame) {
            case .keepalive(let keepalive): if transaction == nil { keepaliveLSN = max(keepaliveLSN, keepalive.walEnd) }
            case .data(let data):
                if let pause = try accept(UnsafeRawBufferPointer(rebasing: frame[data.payload]), start: data.start) {
                    if case .label = pause { offset -= 4 + length }
                    return pause
                }
                if rows >= limits.rows || isOverBytes() { return .frameIsFull }
            }
        }
        return nil
    }

    /// Between transactions, everything before this LSN has been received.
    private(set) var keepaliveLSN: UInt64 = 0
    /// Every transaction that committed before this LSN has been seen.
    var received: UInt64 { max(position.committed, keepaliveLSN) }

    private mutating func isOverBytes() -> Bool {
        // Asking every builder is not free: every 256 rows is often enough.
        guard rows &- bytesAtLastCheck >= 256 else { return false }
        bytesAtLastCheck = rows
        return slots.reduce(0) { $0 + ($1.builder?.byteCount ?? 0) } >= limits.bytes
    }

    private mutating func accept(_ message: UnsafeRawBufferPointer, start: UInt64) throws -> Pause? {
        switch try PgOutputMessage.parse(message) {
        case .change(let change):
            let i = try slot(of: change.relation, start)
            if let relation = try unknownLabel(of: change, in: message, i) { return .label(relation) }
            try append(change, message, start, i)
        case .begin(let begin):
            var info = ChangeInfo()
            info.xid = begin.xid
            info.commitMicros = begin.commitMicros
            info.lastCommitLSN = lastCommitLSN
            transaction = Transaction(xid: begin.xid, finalLSN: begin.finalLSN, info: info)
            filter.begin(finalLSN: begin.finalLSN, xid: begin.xid)
            signals = []
            if filter.beginsAnew { note(.begin, lsn: start) }
        case .commit(let commit):
            if !filter.skipsTransaction { note(.end, lsn: commit.endLSN) }
            finish(commit)
            if !signals.isEmpty {
                defer { signals = [] }
                return .signals(signals)
            }
        // The same message again means that the catalog's entry was invalidated: nullability, key or default may be new.
        case .relation(let relation): return .relation(relation)
        case .truncate(let truncate): try append(truncate, start)
        case .message(let message): append(message)
        case .origin, .type: break
        case .streamStart, .streamStop, .streamCommit, .streamAbort:
            throw ConnectorError("postgres.protocol", .stop, "The server streams unfinished transactions, which was not asked for")
        }
        return nil
    }

    @inline(__always)
    private mutating func slot(of relation: UInt32, _ lsn: UInt64) throws -> Int {
        if relation == lastOID, lastTable >= 0 { return lastTable }
        guard let found = tables[relation] else { throw Self.unknownRelation(relation, lsn) }
        lastOID = relation
        lastTable = found
        return found
    }

    /// The table's description when a change has a label it does not know; each label is asked for once.
    @inline(__always)
    private mutating func unknownLabel(of change: RowChange, in message: UnsafeRawBufferPointer, _ i: Int) throws -> RelationMessage? {
        guard let labels = slots[i].labels, change.newTuple >= 0, let label = try labels.unknown(in: message, at: change.newTuple) else { return nil }
        return slots[i].askedLabels.insert(label).inserted ? slots[i].relation : nil
    }

    @inline(__always)
    private mutating func append(_ change: RowChange, _ message: UnsafeRawBufferPointer, _ lsn: UInt64, _ i: Int) throws {
        let admitted = filter.admits(lsn: lsn)
        guard admitted || control.transactionTopic != nil || control.signalTable != nil else { return }
        guard transaction != nil else { throw Self.outsideTransaction(lsn) }
        // A signal is acted on once its transaction has ended, so also when its row was emitted before a restart.
        if slots[i].isSignal, !filter.skipsTransaction, let signal = try Signal(change, in: message) { signals.append(signal) }
        guard admitted || control.transactionTopic != nil else { return }
        if admitted { transaction!.lastLSN = lsn }
        var part = ChangePart.whole
        if !slots[i].units.isEmpty { part = try slots[i].units.part(of: change, in: message, finalLSN: transaction!.finalLSN) }
        guard slots[i].builder != nil, part != .none, admits(change.kind) else {
            counts.filtered += 1
            if slots[i].name == watch?.table { watch?.isStale = true }
            return
        }
        if skips.unchanged, change.oldIsFull, try slots[i].builder!.schema.isUnchanged(change, in: message) {
            counts.unchanged += 1
            return
        }
        if control.transactionTopic != nil {
            number(slots[i].name)
            guard admitted else { return }
        }
        transaction!.info.lsn = lsn
        transaction!.info.processedNanos = now
        let made = try slots[i].builder!.append(change, in: message, transaction!.info, part)
        rows += made
        // A moved key counts as two events of the transaction.
        if made == 2, control.transactionTopic != nil { number(slots[i].name) }
        transaction!.emitted += 1
        let kind: String
        switch change.kind {
        case .insert: counts.creates += 1; kind = "INSERT"
        case .update: counts.updates += 1; kind = "UPDATE"
        case .delete: counts.deletes += 1; kind = "DELETE"
        }
        lastKind = kind
    }

    private var lastKind = "INSERT"

    private func admits(_ kind: RowChange.Kind) -> Bool {
        switch kind {
        case .insert: !skips.creates
        case .update: !skips.updates
        case .delete: !skips.deletes
        }
    }

    private mutating func append(_ truncate: PgOutputMessage.Truncate, _ lsn: UInt64) throws {
        guard filter.admits(lsn: lsn) else { return }
        guard transaction != nil else { throw Self.outsideTransaction(lsn) }
        transaction!.lastLSN = lsn
        for relation in truncate.relations {
            guard let i = tables[relation] else { throw Self.unknownRelation(relation, lsn) }
            if slots[i].name == watch?.table { watch?.isStale = true }
            guard slots[i].builder != nil, !slots[i].units.holdWholeTable(at: transaction!.finalLSN), !skips.truncates else {
                counts.filtered += 1
                continue
            }
            transaction!.info.lsn = lsn
            transaction!.info.processedNanos = now
            slots[i].builder!.appendTruncate(transaction!.info)
            rows += 1
            transaction!.emitted += 1
            counts.truncates += 1
            lastKind = "TRUNCATE"
        }
    }

    private mutating func append(_ message: LogicalMessage) {
        let admitted = message.isTransactional ? filter.admits(lsn: message.lsn) : filter.admitsOutside(lsn: message.lsn)
        guard admitted else { return }
        if message.isTransactional { transaction?.lastLSN = message.lsn }
        defer { if transaction == nil { position.committed = max(position.committed, message.lsn + 1) } }
        guard control.capturesMessage(message.prefix) else {
            counts.filtered += 1
            return
        }
        if message.isTransactional, control.transactionTopic != nil { number("LOGICAL_DECODING_MESSAGE") }
        var info = message.isTransactional ? transaction?.info ?? ChangeInfo() : ChangeInfo()
        if !message.isTransactional {
            info.lastCommitLSN = lastCommitLSN
            info.commitMicros = position.lastEvent?.commitMicros ?? 0
        }
        info.lsn = message.lsn
        info.processedNanos = now
        messages.append((message, info))
        rows += 1
        counts.messages += 1
        lastKind = "MESSAGE"
        transaction?.emitted += 1
        if transaction == nil {
            position.lastEvent = .init(
                lsn: message.lsn, xid: position.lastEvent?.xid, commitMicros: position.lastEvent?.commitMicros ?? 0, kind: lastKind)
            position.snapshot = nil
        }
    }

    // MARK: Transaction metadata

    private enum Boundary { case begin, end }

    private mutating func note(_ boundary: Boundary, lsn: UInt64) {
        guard control.transactionTopic != nil, let transaction else { return }
        boundaries.append(
            .init(
                xid: transaction.xid, lsn: lsn, commitMicros: transaction.info.commitMicros,
                counts: boundary == .begin ? nil : transaction.countsInJavaOrder(&javaBuckets), processedNanos: now))
        rows += 1
        lastKind = boundary == .begin ? "BEGIN" : "COMMIT"
        if boundary == .end { self.transaction!.emitted += 1 }
    }

    /// Gives the event at hand its numbers.
    private mutating func number(_ table: String) {
        transaction!.events += 1
        transaction!.info.totalOrder = transaction!.events
        if let i = transaction!.eventsOfTable.firstIndex(where: { $0.name == table }) {
            transaction!.eventsOfTable[i].count += 1
            transaction!.info.collectionOrder = transaction!.eventsOfTable[i].count
        } else {
            transaction!.eventsOfTable.append((table, 1))
            transaction!.info.collectionOrder = 1
        }
    }

    private mutating func finish(_ commit: PgOutputMessage.Commit) {
        if let transaction, transaction.emitted > 0 {
            position.lastEvent = .init(
                lsn: transaction.lastLSN, xid: Int64(transaction.xid), commitMicros: transaction.info.commitMicros, kind: lastKind,
                followsCommit: lastCommitLSN != nil)
            position.snapshot = nil
            if control.transactionTopic != nil { position.transaction = .init(xid: transaction.xid, events: transaction.eventsOfTable) }
            counts.transactions += 1
        }
        transaction = nil
        lastCommitLSN = commit.endLSN
        guard commit.endLSN > position.committed else { return }
        position.committed = commit.endLSN
        position.partial = nil
        if !position.laterUnits.isEmpty { position.laterUnits = position.laterUnits.later(than: commit.endLSN) }
    }

    // MARK: Tables

    /// Says how a table's changes are read from now on; nil: they are not captured.
    mutating func define(_ relation: RelationMessage, _ schema: TableSchema?) {
        let name = "\(relation.schema).\(relation.name)"
        var table = Table(
            name: name, builder: schema.map { ChangeBatchBuilder($0) }, units: LaterUnits(position.laterUnits, relation, schema),
            isSignal: name == control.signalTable, relation: relation, labels: schema.flatMap { EnumLabels($0) })
        if let i = tables[relation.oid] {
            if let known = slots[i].builder?.schema, let schema, known.describesTheSame(as: schema) { return }
            finishBuilder(i)
            table.askedLabels = slots[i].askedLabels
            slots[i] = table
            if name == watch?.table { watch?.isStale = true }
        } else {
            tables[relation.oid] = slots.count
            slots.append(table)
        }
    }

    private mutating func finishBuilder(_ i: Int) {
        guard slots[i].builder?.isEmpty == false else { return }
        let before = slots[i].builder!.conversionFailures, batches = slots[i].builder!.finish()
        finished += batches
        if slots[i].name == watch?.table { for batch in batches { watch!.note(batch) } }
        let failures = slots[i].builder!.conversionFailures - before
        counts.erroneous += failures
        if failures > 0, !slots[i].hasFailed {
            slots[i].hasFailed = true
            failedTables.append(slots[i].name)
        }
    }

    mutating func takeFailedTables() -> [String] {
        defer { failedTables = [] }
        return failedTables
    }

    // MARK: Frames out

    /// Everything gathered, and the position behind it.
    mutating func takeFrame() -> (batches: [RecordBatch], position: StreamPosition) {
        for i in slots.indices { finishBuilder(i) }
        if !messages.isEmpty { finished.append(control.records.messages(messages, topic: control.messageTopic)) }
        if !boundaries.isEmpty, let topic = control.transactionTopic { finished.append(control.records.transactions(boundaries, topic: topic)) }
        defer {
            finished = []
            messages = []
            boundaries = []
            rows = 0
            bytesAtLastCheck = 0
        }
        return (finished, positionInTransaction)
    }

    /// The position behind the last change, inside a transaction too.
    var positionInTransaction: StreamPosition {
        var position = position
        if let transaction, transaction.emitted > 0 {
            position.snapshot = nil
            position.lastEvent = .init(
                lsn: transaction.lastLSN, xid: Int64(transaction.xid), commitMicros: transaction.info.commitMicros, kind: lastKind)
            position.partial = .init(
                xid: transaction.xid, changes: filter.changesSeen, lsn: transaction.lastLSN, fingerprint: fingerprint,
                finalLSN: transaction.finalLSN)
        }
        return position
    }

    /// Moves the position over WAL that held nothing for us; only between transactions.
    mutating func advance(to lsn: UInt64) {
        guard transaction == nil, lsn > position.committed else { return }
        position.committed = lsn
        position.partial = nil
    }

    /// Microseconds since 1970 at which the transaction at hand, or the last one, committed.
    var lastCommitMicros: Int64? { transaction?.info.commitMicros ?? position.lastEvent?.commitMicros }

    /// Notes keys of changes of a table from now on; nil: of none.
    mutating func beginWatching(_ table: String?) {
        // What was gathered before does not count.
        watch = nil
        for i in slots.indices where slots[i].name == table { finishBuilder(i) }
        watch = table.map { Watch(table: $0) }
    }

    /// What was noted since.
    mutating func endWatching() -> WatchedChanges {
        for i in slots.indices where slots[i].name == watch?.table { finishBuilder(i) }
        defer { watch = nil }
        guard let watch, !watch.isStale else { return .stale }
        return .keys(watch.keys)
    }

    /// An incremental snapshot's progress, as the next positions say it.
    mutating func setIncremental(_ progress: IncrementalProgress?) { position.incremental = progress }

    private static func unknownRelation(_ oid: UInt32, _ lsn: UInt64) -> ConnectorError {
        ConnectorError("postgres.protocol", .retry, "A change at LSN \(LSN.text(lsn)) is of relation \(oid), which the stream did not describe")
    }
    private static func outsideTransaction(_ lsn: UInt64) -> ConnectorError {
        ConnectorError("postgres.protocol", .retry, "A change at LSN \(LSN.text(lsn)) is outside any transaction")
    }
}

extension TableSchema {
    /// Records of both are the same, so a builder of one may go on.
    fileprivate func describesTheSame(as other: TableSchema) -> Bool {
        definition == other.definition && row == other.row && key == other.key
    }
}
