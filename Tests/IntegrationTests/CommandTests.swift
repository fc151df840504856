import Foundation
import TestSupport
import Testing

/// The binary as a person types at it: exit statuses, what it says to slips, and where records are read from.
@Suite struct CommandTests {
    /// Runs `sluice` and returns its status and what it printed to either stream.
    private static func sluice(_ arguments: String...) throws -> (status: Int, output: String) {
        let script = "\"$0\" \"$@\" 2>&1; echo \"status $?\""
        let out = try Subprocess.run("bash", ["-c", script, SluiceWorker.binary] + arguments, environment: ["SWIFT_BACKTRACE": "enable=no"])
        let cut = out.range(of: "status ", options: .backwards)!
        return (Int(out[cut.upperBound...].trimmingCharacters(in: .whitespacesAndNewlines))!, String(out[..<cut.lowerBound]))
    }

    @Test func slipsAreAnsweredWithWhatWasMeant() throws {
        #expect(try Self.sluice("version").output.hasPrefix("sluice 0."))
        #expect(try Self.sluice("help").status == 0)
        for (arguments, meant) in [
            (["vaildate", "x"], "validate"), (["tpa", "x"], "tap"), (["run", "--data-dri", "x"], "--data-dir"),
            (["tap", "t", "--from-begining"], "--from-beginning"),
            (["tap", "t", "--url"], "--url needs a value"), (["tap", "t", "--max", "0"], "--max takes a number above 0"), (["tap"], "tap takes one topic"),
            (["run", "--listen", "8083x"], "--listen takes HOST:PORT"),
        ] {
            let answer = try Subprocess.run(
                "bash", ["-c", "\"$0\" \"$@\" 2>&1; test $? = 64 || echo WRONG STATUS", SluiceWorker.binary] + arguments,
                environment: ["SWIFT_BACKTRACE": "enable=no"])
            #expect(answer.contains(meant) && !answer.contains("WRONG STATUS"), "\(arguments): \(answer)")
        }
    }

    @Test func validationNamesFileLineAndKey() throws {
        try withDirectory { directory in
            func write(_ name: String, _ text: String) throws -> String {
                try text.write(toFile: "\(directory)/\(name)", atomically: true, encoding: .utf8)
                return "\(directory)/\(name)"
            }
            let good = try write("good.json", "{\"name\":\"a\",\"config\":{\"connector.class\":\"FileStreamSource\",\"topic\":\"t\",\"file\":\"/x\"}}")
            #expect(try Self.sluice("validate", good).status == 0)
            let slip = try write("slip.properties", "name=b\nconnector.class=FileStreamSource\ntopic=t\nfile=/x\nbatch.sise=7\n")
            let warned = try Self.sluice("validate", good, slip)
            #expect(
                warned.status == 0 && warned.output.contains("slip.properties:5: warning: batch.sise") && warned.output.contains("did you mean 'batch.size'?"))
            let bad = try write("bad.json", "{\n\"connector.class\": \"FileStreamSource\",\n\"tasks.max\": \"none\"}")
            let refused = try Self.sluice("validate", good, bad)
            #expect(refused.status == 2 && refused.output.contains("bad.json:3: error: tasks.max") && refused.output.contains("topic"))
            #expect(try Self.sluice("validate", try write("broken.json", "{\"name\": ")).status == 2)
            #expect(try Self.sluice("validate", directory + "/absent.json").status == 2)
            let unknown = try Self.sluice("validate", try write("unknown.json", "{\"connector.class\":\"FileStreamSorce\",\"topic\":\"t\"}"))
            #expect(unknown.status == 2 && unknown.output.contains("Did you mean 'FileStreamSource'?"), "\(unknown.output)")
        }
    }

    private func withDirectory(_ body: (String) throws -> Void) throws {
        let directory = NSTemporaryDirectory() + "sluice-command-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try body(directory)
    }

    @Test func recordsAreReadFromAWorkerAndFromItsDirectory() async throws {
        try await withTemporaryDirectory { directory in
            try "one\ntwo\nthree\n".write(toFile: directory + "/in.txt", atomically: true, encoding: .utf8)
            let worker = try SluiceWorker(directory: directory)
            defer { worker.kill() }
            try worker.configure(
                "lines",
                [
                    "connector.class": "FileStreamSource", "file": directory + "/in.txt", "topic": "lines",
                    "value.converter": "org.apache.kafka.connect.storage.StringConverter",
                ])
            try worker.start()
            try await worker.waitUntilReady()
            let url = "http://127.0.0.1:\(worker.port)", data = directory + "/data"
            try await worker.wait("the lines are there") { try Self.sluice("tap", "lines", "--from-beginning", "--url", url).output.contains("three") }
            let remote = try Self.sluice("tap", "lines", "--from-beginning", "--url", url),
                local = try Self.sluice("tap", "lines", "--from-beginning", "--data-dir", data)
            #expect(remote.status == 0 && remote.output == local.output && remote.output.split(separator: "\n").count == 3)
            let first = try JSONSerialization.jsonObject(with: Data(remote.output.split(separator: "\n")[0].utf8)) as? [String: Any]
            #expect(
                first?["topic"] as? String == "lines" && first?["offset"] as? Int == 0 && first?["payload"] as? String == "one"
                    && first?["tstype"] as? String == "create")
            for place in [["--url", url], ["--data-dir", data]] {
                let absent = try Self.sluice("tap", "linse", "--from-beginning", place[0], place[1])
                #expect(absent.status == 1 && absent.output.contains("did you mean 'lines'?"), "\(absent.output)")
            }
            #expect(try Self.sluice("tap", "lines", "--from-beginning", "--max", "2", "--url", url).output.split(separator: "\n").count == 2)
            #expect(try Self.sluice("tap", "lines", "--from-beginning", "--pretty", "--data-dir", data).output.contains("value two"))
            worker.stop()
            #expect(try Self.sluice("tap", "lines", "--from-beginning", "--data-dir", data).output == local.output, "nobody runs any more")
            let away = try Self.sluice("tap", "lines", "--from-beginning", "--url", url)
            #expect(away.status == 1 && away.output.contains("127.0.0.1:\(worker.port)"))
            #expect(try Self.sluice("tap", "lines", "--from-beginning", "--data-dir", directory + "/none").status == 1)
        }
    }
}
