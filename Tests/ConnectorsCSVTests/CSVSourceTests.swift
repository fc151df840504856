import ConnectAPI
import ConnectorsCSV
import Foundation
import TestSupport
import Testing

/// The CSV source on real files.
@Suite struct CSVSourceTests {
    private func write(_ text: String, to path: String) throws { try Data(text.utf8).write(to: URL(fileURLWithPath: path)) }
    private func append(_ text: String, to path: String) throws {
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(text.utf8))
        try handle.close()
    }
    private func rows(_ range: Range<Int>) -> String { range.map { "\($0),name \($0),\($0).5\n" }.joined() }
    private func ids(_ output: RecordingOutput, _ topic: String = "t") -> [Int64] {
        output.values(topic).map { value in
            guard case .struct(let members) = value, let id = members[0].integerValue else { return -1 }
            return id
        }
    }

    @Test func readsTypedRowsAndSaysWhereTheyEnd() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/a.csv"
            try write("id,name,amt\n" + rows(0..<3), to: path)
            let output = try await run(CSVSource.self, ["topic": "t", "file": path, "at.end": "stop"]) { _ in false }
            #expect(output.values("t")[2] == .struct([2, "name 2", .double(2.5)]))
            #expect(output.position?.partition["file"] == .string(path) && output.position?.offset["row"] == 3 && output.position?.offset["finished"] == true)
        }
    }

    @Test(arguments: ["gzip -c", "zstd -qc", "cat"]) func resumesAtEveryFrame(_ packer: String) async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/a.csv"
            try write("id,name,amt\n" + rows(0..<500) + "500,\"two\nlines\",1\n" + rows(501..<1000), to: directory + "/plain")
            try Subprocess.run("sh", ["-c", "\(packer) '\(directory)/plain' > '\(path)'"])
            let config = ["topic": "t", "file": path, "batch.size": "100", "at.end": "stop"]
            let first = try await run(CSVSource.self, config) { _ in false }
            #expect(ids(first) == Array(0..<1000))
            for (i, frame) in first.frames.enumerated() {
                let rest = try await run(CSVSource.self, config, from: [frame.position!]) { _ in false }
                let sent = first.frames[...i].reduce(0) { $0 + $1.batches.reduce(0) { $0 + $1.count } }
                #expect(ids(rest) == Array(Int64(sent)..<1000))
            }
        }
    }

    @Test func aChangedFileIsNoticed() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/a.csv"
            try write("id,name,amt\n" + rows(0..<10), to: path)
            let config = ["topic": "t", "file": path, "at.end": "stop"]
            let position = try await run(CSVSource.self, config) { _ in false }.position!
            try FileManager.default.removeItem(atPath: path)
            try write("id,name,amt\n" + rows(5..<40), to: path)
            let error = await #expect(throws: ConnectorError.self) { try await run(CSVSource.self, config, from: [position]) { _ in false } }
            #expect(error?.code == "csv.file_changed" && error?.disposition == .stop)
            let again = try await run(CSVSource.self, config.merging(["file.changed": "restart"]) { $1 }, from: [position]) { _ in false }
            #expect(ids(again) == Array(5..<40))
            // The same bytes under another inode are the same file.
            try write("id,name,amt\n" + rows(0..<10), to: directory + "/copy")
            try FileManager.default.removeItem(atPath: path)
            try FileManager.default.moveItem(atPath: directory + "/copy", toPath: path)
            #expect(try await run(CSVSource.self, config, from: [position]) { _ in false }.count("t") == 0)
        }
    }

    @Test func tailsAFileThatGrows() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/a.csv"
            try write("id,name,amt\n0,a,1.5\n1,b", to: path)
            let config = ["topic": "t", "file": path, "at.end": "tail", "empty.poll.wait.ms": "20"]
            async let run = run(CSVSource.self, config) { $0.count("t") >= 4 }
            try await Task.sleep(for: .milliseconds(150))
            try append(",2.5\n2,\"c", to: path)
            try await Task.sleep(for: .milliseconds(150))
            try append("\nd\",3\n3,e,4\n", to: path)
            #expect(ids(try await run) == [0, 1, 2, 3])
        }
    }

    @Test func loopsAndKeepsCountOfIt() async throws {
        try await withTemporaryDirectory { directory in
            try write("id\n1\n2\n", to: directory + "/a.csv")
            try write("id\n3\n", to: directory + "/b.csv")
            let output = try await run(CSVSource.self, ["topic": "t", "file": directory + "/*.csv", "at.end": "loop"]) { $0.count("t") >= 9 }
            #expect(Array(ids(output).prefix(9)) == [1, 2, 3, 1, 2, 3, 1, 2, 3])
            #expect(output.position?.offset["pass"]?.integerValue ?? 0 >= 2)
        }
    }

    @Test func badRowsGoToTheDeadLetterTopicWithTheirLines() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/a.csv"
            try write("id,amt\n1,1.5\nx,2\n3,\"a\nb\"\n\n4\n5,\"q\"z\n6,6\n", to: path)
            let config = ["topic": "t", "file": path, "columns": "id long, amt double", "at.end": "stop"]
            let error = await #expect(throws: ConnectorError.self) { try await run(CSVSource.self, config) { _ in false } }
            #expect(error?.code == "csv.bad_row" && error?.message == "\(path) line 3: column id holds no long")
            let output = try await run(
                CSVSource.self, config.merging(["errors.tolerance": "all", "errors.deadletterqueue.topic.name": "dlq"]) { $1 }
            ) { _ in false }
            #expect(ids(output) == [1, 6])
            #expect(output.values("dlq") == ["x,2", "3,\"a\nb\"", "4", "5,\"q\"z"])
            let headers = output.frames.flatMap(\.batches).filter { $0.topic == "dlq" }.flatMap(\.headers)
            let lines = headers.first { $0.name == "file.line" }!.values
            #expect((0..<4).map { lines[$0] } == [3, 4, 7, 8])
            #expect(output.position?.offset["row"] == 6)
        }
    }

    @Test func spoolsAndMovesFilesThatAreRead() async throws {
        try await withTemporaryDirectory { directory in
            for name in ["in", "done", "bad"] { try FileManager.default.createDirectory(atPath: "\(directory)/\(name)", withIntermediateDirectories: true) }
            try write("id\n1\n", to: directory + "/in/a.csv")
            try write("id,id\n1,1\n", to: directory + "/in/b.csv")
            try write("id\n2\n", to: directory + "/in/c.csv")
            try write("no", to: directory + "/in/d.txt")
            let config = [
                "topic": "t", "input.path": directory + "/in", "input.file.pattern": ".*\\.csv", "finished.path": directory + "/done",
                "error.path": directory + "/bad", "halt.on.error": "false", "empty.poll.wait.ms": "20",
            ]
            let names = { @Sendable (folder: String) in try FileManager.default.contentsOfDirectory(atPath: "\(directory)/\(folder)").sorted() }
            let output = try await run(CSVSource.self, config) { _ in (try? names("in")) == ["d.txt"] }
            #expect(ids(output) == [1, 2])
            #expect(try names("done") == ["a.csv", "c.csv"] && names("bad") == ["b.csv"])
            // The next file of the same name is another file.
            try write("id\n7\n", to: directory + "/in/a.csv")
            let next = try await run(CSVSource.self, config, from: output.frames.compactMap(\.position)) { _ in (try? names("in")) == ["d.txt"] }
            #expect(ids(next) == [7])
        }
    }

    @Test func replaysAtThePaceOfATimeColumn() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/a.csv"
            try write("id,unix_time\n" + (0..<5).map { "\($0),\(1_700_000_000 + $0 * 10)\n" }.joined(), to: path)
            let start = ContinuousClock.now
            let output = try await run(CSVSource.self, ["topic": "t", "file": path, "time.column": "unix_time", "speed": "100", "at.end": "stop"]) { _ in false
            }
            // 40 s a hundred times faster; how much later a busy machine is does not matter.
            #expect(ContinuousClock.now - start >= .milliseconds(390) && ids(output) == [0, 1, 2, 3, 4])
            let paced = ContinuousClock.now
            try await run(CSVSource.self, ["topic": "t", "file": path, "rows.per.second": "20", "at.end": "stop"]) { _ in false }
            #expect(ContinuousClock.now - paced >= .milliseconds(190))
        }
    }

    @Test func enrichmentIsTheSameAfterARestart() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/a.csv"
            try write("id;amt;merchant\n" + (0..<200).map { "\($0);\($0).25;m\n" }.joined(), to: path)
            let config = [
                "topic": "t", "file": path, "csv.separator.char": ";", "batch.size": "50", "at.end": "stop",
                "enrich.fx.map": "EUR:1.17,DKK:0.16,SEK:0.11,NOK:0.10",
                "enrich.fx.seed": "7",
            ]
            let whole = try await run(CSVSource.self, config) { _ in false }, values = whole.values("t")
            let rest = try await run(CSVSource.self, config, from: [whole.frames[1].position!]) { _ in false }
            #expect(rest.values("t") == Array(values[100...]) && values.count == 200)
            let rates = ["EUR": 1.17, "DKK": 0.16, "SEK": 0.11, "NOK": 0.10]
            var seen: Set<String> = []
            for (i, value) in values.enumerated() {
                guard case .struct(let members) = value, case .string(let currency) = members[2], case .double(let amount) = members[3] else {
                    Issue.record("\(value)")
                    return
                }
                seen.insert(currency)
                #expect(members.count == 4 && amount == (Double(i) + 0.25) / rates[currency]!)
            }
            #expect(seen == Set(rates.keys))
        }
    }

    @Test func importsAnotherProgramsCheckpoint() async throws {
        try await withTemporaryDirectory { directory in
            try write("id,name,amt\n" + rows(0..<100), to: directory + "/a.csv")
            try write("{\"last_index\": 37}", to: directory + "/checkpoint.json")
            let output = try await run(
                CSVSource.self, ["topic": "t", "file": directory + "/a.csv", "checkpoint.import.file": directory + "/checkpoint.json", "at.end": "stop"]
            ) { _ in false }
            #expect(ids(output) == Array(37..<100))
        }
    }

    /// What Java's SimpleDateFormat, which Spool Dir reads times with, made of them (JDK 17): the second of two instants, and what is skipped as much later.
    @Test(
        arguments: [
            (
                "Europe/Berlin",
                [
                    ("2026-10-25 02:30:00", "2026-10-25T01:30:00Z"), ("2026-10-25 01:30:00", "2026-10-24T23:30:00Z"),
                    ("2026-03-29 02:30:00", "2026-03-29T01:30:00Z"), ("2026-03-29 01:30:00", "2026-03-29T00:30:00Z"),
                ]
            ), ("America/New_York", [("2026-11-01 01:30:00", "2026-11-01T06:30:00Z"), ("2026-03-08 02:30:00", "2026-03-08T07:30:00Z")]),
            ("Australia/Lord_Howe", [("2026-04-05 01:45:00", "2026-04-04T15:15:00Z"), ("2026-10-04 02:15:00", "2026-10-03T15:45:00Z")]),
            ("Europe/Dublin", [("2026-10-25 01:30:00", "2026-10-25T01:30:00Z"), ("2026-03-29 01:30:00", "2026-03-29T01:30:00Z")]),
            ("+05:30", [("2026-10-25 02:30:00", "2026-10-24T21:00:00Z")]),
        ])
    func timesAreThoseOfTheZonesClocks(_ zone: String, _ times: [(text: String, instant: String)]) async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/a.csv"
            // A time that says its offset needs no zone.
            let rows = times.map { "\($0.text),\($0.text),\($0.text),\($0.instant)\n" }
            try write("iso,pattern,micros,offset\n" + rows.joined(), to: path)
            let columns = "iso timestamp, pattern timestamp(yyyy-MM-dd HH:mm:ss), micros timestamp_us, offset timestamp"
            let config = ["topic": "t", "file": path, "columns": columns, "parser.timestamp.timezone": zone, "at.end": "stop"]
            let output = try await run(CSVSource.self, config) { _ in false }
            let expected = times.map { time in
                let milliseconds = Int64(ISO8601DateFormatter().date(from: time.instant)!.timeIntervalSince1970) * 1000
                return Value.struct([milliseconds, milliseconds, milliseconds * 1000, milliseconds].map { .integer($0) })
            }
            #expect(output.values("t") == expected)
        }
    }

    @Test(
        arguments: [
            (["topic": "t"], "file"), (["topic": "t", "file": "a", "csv.separator.char": "ab"], "csv.separator.char"),
            (["topic": "t", "file": "a", "columns": "a money"], "columns"), (["topic": "t", "file": "a", "csv.file.charset": "UTF-16"], "csv.file.charset"),
            (["topic": "t", "file": "a", "speed": "0"], "speed"), (["topic": "t", "file": "a", "enrich.fx.map": "EUR"], "enrich.fx.map"),
            (["topic": "t", "file": "a", "finished.path": "/x", "at.end": "loop"], "at.end"),
            (["topic": "t", "file": "a", "parser.timestamp.timezone": "Europe/Nowhere"], "parser.timestamp.timezone"),
        ])
    func refusesWhatItCannotDo(_ config: [String: String], _ key: String) {
        #expect(CSVSource.Configuration.parse(config).findings.map(\.key) == [key])
    }
}
