import Foundation
import TestSupport
import Testing

/// The real binary, killed at random moments.
@Suite(.serialized) struct KillTests {
    @Test(arguments: ["COPY", "SNOWPIPE_STREAMING"]) func everyLineIsInTheTableOnceWhateverIsKilled(method: String) async throws {
        var random = SeededGenerator.printed()
        try await withLines("KILL", ["snowflake.ingestion.method": method, "buffer.count.records": "40"]) { lines in
            let worker = lines.worker
            for _ in 0..<3 {
                try worker.start()
                for _ in 0..<3 {
                    try lines.append(Int.random(in: 1...150, using: &random))
                    try await Task.sleep(for: .milliseconds(Int.random(in: 20...500, using: &random)))
                }
                worker.kill()
            }
            try lines.append(10)
            try worker.start()
            try await worker.wait("all \(lines.written) lines are in the table") { try lines.server.rowsIfThere(lines.table) >= lines.written }
            // What would come twice would come now.
            try await Task.sleep(for: .milliseconds(1500))
            #expect(try lines.counts() == Array(repeating: lines.written, count: 3), "\(worker.log.suffix(2000))")
            worker.stop()
        }
    }
}

/// The real binary with lines of a file on their way to a table, and who sees what arrived.
final class Lines {
    let server: SnowflakeServer
    let worker: SluiceWorker
    /// Of the connector and the table.
    let id = String(UUID().uuidString.prefix(8).uppercased())
    let table: String
    private let file: String
    /// How many lines there are.
    private(set) var written = 0

    fileprivate init(_ name: String, _ settings: [String: String], _ key: TestKey, _ server: SnowflakeServer, in directory: String) throws {
        self.server = server
        table = "\(name)_\(id)"
        file = directory + "/lines.txt"
        try server.control("user", ["name": "KILLER", "key": try key.text("public")])
        #expect(FileManager.default.createFile(atPath: file, contents: nil))
        worker = try SluiceWorker(directory: directory)
        try worker.configure("lines", ["connector.class": "FileStreamSource", "file": file, "topic": "lines"])
        try worker.configure(
            "snow\(id)",
            [
                "connector.class": "com.snowflake.kafka.connector.SnowflakeSinkConnector", "topics": "lines", "snowflake.url.name": server.url,
                "snowflake.user.name": "killer", "snowflake.private.key": try key.oneLine("plain"), "snowflake.account.name": "acc",
                "snowflake.database.name": "D", "snowflake.schema.name": "S", "snowflake.topic2table.map": "lines:\(table)", "buffer.flush.time": "1",
                "snowflake.copy.interval.seconds": "0",
            ].merging(settings) { $1 })
    }

    func append(_ count: Int) throws {
        let handle = FileHandle(forWritingAtPath: file)!
        handle.seekToEndOfFile()
        handle.write(Data((written..<written + count).map { "line \($0)\n" }.joined().utf8))
        try handle.close()
        written += count
    }

    /// Rows of the table, and how many different lines and offsets they have.
    func counts() throws -> [Int] {
        try server.sql("SELECT COUNT(*), COUNT(DISTINCT RECORD_CONTENT::VARCHAR), COUNT(DISTINCT RECORD_METADATA:offset::INT) FROM D.S.\(table)")[0]
            .map { $0.flatMap { Int($0) } ?? -1 }
    }
}

func withLines(_ name: String, _ settings: [String: String], _ body: (Lines) async throws -> Void) async throws {
    let key = try TestKey()
    defer { key.remove() }
    try await withSnowflake { server in
        try await withTemporaryDirectory { directory in try await body(try Lines(name, settings, key, server, in: directory)) }
    }
}
