import ConnectAPI
import Foundation
import TestSupport
import Testing
import Transport

@testable import ConnectorsSnowflake

/// What is staged and loaded twice is in the table once, and what a killed process left behind too.
@Suite(.serialized) struct LoadOnceTests {
    /// PUT and COPY twice: by the load history the rows are there once.
    @Test func putAndCopyTwiceIsOnce() async throws {
        try await withSnowflake { server in
            let session = try server.session(), pool = BlockingPool(threads: 2), log = Logger("test"), setup = TableSetup(session, .init(), log: log)
            let table = ObjectName(["D", "S", "TWICE_\(UUID().uuidString.prefix(8).uppercased())"])
            let stage = InternalStage("@D.S.\(table.name)_STAGE", session: session, transport: HTTPTransport(), pool: pool, log: log, onRetry: { _ in })
            try await setup.createStage(ObjectName(["D", "S", "\(table.name)_STAGE"]))
            let loader = CopyLoader(session: session, setup: setup, stage: { _ in stage.reference }, layout: .seed, log: log)
            func file(_ offsets: Range<Int64>) throws -> (StagedFile, [UInt8]) {
                let batch = SnowflakeHarness.batch(offsets), rows = try RowLayout(layout: .seed).rows(batch, now: 0)
                let lane = Lane(partition: SnowflakeHarness.partition, table: table, directory: "c/orders/0", left: [], isSnowpipe: false)
                try lane.append(
                    rows.values, rows.columns, from: offsets.lowerBound, to: offsets.upperBound - 1, batch.batch.timestamps, row: batch.batch.count - 1)
                return try lane.finish()
            }
            let (first, bytes) = try file(0..<5), (second, more) = try file(5..<8)
            for _ in 0..<2 {
                try await stage.store(first.path, bytes)
                try await loader.load([first], into: table)
            }
            func ids() throws -> [String?] { try server.sql("SELECT DATA:id::INT FROM \(table.sql) ORDER BY 1").map { $0[0] } }
            #expect(try ids() == (0..<5).map(String.init))
            // One that is new beside one that was loaded.
            try await stage.store(first.path, bytes)
            try await stage.store(second.path, more)
            try await loader.load([first, second], into: table)
            #expect(try ids() == (0..<8).map(String.init))
            // The bytes are the same whenever they are made: that is what the history compares.
            #expect(try file(0..<5).1 == bytes)
            await session.close()
            pool.stop()
        }
    }

    /// The real binary, killed while Snowflake holds an answer back: before the step was done (`<`), and after it (`>`).
    @Test(arguments: [
        ("COPY", [">CREATE TABLE", ">CREATE STAGE", "<LIST", ">PUT", "<upload", ">upload", "<COPY INTO", ">COPY INTO", "<REMOVE", ">REMOVE"]),
        ("SNOWPIPE", [">CREATE PIPE", ">upload", "<insertFiles", ">insertFiles", ">insertReport", ">REMOVE"]),
    ]) func aKillAtAnyStepLeavesEveryRowOnce(method: String, steps: [String]) async throws {
        try await withLines("STEP", ["snowflake.ingestion.method": method, "buffer.count.records": "5"]) { lines in
            let worker = lines.worker
            func held() throws -> Int { try lines.server.state()["held"] as? Int ?? 0 }
            for step in steps {
                let before = try held(), name = step.dropFirst()
                try lines.server.control(
                    "fault",
                    ["match": name == "upload" ? "upload .*\(lines.table)" : "^\(name)", "when": step.hasPrefix("<") ? "before" : "after", "hold": true])
                try lines.append(7)
                try worker.start()
                try await worker.wait("\(step) is held") { try held() > before }
                worker.kill()
                if try lines.server.rowsIfThere(lines.table) > 0 {
                    let now = try lines.counts()
                    #expect(now[0] == now[1] && now[0] <= lines.written, "\(step): \(now) of \(lines.written)")
                }
            }
            try lines.append(3)
            try worker.start()
            try await worker.wait("all \(lines.written) lines are in the table") { try lines.server.rowsIfThere(lines.table) >= lines.written }
            try await Task.sleep(for: .milliseconds(500))
            #expect(try lines.counts() == Array(repeating: lines.written, count: 3), "\(worker.log.suffix(2000))")
            worker.stop()
        }
    }
}
