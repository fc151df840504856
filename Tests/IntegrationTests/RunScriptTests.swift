import Foundation
import TestSupport
import Testing

/// `make run`, past its build: `scripts/run.sh` from an empty directory, `scripts/query.sh` on its lake, Ctrl-C, and once more.
@Suite struct RunScriptTests {
    @Test func runsUntilInterruptedAndGoesOnFromThere() async throws {
        // The database's user must be able to enter it.
        let directory = "/tmp/sluice-test-run-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let listen = "127.0.0.1:\(try freePort())", port = String(try freePort())
        let environment = ["RUN_DIR": directory, "LISTEN": listen, "PGPORT": port, "PGHOST": "", "SLUICE_BINARY": SluiceWorker.binary]
        func count(_ table: String) throws -> Int {
            let shown = try Subprocess.run(Checkout.root + "/scripts/query.sh", ["select count(*) as n from \(table)"], environment: environment)
            return shown.split(separator: "│").compactMap { Int($0.filter { $0 != " " }) }.first ?? 0
        }
        var rows = 0
        for log in ["/tmp/\(UUID().uuidString).first", "/tmp/\(UUID().uuidString).second"] {
            defer { unlink(log) }
            let child = try Subprocess.start(Checkout.root + "/scripts/run.sh", [], environment: environment, output: log, errors: log)
            let deadline = Date().addingTimeInterval(90)
            while (try? count("customers")) ?? 0 <= rows {
                guard Date() < deadline, child.isRunning else {
                    child.signal(SIGINT)
                    Issue.record("no more than \(rows) rows: \((try? String(contentsOfFile: log, encoding: .utf8)) ?? "")")
                    return
                }
                try await Task.sleep(for: .milliseconds(100))
            }
            child.signal(SIGINT)
            #expect(child.wait() == 0)
            rows = try count("customers")
            let said = try String(contentsOfFile: log, encoding: .utf8)
            #expect(said.contains("run: stopped; the lake stays in \(directory)/lake") && !said.contains("FATAL") && !said.contains("ERROR"), "\(said)")
            // Nothing of it runs on.
            for at in [listen, "127.0.0.1:\(port)"] {
                #expect(throws: Subprocess.Failure.self) { try Subprocess.run("bash", ["-c", "exec 3<>/dev/tcp/\(at.replacing(":", with: "/"))"]) }
            }
        }
        // It empties nobody's directory.
        let full = directory + "-full"
        try FileManager.default.createDirectory(atPath: full + "/data", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: full) }
        let refused = #expect(throws: Subprocess.Failure.self) {
            try Subprocess.run(Checkout.root + "/scripts/run.sh", [], environment: environment.merging(["RUN_DIR": full]) { $1 })
        }
        #expect(refused?.status == 2 && FileManager.default.fileExists(atPath: full + "/data"))
        #expect(try count("customers") == (try count("(select distinct id from customers)")), "a row came twice")
    }
}
