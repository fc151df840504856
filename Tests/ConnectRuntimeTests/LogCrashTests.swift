import ConnectAPI
import Foundation
import TestSupport
import Testing

@testable import ConnectRuntime

@Suite struct LogCrashTests {
    private static var probe: String {
        URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent("log-crash-probe").path
    }

    /// kill -9 at random moments: what was acknowledged is there once, nothing follows a gap, the position is that of the last frame.
    @Test func everyAcknowledgedFrameSurvivesKill9ExactlyOnce() async throws {
        var random = SeededGenerator.printed()
        try await withTemporaryDirectory { directory in
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            let data = directory + "/data", output = directory + "/acknowledged", errors = directory + "/errors"
            func acknowledged() -> [Int64] {
                // The last line may be half written.
                let text = (try? String(contentsOfFile: output, encoding: .utf8)) ?? ""
                return text.split(separator: "\n").dropLast(text.hasSuffix("\n") ? 0 : 1).compactMap { Int64($0) }
            }
            var last: Int64 = -1
            for round in 0..<25 {
                let before = acknowledged().count
                let child = try Subprocess.start(Self.probe, [data], output: output, errors: errors)
                // Some rounds are killed while the log is being opened, the others after the first answers.
                if round % 5 != 4 {
                    let deadline = Date().addingTimeInterval(30)
                    while acknowledged().count == before, Date() < deadline { try await Task.sleep(for: .milliseconds(2)) }
                    #expect(acknowledged().count > before, "\((try? String(contentsOfFile: errors, encoding: .utf8)) ?? "")")
                }
                try await Task.sleep(for: .microseconds(Int.random(in: 0...40_000, using: &random)))
                kill(child.pid, SIGKILL)
                _ = child.wait()
                last = try await verify(data, acknowledged: acknowledged().max() ?? -1, after: last)
            }
            #expect(last > 100, "the rounds appended \(last) frames")
        }
    }

    /// The last position of the log.
    private func verify(_ data: String, acknowledged: Int64, after last: Int64) async throws -> Int64 {
        let log = try await EmbeddedLog.open(directory: data)
        let position = try await log.sourcePositions(of: CrashFrame.connector).first?.offset["n"]?.integerValue ?? -1
        #expect(position >= acknowledged && position >= last)
        for topic in ["a", "b"] {
            var expected: [Int64] = []
            if position >= 0 {
                expected = (0...position).flatMap { CrashFrame.batches($0) }.filter { $0.topic == topic }.flatMap(\.numbers)
            }
            let found = try await log.numbers(topic)
            #expect(found == expected, "\(topic): \(found.count) records, \(expected.count) expected")
        }
        let staged = try await log.readers.run { try $0.integer("SELECT count(*) FROM staged") }
        #expect(staged == 0)
        await log.close()
        return position
    }
}
