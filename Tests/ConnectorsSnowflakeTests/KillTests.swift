import Foundation
import TestSupport
import Testing

/// The real binary, killed at random moments.
@Suite(.serialized) struct KillTests {
    @Test(arguments: ["COPY", "SNOWPIPE_STREAMING"]) func everyLineIsInTheTableOnceWhateverIsKilled(method: String) async throws {
        var random = SeededGenerator(seed: Seed.current)
        let key = try TestKey()
        defer { key.remove() }
        try await withSnowflake { server in
            try await withTemporaryDirectory { directory in
                let id = UUID().uuidString.prefix(8).uppercased(), table = "KILL_\(id)"
                try server.control("user", ["name": "KILLER", "key": try key.text("public")])
                let worker = try SluiceWorker(directory: directory)
                let file = directory + "/lines.txt"
                #expect(FileManager.default.createFile(atPath: file, contents: nil))
                try worker.configure("lines", ["connector.class": "FileStreamSource", "file": file, "topic": "lines"])
                try worker.configure(
                    "snow\(id)",
                    [
                        "connector.class": "com.snowflake.kafka.connector.SnowflakeSinkConnector", "topics": "lines", "snowflake.url.name": server.url,
                        "snowflake.user.name": "killer", "snowflake.private.key": try key.oneLine("plain"), "snowflake.account.name": "acc",
                        "snowflake.database.name": "D", "snowflake.schema.name": "S", "snowflake.topic2table.map": "lines:\(table)",
                        "snowflake.ingestion.method": method, "buffer.count.records": "40", "buffer.flush.time": "1", "snowflake.copy.interval.seconds": "0",
                    ])
                var written = 0
                func append(_ count: Int) throws {
                    let handle = FileHandle(forWritingAtPath: file)!
                    handle.seekToEndOfFile()
                    handle.write(Data((written..<written + count).map { "line \($0)\n" }.joined().utf8))
                    try handle.close()
                    written += count
                }
                for _ in 0..<3 {
                    try worker.start()
                    for _ in 0..<3 {
                        try append(Int.random(in: 1...150, using: &random))
                        try await Task.sleep(for: .milliseconds(Int.random(in: 20...500, using: &random)))
                    }
                    worker.kill()
                }
                try append(10)
                try worker.start()
                try await worker.wait("all \(written) lines are in the table") { try server.rowsIfThere(table) >= written }
                // What would come twice would come now.
                try await Task.sleep(for: .milliseconds(1500))
                let counts = try server.sql(
                    "SELECT COUNT(*), COUNT(DISTINCT RECORD_CONTENT::VARCHAR), COUNT(DISTINCT RECORD_METADATA:offset::INT) FROM D.S.\(table)")[0]
                #expect(counts == [String(written), String(written), String(written)], "\(worker.log.suffix(2000))")
                worker.stop()
            }
        }
    }
}
