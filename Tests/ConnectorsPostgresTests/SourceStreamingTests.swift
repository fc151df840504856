import ConnectAPI
import TestSupport
import Testing

@testable import ConnectorsPostgres

@Suite struct SourceStreamingTests {
    private static let schema = "create table a(id int primary key, v text, n numeric(10,2)); insert into a select i, 'v' || i, i from generate_series(1, 10) i;"

    @Test func snapshotThenStreamGiveTheTable() async throws {
        try await withPostgres { db in
            try db.sql(Self.schema)
            let recorder = Recorder()
            try await db.runSource(into: recorder) {
                try await eventually("the snapshot is there") { recorder.events("a").count == 10 }
                try db.sql("insert into a values (11, 'x', 1); update a set v = 'y' where id = 1; delete from a where id = 2; update a set id = 100 where id = 3")
                try await eventually("the changes are there") { recorder.events("a").count == 10 + 1 + 1 + 2 + 3 }
            }
            let ops = recorder.events("a").map { $0.op ?? "-" }
            #expect(ops == Array(repeating: "r", count: 10) + ["c", "u", "d", "-", "d", "-", "c"])
            #expect(recorder.events("a").prefix(10).map(\.snapshot) == ["first"] + Array(repeating: "true", count: 8) + ["last"])
            #expect(recorder.table("a").count == 10)
            #expect(recorder.table("a")[.struct([.integer(100)])] != nil)
        }
    }
}
