import ConnectAPI
import TestSupport
import Testing

@testable import ConnectorsPostgres

@Suite struct ReplicationPositionTests {
    @Test func lsnsAreReadAndWrittenAsPostgreSQLWritesThem() {
        #expect(LSN.parse("16/B374D848") == 0x16_B374_D848)
        #expect(LSN.text(0x16_B374_D848) == "16/B374D848")
        for text in ["", "16", "/", "1/2/3", "x/1", "1/100000000", "-1/2"] { #expect(LSN.parse(text) == nil, "\(text)") }
    }

    @Test func anOffsetOfOursHasExactlyDebeziumsKeys() throws {
        var position = StreamPosition(committed: 300)
        position.lastEvent = .init(lsn: 250, xid: 7, commitMicros: 5, kind: "INSERT")
        #expect(position.offset.entries.map(\.key) == ["lsn_proc", "messageType", "lsn_commit", "lsn", "txId", "ts_usec"])
        position.lastEvent?.followsCommit = false
        #expect(position.offset.entries.map(\.key) == ["lsn_proc", "messageType", "lsn", "txId", "ts_usec"])
        #expect(try StreamPosition(position.offset).committed == 300)
        position.snapshot = .init(isCompleted: true)
        #expect(position.offset.entries.map(\.key) == ["last_snapshot_record", "lsn", "txId", "ts_usec", "snapshot", "snapshot_completed"])
    }

    @Test func offsetsRoundTrip() throws {
        var position = StreamPosition(committed: 300)
        position.lastEvent = .init(lsn: 350, xid: 7, commitMicros: 5, kind: "UPDATE")
        position.partial = .init(xid: 7, changes: 12, lsn: 350, fingerprint: "f")
        position.laterUnits = SnapshotLedger(["s.t": 400])
        position.transaction = .init(xid: 7, events: [("s.t", 3), ("s.u", 1)])
        position.incremental = IncrementalProgress(correlationID: "sig", collections: [.init(schema: "s", name: "t")])
        #expect(try StreamPosition(position.offset) == position)
        position.server = ServerIdentity(systemID: "7", timeline: 2, timelineStart: 250)
        position.partial?.finalLSN = 390
        #expect(try StreamPosition(position.offset) == position)
        var snapshot = StreamPosition(committed: 300)
        snapshot.lastEvent = .init(lsn: 300, xid: 7, commitMicros: 5, kind: nil, followsCommit: false)
        snapshot.snapshot = .init(isCompleted: false, finished: SnapshotLedger(["s.a": 300, "s.b c": 400, "s.d[-5,17)": 300]))
        #expect(try StreamPosition(snapshot.offset) == snapshot)
    }

    @Test func debeziumsOffsetsAreTaken() throws {
        let inTransaction = try StreamPosition(["lsn_proc": 500, "messageType": "INSERT", "lsn_commit": 400, "lsn": 510, "txId": 9, "ts_usec": 1])
        #expect(inTransaction.committed == 400)
        #expect(inTransaction.partial == .init(xid: 9, changes: nil, lsn: 510))
        let afterCommit = try StreamPosition(["lsn_proc": 500, "messageType": "COMMIT", "lsn_commit": 500, "lsn": 500, "txId": 9, "ts_usec": 1])
        #expect(afterCommit.partial == nil && afterCommit.committed == 500)
        let old = try StreamPosition(["lsn": 5, "txId": 9, "ts_usec": 1, "snapshot": true, "last_snapshot_record": true, "snapshot_completed": true])
        #expect(old.snapshot?.isCompleted == true)
        #expect(throws: ConnectorError.self) { try StreamPosition(["file": "x"]) }
        #expect(throws: ConnectorError.self) { try StreamPosition(["lsn": "abc"]) }
    }

    private func admits(_ filter: inout ResumeFilter, _ lsn: UInt64) -> Bool { filter.admits(lsn: lsn) }
    private func admitted(_ filter: inout ResumeFilter) -> [Bool] { [100, 120, 120, 130].map { filter.admits(lsn: $0) } }

    @Test func wholeTransactionsBeforeThePositionAreSkipped() {
        var filter = ResumeFilter(resumingAt: StreamPosition(committed: 300), fingerprint: "f")
        filter.begin(finalLSN: 290, xid: 1)
        #expect(admits(&filter, 100) == false)
        filter.begin(finalLSN: 300, xid: 2)
        #expect(admits(&filter, 100) == true)
    }

    @Test func aTransactionOfOursGoesOnAtItsOrdinal() {
        var position = StreamPosition(committed: 300)
        position.partial = .init(xid: 7, changes: 2, lsn: 120, fingerprint: "f")
        var filter = ResumeFilter(resumingAt: position, fingerprint: "f")
        filter.begin(finalLSN: 400, xid: 7)
        #expect(admitted(&filter) == [false, false, true, true])
        filter.begin(finalLSN: 500, xid: 8)
        #expect(admits(&filter, 90) == true)
    }

    @Test func aTransactionIsEmittedAgainWhenThePublicationChanged() {
        var position = StreamPosition(committed: 300)
        position.partial = .init(xid: 7, changes: 2, lsn: 120, fingerprint: "old")
        var filter = ResumeFilter(resumingAt: position, fingerprint: "new")
        filter.begin(finalLSN: 400, xid: 7)
        #expect(admits(&filter, 100) == true)
        let repeated = filter.takeRepeatedTransaction(), again = filter.takeRepeatedTransaction()
        #expect(repeated == 7 && again == nil)
    }

    @Test func aTransactionOfDebeziumsGoesOnBehindItsLSN() {
        var position = StreamPosition(committed: 300)
        position.partial = .init(xid: 7, changes: nil, lsn: 120, changesAtLSN: 1)
        var filter = ResumeFilter(resumingAt: position, fingerprint: "f")
        filter.begin(finalLSN: 400, xid: 7)
        #expect(admitted(&filter) == [false, false, true, true])
        position.partial?.changesAtLSN = 0
        filter = ResumeFilter(resumingAt: position, fingerprint: "f")
        filter.begin(finalLSN: 400, xid: 7)
        #expect(admitted(&filter) == [false, false, false, true])
    }

    @Test func onlyDurableFramesAreAcknowledged() {
        let tracker = FlushTracker(flushed: 10)
        tracker.note(frame: 1, completes: 100)
        tracker.note(frame: 2, completes: 100)
        tracker.note(frame: 3, completes: 200)
        #expect(tracker.flushed(durable: 0) == 10)
        #expect(tracker.flushed(durable: 2) == 100)
        #expect(tracker.flushed(durable: 2) == 100)
        tracker.note(frame: 3, completes: 250)
        #expect(tracker.flushed(durable: 3) == 250)
        #expect(tracker.flushed(durable: 9) == 250)
    }

    @Test func theHandOffKeepsOrderAndItsBound() async throws {
        let queue = ChunkQueue(capacity: 100)
        #expect(queue.isEmpty && !queue.isFull && queue.hasRoomAgain)
        for byte in 0..<3 { queue.push(.init(bytes: Array(repeating: UInt8(byte), count: 40))) }
        #expect(queue.isFull && !queue.hasRoomAgain)
        for byte in 0..<3 { #expect(try await queue.next()?.bytes.first == UInt8(byte)) }
        #expect(queue.poll() == nil)
        let next = Task { try await queue.next() }
        queue.finish(.failure(CancellationError()))
        await #expect(throws: CancellationError.self) { try await next.value }
        await #expect(throws: CancellationError.self) { try await queue.next() }
    }

    // MARK: The ledger

    @Test func namesOfUnitsAreReadBack() {
        for range in [nil, KeyRange(lower: nil, upper: 5), KeyRange(lower: -7, upper: nil), KeyRange(lower: -7, upper: 5)] {
            let (table, found) = SnapshotUnitName.parse(SnapshotUnitName.make("s.a b", range))
            #expect(table == "s.a b" && found == range)
        }
        #expect(SnapshotUnitName.parse("s.odd[x,y)").table == "s.odd[x,y)")
    }

    /// Whatever the order units finish in and whatever is left at a restart, finished ranges and gaps together are every key once.
    @Test func finishedRangesAndGapsCoverEveryKeyOnce() {
        var random = SeededGenerator.printed()
        for _ in 0..<500 {
            let cuts = (0..<Int.random(in: 0...6, using: &random)).map { _ in Int64.random(in: -20...20, using: &random) }
            let pieces = KeyRange().divided(at: cuts).shuffled(using: &random)
            var ledger = SnapshotLedger(), lsnOfKey: [Int64: UInt64] = [:]
            for piece in pieces.prefix(Int.random(in: 0...pieces.count, using: &random)) {
                let lsn = UInt64.random(in: 1...2, using: &random)
                ledger.finish("s.t", piece, lsn: lsn)
                for key in Int64(-25)...25 where piece.contains(key) { lsnOfKey[key] = lsn }
            }
            ledger.finish("s.t2", KeyRange(lower: 0, upper: 1), lsn: 9)
            if let whole = ledger.units["s.t"] {
                #expect(lsnOfKey.count == 51 && lsnOfKey.values.allSatisfy { $0 == whole })
                continue
            }
            for key in Int64(-25)...25 {
                let finished = ledger.ranges(of: "s.t").filter { $0.range.contains(key) }
                #expect(finished.map(\.lsn) == (lsnOfKey[key].map { [$0] } ?? []))
                #expect(ledger.gaps(of: "s.t").filter { $0.contains(key) }.count == (lsnOfKey[key] == nil ? 1 : 0))
            }
        }
    }

    // MARK: Start

    private func configuration(_ extra: [String: String] = [:]) throws -> PostgresConfiguration {
        try PostgresConfiguration(["topic.prefix": "p", "database.hostname": "h", "database.user": "u", "database.dbname": "d"].merging(extra) { $1 })
    }
    private func slot(confirmed: UInt64, status: String = "reserved") -> Slot.State {
        Slot.State(plugin: "pgoutput", database: "d", activePID: nil, restartLSN: 1, confirmedFlushLSN: confirmed, walStatus: status, retainedBytes: 0)
    }
    private var streamed: StreamPosition { StreamPosition(committed: 300) }
    private func decide(_ mode: String, _ stored: StreamPosition?, _ slot: Slot.State?, _ extra: [String: String] = [:]) throws -> StartDecision {
        try StartDecision.make(configuration(extra.merging(["snapshot.mode": mode]) { $1 }), stored: stored, slot: slot)
    }

    @Test func withoutAnOffsetEveryModeButNoDataSnapshots() throws {
        for mode in ["initial", "always", "initial_only", "when_needed"] { #expect(try decide(mode, nil, nil) == .snapshot, "\(mode)") }
        #expect(try decide("no_data", nil, nil) == .streamFromSlot)
        #expect(try decide("no_data", nil, slot(confirmed: 5)) == .streamFromSlot)
    }

    @Test func withAnOffsetOnlyAlwaysSnapshotsAgain() throws {
        for mode in ["initial", "when_needed", "no_data"] { #expect(try decide(mode, streamed, slot(confirmed: 300)) == .stream(streamed), "\(mode)") }
        #expect(try decide("always", streamed, slot(confirmed: 300)) == .snapshot)
        #expect(try decide("initial_only", streamed, nil) == .nothing)
    }

    @Test func aGapIsNeverPassedOverInSilence() throws {
        for (state, code) in [
            (nil, "postgres.slot_missing"), (slot(confirmed: 301), "postgres.offset_gone"), (slot(confirmed: 1, status: "lost"), "postgres.slot_lost"),
        ] {
            for mode in ["initial", "no_data"] {
                let error = #expect(throws: ConnectorError.self) { try decide(mode, streamed, state) }
                #expect(error?.code == code)
                #expect(error?.disposition == .stop)
                #expect(error?.hint?.contains("when_needed") == true)
            }
            #expect(try decide("when_needed", streamed, state) == .snapshot)
        }
        var moved = streamed
        moved.committed = 400
        #expect(try decide("initial", streamed, slot(confirmed: 400), ["offset.mismatch.strategy": "trust_slot"]) == .stream(moved))
    }

    @Test func anUnfinishedSnapshotIsResumedWhileTheSlotHasTheWAL() throws {
        var unfinished = streamed
        unfinished.snapshot = .init(isCompleted: false, finished: SnapshotLedger(["s.a": 300]))
        #expect(try decide("initial", unfinished, slot(confirmed: 300)) == .resumeSnapshot(unfinished))
        #expect(try decide("initial", unfinished, nil) == .snapshot)
        #expect(try decide("initial", unfinished, slot(confirmed: 301)) == .snapshot)
        #expect(throws: ConnectorError.self) { try decide("no_data", unfinished, slot(confirmed: 300)) }
    }
}
