import ConnectAPI
import Testing

@testable import ConnectorsObjectStore

@Suite struct RotationTests {
    private static let schema = Schema.struct([.init("a", Schema(.int32))])

    /// Where files begin, by feeding `count` rows in batches of `width`.
    private func cuts(
        _ policy: PartitionRotation.Policy, directories: [Int32], times: [Int64]? = nil, schemas: [Schema]? = nil, width: Int, now: (Int) -> Int64 = { _ in 0 }
    ) -> [String] {
        var rotation = PartitionRotation(policy, now: now(0)), out: [String] = []
        var at = 0
        while at < directories.count {
            var end = min(directories.count, at + width)
            if let schemas { end = (at..<end).first { schemas[$0] != schemas[at] } ?? end }
            var row = 0
            while row < end - at {
                let step = rotation.next(
                    from: row, count: end - at, directories: .each(Array(directories[at..<end])), times: times.map { .each(Array($0[at..<end])) },
                    schema: schemas?[at] ?? Self.schema, nulls: nil, now: now(at))
                switch step {
                case .cut(let reason): out.append("\(at + row) \(reason.rawValue)")
                case .append(let rows, let then):
                    row = rows.upperBound
                    if let then { out.append("\(at + row) \(then.rawValue)") }
                }
            }
            at = end
        }
        return out
    }

    @Test func recordsOfAllDirectoriesCountTogether() {
        for width in 1...7 { #expect(cuts(.init(flushSize: 3), directories: [0, 1, 2, 0, 0, 1, 1], width: width) == ["3 records", "6 records"]) }
    }

    @Test func recordTimeAndDirectoryChangeCutBeforeTheRecord() {
        let policy = PartitionRotation.Policy(flushSize: 100, interval: 10)
        for width in 1...8 {
            #expect(
                cuts(policy, directories: [0, 0, 1, 1, 1, 1], times: [0, 5, 6, 15, 16, 40], width: width) == ["2 directory", "4 interval", "5 interval"])
        }
        let together = PartitionRotation.Policy(flushSize: 100, interval: 10, onDirectoryChange: false)
        #expect(cuts(together, directories: [0, 1, 0, 1], times: [0, 9, 10, 11], width: 4) == ["2 interval"])
    }

    @Test func schemaChangesAndOpenFilesCut() {
        let other = Schema.struct([.init("a", Schema(.int64))])
        for width in 1...6 {
            #expect(
                cuts(.init(flushSize: 100), directories: [0, 0, 1, 0, 0], schemas: [Self.schema, Self.schema, other, other, other], width: width) == [
                    "3 schema"
                ])
            #expect(cuts(.init(flushSize: 100, maxOpenFiles: 2), directories: [0, 1, 2, 2, 0, 1], width: width) == ["2 open_files", "5 open_files"])
        }
    }

    @Test func scheduleIsAlignedToMidnightOfTheZone() throws {
        var policy = PartitionRotation.Policy(flushSize: 100, schedule: 3_600_000)
        policy.zone = try TimeZoneRules("Asia/Kolkata")
        var rotation = PartitionRotation(policy, now: 1_714_979_289_000)  // 12:38:09 there
        #expect(rotation.nextSchedule == 1_714_979_289_000 + 21 * 60_000 + 51_000)
        #expect(rotation.tick(rotation.nextSchedule) == nil, "nothing to store: the schedule moves on")
        _ = rotation.next(from: 0, count: 1, directories: .all(0), times: nil, schema: nil, nulls: nil, now: rotation.nextSchedule - 1)
        #expect(rotation.tick(rotation.nextSchedule - 1) == nil)
        let due = rotation.nextSchedule
        #expect(rotation.tick(due) == .schedule)
        #expect(rotation.recordCount == 0 && rotation.nextSchedule == due + 3_600_000)
    }

    @Test func compatibilityKeepsFilesOpenWhereItCan() {
        func version(_ v: Int?, _ fields: String...) -> Schema { .struct(fields.map { .init($0, Schema(.int32, optional: true)) }, name: "r", version: v) }
        let one = version(1, "a"), two = version(2, "a", "b")
        #expect(SchemaCompatibility.none.cuts(record: one, file: two))
        #expect(!SchemaCompatibility.backward.cuts(record: one, file: two) && SchemaCompatibility.backward.cuts(record: two, file: one))
        #expect(!SchemaCompatibility.forward.cuts(record: two, file: one) && SchemaCompatibility.forward.cuts(record: one, file: two))
        #expect(SchemaCompatibility.full.cuts(record: version(nil, "a", "b"), file: version(nil, "a")))
        let projected = SchemaCompatibility.project(Column(one, [.struct([1])]), to: two)
        #expect(projected.schema == two && projected[0] == .struct([1, nil]))
    }

    @Test func commitsNeverFallIntoAStoredFile() {
        var cut = CommitCut()
        cut.start(at: 0)
        cut.begin(1, start: 0)
        cut.begin(2, start: 3)
        cut.advance(to: 10)
        cut.store(1, end: 8)
        // File 1 spans the start of file 2: nothing may be committed.
        #expect(cut.cut == 0)
        let held = cut.committable()
        #expect(held == nil && cut.isHeldBack)
        cut.store(2, end: 9)
        let all = cut.committable()
        #expect(all == 10)
        let again = cut.committable()
        #expect(again == nil)
        // A chain: the cut falls from one file into the one before.
        cut.begin(3, start: 10)
        cut.begin(4, start: 12)
        cut.begin(5, start: 15)
        cut.advance(to: 30)
        cut.store(3, end: 13)
        cut.store(4, end: 16)
        #expect(cut.cut == 10)
        cut.store(5, end: 29)
        let done = cut.committable()
        #expect(done == 30)
    }
}
