import ConnectAPI

/// Where the connector stands: its source offset, in Debezium's own keys.
///
///     transactions  ──────────────┬──────────────────────▶ in the order of their commits
///                     committed ──┘└─ partial: one transaction of which only a part was emitted
///
/// Written as Debezium writes it (`lsn_proc`, `messageType`, `lsn_commit`, `lsn`, `txId`, `ts_usec`), so an offset can be taken over in
/// either direction. `lsn_commit` is the end of the last whole transaction; `txId` is the transaction of the last event. When that
/// transaction arrives again with a later commit, it was emitted in part: up to `sluice_ordinal` changes where we wrote the offset, up to `lsn` where
/// Debezium did. So one pass over the stream resumes exactly, without a search. `sluice_system_id` and `sluice_timeline` say whose log it is.
struct StreamPosition: Sendable, Hashable {
    /// Every transaction whose commit record begins before this LSN has been emitted, or is part of the snapshot.
    var committed: UInt64
    /// What the last event said; kept for the offset's sake.
    var lastEvent: LastEvent?
    var partial: Partial?
    /// nil: streaming has begun.
    var snapshot: SnapshotProgress?
    /// Snapshot units younger than `committed`: changes of theirs that committed before the unit's LSN are in the snapshot already.
    var laterUnits = SnapshotLedger()
    /// What an incremental snapshot has left to read; nil: none is under way.
    var incremental: IncrementalProgress?
    /// Whose log the LSNs are of; nil in an offset of Debezium's.
    var server: ServerIdentity?

    /// With `provide.transaction.metadata`: the last transaction and how many events each table had in it.
    var transaction: TransactionCounts?

    struct TransactionCounts: Sendable, Hashable {
        let xid: UInt32
        let events: [String: Int64]
        init(xid: UInt32, events: [(name: String, count: Int64)]) {
            self.xid = xid
            self.events = Dictionary(events.map { ($0.name, $0.count) }, uniquingKeysWith: +)
        }
    }

    struct LastEvent: Sendable, Hashable {
        var lsn: UInt64
        var xid: Int64?
        var commitMicros: Int64
        /// `INSERT`, `UPDATE`, `DELETE`, `TRUNCATE`, `MESSAGE`; nil in a snapshot.
        var kind: String?
        /// Debezium knows no `lsn_commit` before it has seen a commit; then `lsn_proc` says it all.
        var followsCommit = true
    }

    struct Partial: Sendable, Hashable {
        var xid: UInt32
        /// Changes of the transaction the server sent and we emitted; nil: only Debezium's LSN is known.
        var changes: Int64?
        /// LSN of the last change emitted, and how many at that LSN (0: unknown).
        var lsn: UInt64
        var changesAtLSN: Int64 = 0
        /// Stands for the publication and options the changes were counted under.
        var fingerprint: String?
        /// Where the transaction's commit record begins; nil: Debezium does not say.
        var finalLSN: UInt64?
    }

    struct SnapshotProgress: Sendable, Hashable {
        var isCompleted: Bool
        var finished = SnapshotLedger()
    }

    init(committed: UInt64, server: ServerIdentity? = nil) {
        self.committed = committed
        self.server = server
    }
}

extension StreamPosition {
    /// The source partition: `{"server": topic.prefix}`.
    static func partition(server: String) -> OffsetMap { ["server": .string(server)] }

    func sourcePosition(server: String) -> SourcePosition { SourcePosition(partition: Self.partition(server: server), offset: offset) }

    private static let transactionPrefix = "transaction_data_collection_order_"
    private static let unitPrefix = "sluice_snapshot_lsn:"
    /// System id, timeline and the timeline's start: whose log the LSNs are of.
    static let identityKeys: Set<String> = ["sluice_system_id", "sluice_timeline", "sluice_timeline_lsn"]

    var offset: OffsetMap {
        var entries: [(String, Value)] = []
        let xid: Value? = lastEvent?.xid.map { .integer($0) }
        if let snapshot {
            entries.append(("last_snapshot_record", .boolean(snapshot.isCompleted)))
            entries.append(("lsn", .integer(Int64(bitPattern: committed))))
            if let xid { entries.append(("txId", xid)) }
            entries.append(("ts_usec", .integer(lastEvent?.commitMicros ?? 0)))
            entries.append(("snapshot", "INITIAL"))
            entries.append(("snapshot_completed", .boolean(snapshot.isCompleted)))
            for (table, lsn) in snapshot.finished.units.sorted(by: { $0.key < $1.key }) {
                entries.append((Self.unitPrefix + table, .integer(Int64(bitPattern: lsn))))
            }
        } else {
            entries.append(("lsn_proc", .integer(Int64(bitPattern: partial?.lsn ?? committed))))
            if let kind = lastEvent?.kind { entries.append(("messageType", .string(kind))) }
            if partial != nil || lastEvent?.followsCommit != false { entries.append(("lsn_commit", .integer(Int64(bitPattern: committed)))) }
            entries.append(("lsn", .integer(Int64(bitPattern: partial?.lsn ?? lastEvent?.lsn ?? committed))))
            if let xid { entries.append(("txId", xid)) }
            entries.append(("ts_usec", .integer(lastEvent?.commitMicros ?? 0)))
            if let partial, let changes = partial.changes {
                entries.append(("sluice_ordinal", .integer(changes)))
                if let fingerprint = partial.fingerprint { entries.append(("sluice_fingerprint", .string(fingerprint))) }
                if let final = partial.finalLSN { entries.append(("sluice_final_lsn", .integer(Int64(bitPattern: final)))) }
            }
        }
        if let transaction {
            entries.append(("transaction_id", .string(String(transaction.xid))))
            for (table, count) in transaction.events.sorted(by: { $0.key < $1.key }) {
                entries.append((Self.transactionPrefix + table, .integer(count)))
            }
        }
        if let incremental { entries.append((IncrementalProgress.offsetKey, .string(incremental.json))) }
        if let server {
            entries.append(("sluice_system_id", .string(server.systemID)))
            entries.append(("sluice_timeline", .integer(Int64(server.timeline))))
            if server.timelineStart != 0 { entries.append(("sluice_timeline_lsn", .integer(Int64(bitPattern: server.timelineStart)))) }
        }
        for (table, lsn) in laterUnits.later(than: committed).units.sorted(by: { $0.key < $1.key }) {
            entries.append((Self.unitPrefix + table, .integer(Int64(bitPattern: lsn))))
        }
        return OffsetMap(entries)
    }

    /// Reads an offset of ours or of Debezium; throws `postgres.offset_invalid`.
    init(_ offset: OffsetMap) throws {
        func lsn(_ key: String) throws -> UInt64? {
            guard let value = offset[key], !value.isNull else { return nil }
            if let number = value.integerValue { return UInt64(bitPattern: number) }
            if let text = value.stringValue, let number = LSN.parse(text) ?? UInt64(text) { return number }
            throw Self.invalid(key)
        }
        func integer(_ key: String) throws -> Int64? {
            guard let value = offset[key], !value.isNull else { return nil }
            guard let number = value.integerValue else { throw Self.invalid(key) }
            return number
        }
        let eventLSN = try lsn("lsn")
        guard let committed = try lsn("lsn_commit") ?? lsn("lsn_proc") ?? eventLSN else { throw Self.invalid("lsn") }
        self.committed = committed
        let xid = try integer("txId"), kind = offset["messageType"]?.stringValue
        lastEvent = LastEvent(
            lsn: eventLSN ?? committed, xid: xid, commitMicros: try integer("ts_usec") ?? 0, kind: kind, followsCommit: offset["lsn_commit"] != nil)
        if let xid = offset["transaction_id"]?.stringValue.flatMap({ UInt32($0) }) {
            transaction = TransactionCounts(
                xid: xid,
                events: offset.entries.filter { $0.key.hasPrefix(Self.transactionPrefix) }.compactMap { entry in
                    entry.value.integerValue.map { (String(entry.key.dropFirst(Self.transactionPrefix.count)), $0) }
                })
        }
        incremental = offset[IncrementalProgress.offsetKey]?.stringValue.flatMap { IncrementalProgress(json: $0) }
        if let systemID = offset["sluice_system_id"]?.stringValue, let timeline = try integer("sluice_timeline") {
            server = ServerIdentity(
                systemID: systemID, timeline: UInt32(truncatingIfNeeded: timeline), timelineStart: try lsn("sluice_timeline_lsn") ?? 0)
        }
        let units = SnapshotLedger(
            Dictionary(
                offset.entries.filter { $0.key.hasPrefix(Self.unitPrefix) }.compactMap { entry in
                    entry.value.integerValue.map { (String(entry.key.dropFirst(Self.unitPrefix.count)), UInt64(bitPattern: $0)) }
                }, uniquingKeysWith: max))
        // Old versions wrote `snapshot: true`.
        let inSnapshot = offset["snapshot"].map { $0.booleanValue ?? ($0.stringValue.map { $0 != "false" } ?? false) } ?? false
        if inSnapshot {
            let isCompleted = offset["snapshot_completed"]?.booleanValue ?? false
            snapshot = SnapshotProgress(isCompleted: isCompleted, finished: isCompleted ? SnapshotLedger() : units)
            if isCompleted { laterUnits = units }
            return
        }
        laterUnits = units
        guard let xid, kind != "COMMIT", kind != "MESSAGE" || offset["sluice_ordinal"] != nil else { return }
        partial = Partial(
            xid: UInt32(truncatingIfNeeded: xid), changes: try integer("sluice_ordinal"), lsn: eventLSN ?? committed,
            changesAtLSN: try integer("lsn_events_processed") ?? 0, fingerprint: offset["sluice_fingerprint"]?.stringValue,
            finalLSN: try lsn("sluice_final_lsn"))
    }

    private static func invalid(_ key: String) -> ConnectorError {
        ConnectorError(
            "postgres.offset_invalid", .stop, "The offset has no usable \(key)",
            hint: "Offsets of this connector have lsn, or lsn_proc and lsn_commit, as integers; delete the offset to start anew")
    }

    /// The offset the connector owns among those stored for it.
    static func stored(_ positions: [SourcePosition], server: String) throws -> StreamPosition? {
        guard let own = positions.last(where: { $0.partition["server"] == .string(server) }) else { return nil }
        return own.offset.entries.isEmpty ? nil : try StreamPosition(own.offset)
    }
}
